// SPDX-License-Identifier: LGPL-2.1-or-later
#include "signaling/gateway/top/terminal.hpp"

#include <glib-unix.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <string_view>
#include <utility>

namespace agora::gateway {

namespace {

// The other screen, no cursor, no line that goes on in the next row.
constexpr std::string_view begin_text = "\x1b[?1049h\x1b[?25l\x1b[?7l";
constexpr std::string_view end_text = "\x1b[0m\x1b[?7h\x1b[?25h\x1b[?1049l";
constexpr std::string_view home_text = "\x1b[H";
constexpr std::string_view rest_of_line = "\x1b[K";
constexpr std::string_view rest_of_screen = "\x1b[J";
constexpr std::string_view strong_look = "\x1b[1m";
constexpr std::string_view alarm_look = "\x1b[1;7m";
constexpr std::string_view plain_look = "\x1b[0m";
constexpr Terminal::Size usual_size{80, 24};

void write_all (std::string_view text) {
  while (!text.empty()) {
    const auto written = write(STDOUT_FILENO, text.data(), text.size());
    if (written > 0)
      text.remove_prefix(static_cast<std::size_t>(written));
    else if (errno != EINTR)
      return;
  }
}

std::string_view look_of (ShownLine::Look look) {
  switch (look) {
    case ShownLine::Look::strong:
      return strong_look;
    case ShownLine::Look::alarm:
      return alarm_look;
    case ShownLine::Look::plain:
      break;
  }
  return {};
}

struct Sequence {
  std::string_view bytes;
  Terminal::Key key;
};
// Longer ones first, where one begins with another.
constexpr std::array sequences{
    Sequence{"\x1b[A", Terminal::Key::up},
    Sequence{"\x1bOA", Terminal::Key::up},
    Sequence{"\x1b[B", Terminal::Key::down},
    Sequence{"\x1bOB", Terminal::Key::down},
    Sequence{"\x1b[5~", Terminal::Key::page_up},
    Sequence{"\x1b[6~", Terminal::Key::page_down},
    Sequence{"\x1b[H", Terminal::Key::top},
    Sequence{"\x1bOH", Terminal::Key::top},
    Sequence{"k", Terminal::Key::up},
    Sequence{"j", Terminal::Key::down},
    Sequence{"b", Terminal::Key::page_up},
    Sequence{" ", Terminal::Key::page_down},
    Sequence{"g", Terminal::Key::top},
    Sequence{"q", Terminal::Key::quit},
    Sequence{"Q", Terminal::Key::quit},
};

}  // namespace

bool Terminal::there() {
  const char *kind = g_getenv("TERM");
  return isatty(STDOUT_FILENO) == 1 && kind != nullptr && *kind != '\0' &&
         strcmp(kind, "dumb") != 0;
}

Terminal::Terminal(std::function<void(Key key)> pressed) : pressed_(std::move(pressed)) {
  termios now{};
  if (isatty(STDIN_FILENO) == 1 && tcgetattr(STDIN_FILENO, &now) == 0) {
    before_ = now;
    now.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);
    // Ctrl-S would hold us up in the middle of a picture; whoever stops us or wants a core would be
    // left with a terminal that is half ours.
    now.c_iflag &= ~static_cast<tcflag_t>(IXON);
    now.c_cc[VSUSP] = now.c_cc[VQUIT] = _POSIX_VDISABLE;
    now.c_cc[VMIN] = 1;
    now.c_cc[VTIME] = 0;
    tcsetattr(STDIN_FILENO, TCSADRAIN, &now);
    input_ =
        g_unix_fd_add(STDIN_FILENO, static_cast<GIOCondition>(G_IO_IN | G_IO_HUP), on_input, this);
  }
  write_all(begin_text);
}

Terminal::~Terminal() {
  if (input_ != 0)
    g_source_remove(input_);
  write_all(end_text);
  if (before_)
    tcsetattr(STDIN_FILENO, TCSADRAIN, &*before_);
}

Terminal::Size Terminal::size() const {
  winsize window{};
  if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &window) != 0 || window.ws_col == 0 || window.ws_row == 0)
    return usual_size;
  return {window.ws_col, window.ws_row};
}

void Terminal::draw(const std::vector<ShownLine> &lines) {
  std::string text(home_text);
  const auto rows = std::min(lines.size(), size().rows);
  for (std::size_t i = 0; i < rows; i++) {
    if (i > 0)
      text += "\r\n";
    const auto look = look_of(lines[i].look);
    text += look;
    text += lines[i].text;
    if (!look.empty())
      text += plain_look;
    text += rest_of_line;
  }
  text += rest_of_screen;
  write_all(text);
}

gboolean Terminal::on_input(gint fd, GIOCondition, gpointer self) noexcept {
  auto *terminal = static_cast<Terminal *>(self);
  char bytes[256];
  const auto size = read(fd, bytes, sizeof bytes);
  if (size < 0 && errno == EINTR)
    return G_SOURCE_CONTINUE;
  if (size <= 0) {
    // The terminal has gone.
    terminal->input_ = 0;
    terminal->pressed_(Key::quit);
    return G_SOURCE_REMOVE;
  }
  terminal->take_keys({bytes, static_cast<std::size_t>(size)});
  return G_SOURCE_CONTINUE;
}

void Terminal::take_keys(std::string_view rest) {
  while (!rest.empty()) {
    const auto *const known =
        std::find_if(sequences.begin(), sequences.end(),
                     [&] (const Sequence &sequence) { return rest.starts_with(sequence.bytes); });
    rest.remove_prefix(known != sequences.end() ? known->bytes.size() : 1);
    if (known != sequences.end())
      pressed_(known->key);
  }
}

}  // namespace agora::gateway

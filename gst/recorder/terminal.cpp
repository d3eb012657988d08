// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/recorder/terminal.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace agora::recorder {

namespace {

constexpr std::size_t kUsualColumns = 80;
constexpr double kLowest = -60;  // dB: the meter's empty end
constexpr int kMeter = 6;

std::size_t columns () {
  winsize size{};
  if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0)
    return kUsualColumns;
  return size.ws_col;
}

// What comes of the network may be in it.
std::string printable (std::string text) {
  std::replace_if(
      text.begin(), text.end(), [] (unsigned char c) { return c < ' ' || c == 0x7F; }, ' ');
  return text;
}

std::string meter (double peak) {
  const double level = peak > 0 ? 20 * std::log10(peak) : kLowest;
  const auto full = static_cast<std::size_t>(std::clamp(
      std::lround((level - kLowest) / -kLowest * kMeter), 0L, static_cast<long>(kMeter)));
  char text[16];
  std::snprintf(text, sizeof text, " %4.0f", std::max(level, kLowest));
  return std::string(full, '#') + std::string(kMeter - full, '.') + text;
}

}  // namespace

std::string clock_text (std::int64_t ns) {
  const auto seconds = static_cast<long long>(ns / GST_SECOND);
  char text[40];
  std::snprintf(text, sizeof text, "%02lld:%02lld:%02lld", seconds / 3600, seconds / 60 % 60,
                seconds % 60);
  return text;
}

std::string progress_text (const Progress &progress, std::size_t columns) {
  char free[32];
  std::snprintf(free, sizeof free, "%.1f GB free", static_cast<double>(progress.free) / 1e9);
  std::string text = clock_text(progress.at) + "  " + (progress.full ? "DISK FULL" : free);
  for (const auto &track : progress.tracks) {
    std::string one = "  " + (track.uid ? std::to_string(track.uid) : "mix");
    if (track.peak)
      one += " " + meter(*track.peak);
    if (text.size() + one.size() > columns)
      break;
    text += one;
  }
  return text.substr(0, columns);
}

Terminal::Terminal() : is_terminal_(isatty(STDERR_FILENO)) {
  // Whoever reads it is told at once.
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
}

Terminal::~Terminal() {
  clear();
}

void Terminal::clear() {
  if (std::exchange(shown_, false))
    std::fputs("\r\033[K", stderr);
}

void Terminal::say(const std::string &text) {
  std::lock_guard lock(mutex_);
  clear();
  std::puts(printable(text).c_str());
}

void Terminal::complain(const std::string &text) {
  std::lock_guard lock(mutex_);
  clear();
  std::fprintf(stderr, "agora-recorder: %s\n", printable(text).c_str());
}

void Terminal::show(const Progress &progress) {
  if (!is_terminal_)
    return;
  std::lock_guard lock(mutex_);
  const std::size_t room = columns() - 1;
  std::fprintf(stderr, "\r\033[K%s", progress_text(progress, room).c_str());
  std::fflush(stderr);
  shown_ = true;
}

}  // namespace agora::recorder

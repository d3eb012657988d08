// SPDX-License-Identifier: LGPL-2.1-or-later
#include "signaling/gateway/top/top-command.hpp"

#include <glib-unix.h>

#include <algorithm>
#include <clocale>
#include <csignal>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "signaling/gateway/options/secrets.hpp"
#include "signaling/gateway/top/live-feed.hpp"
#include "signaling/gateway/top/live-state.hpp"
#include "signaling/gateway/top/picture.hpp"
#include "signaling/gateway/top/terminal-text.hpp"
#include "signaling/gateway/top/terminal.hpp"
#include "signaling/support/timer.hpp"

namespace agora::gateway {

namespace {

constexpr int exit_failed = 1;
constexpr int exit_misused = 2;
constexpr unsigned redraw_ms = 1000;
// For a script: of a gateway that answers, and then tells too little.
constexpr unsigned once_limit_ms = 15'000;
constexpr const char *default_url = "http://127.0.0.1:8080";

struct TopArguments {
  CharPtr url, token_file, ca_file;
  bool once = false;
};

struct TopSettings {
  UriPtr url;
  std::string token;
  ObjectPtr<GTlsDatabase> authorities;  // null: the system's
  std::string where;                    // the URL, to be shown
  bool once = false;
};

OptionsExit misuse (const std::string &reason) {
  return {exit_misused, reason};
}

std::variant<TopArguments, OptionsExit> read_arguments (int argc, char **argv) {
  char *url = nullptr;
  char *token_file = nullptr;
  char *ca_file = nullptr;
  gboolean once = FALSE;
  const GOptionEntry entries[] = {
      {"url", 0, 0, G_OPTION_ARG_STRING, &url,
       "Where the gateway is (default: http://127.0.0.1:8080)", "URL"},
      {"admin-token-file", 0, 0, G_OPTION_ARG_FILENAME, &token_file,
       "Its first line is the gateway's admin token", "FILE"},
      {"ca-file", 0, 0, G_OPTION_ARG_FILENAME, &ca_file,
       "The authorities, PEM, that have signed its certificate (default: the system's)", "FILE"},
      {"once", 0, 0, G_OPTION_ARG_NONE, &once,
       "Show all of it once, and end; as where standard output is no terminal", nullptr},
      {}};
  g_autoptr(GOptionContext) context = g_option_context_new(nullptr);
  g_option_context_set_summary(
      context,
      "Shows the channels of a gateway, who is in them and on the air, and the gateway's own "
      "state,\n"
      "each second. Arrow keys, page keys, space and b move about; q ends it.");
  g_option_context_add_main_entries(context, entries, nullptr);
  g_autoptr(GError) error = nullptr;
  const bool good = g_option_context_parse(context, &argc, &argv, &error);
  TopArguments read{CharPtr(url), CharPtr(token_file), CharPtr(ca_file), once != FALSE};
  if (!good)
    return misuse(error->message);
  if (argc > 1)
    return misuse("unexpected argument " + std::string(argv[1]));
  return read;
}

// Never with what stood before an '@': that may be a password.
std::variant<UriPtr, OptionsExit> read_url (const char *text) {
  const std::string expected = "--url: expected http://HOST:PORT or https://HOST:PORT";
  UriPtr url(g_uri_parse(
      text, static_cast<GUriFlags>(G_URI_FLAGS_ENCODED | G_URI_FLAGS_HAS_PASSWORD), nullptr));
  if (!url)
    return misuse(expected);
  if (g_uri_get_userinfo(url.get()) != nullptr)
    return misuse(expected + " without a user: the token is read from --admin-token-file");
  const std::string scheme = g_uri_get_scheme(url.get());
  const char *host = g_uri_get_host(url.get());
  if ((scheme != "http" && scheme != "https") || host == nullptr || *host == '\0' ||
      g_uri_get_query(url.get()) != nullptr || g_uri_get_fragment(url.get()) != nullptr)
    return misuse(expected);
  return url;
}

std::variant<TopSettings, OptionsExit> settings_of (const TopArguments &arguments) {
  TopSettings settings;
  settings.once = arguments.once;
  auto url = read_url(arguments.url ? arguments.url.get() : default_url);
  if (const auto *problem = std::get_if<OptionsExit>(&url))
    return *problem;
  settings.url = std::move(std::get<0>(url));
  const CharPtr shown(g_uri_to_string(settings.url.get()));
  settings.where = shown.get();
  if (!arguments.token_file)
    return misuse(
        "--admin-token-file=FILE is missing: the gateway shows this to its operator alone");
  auto token = read_secret("admin-token-file", arguments.token_file.get(), SecretKind::printable);
  if (const auto *problem = std::get_if<SecretFileError>(&token))
    return misuse(problem->reason);
  settings.token = std::get<std::string>(token);
  if (arguments.ca_file) {
    g_autoptr(GError) error = nullptr;
    GTlsDatabase *database = g_tls_file_database_new(arguments.ca_file.get(), &error);
    if (database == nullptr)
      return misuse(std::string("--ca-file=") + arguments.ca_file.get() +
                    ": expected a file of PEM certificates: " + error->message);
    settings.authorities.reset(database);
  }
  return settings;
}

// Leaves room for others: what is no news goes, from the end.
void shorten (std::vector<ShownLine> &lines, std::size_t most) {
  while (lines.size() > most) {
    const auto last = std::find_if(lines.rbegin(), lines.rend(), [] (const ShownLine &line) {
      return line.look == ShownLine::Look::plain;
    });
    if (last == lines.rend())
      return;
    lines.erase(std::next(last).base());
  }
}

class Top {
 public:
  explicit Top(TopSettings settings)
      : where_(std::move(settings.where)),
        unicode_(g_get_charset(nullptr) != FALSE),
        loop_(g_main_loop_new(nullptr, FALSE)),
        feed_(
            std::move(settings.url), settings.token, std::move(settings.authorities),
            {[this] (const std::string &name, const std::string &data) { return take(name, data); },
             [this] (const std::string &why, bool for_good) { lose(why, for_good); }}),
        pulse_([this] { beat(); }) {
    if (!settings.once && Terminal::there())
      terminal_ = std::make_unique<Terminal>([this] (Terminal::Key key) { press(key); });
  }
  ~Top() { g_main_loop_unref(loop_); }
  Top(const Top &) = delete;
  Top &operator=(const Top &) = delete;

  OptionsExit run () {
    std::vector<guint> signals;
    if (terminal_) {
      for (const int number : {SIGINT, SIGTERM, SIGHUP})
        signals.push_back(g_unix_signal_add(number, on_end, this));
      signals.push_back(g_unix_signal_add(SIGWINCH, on_size, this));
      draw();
    }
    pulse_.in(terminal_ ? redraw_ms : once_limit_ms);
    feed_.start();
    if (!over_)
      g_main_loop_run(loop_);
    for (const auto source : signals)
      g_source_remove(source);
    terminal_.reset();
    return exit_;
  }

 private:
  static gboolean on_end (gpointer self) noexcept {
    static_cast<Top *>(self)->end({});
    return G_SOURCE_CONTINUE;
  }
  static gboolean on_size (gpointer self) noexcept {
    static_cast<Top *>(self)->draw();
    return G_SOURCE_CONTINUE;
  }

  void end (OptionsExit exit) {
    exit_ = std::move(exit);
    over_ = true;
    g_main_loop_quit(loop_);
  }

  bool take (const std::string &name, const std::string &data) {
    if (!live_.take(name, data))
      return false;
    const bool first = !here_;
    here_ = true;
    lost_.clear();
    // Rates are known from the second event on.
    if (!terminal_ && name == "changes")
      end({0, whole_text()});
    else if (terminal_ && first)
      draw();
    return true;
  }

  void lose (const std::string &why, bool for_good) {
    const auto sentence = where_ + ": " + why;
    if (for_good || !terminal_)
      return end({exit_failed, harmless(sentence, unicode_)});
    lost_ = (here_ ? "Lost the gateway at " : "Can't reach the gateway at ") + sentence +
            "; trying again";
    draw();
  }

  void beat () {
    if (!terminal_)
      return lose("it hasn't told enough in time", true);
    pulse_.in(redraw_ms);
    draw();
  }

  void press (Terminal::Key key) {
    const std::size_t page = std::max<std::size_t>(page_, 1);
    switch (key) {
      case Terminal::Key::quit:
        return end({});
      case Terminal::Key::up:
        from_ -= std::min<std::size_t>(from_, 1);
        break;
      case Terminal::Key::down:
        from_++;
        break;
      case Terminal::Key::page_up:
        from_ -= std::min(from_, page);
        break;
      case Terminal::Key::page_down:
        from_ += page;
        break;
      case Terminal::Key::top:
        from_ = 0;
        break;
    }
    draw();
  }

  std::vector<ShownLine> head_lines (Canvas canvas) const {
    std::vector<ShownLine> lines;
    if (here_)
      lines = gateway_lines(live_, where_, canvas);
    if (!lost_.empty())
      lines.push_back(
          {cut_to(harmless("! " + lost_, unicode_), canvas.width), ShownLine::Look::alarm});
    else if (!here_)
      lines.push_back({cut_to(harmless("Connecting to " + where_, unicode_), canvas.width)});
    return lines;
  }

  std::string whole_text () const {
    const Canvas canvas{any_width, unicode_};
    auto lines = head_lines(canvas);
    auto table = channel_table(live_, canvas);
    lines.push_back({});
    lines.push_back(table.head);
    lines.insert(lines.end(), table.rows.begin(), table.rows.end());
    std::string text;
    for (const auto &line : lines)
      text += line.text + '\n';
    return text;
  }

  void draw () {
    if (!terminal_ || over_)
      return;
    const auto size = terminal_->size();
    const Canvas canvas{size.columns, unicode_};
    auto lines = head_lines(canvas);
    shorten(lines, size.rows / 2);
    if (here_)
      add_table(lines, canvas, size.rows);
    terminal_->draw(lines);
  }

  // With a blank line and a head above it, and below it which part of it this is.
  void add_table (std::vector<ShownLine> &lines, Canvas canvas, std::size_t screen_rows) {
    const auto table = channel_table(live_, canvas);
    constexpr std::size_t around = 3;
    const std::size_t taken = lines.size() + around;
    page_ = screen_rows > taken ? screen_rows - taken : 0;
    const auto all = table.rows.size();
    from_ = std::min(from_, all - std::min(all, page_));
    const auto to = std::min(from_ + page_, all);
    lines.push_back({});
    lines.push_back(table.head);
    lines.insert(lines.end(), table.rows.begin() + static_cast<std::ptrdiff_t>(from_),
                 table.rows.begin() + static_cast<std::ptrdiff_t>(to));
    lines.resize(std::max(lines.size(), screen_rows > 0 ? screen_rows - 1 : 0));
    lines.push_back({cut_to(
        "q: end" + (all > page_ ? "   arrows, space, b: lines " + std::to_string(from_ + 1) +
                                      " to " + std::to_string(to) + " of " + std::to_string(all)
                                : ""),
        canvas.width)});
  }

  const std::string where_;
  const bool unicode_;
  GMainLoop *const loop_;
  LiveState live_;
  bool here_ = false;     // something has been told
  std::string lost_;      // what is wrong now; empty: nothing
  std::size_t from_ = 0;  // the table's first row that is shown
  std::size_t page_ = 0;  // rows that are
  bool over_ = false;
  OptionsExit exit_{};
  std::unique_ptr<Terminal> terminal_;  // null: all of it is printed once
  LiveFeed feed_;
  Timer pulse_;
};

}  // namespace

OptionsExit top_command (int argc, char **argv) {
  setlocale(LC_CTYPE, "");
  g_set_prgname("agora-gateway top");
  auto arguments = read_arguments(argc, argv);
  if (const auto *problem = std::get_if<OptionsExit>(&arguments))
    return *problem;
  auto settings = settings_of(std::get<TopArguments>(arguments));
  if (const auto *problem = std::get_if<OptionsExit>(&settings))
    return *problem;
  return Top(std::move(std::get<TopSettings>(settings))).run();
}

}  // namespace agora::gateway

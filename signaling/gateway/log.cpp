// SPDX-License-Identifier: LGPL-2.1-or-later
#define G_LOG_DOMAIN "agora-gateway"
#include "signaling/gateway/log.hpp"

#include <fcntl.h>
#include <glib-unix.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <deque>
#include <mutex>
#include <utility>
#include <vector>

#include "signaling/gateway/log-repeats.hpp"
#include "signaling/gateway/operator/json-text.hpp"
#include "signaling/support/glib-ptr.hpp"

namespace agora::gateway {

namespace {

constexpr std::size_t most_waiting_bytes = 256 * 1024;
// What a pipe takes in one piece, without waiting, when poll() says that it takes something.
constexpr std::size_t longest_line = 4096;
constexpr int last_words_ms = 500;
// At once, before lines from one place in the code are summed up.
constexpr unsigned burst_of_warnings = 20;

struct Line {
  GLogLevelFlags level = G_LOG_LEVEL_MESSAGE;
  std::string domain = G_LOG_DOMAIN;
  std::string text;
  // AGORA_… of events, without that prefix.
  std::vector<std::pair<std::string, std::string>> fields;
};

class Log {
 public:
  explicit Log(LogFormat format) : format_(format), fd_(own_descriptor()) {
    socket_ = is_a(S_IFSOCK);
    colored_ = g_log_writer_supports_color(STDERR_FILENO);
    journal_ = g_log_writer_is_journald(STDERR_FILENO);
  }

  void write (GLogLevelFlags level, const GLogField *fields, gsize count) {
    Line line;
    line.level = level;
    Repeats::Kind kind;
    for (gsize i = 0; i < count; i++) {
      const std::string_view name = fields[i].key;
      const auto value = [&] {
        const auto *text = static_cast<const char *>(fields[i].value);
        return fields[i].length < 0 ? std::string(text)
                                    : std::string(text, static_cast<std::size_t>(fields[i].length));
      };
      constexpr std::string_view own = "AGORA_";
      if (name == "MESSAGE")
        line.text = value();
      else if (name == "GLIB_DOMAIN")
        line.domain = value();
      else if (name == "CODE_FILE")
        kind.first = value();
      else if (name == "CODE_LINE")
        kind.second = value();
      else if (name.starts_with(own))
        line.fields.emplace_back(name.substr(own.size()), value());
    }
    const bool fatal = (level & (G_LOG_FLAG_FATAL | G_LOG_LEVEL_ERROR)) != 0;
    const std::lock_guard guard(lock_);
    // Events have no repeats; each is of its own.
    if (!line.fields.empty() || fatal) {
      put(line);
      if (fatal)
        drain(last_words_ms);
      return;
    }
    const unsigned burst = level <= G_LOG_LEVEL_WARNING ? burst_of_warnings : 1;
    if (auto now = repeats_.take(kind, burst, std::move(line), g_get_monotonic_time() / 1000))
      put(*now);
    arm();
  }

  void bare (const std::string &line) {
    const std::lock_guard guard(lock_);
    put_text(line + "\n");
  }

  void close () {
    const std::lock_guard guard(lock_);
    for (const auto &line : repeats_.due(G_MAXINT64))
      put(line);
    drain(last_words_ms);
    writable_.reset();
    due_.reset();
  }

 private:
  using Repeats = LogRepeats<Line>;

  // Of a pipe a file description of our own: not to wait is then no matter of whoever shares it. Of
  // what else there is, poll() tells before each line whether it takes one.
  static int own_descriptor () {
    if (!is_a(S_IFIFO))
      return STDERR_FILENO;
    const int own = open("/proc/self/fd/2", O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
    return own >= 0 ? own : STDERR_FILENO;
  }

  static bool is_a (mode_t type) {
    struct stat status {};
    return fstat(STDERR_FILENO, &status) == 0 && (status.st_mode & S_IFMT) == type;
  }

  void put (const Line &line) {
    if (format_ == LogFormat::text)
      return put_text(text_of(line));
    std::string json = json_of(line);
    // The message is cut, since an object that is cut is none.
    for (Line shorter = line; json.size() > longest_line && !shorter.text.empty();) {
      shorter.text.resize(shorter.text.size() / 2);
      json = json_of(shorter);
    }
    put_text(std::move(json));
  }

  std::string text_of (const Line &line) const {
    // Each line of its own for the journal, which takes its priority from the beginning.
    if (journal_) {
      std::string text = line.text;
      std::replace(text.begin(), text.end(), '\n', ' ');
      return "<" + priority_of(line.level) + ">" + text + "\n";
    }
    const GLogField fields[] = {{"MESSAGE", line.text.c_str(), -1},
                                {"GLIB_DOMAIN", line.domain.c_str(), -1}};
    return std::string(CharPtr(g_log_writer_format_fields(line.level, fields, G_N_ELEMENTS(fields),
                                                          static_cast<gboolean>(colored_)))
                           .get()) +
           "\n";
  }

  static std::string priority_of (GLogLevelFlags level) {
    return (level & G_LOG_LEVEL_ERROR) != 0                              ? "3"
           : (level & (G_LOG_LEVEL_CRITICAL | G_LOG_LEVEL_WARNING)) != 0 ? "4"
           : (level & G_LOG_LEVEL_MESSAGE) != 0                          ? "5"
           : (level & G_LOG_LEVEL_INFO) != 0                             ? "6"
                                                                         : "7";
  }

  static std::string json_of (const Line &line) {
    const char *level = (line.level & G_LOG_LEVEL_ERROR) != 0      ? "error"
                        : (line.level & G_LOG_LEVEL_CRITICAL) != 0 ? "critical"
                        : (line.level & G_LOG_LEVEL_WARNING) != 0  ? "warning"
                        : (line.level & G_LOG_LEVEL_MESSAGE) != 0  ? "message"
                        : (line.level & G_LOG_LEVEL_INFO) != 0     ? "info"
                                                                   : "debug";
    g_autoptr(GDateTime) now = g_date_time_new_now_utc();
    JsonText text;
    text.text("time", CharPtr(g_date_time_format(now, "%Y-%m-%dT%H:%M:%S.%fZ")).get())
        .text("level", level)
        .text("message", CharPtr(g_utf8_make_valid(line.text.c_str(), -1)).get());
    for (const auto &[name, value] : line.fields)
      text.text(CharPtr(g_ascii_strdown(name.c_str(), -1)).get(),
                CharPtr(g_utf8_make_valid(value.c_str(), -1)).get());
    return text.finish() + "\n";
  }

  void put_text (std::string text) {
    if (text.size() > longest_line) {
      text.resize(longest_line - 1);
      text += '\n';
    }
    if (left_out_ == 0 && waiting_.empty() && send(text))
      return;
    if (left_out_ > 0 || waiting_bytes_ + text.size() > most_waiting_bytes) {
      left_out_++;
    } else {
      waiting_bytes_ += text.size();
      waiting_.push_back(std::move(text));
    }
    wait_writable();
  }

  // Whole, or not at all but for what a full pipe has taken of it.
  bool send (std::string &text) const {
    while (!text.empty()) {
      if (pollfd writable{fd_, POLLOUT, 0}; !socket_ && poll(&writable, 1, 0) == 0)
        return false;
      const auto size = socket_ ? ::send(fd_, text.data(), text.size(), MSG_DONTWAIT | MSG_NOSIGNAL)
                                : ::write(fd_, text.data(), text.size());
      if (size < 0 && errno == EINTR)
        continue;
      if (size < 0)
        // Nobody reads it any more, and nobody will: the line counts as written.
        return errno != EAGAIN;
      text.erase(0, static_cast<std::size_t>(size));
    }
    return true;
  }

  void write_waiting () {
    while (!waiting_.empty()) {
      const auto before = waiting_.front().size();
      const bool whole = send(waiting_.front());
      if (!whole) {
        waiting_bytes_ -= before - waiting_.front().size();
        return;
      }
      waiting_bytes_ -= before;
      waiting_.pop_front();
    }
    if (const auto count = std::exchange(left_out_, 0); count > 0) {
      Line line;
      line.level = G_LOG_LEVEL_WARNING;
      line.text =
          "Left out " + std::to_string(count) + " lines of the log: standard error was not read";
      put(line);
    }
  }

  void drain (int ms) {
    const auto end = g_get_monotonic_time() / 1000 + ms;
    for (write_waiting(); !waiting_.empty(); write_waiting()) {
      const auto left = end - g_get_monotonic_time() / 1000;
      pollfd writable{fd_, POLLOUT, 0};
      if (left <= 0 || poll(&writable, 1, static_cast<int>(left)) <= 0)
        return;
    }
  }

  void wait_writable () {
    if (writable_)
      return;
    auto *source = g_unix_fd_source_new(fd_, G_IO_OUT);
    auto on_writable = [] (gint, GIOCondition, gpointer data) -> gboolean {
      auto *self = static_cast<Log *>(data);
      const std::lock_guard guard(self->lock_);
      self->write_waiting();
      if (self->waiting_.empty())
        self->writable_.reset();
      return G_SOURCE_CONTINUE;
    };
    g_source_set_callback(source, G_SOURCE_FUNC(+on_writable), this, nullptr);
    g_source_attach(source, nullptr);
    writable_ = SourcePtr(source);
  }

  void arm () {
    const auto next = repeats_.next();
    if (due_ || !next)
      return;
    const auto in = std::max<std::int64_t>(*next - g_get_monotonic_time() / 1000, 0);
    auto *source = g_timeout_source_new(static_cast<guint>(in));
    auto on_due = [] (gpointer data) noexcept -> gboolean {
      auto *self = static_cast<Log *>(data);
      const std::lock_guard guard(self->lock_);
      for (const auto &line : self->repeats_.due(g_get_monotonic_time() / 1000))
        self->put(line);
      self->due_.reset();
      self->arm();
      return G_SOURCE_REMOVE;
    };
    g_source_set_callback(source, on_due, this, nullptr);
    g_source_attach(source, nullptr);
    due_ = SourcePtr(source);
  }

  const LogFormat format_;
  const int fd_;
  bool socket_ = false;
  bool colored_ = false;
  bool journal_ = false;
  // Guards all below; nothing else is locked under it but GLib's own.
  std::mutex lock_;
  std::deque<std::string> waiting_;
  std::size_t waiting_bytes_ = 0;
  std::uint64_t left_out_ = 0;
  Repeats repeats_;
  SourcePtr writable_;
  SourcePtr due_;
};

// Never freed: what logs last would have to be known.
Log *the_log = nullptr;

GLogWriterOutput write_log (GLogLevelFlags level, const GLogField *fields, gsize count,
                            gpointer) noexcept {
  const char *domain = nullptr;
  for (gsize i = 0; i < count; i++)
    if (strcmp(fields[i].key, "GLIB_DOMAIN") == 0)
      domain = static_cast<const char *>(fields[i].value);
  if (!g_log_writer_default_would_drop(level, domain))
    the_log->write(level, fields, count);
  return G_LOG_WRITER_HANDLED;
}

}  // namespace

void open_log (LogFormat format) {
  the_log = new Log(format);
  g_log_set_writer_func(write_log, nullptr, nullptr);
  // libsoup has three lines for each frame. That nobody wants them costs less to find here than in
  // a writer.
  if (g_getenv("G_MESSAGES_DEBUG") == nullptr)
    g_log_set_handler(
        "libsoup", G_LOG_LEVEL_DEBUG,
        [] (const char *, GLogLevelFlags, const char *, gpointer) noexcept {}, nullptr);
}

void close_log () {
  the_log->close();
}

void log_bare_line (const std::string &line) {
  the_log->bare(line);
}

}  // namespace agora::gateway

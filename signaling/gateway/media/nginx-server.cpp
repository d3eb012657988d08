// SPDX-License-Identifier: LGPL-2.1-or-later
#define G_LOG_DOMAIN "agora-gateway"
#include "signaling/gateway/media/nginx-server.hpp"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <utility>

#include "signaling/gateway/http/http.hpp"

namespace agora::gateway {

namespace {

constexpr unsigned start_poll_ms = 20;
constexpr unsigned poll_ms = 1000;
constexpr std::int64_t start_limit_us = 10 * G_USEC_PER_SEC;
constexpr std::int64_t frozen_us = 3 * G_USEC_PER_SEC;
// If a poll is this late, the gateway stood still, not nginx.
constexpr std::int64_t stall_us = G_USEC_PER_SEC;
constexpr unsigned stop_limit_ms = 1000;
// After a child that lived this long, the pauses begin anew with the shortest.
constexpr std::int64_t long_life_us = 10 * G_USEC_PER_SEC;
constexpr unsigned longest_pause_ms = 10'000;
// After an outage, a child that lived this long counts as back.
constexpr std::int64_t settled_us = 3 * G_USEC_PER_SEC;
constexpr int inherited_fd = 3;
// Receive buffer of accepted sockets, which inherit it. Small, so that a publisher soon notices a
// server that stands still.
constexpr int receive_buffer = 16 * 1024;
constexpr const char *stat_url = "http://localhost/stat";
constexpr const char *sessions_url = "http://localhost/sessions";
// How long the sessions are counted after a fault that may have ended some. One count is not
// enough: nginx doesn't list a session yet that was admitted just before.
constexpr std::int64_t count_us = 5 * G_USEC_PER_SEC;
// The master replaces workers without a pause. After this many, each within this time of the one
// before, all of nginx is started anew, with growing pauses.
constexpr unsigned most_replacements = 3;
constexpr std::int64_t replacement_us = 5 * G_USEC_PER_SEC;

std::string_view between (std::string_view text, std::string_view open, std::string_view close) {
  auto from = text.find(open);
  if (from == std::string_view::npos)
    return {};
  from += open.size();
  auto to = text.find(close, from);
  return to == std::string_view::npos ? std::string_view() : text.substr(from, to - from);
}

std::vector<std::uint64_t> clients_of (std::string_view page) {
  constexpr std::string_view mark = "<client><id>";
  std::vector<std::uint64_t> ids;
  for (auto at = page.find(mark); at != std::string_view::npos; at = page.find(mark, at)) {
    at += mark.size();
    std::uint64_t id = 0;
    if (std::from_chars(page.data() + at, page.data() + page.size(), id).ec == std::errc())
      ids.push_back(id);
  }
  return ids;
}

}  // namespace

// One run of nginx: master, worker, and what they say. Lives as long as its callbacks do.
class NginxServer::Child : public std::enable_shared_from_this<NginxServer::Child> {
 public:
  static std::shared_ptr<Child> spawn (const NginxPaths &paths, const NginxFolder &folder,
                                       GSocket *socket, GError **error) {
    ObjectPtr<GSubprocessLauncher> launcher(
        g_subprocess_launcher_new(G_SUBPROCESS_FLAGS_STDERR_PIPE));
    g_subprocess_launcher_take_fd(launcher.get(), dup(g_socket_get_fd(socket)), inherited_fd);
    g_subprocess_launcher_setenv(launcher.get(), "NGINX", "3;", TRUE);
    g_subprocess_launcher_set_child_setup(launcher.get(), in_child, GINT_TO_POINTER(getpid()),
                                          nullptr);
    auto prefix = folder.file("");
    auto file = folder.file("nginx.conf");
    const char *arguments[] = {paths.program.c_str(), "-p", prefix.c_str(), "-c",
                               file.c_str(),          "-e", "stderr",       nullptr};
    auto child = std::make_shared<Child>();
    child->process_.reset(g_subprocess_launcher_spawnv(launcher.get(), arguments, error));
    if (!child->process_)
      return nullptr;
    // No process id: it has ended already.
    if (const char *id = g_subprocess_get_identifier(child->process_.get()))
      child->group_ = std::stoi(id);
    child->lines_.reset(
        g_data_input_stream_new(g_subprocess_get_stderr_pipe(child->process_.get())));
    return child;
  }

  // `gone` is called once, when all processes of this run have ended, with nginx's reason, if any.
  void watch (std::function<void(const std::string &)> gone) {
    gone_ = std::move(gone);
    g_subprocess_wait_async(process_.get(), nullptr, on_exit, hold());
    read_line();
  }
  void forget () { gone_ = nullptr; }
  void terminate () {
    if (!exited_)
      g_subprocess_send_signal(process_.get(), SIGTERM);
  }
  // The whole process group: a worker outlives a master that was killed.
  void kill_all () {
    if (group_ > 0 && (!at_end_ || !exited_))
      kill(-group_, SIGKILL);
  }

 private:
  using Self = std::shared_ptr<Child>;
  Self *hold () { return new Self(shared_from_this()); }

  static void in_child (gpointer parent) {
    // A process group of its own: Ctrl-C in a terminal must reach the gateway alone.
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != GPOINTER_TO_INT(parent))
      _exit(1);
  }

  static void on_exit (GObject *process, GAsyncResult *result, gpointer data) {
    std::unique_ptr<Self> self(static_cast<Self *>(data));
    g_subprocess_wait_finish(G_SUBPROCESS(process), result, nullptr);
    (*self)->kill_all();
    (*self)->exited_ = true;
    (*self)->report();
  }

  void read_line () {
    g_data_input_stream_read_line_async(lines_.get(), G_PRIORITY_DEFAULT, nullptr, on_line, hold());
  }
  static void on_line (GObject *stream, GAsyncResult *result, gpointer data) {
    std::unique_ptr<Self> self(static_cast<Self *>(data));
    CharPtr line(g_data_input_stream_read_line_finish(G_DATA_INPUT_STREAM(stream), result, nullptr,
                                                      nullptr));
    if (line) {
      (*self)->said(line.get());
      (*self)->read_line();
    } else {
      (*self)->at_end_ = true;
      (*self)->report();
    }
  }

  void said (std::string_view line) {
    CharPtr valid(g_utf8_make_valid(line.data(), static_cast<gssize>(line.size())));
    auto mark = line.find("[emerg] ");
    if (mark == std::string_view::npos)
      mark = line.find("[error] ");
    if (mark != std::string_view::npos) {
      // Only the text of "[emerg] 12#12: text".
      auto text = line.find(": ", mark);
      last_words_ = line.substr(text == std::string_view::npos ? mark : text + 2);
    } else if (line.find("[notice] ") == std::string_view::npos) {
      fallback_ = line;
    }
    // [emerg] ends it at its start; the caller that waits for it reports that.
    if (line.find("[alert] ") != std::string_view::npos ||
        line.find("[crit] ") != std::string_view::npos)
      g_warning("nginx: %s", valid.get());
    else
      g_info("nginx: %s", valid.get());
  }

  void report () {
    if (!exited_ || !at_end_)
      return;
    if (auto gone = std::exchange(gone_, nullptr))
      gone(last_words_.empty() ? fallback_ : last_words_);
  }

  ObjectPtr<GSubprocess> process_;
  ObjectPtr<GDataInputStream> lines_;
  pid_t group_ = 0;
  bool exited_ = false;
  bool at_end_ = false;
  std::string last_words_;
  std::string fallback_;
  std::function<void(const std::string &)> gone_;
};

std::variant<std::unique_ptr<MediaServer>, std::string> NginxServer::make(const Options &options) {
  auto paths = find_nginx(options);
  if (auto *problem = std::get_if<std::string>(&paths))
    return *problem;
  g_autoptr(GError) error = nullptr;
  auto server = std::unique_ptr<NginxServer>(new NginxServer);
  // First of all: making the folder ends an nginx that a killed gateway left.
  auto folder = NginxFolder::make();
  if (auto *problem = std::get_if<std::string>(&folder))
    return *problem;
  server->folder_ = std::move(std::get<0>(folder));
  server->socket_ = listen_tcp(options.rtmp_listen, &error);
  if (!server->socket_ ||
      !g_socket_set_option(server->socket_.get(), SOL_SOCKET, SO_RCVBUF, receive_buffer, &error))
    return "--rtmp-listen=" + to_string(options.rtmp_listen) + ": " + error->message;

  auto hooks = HookListener::make({"127.0.0.1", 0}, "");
  if (auto *problem = std::get_if<std::string>(&hooks))
    return *problem;
  server->hooks_ = std::move(std::get<0>(hooks));
  server->longest_outage_us_ = std::int64_t{options.outage_seconds} * G_USEC_PER_SEC;
  auto port = port_of(server->socket_.get());
  server->address_ = {options.public_host, port, "live"};
  server->config_ = {std::get<NginxPaths>(paths),
                     {options.rtmp_listen.address, port},
                     server->address_.app,
                     "",
                     server->folder_->file("socket")};
  return server;
}

NginxServer::NginxServer()
    : timer_([this] { on_timer(); }), force_([this] {
        if (child_)
          child_->kill_all();
      }) {
}

NginxServer::~NginxServer() {
  if (child_) {
    child_->forget();
    child_->kill_all();
  }
}

void NginxServer::start(Callbacks callbacks) {
  callbacks_ = std::move(callbacks);
  hooks_->answer_by(callbacks_);
  config_.hooks = hooks_->url();
  control_ =
      std::make_unique<MediaControl>("http://localhost/control", config_.app, config_.socket);
  watch_ = std::make_unique<MediaControl>("", config_.app, config_.socket);
  auto text = nginx_configuration(config_);
  g_autoptr(GError) error = nullptr;
  // Mode 0600: it holds the hooks' secret.
  if (!g_file_set_contents_full(folder_->file("nginx.conf").c_str(), text.c_str(),
                                static_cast<gssize>(text.size()), G_FILE_SET_CONTENTS_NONE, 0600,
                                &error)) {
    failed(error->message);
    return;
  }
  spawn();
}

void NginxServer::spawn() {
  // The socket file of a killed nginx would stop the next one from listening there.
  unlink(config_.socket.c_str());
  state_ = State::starting;
  started_ = heard_ = g_get_monotonic_time();
  worker_.clear();
  g_autoptr(GError) error = nullptr;
  child_ = Child::spawn(config_.paths, *folder_, socket_.get(), &error);
  if (!child_) {
    on_gone(error->message);
    return;
  }
  child_->watch([this] (const std::string &last_words) { on_gone(last_words); });
  poll_in(start_poll_ms);
}

void NginxServer::poll_in(unsigned ms) {
  poll_due_ = g_get_monotonic_time() + std::int64_t{1000} * ms;
  timer_.at(poll_due_);
}

void NginxServer::poll() {
  auto now = g_get_monotonic_time();
  if (now - poll_due_ > stall_us) {
    heard_ = now;
    // Hooks may have been lost while the gateway stood still.
    count_sessions();
  }
  auto patience = state_ == State::starting ? start_limit_us : frozen_us;
  if (now - heard_ > patience) {
    g_warning("nginx doesn't answer; ending it");
    child_->kill_all();
    return;
  }
  poll_in(state_ == State::starting ? start_poll_ms : poll_ms);
  if (asked_)
    return;
  asked_ = true;
  bool with_sessions = state_ == State::serving && now < count_until_;
  watch_->get(with_sessions ? sessions_url : stat_url,
              [this, with_sessions, now] (bool ok, std::string_view body) {
                asked_ = false;
                on_stat(ok, body, with_sessions, now);
              });
}

void NginxServer::count_sessions() {
  count_until_ = g_get_monotonic_time() + count_us;
}

void NginxServer::on_stat(bool ok, std::string_view body, bool with_sessions, std::int64_t asked) {
  if (!ok || (state_ != State::starting && state_ != State::serving))
    return;
  heard_ = g_get_monotonic_time();
  if (state_ == State::serving && heard_ - started_ > settled_us)
    lasted();
  auto worker = between(body, "<pid>", "</pid>");
  bool another = !worker_.empty() && worker_ != worker;
  worker_ = worker;
  if (state_ == State::starting) {
    serving();
  } else if (another) {
    replaced();
  } else if (with_sessions) {
    callbacks_.sessions(clients_of(body), asked);
  }
}

// The master has replaced a worker that died. Sessions of the new worker must not be taken for
// ended.
void NginxServer::replaced() {
  restarts_++;
  g_warning("nginx has a new worker process");
  replacements_ = heard_ - replaced_ < replacement_us ? replacements_ + 1 : 1;
  replaced_ = heard_;
  if (replacements_ > most_replacements) {
    g_warning("nginx's workers die one after another; starting it anew");
    replacements_ = 0;
    child_->kill_all();
    return;
  }
  count_sessions();
  poll();
}

void NginxServer::serving() {
  state_ = State::serving;
  count_sessions();
  if (!std::exchange(was_ready_, true)) {
    callbacks_.ready();
    return;
  }
  g_message("nginx serves again");
}

// Only when it has served for a while: one that keeps dying is not back.
void NginxServer::lasted() {
  away_since_ = 0;
  if (std::exchange(told_away_, false))
    callbacks_.back();
}

void NginxServer::look_at_outage() {
  if (away_since_ == 0 || told_away_ || state_ == State::serving ||
      g_get_monotonic_time() - away_since_ < longest_outage_us_)
    return;
  told_away_ = true;
  g_warning("nginx is away for %" G_GINT64_FORMAT " s: sending members elsewhere",
            (g_get_monotonic_time() - away_since_) / G_USEC_PER_SEC);
  callbacks_.away();
}

void NginxServer::on_gone(const std::string &last_words) {
  child_.reset();
  timer_.stop();
  force_.stop();
  if (state_ == State::stopping) {
    state_ = State::stopped;
    folder_.reset();
    callbacks_.stopped();
    return;
  }
  if (!was_ready_) {
    failed("nginx did not start: " + (last_words.empty() ? "it gave no reason" : last_words));
    return;
  }
  bool lived_long = g_get_monotonic_time() - started_ > long_life_us;
  state_ = State::pausing;
  if (away_since_ == 0)
    away_since_ = g_get_monotonic_time();
  pause_ms_ = lived_long ? 0 : std::clamp(2 * pause_ms_, 100U, longest_pause_ms);
  g_warning("nginx ended%s%s; starting it again in %u ms", last_words.empty() ? "" : ": ",
            last_words.c_str(), pause_ms_);
  timer_.in(pause_ms_);
  // It admits sessions as soon as it runs, before the first poll has seen it.
  callbacks_.lost();
}

void NginxServer::on_timer() {
  look_at_outage();
  if (state_ == State::pausing) {
    restarts_++;
    spawn();
  } else {
    poll();
  }
}

void NginxServer::failed(const std::string &reason) {
  state_ = State::stopped;
  callbacks_.failed(reason);
}

void NginxServer::stop() {
  timer_.stop();
  if (!child_) {
    state_ = State::stopped;
    folder_.reset();
    callbacks_.stopped();
    return;
  }
  state_ = State::stopping;
  child_->terminate();
  force_.in(stop_limit_ms);
}

void NginxServer::drop(const DropMedia &what, std::function<void()> done) {
  if (state_ == State::serving)
    control_->drop(what, std::move(done));
  else
    done();
}

}  // namespace agora::gateway

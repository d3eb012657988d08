// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tests/element/channel-rig.hpp"

#include <signal.h>
#include <sys/prctl.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "tests/freeze.hpp"

namespace agora::test {

namespace {

// Ends the test while it hangs: what it hangs in is there for a debugger then, or in the core file.
class Limit {
 public:
  explicit Limit(std::string what)
      : what_(std::move(what)),
        end_(std::chrono::steady_clock::now() + std::chrono::microseconds(state_limit())),
        thread_([this] {
          std::unique_lock lock(mutex_);
          if (!changed_.wait_until(lock, end_, [this] { return over_; }))
            fail();
        }) {}
  ~Limit() {
    if (std::chrono::steady_clock::now() > end_)
      fail();
    {
      std::lock_guard lock(mutex_);
      over_ = true;
      changed_.notify_all();
    }
    thread_.join();
  }
  Limit(const Limit &) = delete;
  Limit &operator=(const Limit &) = delete;

 private:
  [[noreturn]] void fail () const {
    g_error("%s takes longer than %d ms", what_.c_str(), static_cast<int>(state_limit() / 1000));
  }

  const std::string what_;
  const std::chrono::steady_clock::time_point end_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool over_ = false;
  std::thread thread_;
};

// Gateways that run now. One that is stopped hears of the test's end only when it goes on.
std::array<std::atomic<pid_t>, 8> running;

void on_abort (int number) {
  for (const auto &pid : running)
    if (pid > 0)
      ::kill(pid, SIGCONT);
  ::signal(number, SIG_DFL);
  ::raise(number);
}

void note_running (pid_t pid) {
  for (const int number : {SIGABRT, SIGTRAP})
    ::signal(number, on_abort);
  for (auto &place : running) {
    pid_t none = 0;
    if (place.compare_exchange_strong(none, pid))
      return;
  }
  g_error("too many gateways");
}

void note_gone (pid_t pid) {
  for (auto &place : running) {
    pid_t mine = pid;
    place.compare_exchange_strong(mine, 0);
  }
}

pid_t pid_of (GSubprocess *process) {
  const char *id = g_subprocess_get_identifier(process);
  return id ? static_cast<pid_t>(g_ascii_strtoll(id, nullptr, 10)) : 0;
}

std::vector<pid_t> children_of (pid_t pid) {
  g_autofree char *path = g_strdup_printf("/proc/%d/task/%d/children", pid, pid);
  g_autofree char *text = nullptr;
  std::vector<pid_t> found;
  if (!g_file_get_contents(path, &text, nullptr, nullptr))
    return found;
  g_auto(GStrv) words = g_strsplit(g_strstrip(text), " ", -1);
  for (char **word = words; *word && **word; word++)
    found.push_back(static_cast<pid_t>(g_ascii_strtoll(*word, nullptr, 10)));
  return found;
}

gboolean tick (gpointer) {
  return G_SOURCE_CONTINUE;
}

}  // namespace

void wait_until (const std::function<bool()> &done, const char *what, unsigned seconds) {
  const gint64 deadline = g_get_monotonic_time() + seconds * G_USEC_PER_SEC * time_scale();
  const guint timer = g_timeout_add(10, tick, nullptr);
  while (!done()) {
    if (g_get_monotonic_time() > deadline)
      g_error("waited in vain for: %s", what);
    g_main_context_iteration(nullptr, TRUE);
  }
  g_source_remove(timer);
}

void let_pass (unsigned ms) {
  const gint64 until = g_get_monotonic_time() + ms * G_TIME_SPAN_MILLISECOND;
  wait_until([until] { return g_get_monotonic_time() >= until; }, "time", 600);
}

GatewayProcess::GatewayProcess(const std::string &app, std::vector<std::string> options)
    : app_(app), options_(std::move(options)) {
  start();
}

GatewayProcess::~GatewayProcess() {
  signal(SIGCONT);
  signal_relay(SIGCONT);
  g_subprocess_send_signal(process_, SIGTERM);
  wait();
  g_object_unref(process_);
}

void GatewayProcess::wait() {
  const pid_t pid = pid_of(process_);
  g_subprocess_wait(process_, nullptr, nullptr);
  note_gone(pid);
}

void GatewayProcess::start() {
  g_clear_object(&process_);
  const char *program = g_getenv("AGORA_GATEWAY_BIN");
  g_assert_nonnull(program);
  g_autoptr(GError) error = nullptr;
  // What it complains of belongs into the test's log.
  g_autoptr(GSubprocessLauncher) launcher =
      g_subprocess_launcher_new(G_SUBPROCESS_FLAGS_STDOUT_PIPE);
  // A test that is killed or crashes leaves none behind.
  g_subprocess_launcher_set_child_setup(
      launcher, [] (gpointer) { prctl(PR_SET_PDEATHSIG, SIGTERM); }, nullptr, nullptr);
  std::vector<std::string> words = {program, "--app=" + app_, "--listen=" + listen_,
                                    "--rtmp-listen=" + rtmp_listen_};
  words.insert(words.end(), options_.begin(), options_.end());
  std::vector<const char *> argv;
  argv.reserve(words.size() + 1);
  for (const std::string &word : words)
    argv.push_back(word.c_str());
  argv.push_back(nullptr);
  process_ = g_subprocess_launcher_spawnv(launcher, argv.data(), &error);
  g_assert_no_error(error);
  note_running(pid_of(process_));
  g_autoptr(GDataInputStream) lines =
      g_data_input_stream_new(g_subprocess_get_stdout_pipe(process_));
  g_autofree char *line = g_data_input_stream_read_line(lines, nullptr, nullptr, nullptr);
  g_assert_nonnull(line);
  g_autoptr(GRegex) ready =
      g_regex_new("^ready ws=(ws://([^/]+)/api) http=(\\S+) rtmp=rtmp://([^/]+)/", G_REGEX_DEFAULT,
                  G_REGEX_MATCH_DEFAULT, nullptr);
  g_autoptr(GMatchInfo) match = nullptr;
  g_assert_true(g_regex_match(ready, line, G_REGEX_MATCH_DEFAULT, &match));
  const auto group = [&] (int n) {
    g_autofree char *text = g_match_info_fetch(match, n);
    return std::string(text);
  };
  ws_ = group(1);
  listen_ = group(2);
  http_ = group(3);
  rtmp_listen_ = group(4);
}

void GatewayProcess::start(const std::string &app) {
  app_ = app;
  start();
}

void GatewayProcess::start(std::vector<std::string> options) {
  options_ = std::move(options);
  start();
}

void GatewayProcess::signal(int number) {
  if (const pid_t pid = pid_of(process_))
    send_signal(pid, number);
}

void GatewayProcess::signal_relay(int number) {
  for (const pid_t relay : children_of(pid_of(process_)))
    send_signal(relay, number);
}

void GatewayProcess::kill() {
  signal(SIGCONT);
  g_subprocess_force_exit(process_);
  wait();
}

Pipeline::Pipeline(const std::string &launch) {
  g_autoptr(GError) error = nullptr;
  pipeline_ = gst_parse_launch(launch.c_str(), &error);
  g_assert_no_error(error);
  // One element alone is no pipeline yet.
  if (!GST_IS_PIPELINE(pipeline_)) {
    GstElement *whole = gst_pipeline_new(nullptr);
    gst_bin_add(GST_BIN(whole), pipeline_);
    pipeline_ = whole;
  }
  bus_ = gst_element_get_bus(pipeline_);
}

Pipeline::~Pipeline() {
  set_state(GST_STATE_NULL);
  gst_object_unref(bus_);
  // Work that an element left to other threads may hold it a moment longer, but not for good.
  GWeakRef weak;
  g_weak_ref_init(&weak, pipeline_);
  gst_object_unref(pipeline_);
  wait_until(
      [&] {
        g_autoptr(GObject) still = G_OBJECT(g_weak_ref_get(&weak));
        return still == nullptr;
      },
      "the end of the pipeline", 3);
  g_weak_ref_clear(&weak);
}

void Pipeline::set_state(GstElement *element, GstState state) {
  const Limit limit(std::string(GST_ELEMENT_NAME(element)) + ": change to " +
                    gst_element_state_get_name(state));
  gst_element_set_state(element, state);
}

void Pipeline::set_state(const char *name, GstState state) {
  g_autoptr(GstElement) element = get(name);
  gst_element_set_locked_state(element, state == GST_STATE_NULL);
  gst_element_set_base_time(element, gst_element_get_base_time(pipeline_));
  set_state(element, state);
}

GstElement *Pipeline::get(const char *name) const {
  GstElement *element = gst_bin_get_by_name(GST_BIN(pipeline_), name);
  g_assert_nonnull(element);
  return element;
}

GstElement *Pipeline::find(const char *name) const {
  return gst_bin_get_by_name(GST_BIN(pipeline_), name);
}

guint Pipeline::uid(const char *name) const {
  g_autoptr(GstElement) element = get(name);
  guint uid = 0;
  g_object_get(element, "uid", &uid, nullptr);
  return uid;
}

void Pipeline::read() {
  while (GstMessage *message = gst_bus_pop(bus_)) {
    const bool failed = GST_MESSAGE_TYPE(message) == GST_MESSAGE_ERROR;
    if (failed || GST_MESSAGE_TYPE(message) == GST_MESSAGE_WARNING) {
      g_autoptr(GError) error = nullptr;
      g_autofree char *debug = nullptr;
      (failed ? gst_message_parse_error : gst_message_parse_warning)(message, &error, &debug);
      if (failed && !expects_errors_)
        g_error("%s: %s (%s)", GST_MESSAGE_SRC_NAME(message), error->message, debug);
      (failed ? errors_ : warnings_).emplace_back(GST_MESSAGE_SRC_NAME(message), error->message);
      complaint_ = error->message;
    }
    ended_ |= GST_MESSAGE_TYPE(message) == GST_MESSAGE_EOS;
    const GstStructure *structure = gst_message_get_structure(message);
    if (GST_MESSAGE_TYPE(message) == GST_MESSAGE_ELEMENT && structure)
      told_[gst_structure_get_name(structure)]++;
    guint about = 0;
    if (structure && gst_structure_get_uint(structure, "uid", &about)) {
      const bool mutes = gst_message_has_name(message, "agora-mute-audio");
      if (gst_message_has_name(message, "agora-stream-added"))
        streams_[about] = false;
      else if (gst_message_has_name(message, "agora-stream-removed"))
        streams_.erase(about);
      else if ((mutes || gst_message_has_name(message, "agora-unmute-audio")) &&
               streams_.contains(about))
        streams_[about] = mutes;
    }
    if (gst_message_has_name(message, "agora-level")) {
      for (const GstStructure *one : speakers_in(structure)) {
        guint uid = 0;
        double peak = -1000;
        gst_structure_get(one, "uid", G_TYPE_UINT, &uid, "peak", G_TYPE_DOUBLE, &peak, nullptr);
        loudest_[uid] = std::max(peak, loudest_.contains(uid) ? loudest_[uid] : -1000.);
      }
    }
    gst_message_unref(message);
  }
}

bool Pipeline::heard(guint uid) {
  read();
  auto it = loudest_.find(uid);
  const bool loud = it != loudest_.end() && it->second > -40;
  if (it != loudest_.end())
    loudest_.erase(it);
  return loud;
}

bool Pipeline::has_stream(guint uid) {
  read();
  return streams_.contains(uid);
}

bool Pipeline::is_muted(guint uid) {
  read();
  const auto found = streams_.find(uid);
  return found != streams_.end() && found->second;
}

unsigned Pipeline::errors() {
  read();
  return static_cast<unsigned>(errors_.size());
}

unsigned Pipeline::warnings() {
  read();
  return static_cast<unsigned>(warnings_.size());
}

unsigned Pipeline::told(const char *name) {
  read();
  return told_[name];
}

std::vector<std::string> Pipeline::errors(const char *element) {
  read();
  std::vector<std::string> texts;
  for (const auto &[name, text] : errors_)
    if (name == element)
      texts.push_back(text);
  return texts;
}

G_GNUC_BEGIN_IGNORE_DEPRECATIONS
std::vector<const GstStructure *> speakers_in (const GstStructure *structure) {
  const GValue *value = gst_structure_get_value(structure, "speakers");
  if (!value)
    return {};
  g_assert_true(G_VALUE_HOLDS(value, g_value_array_get_type()));
  auto *array = static_cast<GValueArray *>(g_value_get_boxed(value));
  std::vector<const GstStructure *> speakers;
  for (guint i = 0; i < array->n_values; i++)
    speakers.push_back(gst_value_get_structure(g_value_array_get_nth(array, i)));
  return speakers;
}
G_GNUC_END_IGNORE_DEPRECATIONS

std::string in_room (const GatewayProcess &gateway, const std::string &more) {
  return " app-id=demo channel=room gateway=" + gateway.ws() + " " + more + " ";
}

double metric (const GatewayProcess &gateway, const char *name) {
  g_autoptr(GError) error = nullptr;
  g_autoptr(GSocketClient) http = g_socket_client_new();
  const std::string host = gateway.ws().substr(5, gateway.ws().rfind('/') - 5);
  g_autoptr(GSocketConnection) connection =
      g_socket_client_connect_to_host(http, host.c_str(), 80, nullptr, &error);
  g_assert_no_error(error);
  const std::string request =
      "GET /metrics HTTP/1.1\r\nHost: " + host + "\r\nConnection: close\r\n\r\n";
  g_output_stream_write_all(g_io_stream_get_output_stream(G_IO_STREAM(connection)), request.data(),
                            request.size(), nullptr, nullptr, &error);
  g_assert_no_error(error);
  g_autoptr(GDataInputStream) lines =
      g_data_input_stream_new(g_io_stream_get_input_stream(G_IO_STREAM(connection)));
  for (;;) {
    g_autofree char *line = g_data_input_stream_read_line(lines, nullptr, nullptr, nullptr);
    if (!line)
      return -1;
    if (g_str_has_prefix(line, name) && line[strlen(name)] == ' ')
      return g_ascii_strtod(line + strlen(name), nullptr);
  }
}

}  // namespace agora::test

// SPDX-License-Identifier: LGPL-2.1-or-later
// Elements that start, stop and change while the gateway and the media server are killed, frozen
// and started again, in an order that a fixed seed draws. Nothing may hang, crash, report an ERROR
// that isn't final, or be left behind: no thread, no descriptor, no element.
//
//   races-test --sequences=N [--from=N] [the options of g_test]
#include <glib/gstdio.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>

#include <array>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "tests/element/channel-rig.hpp"

namespace {

using namespace agora::test;

int sequences = 30;
guint64 seed = 20'240'229;

unsigned entries_of (const char *path) {
  GDir *folder = g_dir_open(path, 0, nullptr);
  unsigned count = 0;
  while (g_dir_read_name(folder))
    count++;
  g_dir_close(folder);
  return count;
}

// Of a socket that is connected, to where: it tells whose a lost one is.
std::string peer_of (int fd) {
  sockaddr_in peer = {};
  socklen_t size = sizeof(peer);
  if (getpeername(fd, reinterpret_cast<sockaddr *>(&peer), &size) != 0)
    return " without a peer";
  return peer.sin_family == AF_INET ? " to port " + std::to_string(ntohs(peer.sin_port)) : "";
}

// Open files and sockets, and what they are; a GMainContext has an eventfd.
std::multiset<std::string> open_files () {
  std::multiset<std::string> files;
  GDir *folder = g_dir_open("/proc/self/fd", 0, nullptr);
  while (const char *name = g_dir_read_name(folder)) {
    const std::string path = std::string("/proc/self/fd/") + name;
    g_autofree char *target = g_file_read_link(path.c_str(), nullptr);
    if (target && g_str_has_prefix(target, "socket:"))
      files.insert(target + peer_of(static_cast<int>(g_ascii_strtoll(name, nullptr, 10))));
    else if (target)
      files.insert(target);
  }
  g_dir_close(folder);
  return files;
}

// What the tracer of GStreamer still knows to be alive.
unsigned live_objects () {
  GList *tracers = gst_tracing_get_active_tracers();
  unsigned count = 0;
  for (GList *each = tracers; each; each = each->next) {
    GstStructure *live = nullptr;
    g_signal_emit_by_name(each->data, "get-live-objects", &live);
    if (!live)
      continue;
    const GValue *list = gst_structure_get_value(live, "live-objects-list");
    for (guint i = 0; i < gst_value_list_get_size(list); i++) {
      const auto *one = gst_value_get_structure(gst_value_list_get_value(list, i));
      const GValue *object = gst_structure_get_value(one, "object");
      count += object && G_VALUE_HOLDS(object, GST_TYPE_ELEMENT);
    }
    gst_structure_free(live);
  }
  g_list_free_full(tracers, gst_object_unref);
  return count;
}

class Sequence {
 public:
  Sequence(GatewayProcess &gateway, guint64 number) : gateway_(gateway), random_(number) {
    static constexpr std::array<const char *, 3> kinds = {
        "audiotestsrc is-live=true samplesperbuffer=480 ! agorasink name=host",
        "agorasrc name=listener ! fakesink sync=true",
        "audiotestsrc is-live=true samplesperbuffer=480 ! agorasink name=host agorasrc "
        "name=listener ! fakesink sync=true"};
    const unsigned count = 1 + draw(2);
    for (unsigned i = 0; i < count; i++) {
      pipelines_.push_back(std::make_unique<Pipeline>(kinds[draw(kinds.size())]));
      // Of a gateway that isn't there at the first join it is right to say so.
      pipelines_.back()->expect_errors();
      each_element(*pipelines_.back(), [&] (GstElement *element) {
        g_object_set(element, "gateway", gateway_.ws().c_str(), "app-id", "demo", "channel", "room",
                     nullptr);
      });
    }
  }

  void run () {
    const unsigned steps = 4 + draw(6);
    for (unsigned i = 0; i < steps; i++) {
      if (draw(4) == 0)
        break_something();
      else
        do_something(*pipelines_[draw(pipelines_.size())]);
      let_pass(draw(4) == 0 ? draw(300) : draw(30));
      for (auto &pipeline : pipelines_)
        pipeline->read();
    }
    gateway_.signal(SIGCONT);
    gateway_.signal_relay(SIGCONT);
  }

 private:
  unsigned draw (std::size_t below) { return static_cast<unsigned>(random_() % below); }

  template <typename What>
  void each_element (Pipeline &pipeline, What what) {
    for (const char *name : {"host", "listener"}) {
      g_autoptr(GstElement) element = pipeline.find(name);
      if (element)
        what(element);
    }
  }

  void do_something (Pipeline &pipeline) {
    static constexpr std::array<GstState, 6> states = {GST_STATE_PLAYING, GST_STATE_PLAYING,
                                                       GST_STATE_PLAYING, GST_STATE_PAUSED,
                                                       GST_STATE_READY,   GST_STATE_NULL};
    if (draw(3) > 0) {
      pipeline.set_state(states[draw(states.size())]);
      return;
    }
    const bool flag = draw(2) > 0;
    each_element(pipeline, [&] (GstElement *element) {
      if (g_object_class_find_property(G_OBJECT_GET_CLASS(element), "muted")) {
        g_object_set(element, "muted", flag, "max-backlog", draw(2000), nullptr);
        if (draw(6) == 0)
          gst_element_send_event(element, gst_event_new_eos());
      } else {
        g_object_set(element, "latency", draw(400), "adaptive-latency", flag, "expose-speakers",
                     flag, "speakers", draw(2) ? "" : "1,2,3", nullptr);
      }
      GstStructure *stats = nullptr;
      g_object_get(element, "stats", &stats, nullptr);
      gst_structure_free(stats);
    });
  }

  void break_something () {
    switch (draw(6)) {
      case 0:
        gateway_.signal_relay(SIGKILL);
        break;
      case 1:
        gateway_.signal_relay(SIGSTOP);
        break;
      case 2:
        gateway_.signal_relay(SIGCONT);
        break;
      case 3:
        gateway_.signal(SIGSTOP);
        break;
      case 4:
        gateway_.signal(SIGCONT);
        break;
      default:
        gateway_.kill();
        gateway_.start();
        break;
    }
  }

  GatewayProcess &gateway_;
  std::mt19937_64 random_;
  std::vector<std::unique_ptr<Pipeline>> pipelines_;
};

void test_sequences () {
  GatewayProcess gateway;
  unsigned threads = 0;
  std::size_t descriptors = 0;
  unsigned objects = 0;
  for (int i = 0; i < sequences; i++) {
    g_test_message("sequence %d", i);
    Sequence(gateway, seed + static_cast<guint64>(i)).run();
    // The first ones load plugins and start threads that stay.
    if (i == 4) {
      // Sessions that end on other threads take a moment.
      let_pass(1500);
      threads = entries_of("/proc/self/task");
      descriptors = open_files().size();
      objects = live_objects();
    }
  }
  // Threads of GLib's pools go when they have been idle.
  WAIT_UNTIL(entries_of("/proc/self/task") <= threads + 2);
  g_test_message("gateway at %s", gateway.ws().c_str());
  for (const std::string &file : open_files())
    g_test_message("open: %s", file.c_str());
  WAIT_UNTIL(open_files().size() <= descriptors);
  WAIT_UNTIL(live_objects() <= objects);
  g_test_message("%u threads, %zu files, %u elements; %u, %zu, %u before",
                 entries_of("/proc/self/task"), open_files().size(), live_objects(), threads,
                 descriptors, objects);
}

}  // namespace

int main (int argc, char **argv) {
  g_setenv("GST_TRACERS", "leaks(filters=\"GstElement\",log-leaks-on-deinit=false)", TRUE);
  gst_init(&argc, &argv);
  g_test_init(&argc, &argv, nullptr);
  for (int i = 1; i < argc; i++) {
    if (g_str_has_prefix(argv[i], "--sequences="))
      sequences = static_cast<int>(g_ascii_strtoll(argv[i] + 12, nullptr, 10));
    else if (g_str_has_prefix(argv[i], "--from="))
      seed = g_ascii_strtoull(argv[i] + 7, nullptr, 10);
  }
  g_test_add_func("/races/sequences", test_sequences);
  return g_test_run();
}

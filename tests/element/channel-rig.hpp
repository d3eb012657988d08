// SPDX-License-Identifier: LGPL-2.1-or-later
// A real gateway, and pipelines with the plugin's elements in this process, for tests in C++ that
// need to look behind a program's lines.
#pragma once

#include <gio/gio.h>
#include <gst/gst.h>

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "tests/element/time-scale.hpp"

namespace agora::test {

// Runs the default main context until `done`; the test fails after `seconds`, or after twenty.
void wait_until (const std::function<bool()> &done, const char *what, unsigned seconds = 20);
#define WAIT_UNTIL(condition) agora::test::wait_until([&] { return (condition); }, #condition)
// Runs it for so long, which nothing but time can end.
void let_pass (unsigned ms);

class GatewayProcess {
 public:
  // `app`: as for --app; `options`: more of them.
  explicit GatewayProcess(const std::string &app = "demo", std::vector<std::string> options = {});
  ~GatewayProcess();
  GatewayProcess(const GatewayProcess &) = delete;
  GatewayProcess &operator=(const GatewayProcess &) = delete;

  const std::string &ws () const { return ws_; }
  const std::string &http () const { return http_; }
  // To itself, or to the relay that is its child.
  void signal (int number);
  void signal_relay (int number);
  // As after a crash, and on the same ports again; as another one might be, with `app`.
  void kill ();
  void start ();
  void start (const std::string &app);
  // With other options from then on.
  void start (std::vector<std::string> options);

 private:
  void wait ();

  GSubprocess *process_ = nullptr;
  std::string app_;
  std::vector<std::string> options_;
  std::string ws_;
  std::string http_;
  std::string listen_ = "127.0.0.1:0";
  std::string rtmp_listen_ = "127.0.0.1:0";
};

class Pipeline {
 public:
  explicit Pipeline(const std::string &launch);
  // Stops it, within the time that is allowed, and waits for its end.
  ~Pipeline();
  Pipeline(const Pipeline &) = delete;
  Pipeline &operator=(const Pipeline &) = delete;

  // No state change may take longer than 500 ms.
  void set_state (GstState state) { set_state(pipeline_, state); }
  void set_state (const char *element, GstState state);
  // (transfer full); find() gives nullptr where there is none.
  GstElement *get (const char *name) const;
  GstElement *find (const char *name) const;
  guint uid (const char *element) const;
  // Reads the bus: an ERROR fails the test, unless errors are expected.
  void read ();
  // Whether this speaker was loud since the last call.
  bool heard (guint uid);
  // What its messages so far say of this speaker: that its stream is there, that it is muted.
  bool has_stream (guint uid);
  bool is_muted (guint uid);
  // Element messages of that name so far.
  unsigned told (const char *name);
  void expect_errors () { expects_errors_ = true; }
  // ERRORs, once they are expected, and WARNINGs so far; and what the last of them said.
  unsigned errors ();
  unsigned warnings ();
  const std::string &complaint () const { return complaint_; }
  // The texts of those that this element posted so far.
  std::vector<std::string> errors (const char *element);
  bool ended () const { return ended_; }

 private:
  static void set_state (GstElement *element, GstState state);

  GstElement *pipeline_;
  GstBus *bus_;
  bool expects_errors_ = false;
  bool ended_ = false;
  std::string complaint_;
  std::map<guint, double> loudest_;
  std::map<std::string, unsigned> told_;
  std::map<guint, bool> streams_;  // of those that are there: whether it is muted
  std::vector<std::pair<std::string, std::string>> errors_, warnings_;  // by whom, and the text
};

// What the field `speakers` of agorasrc's statistics and levels holds; nothing where there is none.
std::vector<const GstStructure *> speakers_in (const GstStructure *structure);

// "app-id=demo channel=room gateway=…", and what is given.
std::string in_room (const GatewayProcess &gateway, const std::string &more = "");

// What Prometheus would read of this gateway, by the name with its labels; -1: nothing.
double metric (const GatewayProcess &gateway, const char *name);

}  // namespace agora::test

// SPDX-License-Identifier: LGPL-2.1-or-later
// What the tests of agorasink share: pipelines that are held to their time limits, and ears.
#pragma once

#include <gst/gst.h>

#include <string>

#include "gst/common/gst-ptr.hpp"
#include "gst/gstagorasink.h"
#include "tests/element/sink/fake-membership.hpp"
#include "tests/element/sink/media-server.hpp"
#include "tests/element/time-scale.hpp"

namespace agora::test {

constexpr GstClockTime patience = 15 * GST_SECOND;
// An element that is its own pace, in frames of 10 ms.
constexpr const char *tone = "audiotestsrc is-live=true samplesperbuffer=480 ";

// Waits so long, which nothing but time can end: to show that something doesn't come.
void let_pass (GstClockTime time);

// Of the whole program; it skips the test where there is none.
bool have_server ();
std::string server_url (const char *stream);
unsigned server_port ();
// An agorasink called "sink" as the end of a pipeline.
std::string sink (const char *more = "");

// A pipeline with agorasink as `sink`, and what came of it.
class Run {
 public:
  explicit Run(const std::string &launch);
  // Stops it, and waits until it is finalised.
  ~Run();
  Run(const Run &) = delete;
  Run &operator=(const Run &) = delete;

  void play () { set_state(GST_STATE_PLAYING); }
  void stop () { set_state(GST_STATE_NULL); }
  // No state change may take longer than 500 ms.
  GstStateChangeReturn set_state (GstState state);
  // Waits until the last state change is through.
  GstStateChangeReturn settle ();
  ObjectPtr<GstElement> get (const char *name) const;
  // The next message of these types, failing on an ERROR that isn't asked for.
  GstMessage *await (GstMessageType types, GstClockTime limit = patience);
  // The text of the first ERROR.
  std::string await_error ();
  void await_element_message (const char *name);
  void await_eos ();
  guint64 stat (const char *name) const;
  // Waits until a figure of the statistics is so much at least.
  void await_stat (const char *name, guint64 least) const;
  GstElement *pipeline () const { return pipeline_; }

 private:
  GstElement *pipeline_;
  GstBus *bus_;
};

// A file that a pipeline of the test's own made.
std::string make_file (const char *name, const std::string &launch);

// Hears a stream as mono sound.
class Ear {
 public:
  explicit Ear(const std::string &url);
  // Waits for that much sound louder than -40 dB (or quieter, when `loud` is false).
  void hear (GstClockTime duration, bool loud = true);
  // Hears whatever has come, and waits until nothing more does.
  void hear_out ();
  // The media times of what was heard first, and of what was last heard.
  GstClockTime first () const { return first_; }
  GstClockTime last () const { return last_; }

 private:
  Run run_;
  GstClockTime first_ = GST_CLOCK_TIME_NONE;
  GstClockTime last_ = 0;
};

// Registers the element, and runs the suites that the arguments name.
int run_suites (int argc, char **argv);

}  // namespace agora::test

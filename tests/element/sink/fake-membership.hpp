// SPDX-License-Identifier: LGPL-2.1-or-later
// A membership that does what a test says, on a thread of its own, in place of one with a gateway.
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>

#include "gst/membership/membership.hpp"

namespace agora::test {

// What the next Membership::join() does, and what was done with it. One at a time.
struct Script {
  // Refuses join() at once, or the membership later, with this text; none: no refusal.
  std::string refuse_at_once;
  std::string refuse_later;
  // Given after joining; empty: the gateway never answers.
  std::string url;
  // Given after push_broke() and republish(); empty: none.
  std::string next_url;
  // What push_broke() finds is the operator's silence.
  bool silences = false;
  // Called inside of join(), on the thread that starts the element.
  std::function<void(GstElement *)> while_joining;
  // Called inside of unpublish(), on the thread that ends the stream.
  std::function<void()> while_unpublishing;

  std::mutex mutex;  // guards all below
  std::condition_variable changed;
  int broke = 0;
  bool left = false;
  bool unpublished = false;
  int republished = 0;
  int muted = -1;
  std::string token;  // the last one that it was renewed with
};

// From here on, until another takes its place. It must outlive every element.
void set_script (Script *script);
// Somebody hears these codecs, from here on.
void want_codecs (const VoiceCodecs &codecs);
// The gateway has a new push URL for the host.
void give_url (const std::string &url);
void give_urls (const PushUrls &urls);
// The operator's silence is over, and there is a new push URL.
void end_silence (const std::string &url);
// Ends the membership for good.
void end_membership (const char *text);

}  // namespace agora::test

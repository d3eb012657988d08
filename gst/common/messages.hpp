// SPDX-License-Identifier: LGPL-2.1-or-later
// How the channel speaks to the application, alike for both elements: every event is a signal of
// the element and an element message on the bus. Any thread; no lock of ours may be held.
#pragma once

#include <gst/gst.h>

#include <cstdint>

namespace agora {

// The signals that announce_event() emits.
void install_event_signals (GObjectClass *klass);
// Signal `name` and message "agora-<name>" with the field `uid` (uint) where it is about somebody.
void announce_event (GstElement *element, const char *name, std::uint32_t uid);
// Message "agora-reconnecting" with `cause` (string); "agora-reconnected" with `duration`
// (uint64, ns) that it took.
void announce_reconnecting (GstElement *element, const GError &cause);
void announce_reconnected (GstElement *element, GstClockTime duration);
// The same for one speaker's sound, with the field `uid` (uint).
void announce_lost (GstElement *element, std::uint32_t uid, const char *cause);
void announce_found (GstElement *element, std::uint32_t uid, GstClockTime duration);
// An element or a decoder that is not installed: the message that lets an application install it,
// and the ERROR with `package`, Debian's.
void post_missing_element (GstElement *element, const char *factory, const char *package);
void post_missing_decoder (GstElement *element, const GstCaps *caps);
// Whether `factory` is installed; posts both where it isn't.
bool require_element (GstElement *element, const char *factory, const char *package);
// A WARNING: the token that was set while playing is of no use.
void post_token_refused (GstElement *element, const GError &error);
// The one ERROR with which a membership ends: which, and what to do about it.
void post_failure (GstElement *element, const GError &error);
// The same from the signalling thread, where nobody waits for it: an element on its way to PLAYING
// gets a moment to arrive. gst-launch-1.0 hangs after an ERROR between its set_state(PAUSED) and
// its main loop.
void post_late_failure (GstElement *element, const GError &error);

}  // namespace agora

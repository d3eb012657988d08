// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// How an element says what it can't do: an ERROR or a WARNING whose text names the value, and which
// says what to do about it. Any thread; no lock of ours may be held.
#pragma once

#include <gst/gst.h>

namespace agora {

// An element or a decoder that is not installed: the message that lets an application install it,
// and the ERROR with `package`, Debian's.
void post_missing_element (GstElement *element, const char *factory, const char *package);
void post_missing_decoder (GstElement *element, const GstCaps *caps);
// Whether `factory` is installed; posts both where it isn't.
bool require_element (GstElement *element, const char *factory, const char *package);
// A WARNING: the token that was set while playing is of no use.
void post_token_refused (GstElement *element, const GError &error);
// A WARNING: a few words for other members are not sent.
void post_data_refused (GstElement *element, const GError &error);
// A WARNING: the gateway doesn't say who else is in the channel.
void post_list_refused (GstElement *element, const GError &error);
// The one ERROR with which a start or a membership ends, at once.
void post_failure (GstElement *element, const GError &error);
// The same for an element that may still be on its way to PLAYING: it waits for that, half a second
// at most, and isn't posted where the element stops. gst-launch-1.0 hangs after an ERROR that comes
// between its set_state(PAUSED) and its main loop: it quits a loop that it begins to run then.
void post_late_failure (GstElement *element, const GError &error);

}  // namespace agora

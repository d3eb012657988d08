// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// The end of what an encoder was given: its look-ahead holds it back, and not every encoder gives
// it at EOS.
#pragma once

#include <gst/gst.h>

namespace agora {

// Before each EOS that reaches `encoder` after sound, and before sound of another format, as much
// silence goes in as brings out the last sample. `lookahead` in samples.
void push_silence_before_ends (GstElement *encoder, unsigned lookahead);

// The frames that the silence brings out begin after the end of the sound, by their timestamps, but
// no later than this. 0: the encoder hasn't heard its format yet.
GstClockTime tail_of (GstElement *encoder, unsigned lookahead);
// Takes a SEGMENT event, and gives one whose stop leaves such frames room.
GstEvent *segment_with_tail (GstEvent *event, GstClockTime tail);

}  // namespace agora

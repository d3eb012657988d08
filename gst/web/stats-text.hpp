// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// Statistics of elements, as the page gets them.
#pragma once

#include <gst/gst.h>

#include "signaling/protocol/json-writer.hpp"

namespace agora::web {

// Each field that is a number, by its name. Null: nothing.
void write_numbers (protocol::JsonWriter &json, const GstStructure *structure);
// "speakers": the numbers of each in agorasrc's statistics, as many as the answer to a call has
// room for; "speakers-left-out": how many more there are.
void write_speakers (protocol::JsonWriter &json, const GstStructure *stats);

}  // namespace agora::web

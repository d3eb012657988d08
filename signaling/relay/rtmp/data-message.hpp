// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// Data messages of a push (onMetaData, onTextData), before they go to players. Pure.
#pragma once

#include <optional>

#include "signaling/relay/rtmp/message.hpp"

namespace agora::relay::rtmp {

// The AMF0 in it, without what addresses the server ("@setDataFrame"). Nothing if it can't be read
// to its end, is deeper than kAmfDepth, or is for the server alone ("@clearDataFrame").
std::optional<Bytes> read_data (Bytes payload, bool amf3);

}  // namespace agora::relay::rtmp

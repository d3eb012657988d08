// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// What the files of the façade share: the object's one private part.
#pragma once

#include "signaling/agora-client.h"
#include "signaling/client/core.hpp"

namespace agora::client {

class Impl;
// For the façade's calls, and for tests that need other limits than real life's.
Core &core_of (AgoraClient *self);

}  // namespace agora::client

// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// How the channel speaks to the application, alike for both elements: every event is a signal of
// the element and an element message on the bus. Any thread; no lock of ours may be held.
#pragma once

#include <gst/gst.h>

#include <cstdint>
#include <string>

#include "gst/common/uid-list.hpp"

namespace agora {

// The signals that announce_event() emits.
void install_event_signals (GObjectClass *klass);
// Signal `name` and message "agora-<name>" with the field `uid` (uint) where it is about somebody.
void announce_event (GstElement *element, const char *name, std::uint32_t uid);
// Signals `member-named` of their names, `member-joined` of who is there, and `data` of what other
// members send, and action `send-data`, which calls `send(element, text, to)`.
void install_data_signals (GObjectClass *klass,
                           gboolean (*send)(GstElement *element, const char *text,
                                            const UidList &to));
// Signal `member-named` and message "agora-member-named" with `uid` (uint) and `name` (string).
void announce_name (GstElement *element, std::uint32_t uid, const std::string &name);
// Signal `member-joined` and message "agora-member-joined" with the same two, `name` where it has
// one.
void announce_member (GstElement *element, std::uint32_t uid, const std::string &name);
// Signal `data` and message "agora-data" with `uid` (uint) and `text` (string).
void announce_data (GstElement *element, std::uint32_t uid, const std::string &text);
// Message "agora-reconnecting" with `cause` (string); "agora-reconnected" with `duration`
// (uint64, ns) that it took.
void announce_reconnecting (GstElement *element, const GError &cause);
void announce_reconnected (GstElement *element, GstClockTime duration);
// The same for one speaker's sound, with the field `uid` (uint).
void announce_lost (GstElement *element, std::uint32_t uid, const char *cause);
void announce_found (GstElement *element, std::uint32_t uid, GstClockTime duration);

}  // namespace agora

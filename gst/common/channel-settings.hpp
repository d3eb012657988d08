// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// The properties that both elements have, in one place: which channel, as whom, through which
// gateway.
#pragma once

#include <gst/gst.h>

#include <cstdint>
#include <string>

#include "gst/common/voice-codec.hpp"

typedef struct _AgoraClient AgoraClient;

namespace agora {

// What both elements let one set; copied out once, when the element starts.
struct ChannelSettings {
  std::string gateway;
  std::string ap_url;
  std::string ca_file;  // whose certificates count, of gateway and media servers; "": the system's
  std::string app_id;
  std::string channel;
  std::string token;
  std::string display_name;  // for people; "": none
  std::uint32_t uid = 0;
  unsigned connect_timeout_ms = 10'000;
  int reconnect_timeout_s = 20 * 60;  // 0: never come back; -1: try for ever
  bool list_members = false;
  bool retry_first_join = false;  // the first join is tried as a reconnection is
  VoiceCodecs hears = {VoiceCodec::aac, VoiceCodec::opus};
  AgoraClient *client = nullptr;  // borrowed: the element holds it for as long as it is started
};

// Property ids of an element's own begin at kSettingsEnd.
enum SettingsProperty : guint {
  kSettingsNone,
  kGateway,
  kApUrl,
  kCaFile,
  kAppId,
  kChannel,
  kToken,
  kUid,
  kClient,
  kConnectTimeout,
  kReconnectTimeout,
  kRetryFirstJoin,
  kDisplayName,
  kListMembers,
  kConnectionState,
  kStats,
  kSettingsEnd,
};

// What an element keeps while it is stopped; its OBJECT_LOCK guards it.
class ChannelSettingsStore {
 public:
  ChannelSettingsStore();
  ~ChannelSettingsStore();
  ChannelSettingsStore(const ChannelSettingsStore &) = delete;
  ChannelSettingsStore &operator=(const ChannelSettingsStore &) = delete;

  // Whether `id` was one of ours. uid, connection-state and stats are read from the element.
  bool set (GObject *element, guint id, const GValue *value);
  bool get (GObject *element, guint id, GValue *value) const;
  // agora://HOST[:PORT]/APP-ID/CHANNEL[?uid=…&token=…&tls=1], while the element is in READY or
  // below: GST_URI_ERROR_BAD_STATE above it.
  bool set_uri (GObject *element, const char *uri, GError **error);
  char *uri (GObject *element) const;
  // Takes a reference to the client, where there is one.
  ChannelSettings copy (GObject *element) const;

 private:
  ChannelSettings settings_;
};

// For programs that elements are linked into, before the element starts: of speakers that can send
// this codec it hears that one; the others it hears in what they send.
void hear_in (GObject *element, VoiceCodec codec);

void install_settings (GObjectClass *klass);

// Whether what a membership of the element's own needs is there; the text names the property.
bool are_complete (const ChannelSettings &settings, GError **error);

}  // namespace agora

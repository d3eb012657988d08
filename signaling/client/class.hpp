// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// The properties and signals of the class AgoraClient.
#pragma once

#include <glib-object.h>

namespace agora::client {

enum Property : guint {
  prop_gateway = 1,
  prop_ap_url,
  prop_connect_timeout,
  prop_reconnect_timeout,
  prop_retry_first_join,
  prop_ca_file,
  prop_tls_ca_file,
  prop_state,
  prop_uid,
  prop_channel,
  prop_role,
  prop_app_id,
  prop_silenced,
  prop_hears,
  prop_codecs_wanted,
  prop_display_name,
  prop_lists_members,
  n_properties,
};

enum Signal {
  signal_stream_added,
  signal_stream_removed,
  signal_update_url,
  signal_video_rotation,
  signal_mute_audio,
  signal_unmute_audio,
  signal_mute_video,
  signal_unmute_video,
  signal_token_privilege_will_expire,
  signal_token_privilege_did_expire,
  signal_client_banned,
  signal_silenced,
  signal_unsilenced,
  signal_codecs_wanted,
  signal_data,
  signal_member_named,
  signal_member_joined,
  signal_member_left,
  signal_error,
  signal_reconnecting,
  signal_reconnected,
  n_signals,
};

// The ids that g_signal_emit() takes.
extern guint signals[n_signals];

void install_properties (GObjectClass *klass);
void install_signals ();

}  // namespace agora::client

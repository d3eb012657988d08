// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
#include "gst/web/ice-agent.hpp"

#include <agent.h>
#include <interfaces.h>

#include <charconv>
#include <string_view>

namespace agora::web {

namespace {

// webrtcbin has one stream where all is bundled, with one component.
constexpr guint kStream = 1;
constexpr guint kComponent = NICE_COMPONENT_TYPE_RTP;
// RFC 7064 and 7065.
constexpr unsigned kStunPort = 3478;
// NICE_CANDIDATE_MAX_TURN_SERVERS, which isn't public.
constexpr unsigned kMostTurnServers = 8;

ObjectPtr<GstObject> ice_of (GstElement *webrtcbin) {
  GstObject *ice = nullptr;
  g_object_get(webrtcbin, "ice-agent", &ice, nullptr);
  return ObjectPtr<GstObject>(ice);
}

ObjectPtr<NiceAgent> agent_of (GstElement *webrtcbin) {
  const auto ice = ice_of(webrtcbin);
  NiceAgent *agent = nullptr;
  if (ice)
    g_object_get(ice.get(), "agent", &agent, nullptr);
  return ObjectPtr<NiceAgent>(agent);
}

// Its own list leaves out loopback.
void use_all_addresses (GstObject *ice) {
  GList *addresses = nice_interfaces_get_local_ips(TRUE);
  for (GList *each = addresses; each; each = each->next) {
    gboolean added = FALSE;
    g_signal_emit_by_name(ice, "add-local-ip-address", each->data, &added);
  }
  g_list_free_full(addresses, g_free);
}

// "turn:HOST:PORT?…" and a user to "turn://USER:PASSWORD@HOST:PORT?…", as webrtcbin has it.
std::string server_uri (const IceServer &server) {
  const std::size_t colon = server.url.find(':');
  const std::string scheme = server.url.substr(0, colon);
  std::string rest = colon == std::string::npos ? std::string() : server.url.substr(colon + 1);
  if (scheme == "stun")
    return "stun://" + rest;
  const CharPtr user(g_uri_escape_string(server.username.c_str(), nullptr, FALSE));
  const CharPtr password(g_uri_escape_string(server.credential.c_str(), nullptr, FALSE));
  return scheme + "://" + user.get() + ":" + password.get() + "@" + rest;
}

void use_server (GstElement *webrtcbin, const IceServer &server) {
  const auto address = server_address(server.url);
  if (!address)
    return;
  if (!address->turn) {
    g_object_set(webrtcbin, "stun-server", server_uri(server).c_str(), nullptr);
    return;
  }
  gboolean added = FALSE;
  g_signal_emit_by_name(webrtcbin, "add-turn-server", server_uri(server).c_str(), &added);
  if (!added)
    GST_WARNING_OBJECT(webrtcbin, "the TURN server %s can't be used", server.url.c_str());
}

}  // namespace

void set_up_agent (GstElement *webrtcbin, const PeerConfig &config) {
  const auto ice = ice_of(webrtcbin);
  const auto agent = agent_of(webrtcbin);
  // UPnP asks the whole network by multicast, and gathering waits for it. TCP is no use: nobody
  // gets our candidates of it.
  g_object_set(agent.get(), "upnp", FALSE, "ice-tcp", FALSE, nullptr);
  if (config.low_port && config.high_port >= config.low_port)
    g_object_set(ice.get(), "max-rtp-port", guint(config.high_port), "min-rtp-port",
                 guint(config.low_port), nullptr);
  if (config.loopback)
    use_all_addresses(ice.get());
  for (const IceServer &server : config.ice_servers)
    use_server(webrtcbin, server);
  if (config.relay_only)
    gst_util_set_object_arg(G_OBJECT(webrtcbin), "ice-transport-policy", "relay");
}

Reach reach_of_peer (const PeerConfig &config) {
  return config.loopback ? Reach::kLoopback : config.site ? Reach::kSite : Reach::kWorld;
}

void on_gathered (GstElement *webrtcbin, GCallback done, gpointer data, GClosureNotify destroy) {
  g_signal_connect_data(agent_of(webrtcbin).get(), "candidate-gathering-done", done, data, destroy,
                        GConnectFlags(0));
}

std::vector<std::string> local_candidates (GstElement *webrtcbin) {
  return local_candidates(agent_of(webrtcbin).get(), kStream);
}

std::vector<std::string> local_candidates (NiceAgent *agent, guint stream) {
  std::vector<std::string> texts;
  GSList *candidates = nice_agent_get_local_candidates(agent, stream, kComponent);
  for (GSList *each = candidates; each; each = each->next) {
    const CharPtr text(
        nice_agent_generate_local_candidate_sdp(agent, static_cast<NiceCandidate *>(each->data)));
    if (text && g_str_has_prefix(text.get(), "a="))
      texts.emplace_back(text.get() + 2);
  }
  g_slist_free_full(candidates, [] (gpointer candidate) noexcept {
    nice_candidate_free(static_cast<NiceCandidate *>(candidate));
  });
  return texts;
}

std::optional<ServerAddress> server_address (const std::string &url) {
  std::string_view rest = url;
  ServerAddress address;
  address.turn = rest.starts_with("turn:");
  if (!address.turn && !rest.starts_with("stun:"))
    return std::nullopt;
  rest.remove_prefix(5);
  const std::size_t query = rest.find('?');
  address.tcp = query != std::string_view::npos && rest.substr(query) == "?transport=tcp";
  rest = rest.substr(0, query);
  const std::size_t bracket = rest.starts_with('[') ? rest.find(']') : 0;
  const std::size_t colon = bracket == std::string_view::npos ? bracket : rest.find(':', bracket);
  address.host = rest.substr(bracket ? 1 : 0, bracket ? bracket - 1 : colon);
  address.port = kStunPort;
  if (colon != std::string_view::npos) {
    const char *begin = rest.data() + colon + 1, *end = rest.data() + rest.size();
    const auto [last, error] = std::from_chars(begin, end, address.port);
    if (error != std::errc() || last != end || address.port == 0 || address.port > 0xffff)
      return std::nullopt;
  }
  if (address.host.empty())
    return std::nullopt;
  return address;
}

void use_servers (NiceAgent *agent, guint stream, const PeerConfig &config) {
  unsigned turns = 0;
  for (const IceServer &server : config.ice_servers) {
    const auto address = server_address(server.url);
    if (!address)
      continue;
    if (!address->turn)
      g_object_set(agent, "stun-server", address->host.c_str(), "stun-server-port", address->port,
                   nullptr);
    else if (++turns <= kMostTurnServers)
      nice_agent_set_relay_info(agent, stream, kComponent, address->host.c_str(), address->port,
                                server.username.c_str(), server.credential.c_str(),
                                address->tcp ? NICE_RELAY_TYPE_TURN_TCP : NICE_RELAY_TYPE_TURN_UDP);
  }
  if (config.relay_only)
    g_object_set(agent, "force-relay", TRUE, nullptr);
}

}  // namespace agora::web

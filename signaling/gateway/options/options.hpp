// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// The gateway's options, out of the command line and the key file of --config.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "signaling/gateway/channel/channel-book.hpp"
#include "signaling/gateway/options/values.hpp"
#include "signaling/protocol/relay-line.hpp"
#include "signaling/protocol/web-line.hpp"

namespace agora::gateway {

// Bounds of what one socket may send, and of what may wait to be sent to it.
struct FrameLimits {
  unsigned bytes = 64 * 1024;
  unsigned depth = 16;
  unsigned queue_bytes = 256 * 1024;
};

enum class LogFormat { text, json };

// Browsers as members: agora-web's.
struct WebOptions {
  bool on = false;
  std::optional<Endpoint> listen;                // for pages, WHIP and WHEP; nothing: on --listen
  std::string program;                           // "": look in the usual places
  unsigned workers = 0;                          // 0: one for each core, four at most
  std::vector<web_line::IceServer> ice_servers;  // with their secrets
  std::uint16_t rtp_low = 0;                     // ports of media; 0 both: the system's choice
  std::uint16_t rtp_high = 0;
  std::string public_ip;  // by which browsers reach this machine; "": its own addresses
  // Sessions, each one who speaks or one who hears.
  unsigned sessions = 1000;
  unsigned sessions_per_address = 100;
};

struct CommandLine;

// What --rtmp is: whose hooks and whose control.
enum class RtmpKind { nginx, srs };

struct Options {
  std::vector<AppOption> apps;
  Endpoint listen{"127.0.0.1", 8080};
  Endpoint rtmp_listen{"127.0.0.1", 1935};
  std::optional<Endpoint> rtmps_listen;  // of the relay; nothing: nowhere
  // Web pages that may connect, by the Origin that browsers send; "*": all. Programs send none.
  std::vector<std::string> allow_origins{"https://servicewechat.com"};
  ShownApps show_members;   // whose members may ask who else is in their channel
  std::string public_host;  // "": the name that the client used
  std::string relay;        // "": look in the usual places
  unsigned relay_workers = 1;
  // A media server that runs elsewhere; "": agora-relay.
  std::string rtmp;
  // How clients reach the media server: a URL, or "rtmps": by --rtmps-listen; "": by --rtmp, or
  // else by --rtmp-listen.
  std::string public_rtmp;
  RtmpKind rtmp_kind = RtmpKind::nginx;
  std::vector<std::string> rtmp_control;
  Endpoint hook_listen{"127.0.0.1", 0};
  std::string hook_secret_file;
  std::string tls_certificate;
  std::string tls_key;
  std::string admin_token_file;  // "": no administration over HTTP
  unsigned admin_requests = 20;  // a second
  bool console = false;          // a page for the operator
  std::string webhook_url;       // "": nobody is told
  std::string webhook_secret_file;
  LogFormat log_format = LogFormat::text;
  std::string state_dir;  // where rules and keys outlast a restart; "": they end with the gateway
  std::vector<protocol::TokenKind> token_kinds{protocol::token_kinds.begin(),
                                               protocol::token_kinds.end()};
  FrameLimits frames;
  Limits limits;
  WebOptions web;
  // Several gateways share this store; "": this one is the only one.
  std::string store;
  std::string store_password_file;
  std::string store_ca_file;  // "": the system's
  std::string cluster_secret_file;
  // By which the other gateways' relays reach this one's; port 0: that of rtmp_listen.
  std::optional<Endpoint> relay_address;
  bool relay_tls = false;     // it speaks RTMPS there; port 0 is that of rtmps_listen then
  std::string relay_name;     // that its certificate is for; "": the address
  std::string relay_ca_file;  // authorities of the other relays' certificates
  std::string public_url;  // by which clients reach this gateway; "": the others name it to nobody
  relay_line::Limits media;  // what agora-relay holds sessions to
  // Connections, of all addresses together, that have not joined.
  unsigned waiting_sockets = 32'768;
  unsigned join_seconds = 10;    // from connecting to a successful join
  unsigned drain_seconds = 0;    // for members to move, from SIGTERM to the end
  unsigned outage_seconds = 60;  // of the media server, until members are sent elsewhere
  // What was given, by options' names. May hold secrets.
  std::map<std::string, std::vector<std::string>> given;
  std::shared_ptr<const CommandLine> line;
};

struct OptionsExit {
  int status = 0;
  std::string message;  // one line for standard error; for status 0: text for standard output
};

// Reads the command line, and the key file that it names. Command line beats file.
std::variant<Options, OptionsExit> parse_options (int argc, char **argv);
// The same command line once more, and what its files hold now; or what is wrong with them.
std::variant<Options, std::string> reread_options (const Options &options);
// The names of those that a running gateway doesn't take over, and that differ.
std::vector<std::string> unchangeable (const Options &now, const Options &then);

}  // namespace agora::gateway

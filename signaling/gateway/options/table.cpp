// SPDX-License-Identifier: LGPL-2.1-or-later
#include "signaling/gateway/options/table.hpp"

#include "signaling/gateway/options/file.hpp"
#include "signaling/gateway/options/secrets.hpp"
#include "signaling/protocol/argument-checks.hpp"
#include "signaling/protocol/relay-url.hpp"

namespace agora::gateway {

namespace {

Problem add_apps (std::vector<AppOption> &apps, std::string_view file) {
  auto read = read_apps(std::string(file));
  if (auto *problem = std::get_if<std::string>(&read))
    return *problem;
  for (auto &app : std::get<0>(read))
    add_app(apps, app.certificate.empty() ? app.id : app.id + ":" + app.certificate);
  return {};
}

// Whether it is served is known when all options are.
Problem add_shown (ShownApps &apps, std::string_view text) {
  if (text != "*" && protocol::check_app_id(text))
    return "the id of an app, or *";
  apps.emplace(text);
  return {};
}

template <typename Group>
Setting bound (const char *name, Group Options::*holder, unsigned Group::*member, unsigned low,
               unsigned high, const char *help) {
  return {name, "N", help, [=] (Options &options, std::string_view text) {
            return set_bound(options.*holder.*member, text, low, high);
          }};
}
Setting file (const char *name, std::string Options::*member, const char *help) {
  return {name, "FILE", help, [=] (Options &options, std::string_view text) {
            return set_file(options.*member, text);
          }};
}
Setting endpoint (const char *name, Endpoint Options::*member, const char *help) {
  return {name, "ADDR:PORT", help, [=] (Options &options, std::string_view text) {
            return set_endpoint(options.*member, text);
          }};
}
Setting url (const char *name, std::string Options::*member,
             const std::vector<std::string> &schemes, bool needs_path, const char *help) {
  return {name, "URL", help, [=] (Options &options, std::string_view text) {
            return set_url(options.*member, text, schemes, needs_path);
          }};
}

Problem add_ice_servers (std::vector<web_line::IceServer> &servers, std::string_view file) {
  auto read = read_lines(std::string(file));
  if (auto *problem = std::get_if<std::string>(&read))
    return *problem;
  for (const auto &[number, line] : std::get<0>(read))
    if (auto problem = add_ice_server(servers, line))
      return "lines of servers; line " + std::to_string(number) + " is none: expected " + *problem;
  return {};
}

// An option of earlier gateways, which ran an nginx.
Setting gone (const char *name) {
  Setting setting{name, "FILE", "", [] (Options &, std::string_view) -> Problem {
                    return "no such option: the gateway brings agora-relay and runs no nginx any "
                           "more. Leave it out, or name an nginx-rtmp of yours with --rtmp=URL";
                  }};
  setting.gone = true;
  return setting;
}

}  // namespace

const std::vector<Setting> &settings () {
  static const std::vector<Setting> all = {
      {"app", "ID[:CERTIFICATE]", "An app to serve; repeat for more",
       [] (Options &o, std::string_view text) { return add_app(o.apps, text); }, true, true},
      {"app-file", "FILE", "The same from a file, a line each: certificates are secrets",
       [] (Options &o, std::string_view text) { return add_apps(o.apps, text); }},
      {"allow-origin", "ORIGIN",
       "Let pages of this origin connect, such as https://example.org; repeat for more",
       [] (Options &o, std::string_view text) { return add_origin(o.allow_origins, text); }, true},
      {"show-members", "APP",
       "Let this app's members ask who else is in their channel (*: each app's); repeat for more",
       [] (Options &o, std::string_view text) { return add_shown(o.show_members, text); }, true},
      endpoint("listen", &Options::listen,
               "Where HTTP and WebSocket are served (127.0.0.1:8080; port 0: a free one)"),
      endpoint("rtmp-listen", &Options::rtmp_listen,
               "Where agora-relay listens for RTMP (127.0.0.1:1935; port 0: a free one)"),
      {"rtmps-listen", "ADDR:PORT",
       "Where agora-relay listens for RTMPS, with --tls-certificate (nowhere; port 0: a free one)",
       [] (Options &o, std::string_view text) {
         return set_endpoint(o.rtmps_listen.emplace(), text);
       }},
      {"public-host", "HOST", "The host name in URLs (default: the one that the client used)",
       [] (Options &o, std::string_view text) { return set_host(o.public_host, text); }},
      file("relay", &Options::relay, "The program agora-relay (default: looked for)"),
      {"relay-workers", "N", "Processes of agora-relay behind its one port (1)",
       [] (Options &o, std::string_view text) { return set_bound(o.relay_workers, text, 1, 64); }},
      bound("max-listener-lag", &Options::media, &relay_line::Limits::listener_lag_ms, 20, 60'000,
            "Sound that may wait for a listener, in milliseconds; the oldest of more is left out "
            "(1000)"),
      bound("max-push-kbps", &Options::media, &relay_line::Limits::push_kbps, 8, 1'000'000,
            "Bit rate of one push, in kbit/s (4096)"),
      bound("max-rtmp-sessions", &Options::media, &relay_line::Limits::sessions, 1, 1'000'000,
            "RTMP connections in all (16384)"),
      bound("max-rtmp-sessions-per-address", &Options::media,
            &relay_line::Limits::sessions_per_address, 1, 1'000'000,
            "RTMP connections of one address (4096)"),
      bound("max-rtmp-strangers-per-address", &Options::media,
            &relay_line::Limits::strangers_per_address, 1, 1'000'000,
            "RTMP connections of one address that neither push nor play yet (256)"),
      url("rtmp", &Options::rtmp, {"rtmp", "rtmps"}, true,
          "Use RTMP servers that run elsewhere, at this URL, instead of agora-relay"),
      {"public-rtmp", "URL",
       "How clients reach the RTMP server: a URL, rtmp or rtmps, or the word rtmps for "
       "--rtmps-listen (default: --rtmp, or else --rtmp-listen)",
       [] (Options &o, std::string_view text) -> Problem {
         if (text != "rtmps") {
           auto problem = set_url(o.public_rtmp, text, {"rtmp", "rtmps"}, true);
           return problem ? "rtmps, " + *problem : problem;
         }
         o.public_rtmp = text;
         return {};
       }},
      {"rtmp-kind", "KIND", "What --rtmp is: nginx (nginx-rtmp) or srs (nginx)",
       [] (Options &o, std::string_view text) -> Problem {
         if (text != "nginx" && text != "srs")
           return "nginx or srs";
         o.rtmp_kind = text == "srs" ? RtmpKind::srs : RtmpKind::nginx;
         return {};
       }},
      {"rtmp-control", "URL",
       "Control module of --rtmp, to cut sessions, such as http://10.0.0.5:8081/control; of SRS "
       "its HTTP API, such as http://10.0.0.5:1985, and of each edge: repeat for more",
       [] (Options &o, std::string_view text) {
         return set_url(o.rtmp_control.emplace_back(), text, {"http"}, false);
       },
       true},
      endpoint("hook-listen", &Options::hook_listen,
               "Where --rtmp's on_publish and on_play reach the gateway (127.0.0.1:0)"),
      file("hook-secret-file", &Options::hook_secret_file,
           "The first line is the first path element of --rtmp's hook URLs"),
      {"web", "true", "Let browsers in: WHIP, WHEP and a page at /web/, by agora-web",
       [] (Options &o, std::string_view text) { return set_flag(o.web.on, text); }, false, false,
       true},
      {"web-listen", "ADDR:PORT",
       "Where browsers are served (default: --listen; port 0: a free one)",
       [] (Options &o, std::string_view text) {
         return set_endpoint(o.web.listen.emplace(), text);
       }},
      {"web-program", "FILE", "The program agora-web (default: looked for)",
       [] (Options &o, std::string_view text) { return set_file(o.web.program, text); }},
      bound("web-workers", &Options::web, &WebOptions::workers, 1, 64,
            "Processes of agora-web (one for each core, 4 at most)"),
      {"ice-server", "URL",
       "stun:HOST or turn:USER:PASSWORD@HOST, for browsers and agora-web; repeat for more",
       [] (Options &o, std::string_view text) { return add_ice_server(o.web.ice_servers, text); },
       true, true},
      {"ice-server-file", "FILE", "The same from a file, a line each: passwords are secrets",
       [] (Options &o, std::string_view text) { return add_ice_servers(o.web.ice_servers, text); }},
      {"rtp-ports", "LOW-HIGH", "UDP ports for media of browsers (default: any)",
       [] (Options &o, std::string_view text) {
         return set_ports(o.web.rtp_low, o.web.rtp_high, text);
       }},
      {"public-ip", "ADDRESS", "By which browsers reach this machine, where that is not its own",
       [] (Options &o, std::string_view text) { return set_address(o.web.public_ip, text); }},
      bound("max-web-sessions", &Options::web, &WebOptions::sessions, 1, 1'000'000,
            "Browsers' connections, one to speak and one to hear each (1000)"),
      bound("max-web-sessions-per-address", &Options::web, &WebOptions::sessions_per_address, 1,
            1'000'000, "The same of one address (100)"),
      {"store", "URL",
       "Be one of several gateways, which share this Redis, such as redis://10.0.0.5:6379",
       [] (Options &o, std::string_view text) { return set_store(o.store, text); }, false, true},
      file("store-password-file", &Options::store_password_file,
           "The first line is the password of --store"),
      file("store-ca-file", &Options::store_ca_file,
           "Authorities for rediss://, PEM (default: the system's)"),
      file("cluster-secret-file", &Options::cluster_secret_file,
           "The first line is the secret of all gateways of --store, which signs what relays play"),
      {"relay-address", "[rtmps://[NAME@]]IP:PORT",
       "By which other gateways of --store reach agora-relay (port 0: that of --rtmp-listen, or of "
       "--rtmps-listen)",
       [] (Options &o, std::string_view text) -> Problem {
         Endpoint endpoint;
         o.relay_tls = text.starts_with("rtmps://");
         for (const std::string_view scheme : {"rtmps://", "rtmp://"})
           if (text.starts_with(scheme))
             text.remove_prefix(scheme.size());
         o.relay_name.clear();
         if (const auto at = text.find('@'); o.relay_tls && at != std::string_view::npos) {
           o.relay_name = text.substr(0, at);
           text.remove_prefix(at + 1);
           if (!relay_line::is_host_name(o.relay_name))
             return "rtmps://NAME@IP:PORT, with the name that the certificate is for";
         }
         if (auto problem = set_endpoint(endpoint, text))
           return problem;
         if (endpoint.address == "0.0.0.0" || endpoint.address == "::")
           return "an address that other machines can connect to, and a port";
         o.relay_address = std::move(endpoint);
         return {};
       }},
      file("relay-ca-file", &Options::relay_ca_file,
           "Authorities of other gateways' --relay-address=rtmps://, PEM; with --rtmps-listen"),
      {"public-url", "URL",
       "By which clients reach this gateway, such as https://one.example.org: the other gateways "
       "of --store send them here",
       [] (Options &o, std::string_view text) {
         return set_url(o.public_url, text, {"https", "http"}, false);
       }},
      file("tls-certificate", &Options::tls_certificate,
           "Serve https and wss with this PEM certificate chain"),
      file("tls-key", &Options::tls_key, "The certificate's private key, PEM"),
      file("admin-token-file", &Options::admin_token_file,
           "The first line is what callers of /dev/v1 must show; without it, those are off"),
      {"state-dir", "DIR",
       "Keep the operator's rules and stream keys over a restart, and an audit log, in this folder",
       [] (Options &o, std::string_view text) -> Problem {
         if (text.empty())
           return "the path of a folder";
         o.state_dir = text;
         return {};
       }},
      {"console", "true", "Serve the operator's page at /console/; with --admin-token-file",
       [] (Options &o, std::string_view text) { return set_flag(o.console, text); }, false, false,
       true},
      {"token-versions", "VERSIONS",
       "Kinds of tokens to take, such as 007; 006 and 005 bind less (007,006,005)",
       [] (Options &o, std::string_view text) { return set_token_kinds(o.token_kinds, text); }},
      {"max-admin-requests-per-second", "N", "Requests to /dev/v1 per second (20)",
       [] (Options &o, std::string_view text) {
         return set_bound(o.admin_requests, text, 1, 1000000);
       }},
      {"drain", "SECONDS", "After SIGTERM let members move elsewhere, for so long at most (0)",
       [] (Options &o, std::string_view text) {
         return set_bound(o.drain_seconds, text, 0, 86400);
       }},
      {"webhook-url", "URL", "Tell this receiver, http or https, who comes and goes",
       [] (Options &o, std::string_view text) { return set_webhook(o.webhook_url, text); }},
      file("webhook-secret-file", &Options::webhook_secret_file,
           "The first line is the key that signs what --webhook-url is sent"),
      {"log-format", "FORMAT", "How the log on standard error is written: text or json (text)",
       [] (Options &o, std::string_view text) -> Problem {
         if (text != "text" && text != "json")
           return "text or json";
         o.log_format = text == "json" ? LogFormat::json : LogFormat::text;
         return {};
       }},
      bound("max-frame-bytes", &Options::frames, &FrameLimits::bytes, 1024, 16 * 1024 * 1024,
            "Longest WebSocket frame from a client (65536)"),
      bound("max-frame-depth", &Options::frames, &FrameLimits::depth, 4, 1000,
            "Deepest nesting of a frame (16)"),
      bound("max-requests-per-second", &Options::limits, &Limits::requests_per_second, 1, 1000000,
            "Requests per second and member; bursts of twice as many pass (50)"),
      bound("max-joins-per-second", &Options::limits, &Limits::unjoined_per_second, 1, 1000000,
            "Requests per second from one address, of sockets that haven't joined (500)"),
      bound("max-events-per-second", &Options::limits, &Limits::events_per_second, 1, 100000000,
            "What a channel's members are told of each other; more is summed up (25000)"),
      bound("max-changes-per-second", &Options::limits, &Limits::changes_per_second, 1, 1000000,
            "Streams and mutes of one member that the others are told of (1)"),
      bound("max-members-per-channel", &Options::limits, &Limits::members_per_channel, 1, 10000000,
            "Members per channel (20000)"),
      bound("max-channels-per-app", &Options::limits, &Limits::channels_per_app, 1, 10000000,
            "Channels per app (10000)"),
      bound("max-sockets-per-address", &Options::limits, &Limits::sockets_per_address, 1, 10000000,
            "Connections from one address (1000)"),
      {"max-waiting-sockets", "N",
       "Connections in all that have not joined; for one more, the oldest is closed (32768)",
       [] (Options &o, std::string_view text) {
         return set_bound(o.waiting_sockets, text, 1, 10'000'000);
       }},
      {"max-join-seconds", "N", "Time from connecting to a successful join (10)",
       [] (Options &o, std::string_view text) { return set_bound(o.join_seconds, text, 1, 3600); }},
      {"max-outage-seconds", "N",
       "Without the media server, until members are told to go elsewhere (60)",
       [] (Options &o, std::string_view text) {
         return set_bound(o.outage_seconds, text, 1, 86400);
       }},
      gone("nginx"),
      gone("rtmp-module"),
      bound("max-queue-bytes", &Options::frames, &FrameLimits::queue_bytes, 4096, 256 * 1024 * 1024,
            "What may wait for a member that doesn't read, before it is closed (262144)"),
  };
  return all;
}

const Setting *find_setting (std::string_view name) {
  for (const auto &setting : settings())
    if (name == setting.name)
      return &setting;
  return nullptr;
}

std::string bad_value (const std::string &where, const Setting &setting, const std::string &value,
                       const std::string &expected) {
  return where + "=" + (setting.secret ? without_certificate(value) : value) + ": expected " +
         expected;
}

}  // namespace agora::gateway

// SPDX-License-Identifier: LGPL-2.1-or-later
#include "signaling/gateway/options/options.hpp"

#include <algorithm>
#include <charconv>
#include <functional>
#include <optional>
#include <utility>

#include "agora-config.h"
#include "signaling/protocol/argument-checks.hpp"
#include "signaling/support/glib-ptr.hpp"

namespace agora::gateway {

namespace {

constexpr const char *group = "gateway";

// Nothing when the value was good, else what was expected.
using Problem = std::optional<std::string>;

template <typename Number>
bool to_number (std::string_view text, Number &number) {
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size();
}

Problem set_endpoint (Endpoint &endpoint, std::string_view text) {
  constexpr auto expected = "ADDRESS:PORT, such as 127.0.0.1:8080 or [::1]:0";
  auto colon = text.rfind(':');
  if (colon == std::string_view::npos)
    return expected;
  std::string address(text.substr(0, colon));
  if (address.size() > 2 && address.front() == '[' && address.back() == ']')
    address = address.substr(1, address.size() - 2);
  else if (address.find(':') != std::string::npos)
    return expected;
  if (address == "localhost")
    address = "127.0.0.1";
  ObjectPtr<GInetAddress> parsed(g_inet_address_new_from_string(address.c_str()));
  std::uint16_t port = 0;
  if (!parsed || !to_number(text.substr(colon + 1), port))
    return expected;
  endpoint = {address, port};
  return {};
}

Problem add_app (std::vector<AppOption> &apps, std::string_view text) {
  auto colon = text.find(':');
  AppOption app{std::string(text.substr(0, colon)), ""};
  if (colon != std::string_view::npos) {
    app.certificate = text.substr(colon + 1);
    if (app.certificate.empty())
      return "ID or ID:CERTIFICATE; nothing follows the colon";
  }
  if (auto problem = protocol::check_app_id(app.id))
    return "ID or ID:CERTIFICATE; " + *problem;
  auto same =
      std::find_if(apps.begin(), apps.end(), [&] (auto &other) { return other.id == app.id; });
  if (same != apps.end())
    *same = std::move(app);
  else
    apps.push_back(std::move(app));
  return {};
}

Problem add_apps (std::vector<AppOption> &apps, std::string_view file) {
  auto read = read_apps(std::string(file));
  if (auto *problem = std::get_if<std::string>(&read))
    return *problem;
  for (auto &app : std::get<0>(read))
    add_app(apps, app.certificate.empty() ? app.id : app.id + ":" + app.certificate);
  return {};
}

Problem add_origin (std::vector<std::string> &origins, std::string_view text) {
  std::string origin(text);
  if (origin != "*" && origin != "null") {
    g_autoptr(GUri) uri = g_uri_parse(origin.c_str(), G_URI_FLAGS_NONE, nullptr);
    if (uri == nullptr || g_uri_get_host(uri) == nullptr || *g_uri_get_host(uri) == '\0' ||
        g_uri_get_userinfo(uri) != nullptr || *g_uri_get_path(uri) != '\0' ||
        g_uri_get_query(uri) != nullptr || g_uri_get_fragment(uri) != nullptr)
      return "SCHEME://HOST[:PORT] without a path, as browsers send it, or *";
  }
  origins.push_back(std::move(origin));
  return {};
}

Problem set_host (std::string &host, std::string_view text) {
  auto good = [] (char c) { return g_ascii_isalnum(c) || c == '.' || c == '-' || c == '_'; };
  bool name = !text.empty() && std::all_of(text.begin(), text.end(), good);
  bool literal = text.size() > 2 && text.front() == '[' && text.back() == ']' &&
                 g_hostname_is_ip_address(std::string(text.substr(1, text.size() - 2)).c_str());
  if (!name && !literal)
    return "a host name or address without a port";
  host = text;
  return {};
}

Problem set_url (std::string &url, std::string_view text, const char *scheme, bool needs_path) {
  std::string copy(text);
  g_autoptr(GUri) uri = g_uri_parse(copy.c_str(), G_URI_FLAGS_NONE, nullptr);
  std::string expected = std::string(scheme) + "://HOST[:PORT]" + (needs_path ? "/APP" : "/PATH");
  if (uri == nullptr || g_strcmp0(g_uri_get_scheme(uri), scheme) != 0 ||
      g_uri_get_host(uri) == nullptr || *g_uri_get_host(uri) == '\0' ||
      g_uri_get_query(uri) != nullptr)
    return expected;
  while (!copy.empty() && copy.back() == '/')
    copy.pop_back();
  std::string_view path = g_uri_get_path(uri);
  if (needs_path && path.find_first_not_of('/') == std::string_view::npos)
    return expected;
  url = copy;
  return {};
}

// Its query may hold what the receiver wants to see.
Problem set_webhook (std::string &url, std::string_view text) {
  std::string copy(text);
  g_autoptr(GUri) uri = g_uri_parse(copy.c_str(), G_URI_FLAGS_NONE, nullptr);
  std::string_view scheme = uri != nullptr ? g_uri_get_scheme(uri) : "";
  if ((scheme != "http" && scheme != "https") || g_uri_get_host(uri) == nullptr ||
      *g_uri_get_host(uri) == '\0')
    return "http://HOST[:PORT]/PATH or https://HOST[:PORT]/PATH";
  url = copy;
  return {};
}

Problem set_bound (unsigned &bound, std::string_view text, unsigned low, unsigned high) {
  unsigned value = 0;
  if (!to_number(text, value) || value < low || value > high)
    return "a number from " + std::to_string(low) + " to " + std::to_string(high);
  bound = value;
  return {};
}

Problem set_file (std::string &file, std::string_view text) {
  if (text.empty())
    return "the path of a file";
  file = text;
  return {};
}

struct Setting {
  const char *name;
  const char *argument;
  const char *help;
  std::function<Problem(Options &, std::string_view)> apply;
  bool repeats = false;
  bool secret = false;
};

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
Setting url (const char *name, std::string Options::*member, const char *scheme, bool needs_path,
             const char *help) {
  return {name, "URL", help, [=] (Options &options, std::string_view text) {
            return set_url(options.*member, text, scheme, needs_path);
          }};
}

const std::vector<Setting> &settings () {
  static const std::vector<Setting> all = {
      {"app", "ID[:CERTIFICATE]", "An app to serve; repeat for more",
       [] (Options &o, std::string_view text) { return add_app(o.apps, text); }, true, true},
      {"app-file", "FILE", "The same from a file, a line each: certificates are secrets",
       [] (Options &o, std::string_view text) { return add_apps(o.apps, text); }},
      {"allow-origin", "ORIGIN",
       "Let pages of this origin connect, such as https://example.org; repeat for more",
       [] (Options &o, std::string_view text) { return add_origin(o.allow_origins, text); }, true},
      endpoint("listen", &Options::listen,
               "Where HTTP and WebSocket are served (127.0.0.1:8080; port 0: a free one)"),
      endpoint("rtmp-listen", &Options::rtmp_listen,
               "Where the embedded nginx-rtmp listens (127.0.0.1:1935; port 0: a free one)"),
      {"public-host", "HOST", "The host name in URLs (default: the one that the client used)",
       [] (Options &o, std::string_view text) { return set_host(o.public_host, text); }},
      file("nginx", &Options::nginx, "The nginx program (default: looked for)"),
      file("rtmp-module", &Options::rtmp_module, "ngx_rtmp_module.so (default: looked for)"),
      url("rtmp", &Options::rtmp, "rtmp", true,
          "Use RTMP servers that run elsewhere, at this URL, instead of the embedded nginx-rtmp"),
      url("public-rtmp", &Options::public_rtmp, "rtmp", true,
          "How clients reach --rtmp (default: the same URL)"),
      url("rtmp-control", &Options::rtmp_control, "http", false,
          "Control module of --rtmp, to cut sessions, such as http://10.0.0.5:8081/control"),
      endpoint("hook-listen", &Options::hook_listen,
               "Where --rtmp's on_publish and on_play reach the gateway (127.0.0.1:0)"),
      file("hook-secret-file", &Options::hook_secret_file,
           "The first line is the first path element of --rtmp's hook URLs"),
      file("tls-certificate", &Options::tls_certificate,
           "Serve https and wss with this PEM certificate chain"),
      file("tls-key", &Options::tls_key, "The certificate's private key, PEM"),
      file("admin-token-file", &Options::admin_token_file,
           "The first line is what callers of /dev/v1 must show; without it, those are off"),
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
      bound("max-frame-bytes", &Options::frames, &FrameLimits::bytes, 1024, 16 * 1024 * 1024,
            "Longest WebSocket frame from a client (65536)"),
      bound("max-frame-depth", &Options::frames, &FrameLimits::depth, 4, 1000,
            "Deepest nesting of a frame (16)"),
      bound("max-requests-per-second", &Options::limits, &Limits::requests_per_second, 1, 1000000,
            "Requests per second and member; bursts of twice as many pass (50)"),
      bound("max-members-per-channel", &Options::limits, &Limits::members_per_channel, 1, 10000000,
            "Members per channel (20000)"),
      bound("max-channels-per-app", &Options::limits, &Limits::channels_per_app, 1, 10000000,
            "Channels per app (10000)"),
      bound("max-sockets-per-address", &Options::limits, &Limits::sockets_per_address, 1, 10000000,
            "Connections from one address (1000)"),
      {"max-join-seconds", "N", "Time from connecting to a successful join (10)",
       [] (Options &o, std::string_view text) { return set_bound(o.join_seconds, text, 1, 3600); }},
      {"max-outage-seconds", "N",
       "Without the media server, until members are told to go elsewhere (60)",
       [] (Options &o, std::string_view text) {
         return set_bound(o.outage_seconds, text, 1, 86400);
       }},
      bound("max-queue-bytes", &Options::frames, &FrameLimits::queue_bytes, 4096, 256 * 1024 * 1024,
            "What may wait for a member that doesn't read, before it is closed (262144)"),
  };
  return all;
}

struct CommandLine {
  std::vector<std::pair<const Setting *, std::string>> values;
};

const Setting *find_setting (std::string_view name) {
  for (const auto &setting : settings())
    if (name == setting.name)
      return &setting;
  return nullptr;
}

gboolean on_option (const gchar *name, const gchar *value, gpointer data, GError **error) {
  auto *line = static_cast<CommandLine *>(data);
  std::string_view bare(name);
  bare.remove_prefix(std::min(bare.find_first_not_of('-'), bare.size()));
  const auto *setting = find_setting(bare);
  if (setting == nullptr) {
    g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_FAILED, "no option %s", name);
    return FALSE;
  }
  line->values.emplace_back(setting, value);
  return TRUE;
}

std::string bad_value (const std::string &where, const std::string &value,
                       const std::string &expected) {
  return where + "=" + value + ": expected " + expected;
}

std::string shown (const Setting &setting, const std::string &value) {
  return setting.secret ? without_certificate(value) : value;
}

Problem read_config (const std::string &path, Options &options) {
  KeyFilePtr file(g_key_file_new());
  g_autoptr(GError) error = nullptr;
  if (!g_key_file_load_from_file(file.get(), path.c_str(), G_KEY_FILE_NONE, &error)) {
    // GLib would quote the line, whatever is in it.
    bool bad_line = g_error_matches(error, G_KEY_FILE_ERROR, G_KEY_FILE_ERROR_PARSE);
    return "--config=" + path + ": " +
           (bad_line ? "expected a key file: [gateway], and below it lines NAME=VALUE"
                     : error->message);
  }
  g_auto(GStrv) groups = g_key_file_get_groups(file.get(), nullptr);
  for (char **each = groups; *each != nullptr; each++)
    if (std::string_view(*each) != group)
      return path + ": unknown group [" + *each + "]; expected [" + group + "]";
  g_auto(GStrv) keys = g_key_file_get_keys(file.get(), group, nullptr, nullptr);
  if (keys == nullptr)
    return path + ": no group [" + group + "]";
  for (char **key = keys; *key != nullptr; key++) {
    const auto *setting = find_setting(*key);
    if (setting == nullptr)
      return path + ": unknown key '" + without_certificate(*key) + "'";
    std::vector<std::string> values;
    if (setting->repeats) {
      g_auto(GStrv) list = g_key_file_get_string_list(file.get(), group, *key, nullptr, &error);
      for (char **value = list; value != nullptr && *value != nullptr; value++)
        values.emplace_back(*value);
    } else {
      CharPtr value(g_key_file_get_string(file.get(), group, *key, &error));
      if (value)
        values.emplace_back(value.get());
    }
    if (error != nullptr)
      return path + ": " + *key + ": " +
             (setting->secret ? "expected text in UTF-8" : error->message);
    for (const auto &value : values)
      if (auto expected = setting->apply(options, value))
        return path + ": " + bad_value(*key, shown(*setting, value), *expected);
  }
  return {};
}

// What only the whole can tell.
Problem check (const Options &options) {
  if (options.apps.empty())
    return "no app to serve: give at least one --app=ID[:CERTIFICATE], here or in --config, or an "
           "--app-file=FILE";
  if (options.tls_certificate.empty() != options.tls_key.empty())
    return "--tls-certificate and --tls-key go together: only one was given";
  if (options.webhook_url.empty() != options.webhook_secret_file.empty())
    return "--webhook-url and --webhook-secret-file go together: only one was given";
  if (options.rtmp.empty()) {
    const std::pair<const char *, bool> needing[] = {
        {"--public-rtmp", !options.public_rtmp.empty()},
        {"--rtmp-control", !options.rtmp_control.empty()},
        {"--hook-secret-file", !options.hook_secret_file.empty()}};
    for (auto [name, given] : needing)
      if (given)
        return std::string(name) + " needs --rtmp=URL: the embedded nginx-rtmp has its own";
  } else if (options.hook_secret_file.empty()) {
    return "--rtmp needs --hook-secret-file=FILE: without it, anyone could answer for it";
  }
  return {};
}

}  // namespace

std::string to_string (const Endpoint &endpoint) {
  bool v6 = endpoint.address.find(':') != std::string::npos;
  return (v6 ? "[" + endpoint.address + "]" : endpoint.address) + ":" +
         std::to_string(endpoint.port);
}

std::string without_certificate (const std::string &text) {
  auto colon = text.find(':');
  return colon == std::string::npos ? text : text.substr(0, colon) + ":…";
}

void hide_certificates (const std::vector<char *> &arguments) {
  constexpr std::string_view name = "--app";
  bool follows = false;
  for (char *argument : arguments) {
    std::string_view text(argument);
    if (std::exchange(follows, text == name) || text.starts_with("--app=")) {
      auto colon = text.find(':');
      if (colon != std::string_view::npos)
        std::fill(argument + colon + 1, argument + text.size(), '*');
    }
  }
}

std::variant<std::vector<AppOption>, std::string> read_apps (const std::string &file) {
  g_autofree char *text = nullptr;
  g_autoptr(GError) error = nullptr;
  if (!g_file_get_contents(file.c_str(), &text, nullptr, &error))
    return std::string("a file that can be read: ") + error->message;
  g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
  std::vector<AppOption> apps;
  for (int i = 0; lines[i] != nullptr; i++) {
    const char *line = g_strstrip(lines[i]);
    if (*line == '\0' || *line == '#')
      continue;
    if (auto problem = add_app(apps, line))
      return "lines of apps; line " + std::to_string(i + 1) + " is none: expected " + *problem;
  }
  if (apps.empty())
    return "lines of apps, ID or ID:CERTIFICATE; there is none";
  return apps;
}

std::variant<Options, OptionsExit> parse_options (int argc, char **argv) {
  // Parsing takes them out of the list; what they hold is copied by then.
  const std::vector<char *> given(argv, argv + argc);
  CommandLine line;
  g_autofree char *config = nullptr;
  gboolean version = FALSE;
  gboolean help = FALSE;
  std::vector<GOptionEntry> entries;
  for (const auto &setting : settings())
    entries.push_back({setting.name, 0, 0, G_OPTION_ARG_CALLBACK,
                       reinterpret_cast<gpointer>(on_option), setting.help, setting.argument});
  entries.push_back({"config", 0, 0, G_OPTION_ARG_FILENAME, &config,
                     "Read options from this key file: group [gateway], the same names", "FILE"});
  entries.push_back({"version", 0, 0, G_OPTION_ARG_NONE, &version, "Print the version", nullptr});
  entries.push_back({"help", 'h', 0, G_OPTION_ARG_NONE, &help, "Print this help", nullptr});
  entries.push_back({});

  g_autoptr(GOptionContext) context = g_option_context_new("- serve voice channels");
  g_option_context_set_help_enabled(context, FALSE);
  auto *main_group = g_option_group_new("main", "", "", &line, nullptr);
  g_option_group_add_entries(main_group, entries.data());
  g_option_context_set_main_group(context, main_group);
  g_option_context_set_description(
      context,
      "`agora-gateway token --help` tells how to make tokens.\nFull text: agora-gateway(1).");

  g_autoptr(GError) error = nullptr;
  bool good = g_option_context_parse(context, &argc, &argv, &error);
  std::string unexpected = argc > 1 ? without_certificate(argv[1]) : "";
  hide_certificates(given);
  if (!good)
    return OptionsExit{2, without_certificate(error->message)};
  if (help) {
    CharPtr text(g_option_context_get_help(context, TRUE, nullptr));
    return OptionsExit{0, text.get()};
  }
  if (version)
    return OptionsExit{0, "agora-gateway " AGORA_VERSION "\n"};
  if (argc > 1)
    return OptionsExit{2, "unexpected argument '" + unexpected + "'"};

  Options options;
  if (config != nullptr)
    if (auto problem = read_config(config, options))
      return OptionsExit{2, *problem};
  for (const auto &[setting, value] : line.values)
    if (auto expected = setting->apply(options, value))
      return OptionsExit{
          2, bad_value(std::string("--") + setting->name, shown(*setting, value), *expected)};
  if (auto problem = check(options))
    return OptionsExit{2, *problem};
  options.limits.request_burst = 2 * options.limits.requests_per_second;
  return options;
}

}  // namespace agora::gateway

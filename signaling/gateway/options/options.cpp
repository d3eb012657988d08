// SPDX-License-Identifier: LGPL-2.1-or-later
#include "signaling/gateway/options/options.hpp"

#include <algorithm>
#include <utility>

#include "agora-config.h"
#include "signaling/gateway/options/file.hpp"
#include "signaling/gateway/options/secrets.hpp"
#include "signaling/gateway/options/table.hpp"
#include "signaling/support/glib-ptr.hpp"

namespace agora::gateway {

struct CommandLine {
  std::string config;  // "": none
  std::vector<std::pair<const Setting *, std::string>> values;
};

namespace {

// What a running gateway takes over at SIGHUP.
constexpr std::string_view reloaded[] = {
    "app",           "app-file",         "allow-origin",        "show-members",
    "ice-server",    "ice-server-file",  "tls-certificate",     "tls-key",
    "relay-ca-file", "admin-token-file", "webhook-secret-file", "hook-secret-file"};

gboolean on_option (const gchar *name, const gchar *value, gpointer data, GError **error) {
  auto *line = static_cast<CommandLine *>(data);
  std::string_view bare(name);
  bare.remove_prefix(std::min(bare.find_first_not_of('-'), bare.size()));
  const auto *setting = find_setting(bare);
  if (setting == nullptr) {
    g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_FAILED, "no option %s", name);
    return FALSE;
  }
  // A flag stands alone.
  line->values.emplace_back(setting, value != nullptr ? value : "true");
  return TRUE;
}

// What counts with --web alone.
Problem check_web (const Options &options) {
  const WebOptions &web = options.web;
  const std::pair<const char *, bool> needing[] = {
      {"--web-listen", web.listen.has_value()},
      {"--web-program", !web.program.empty()},
      {"--web-workers", web.workers != 0},
      {"--ice-server", !web.ice_servers.empty()},
      {"--rtp-ports", web.rtp_low != 0},
      {"--public-ip", !web.public_ip.empty()},
      {"--max-web-sessions", options.given.contains("max-web-sessions")},
      {"--max-web-sessions-per-address", options.given.contains("max-web-sessions-per-address")}};
  for (auto [name, given] : needing)
    if (given && !web.on)
      return std::string(name) + " needs --web";
  return {};
}

// What counts with --store alone, and what that needs.
Problem check_store (const Options &options) {
  const std::pair<const char *, bool> needing[] = {
      {"--store-password-file", !options.store_password_file.empty()},
      {"--store-ca-file", !options.store_ca_file.empty()},
      {"--cluster-secret-file", !options.cluster_secret_file.empty()},
      {"--relay-address", options.relay_address.has_value()},
      {"--relay-ca-file", !options.relay_ca_file.empty()},
      {"--public-url", !options.public_url.empty()}};
  if (options.store.empty()) {
    for (auto [name, given] : needing)
      if (given)
        return std::string(name) + " needs --store=URL";
    return {};
  }
  if (!options.rtmp.empty())
    return "--store needs agora-relay: it doesn't go with --rtmp";
  if (options.cluster_secret_file.empty())
    return "--store needs --cluster-secret-file=FILE: the same one at each gateway";
  if (!options.relay_address)
    return "--store needs --relay-address=IP:PORT, by which the other gateways reach this relay";
  if (options.relay_tls && options.relay_ca_file.empty())
    return "--relay-address=rtmps:// needs --relay-ca-file=FILE, to check the other relays by";
  if (!options.relay_ca_file.empty() && !options.rtmps_listen)
    return "--relay-ca-file needs --rtmps-listen=ADDR:PORT";
  return {};
}

// Options that need, or exclude, each other.
Problem check (const Options &options) {
  if (options.apps.empty())
    return "no app to serve: give at least one --app=ID[:CERTIFICATE], here or in --config, or an "
           "--app-file=FILE";
  for (const std::string &id : options.show_members)
    if (id != "*" && std::none_of(options.apps.begin(), options.apps.end(),
                                  [&] (const AppOption &app) { return app.id == id; }))
      return "--show-members=" + id + ": expected the id of an app that is served, or *";
  if (options.tls_certificate.empty() != options.tls_key.empty())
    return "--tls-certificate and --tls-key go together: only one was given";
  if (options.webhook_url.empty() != options.webhook_secret_file.empty())
    return "--webhook-url and --webhook-secret-file go together: only one was given";
  if (options.console && options.admin_token_file.empty())
    return "--console needs --admin-token-file=FILE: whoever opens it has to show that token";
  if (options.rtmps_listen && options.tls_certificate.empty())
    return "--rtmps-listen needs --tls-certificate=FILE and --tls-key=FILE";
  if (options.public_rtmp == "rtmps" && !options.rtmps_listen)
    return "--public-rtmp=rtmps needs --rtmps-listen=ADDR:PORT";
  if (options.rtmps_listen && !options.rtmp.empty())
    return "--rtmps-listen is agora-relay's: it doesn't go with --rtmp";
  if (!options.rtmp.empty() && options.given.contains("relay-workers"))
    return "--relay-workers is agora-relay's: it doesn't go with --rtmp";
  if (options.rtmp.empty()) {
    const std::pair<const char *, bool> needing[] = {
        {"--rtmp-kind", options.given.contains("rtmp-kind")},
        {"--rtmp-control", !options.rtmp_control.empty()},
        {"--hook-secret-file", !options.hook_secret_file.empty()}};
    for (auto [name, given] : needing)
      if (given)
        return std::string(name) + " needs --rtmp=URL: agora-relay needs none";
  } else if (options.hook_secret_file.empty()) {
    return "--rtmp needs --hook-secret-file=FILE: without it, anyone could answer for it";
  } else if (options.rtmp_control.size() > 1 && options.rtmp_kind != RtmpKind::srs) {
    return "--rtmp-control was given " + std::to_string(options.rtmp_control.size()) +
           " times: expected once, but with --rtmp-kind=srs";
  }
  if (auto problem = check_store(options))
    return problem;
  return check_web(options);
}

std::variant<Options, std::string> options_of (std::shared_ptr<const CommandLine> line) {
  Options options;
  if (!line->config.empty())
    if (auto problem = read_config(line->config, options))
      return *problem;
  for (const auto &[setting, value] : line->values) {
    if (auto expected = setting->apply(options, value))
      return bad_value(std::string("--") + setting->name, *setting, value, *expected);
    options.given[setting->name].push_back(value);
  }
  if (auto problem = check(options))
    return *problem;
  options.limits.request_burst = 2 * options.limits.requests_per_second;
  options.line = std::move(line);
  return options;
}

}  // namespace

std::variant<Options, OptionsExit> parse_options (int argc, char **argv) {
  // A copy: parsing removes arguments from argv. Their texts stay where they are.
  const std::vector<char *> given(argv, argv + argc);
  CommandLine line;
  g_autofree char *config = nullptr;
  gboolean version = FALSE;
  gboolean help = FALSE;
  std::vector<GOptionEntry> entries;
  for (const auto &setting : settings())
    entries.push_back({setting.name, 0,
                       (setting.gone ? G_OPTION_FLAG_HIDDEN : 0) |
                           (setting.flag ? G_OPTION_FLAG_OPTIONAL_ARG : 0),
                       G_OPTION_ARG_CALLBACK, reinterpret_cast<gpointer>(on_option), setting.help,
                       setting.argument});
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
  g_option_context_set_description(context,
                                   "`agora-gateway token --help` tells how to make tokens, "
                                   "`agora-gateway top --help` how to watch a\n"
                                   "gateway.\nFull text: agora-gateway(1).");

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

  line.config = config != nullptr ? config : "";
  auto read = options_of(std::make_shared<CommandLine>(std::move(line)));
  if (auto *problem = std::get_if<std::string>(&read))
    return OptionsExit{2, *problem};
  return std::get<Options>(std::move(read));
}

std::variant<Options, std::string> reread_options (const Options &options) {
  return options_of(options.line);
}

std::vector<std::string> unchangeable (const Options &now, const Options &then) {
  std::vector<std::string> names;
  for (const auto &setting : settings()) {
    const std::string name = setting.name;
    const auto was = now.given.find(name);
    const auto is = then.given.find(name);
    const bool same = was == now.given.end() || is == then.given.end()
                          ? was == now.given.end() && is == then.given.end()
                          : was->second == is->second;
    if (!same && std::find(std::begin(reloaded), std::end(reloaded), name) == std::end(reloaded))
      names.push_back(name);
  }
  return names;
}

}  // namespace agora::gateway

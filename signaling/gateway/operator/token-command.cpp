// SPDX-License-Identifier: LGPL-2.1-or-later
#include "signaling/gateway/operator/token-command.hpp"

#include <glib.h>

#include <algorithm>
#include <string>
#include <vector>

#include "signaling/gateway/options/file.hpp"
#include "signaling/gateway/options/secrets.hpp"
#include "signaling/protocol/argument-checks.hpp"
#include "signaling/protocol/token.hpp"

namespace agora::gateway {

namespace {

using namespace protocol;

struct Arguments {
  char *app = nullptr;
  char *app_file = nullptr;
  char *channel = nullptr;
  char *uid = nullptr;
  char *role = nullptr;
  char *kind = nullptr;
  gint64 expires = 3600;

  Arguments() = default;
  Arguments(const Arguments &) = delete;
  Arguments &operator=(const Arguments &) = delete;
  ~Arguments() {
    for (char *text : {app, app_file, channel, uid, role, kind})
      g_free(text);
  }
};

constexpr int exit_usage = 2;

OptionsExit refuse (const std::string &reason) {
  return {exit_usage, reason};
}

std::optional<std::string> fill (const Arguments &options, TokenSpec &spec) {
  if (options.app_file) {
    auto read = read_apps(options.app_file);
    if (const auto *problem = std::get_if<std::string>(&read))
      return std::string("--app-file=") + options.app_file + ": expected " + *problem;
    const auto &apps = std::get<0>(read);
    // With several in it, --app says which.
    auto app = std::find_if(apps.begin(), apps.end(), [&] (const AppOption &each) {
      return !options.app || each.id == options.app;
    });
    if (app == apps.end() || (!options.app && apps.size() > 1))
      return std::string("--app-file=") + options.app_file +
             ": expected one app in it, or --app=ID to say which of them";
    spec.app_id = app->id;
    spec.certificate = app->certificate;
  } else {
    if (!options.app)
      return "--app=ID:CERTIFICATE or --app-file=FILE is missing";
    std::string app = options.app;
    auto colon = app.find(':');
    spec.app_id = app.substr(0, colon);
    if (colon != std::string::npos)
      spec.certificate = app.substr(colon + 1);
  }
  if (spec.certificate.empty())
    return "--app=" + spec.app_id +
           ": expected ID:CERTIFICATE; an app without a certificate takes no token";
  if (auto reason = check_app_id(spec.app_id))
    return "--app: " + *reason;

  if (!options.channel)
    return "--channel=NAME is missing";
  spec.channel = options.channel;
  if (auto reason = check_channel(spec.channel))
    return "--channel: " + *reason;
  spec.uid = options.uid ? options.uid : "";

  std::string role = options.role ? options.role : "subscriber";
  if (role == "publisher")
    spec.role = Role::broadcaster;
  else if (role == "subscriber")
    spec.role = Role::audience;
  else
    return "--role=" + role + ": expected publisher or subscriber";

  std::string kind = options.kind ? options.kind : "007";
  if (kind == "007")
    spec.kind = TokenKind::access_token_007;
  else if (kind == "006")
    spec.kind = TokenKind::access_token_006;
  else if (kind == "005")
    spec.kind = TokenKind::channel_key_005;
  else
    return "--kind=" + kind + ": expected 007, 006 or 005";

  spec.issued_at = g_get_real_time() / G_USEC_PER_SEC;
  spec.expires_in = options.expires;
  return std::nullopt;
}

}  // namespace

OptionsExit token_command (int argc, char **argv) {
  Arguments options;
  const GOptionEntry entries[] = {
      {"app", 0, 0, G_OPTION_ARG_STRING, &options.app, "The app and its secret", "ID:CERTIFICATE"},
      {"app-file", 0, 0, G_OPTION_ARG_FILENAME, &options.app_file,
       "The same in a file, as the gateway takes it; --app=ID says which of several", "FILE"},
      {"channel", 0, 0, G_OPTION_ARG_STRING, &options.channel, "The channel it lets in to", "NAME"},
      {"uid", 0, 0, G_OPTION_ARG_STRING, &options.uid,
       "The uid or the text account it is for (default: any)", "UID"},
      {"role", 0, 0, G_OPTION_ARG_STRING, &options.role,
       "publisher: may publish as well (default: subscriber)", "ROLE"},
      {"expires", 0, 0, G_OPTION_ARG_INT64, &options.expires,
       "Seconds until it ends; 0: never (default: 3600)", "SECONDS"},
      {"kind", 0, 0, G_OPTION_ARG_STRING, &options.kind,
       "The format: 007, 006, or 005, a Channel Key (default: 007)", "KIND"},
      {}};
  g_set_prgname("agora-gateway token");
  g_autoptr(GOptionContext) context = g_option_context_new(nullptr);
  g_option_context_set_summary(context, "Makes a token for one channel and prints it.");
  g_option_context_add_main_entries(context, entries, nullptr);
  g_autoptr(GError) error = nullptr;
  const std::vector<char *> given(argv, argv + argc);
  bool good = g_option_context_parse(context, &argc, &argv, &error);
  std::string unexpected = argc > 1 ? without_certificate(argv[1]) : "";
  hide_certificates(given);
  if (!good)
    return refuse(without_certificate(error->message));
  if (argc > 1)
    return refuse("unexpected argument " + unexpected);

  TokenSpec spec;
  if (auto reason = fill(options, spec))
    return refuse(*reason);
  auto token = build_token(spec);
  if (auto *cause = std::get_if<TokenError>(&token))
    return refuse(cause->reason);
  return {0, std::get<std::string>(token) + '\n'};
}

}  // namespace agora::gateway

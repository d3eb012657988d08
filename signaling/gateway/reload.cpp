// SPDX-License-Identifier: LGPL-2.1-or-later
// What the gateway reads from files: when it starts, and once more at SIGHUP.
#define G_LOG_DOMAIN "agora-gateway"
#include <utility>

#include "signaling/gateway/gateway.hpp"
#include "signaling/gateway/media/relay-server.hpp"
#include "signaling/gateway/options/secrets.hpp"

namespace agora::gateway {

std::variant<Gateway::Secrets, std::string> Gateway::read_secrets(const Options &options) {
  Secrets secrets;
  struct {
    const char *option;
    const std::string &file;
    SecretKind kind;
    std::string &secret;
  } const files[] = {
      {"admin-token-file", options.admin_token_file, SecretKind::printable, secrets.admin},
      {"webhook-secret-file", options.webhook_secret_file, SecretKind::printable, secrets.webhook},
      {"hook-secret-file", options.hook_secret_file, SecretKind::plain, secrets.hook}};
  for (const auto &[option, file, kind, secret] : files) {
    if (file.empty())
      continue;
    auto read = read_secret(option, file, kind);
    if (auto *error = std::get_if<SecretFileError>(&read))
      return error->reason;
    secret = std::get<std::string>(std::move(read));
    warn_if_others_read(option, file);
  }
  warn_if_others_read("tls-key", options.tls_key);
  if (const auto given = options.given.find("app-file"); given != options.given.end())
    for (const auto &file : given->second)
      warn_if_others_read("app-file", file);
  return secrets;
}

std::string Gateway::reload() {
  auto nothing = [] (const std::string &why) {
    g_warning("Nothing was reloaded, all stays as it was: %s", why.c_str());
    return why;
  };
  // All of it is read before any of it counts.
  auto reread = reread_options(options_);
  if (auto *problem = std::get_if<std::string>(&reread))
    return nothing(*problem);
  auto secrets = read_secrets(std::get<Options>(reread));
  if (auto *problem = std::get_if<std::string>(&secrets))
    return nothing(*problem);
  auto certificate = Front::read_certificate(std::get<Options>(reread));
  if (auto *problem = std::get_if<std::string>(&certificate))
    return nothing(*problem);
  auto authorities = RelayServer::read_authorities(std::get<Options>(reread));
  if (auto *problem = std::get_if<std::string>(&authorities))
    return nothing(*problem);
  const bool tls = !options_.tls_certificate.empty();
  if (tls == std::get<Options>(reread).tls_certificate.empty())
    return nothing("--tls-certificate can't come or go while the gateway runs");

  auto &then = std::get<Options>(reread);
  for (const auto &name : unchangeable(options_, then))
    g_warning("--%s has changed: that counts from the next start", name.c_str());
  auto &read = std::get<Secrets>(secrets);
  if (tls) {
    const auto &pem = std::get<Front::Certificate>(certificate);
    front_->set_identity(pem.identity);
    certificate_ends_ = pem.identity->expires_at();
    if (web_)
      web_->set_identity(pem.identity);
    media_->set_certificate(pem.certificate, pem.key);
  }
  if (const auto &pem = std::get<RelayServer::Authorities>(authorities).pem; !pem.empty())
    media_->set_authorities(pem);
  admin_->set_token(std::move(read.admin));
  // Whoever still may comes back.
  live_->end();
  if (webhooks_)
    webhooks_->set_secret(std::move(read.webhook));
  if (!read.hook.empty())
    media_->set_secret(read.hook);
  front_->set_allow_origins(then.allow_origins);
  if (web_)
    web_->set_rules(then);
  book_->set_apps(apps_of(then));
  run(book_->set_show_members(then.show_members, now()));
  g_message("Reloaded: %zu apps, %sthe secrets", then.apps.size(), tls ? "the certificate, " : "");
  record({.action = "reload"}, "signal", "");
  options_.apps = std::move(then.apps);
  options_.allow_origins = std::move(then.allow_origins);
  options_.show_members = std::move(then.show_members);
  options_.web.ice_servers = std::move(then.web.ice_servers);
  return "";
}

}  // namespace agora::gateway

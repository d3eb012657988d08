// SPDX-License-Identifier: LGPL-2.1-or-later
#define G_LOG_DOMAIN "agora-gateway"
#include "signaling/gateway/media/hook-server.hpp"

#include <limits>
#include <optional>
#include <utility>

#include "signaling/gateway/http/http.hpp"
#include "signaling/gateway/media/srs-hook.hpp"
#include "signaling/support/secret.hpp"

namespace agora::gateway {

namespace {

constexpr std::size_t form_limit = 16 * 1024;

std::optional<HookCall> call_of (std::string_view name) {
  if (name == "on_publish")
    return HookCall::publish;
  if (name == "on_play")
    return HookCall::play;
  if (name == "on_publish_done" || name == "on_unpublish")
    return HookCall::publish_done;
  if (name == "on_play_done" || name == "on_stop")
    return HookCall::play_done;
  return {};
}

}  // namespace

std::variant<std::unique_ptr<HookServer>, std::string> HookServer::make(const Endpoint &endpoint,
                                                                        std::string secret,
                                                                        RtmpKind kind) {
  g_autoptr(GError) error = nullptr;
  auto socket = listen_tcp(endpoint, &error);
  auto hooks = std::unique_ptr<HookServer>(new HookServer);
  hooks->server_.reset(soup_server_new(nullptr, nullptr));
  if (!socket)
    return "--hook-listen=" + to_string(endpoint) + ": " + error->message;
  hooks->endpoint_ = {endpoint.address, port_of(socket.get())};
  hooks->secret_ = std::move(secret);
  hooks->kind_ = kind;
  bound_requests(hooks->server_.get(), [] (std::string_view) { return form_limit; });
  soup_server_add_handler(hooks->server_.get(), nullptr, on_request, hooks.get(), nullptr);
  // No bound: the media server opens many connections from one address, and strangers cost little:
  // a request without the secret gets an empty 404.
  hooks->acceptor_ =
      std::make_unique<Acceptor>(hooks->server_.get(), socket.get(), nullptr, Acceptor::Bounds());
  hooks->acceptor_->start();
  return hooks;
}

HookServer::~HookServer() {
  soup_server_disconnect(server_.get());
}

void HookServer::on_request(SoupServer *, SoupServerMessage *message, const char *path,
                            GHashTable *, gpointer self) noexcept {
  static_cast<HookServer *>(self)->answer(message, path);
}

// SRS reads its answer as JSON, and takes nothing else for a yes.
void HookServer::reply(SoupServerMessage *message, bool allowed) const {
  const guint status = allowed ? SOUP_STATUS_OK : SOUP_STATUS_FORBIDDEN;
  if (kind_ == RtmpKind::srs)
    respond(message, status, "application/json", allowed ? R"({"code":0})" : R"({"code":403})");
  else
    respond(message, status, "text/plain", "");
}

void HookServer::answer(SoupServerMessage *message, std::string_view path) {
  auto slash = path.rfind('/');
  auto call = call_of(path.substr(slash + 1));
  if (slash == 0 || slash == std::string_view::npos ||
      !same_secret(path.substr(1, slash - 1), secret_) || !call) {
    respond(message, SOUP_STATUS_NOT_FOUND, "text/plain", "");
    return;
  }
  auto refuse = [&] (const char *why) {
    g_message("A hook was refused: %s", why);
    reply(message, false);
  };
  const auto body = body_of(message);
  auto form = kind_ == RtmpKind::srs ? parse_srs_hook(body) : parse_hook_form(body);
  if (auto *refusal = std::get_if<HookRefusal>(&form))
    return refuse(refusal->reason.c_str());
  const auto &request = std::get<HookRequest>(form);
  if (request.call != *call || !callbacks_.admit)
    return refuse("its form is for another call than its path");
  if (request.call == HookCall::publish_done || request.call == HookCall::play_done) {
    callbacks_.ended(request);
    reply(message, true);
    return;
  }

  struct Waiting {
    ObjectPtr<SoupServerMessage> message;
    bool paused = false;
    bool answered = false;
  };
  auto waiting = std::make_shared<Waiting>(Waiting{share(message)});
  callbacks_.admit(request, [this, waiting] (const MediaServer::Answer &answer) {
    if (std::exchange(waiting->answered, true))
      return;
    reply(waiting->message.get(), answer.refusal.empty());
    if (waiting->paused)
      soup_server_message_unpause(waiting->message.get());
  });
  if (!waiting->answered) {
    waiting->paused = true;
    soup_server_message_pause(message);
  }
}

}  // namespace agora::gateway

// SPDX-License-Identifier: LGPL-2.1-or-later
#define G_LOG_DOMAIN "agora-gateway"
#include "signaling/gateway/operator/webhooks.hpp"

#include <algorithm>
#include <utility>

#include "signaling/gateway/http/http.hpp"
#include "signaling/gateway/operator/json-text.hpp"
#include "signaling/gateway/operator/platform.hpp"
#include "signaling/support/secret.hpp"

namespace agora::gateway {

namespace {

constexpr std::size_t queue_limit = 10'000;
constexpr unsigned at_once = 8;
// Of one channel, so that there is a place for another one's.
constexpr unsigned at_once_of_one = 6;
constexpr unsigned webhook_timeout_s = 10;
// Pauses of 0.5, 1, 2, 4, 8, 16, 32, 60, 60 s: three minutes in all.
constexpr unsigned tries_limit = 10;
constexpr std::int64_t first_pause_us = G_USEC_PER_SEC / 2;
constexpr std::int64_t longest_pause_us = std::int64_t{60} * G_USEC_PER_SEC;
constexpr gsize answer_bytes = 16 * 1024;

// Ours: the vendor's numbers have three digits.
constexpr int silenced_type = 1001;
constexpr int unsilenced_type = 1002;

// The vendor's number of this event, or ours; 0: it has none.
int event_type (const Notice &notice) {
  bool speaks = notice.role == protocol::Role::broadcaster;
  switch (notice.kind) {
    case NoticeKind::channel_created:
      return 101;
    case NoticeKind::channel_destroyed:
      return 102;
    case NoticeKind::member_in:
      return speaks ? 103 : 105;
    case NoticeKind::member_out:
      return speaks ? 104 : 106;
    case NoticeKind::role_changed:
      return speaks ? 111 : 112;
    case NoticeKind::member_silenced:
      return silenced_type;
    case NoticeKind::member_unsilenced:
      return unsilenced_type;
    case NoticeKind::stream_added:
    case NoticeKind::stream_removed:
      break;
  }
  return 0;
}

// What the event tells the last of, where an older one is worth nothing any more.
std::string state_of (const Notice &notice) {
  switch (notice.kind) {
    case NoticeKind::role_changed:
      return "role " + std::to_string(notice.uid);
    case NoticeKind::member_silenced:
    case NoticeKind::member_unsilenced:
      return "silence " + std::to_string(notice.uid);
    default:
      return "";
  }
}

std::string body_of (const Notice &notice, int type, const std::string &id) {
  JsonText text;
  text.text("noticeId", id).integer("productId", 1).integer("eventType", type);
  text.integer("notifyMs", g_get_real_time() / 1000).text("appId", notice.app_id);
  text.begin("payload").text("channelName", notice.channel).integer("ts", notice.at);
  if (type > 102) {
    auto platform = platform_of(notice.platform);
    text.integer("uid", notice.uid).integer("platform", platform.platform);
    if (platform.client_type != 0)
      text.integer("clientType", platform.client_type);
    if (!notice.account.empty())
      text.text("account", notice.account);
    if (notice.kind == NoticeKind::member_out)
      text.integer("reason", static_cast<int>(notice.reason))
          .integer("duration", std::max<std::int64_t>(notice.at - notice.joined_at, 0));
  }
  return text.end().finish();
}

std::int64_t pause_after (unsigned tries) {
  auto pause = std::min(first_pause_us << std::min(tries - 1, 10U), longest_pause_us);
  // By chance ±20 %, so that events that failed together aren't all sent again together.
  return static_cast<std::int64_t>(g_random_double_range(0.8, 1.2) * static_cast<double>(pause));
}

}  // namespace

struct Webhooks::Try {
  Webhooks *webhooks;
  std::shared_ptr<bool> here;
  Event event;
  bool taken = false;
  std::string why;
};

Webhooks::Webhooks(std::string url, std::string secret, std::function<void()> idle)
    : url_(std::move(url)),
      secret_(std::move(secret)),
      prefix_(draw_secret().substr(0, 16)),
      idle_(std::move(idle)),
      session_(soup_session_new_with_options("timeout", webhook_timeout_s, "max-conns", at_once,
                                             "max-conns-per-host", at_once, "user-agent",
                                             "agora-gateway ", nullptr)),
      cancellable_(g_cancellable_new()),
      queue_(queue_limit, at_once_of_one),
      timer_([this] { wake(); }) {
}

Webhooks::~Webhooks() {
  *here_ = false;
  g_cancellable_cancel(cancellable_.get());
  soup_session_abort(session_.get());
}

void Webhooks::tell(const Notice &notice) {
  int type = event_type(notice);
  if (type == 0)
    return;
  auto id = prefix_ + ":" + std::to_string(++last_id_) + ":" + std::to_string(type);
  const bool all = queue_.push(
      {notice.app_id + '\0' + notice.channel, state_of(notice), id, body_of(notice, type, id), 0});
  if (!all)
    complain_of_drops();
  send_due();
}

void Webhooks::complain_of_drops() {
  counts_.dropped++;
  if (!std::exchange(complained_, true))
    g_warning(
        "Webhooks: %zu events wait for the receiver; those of the channel with most are "
        "dropped",
        queue_limit);
}

WebhookCounts Webhooks::counts() const {
  auto counts = counts_;
  counts.queued = queue_.size();
  return counts;
}

void Webhooks::send_due() {
  while (under_way_ < at_once) {
    auto event = queue_.pop();
    if (!event)
      return;
    send(std::move(*event));
  }
}

std::string Webhooks::sign(GChecksumType type, const std::string &body) const {
  CharPtr digest(g_compute_hmac_for_data(
      type, reinterpret_cast<const guchar *>(secret_.data()), secret_.size(),
      reinterpret_cast<const guchar *>(body.data()), body.size()));
  return digest.get();
}

void Webhooks::send(Event event) {
  under_way_++;
  event.tries++;
  ObjectPtr<SoupMessage> message(soup_message_new("POST", url_.c_str()));
  // The operator named one receiver: no redirection to another.
  soup_message_add_flags(message.get(), SOUP_MESSAGE_NO_REDIRECT);
  auto *headers = soup_message_get_request_headers(message.get());
  soup_message_headers_append(headers, "Agora-Signature",
                              sign(G_CHECKSUM_SHA1, event.body).c_str());
  soup_message_headers_append(headers, "Agora-Signature-V2",
                              sign(G_CHECKSUM_SHA256, event.body).c_str());
  BytesPtr body(g_bytes_new(event.body.data(), event.body.size()));
  soup_message_set_request_body_from_bytes(message.get(), "application/json", body.get());
  soup_session_send_async(session_.get(), message.get(), G_PRIORITY_LOW, cancellable_.get(),
                          on_head, new Try{this, here_, std::move(event), false, ""});
}

void Webhooks::on_head(GObject *session, GAsyncResult *result, gpointer data) noexcept {
  std::unique_ptr<Try> attempt(static_cast<Try *>(data));
  g_autoptr(GError) error = nullptr;
  ObjectPtr<GInputStream> stream(soup_session_send_finish(SOUP_SESSION(session), result, &error));
  if (!*attempt->here)
    return;
  if (!stream) {
    attempt->webhooks->ended(std::move(attempt->event), false, error->message);
    return;
  }
  auto *message = soup_session_get_async_result_message(SOUP_SESSION(session), result);
  auto status = soup_message_get_status(message);
  attempt->taken = SOUP_STATUS_IS_SUCCESSFUL(status);
  attempt->why = "it answered with " + std::to_string(static_cast<int>(status));
  // The body is of no interest, but must be read for the connection to be used again.
  auto *cancellable = attempt->webhooks->cancellable_.get();
  g_input_stream_skip_async(stream.get(), answer_bytes, G_PRIORITY_LOW, cancellable, on_body,
                            attempt.release());
}

void Webhooks::on_body(GObject *stream, GAsyncResult *result, gpointer data) noexcept {
  std::unique_ptr<Try> attempt(static_cast<Try *>(data));
  g_input_stream_skip_finish(G_INPUT_STREAM(stream), result, nullptr);
  g_input_stream_close_async(G_INPUT_STREAM(stream), G_PRIORITY_LOW, nullptr, nullptr, nullptr);
  if (*attempt->here)
    attempt->webhooks->ended(std::move(attempt->event), attempt->taken, attempt->why);
}

void Webhooks::ended(Event event, bool taken, const std::string &why) {
  under_way_--;
  if (taken) {
    queue_.done(event);
    counts_.delivered++;
    if (std::exchange(complained_, false))
      g_message("Webhooks: the receiver takes events again");
  } else if (event.tries >= tries_limit) {
    queue_.done(event);
    counts_.dropped++;
    g_warning("Webhooks: event %s is dropped after %u tries: %s", event.id.c_str(), event.tries,
              why.c_str());
  } else {
    counts_.retried++;
    if (!std::exchange(complained_, true))
      g_warning("Webhooks: the receiver didn't take an event, it gets it again: %s", why.c_str());
    const auto until = g_get_monotonic_time() + pause_after(event.tries);
    queue_.rest(std::move(event), until);
    timer_.at(*queue_.next_wake());
  }
  send_due();
  if (idle())
    idle_();
}

void Webhooks::wake() {
  queue_.wake(g_get_monotonic_time());
  if (const auto next = queue_.next_wake())
    timer_.at(*next);
  send_due();
}

}  // namespace agora::gateway

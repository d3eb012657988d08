// SPDX-License-Identifier: LGPL-2.1-or-later
#include "signaling/gateway/top/live-feed.hpp"

#include <utility>

#include "signaling/gateway/top/json-view.hpp"

namespace agora::gateway {

namespace {

constexpr const char *events_path = "/dev/v1/live/events";
// Something comes each second: whoever says nothing for so long has gone.
constexpr unsigned silence_s = 10;
constexpr unsigned try_again_ms = 1000;
constexpr gsize read_bytes = 64 * 1024;
constexpr gsize most_refusal_bytes = 4096;
// Its words are short, and there or nearly so. Whoever takes longer over them is told of without.
constexpr unsigned refusal_ms = 1000;

// Below what the base's path has: a gateway may stand behind a proxy.
UriPtr events_of (GUri *base) {
  std::string path = g_uri_get_path(base);
  while (path.ends_with('/'))
    path.pop_back();
  return UriPtr(g_uri_build(G_URI_FLAGS_ENCODED, g_uri_get_scheme(base), nullptr,
                            g_uri_get_host(base), g_uri_get_port(base),
                            (path + events_path).c_str(), nullptr, nullptr));
}

// The sentence of a refusal.
std::string sentence_in (const std::string &body) {
  g_autoptr(JsonParser) parser = json_parser_new();
  if (!json_parser_load_from_data(parser, body.data(), static_cast<gssize>(body.size()), nullptr))
    return "";
  JsonNode *root = json_parser_get_root(parser);
  return root != nullptr && JSON_NODE_HOLDS_OBJECT(root)
             ? JsonView(json_node_get_object(root)).text("message")
             : "";
}

}  // namespace

LiveFeed::LiveFeed(UriPtr base, const std::string &token, ObjectPtr<GTlsDatabase> authorities,
                   Callbacks callbacks)
    : url_(events_of(base.get())),
      authorization_("Bearer " + token),
      callbacks_(std::move(callbacks)),
      session_(soup_session_new_with_options("timeout", silence_s, "user-agent",
                                             "agora-gateway-top ", nullptr)),
      cancellable_(g_cancellable_new()),
      next_([this] { start(); }),
      patience_([this] {
        // What is under way ends unheard.
        g_cancellable_cancel(cancellable_.get());
        cancellable_.reset(g_cancellable_new());
        tell_refusal();
      }) {
  if (authorities)
    soup_session_set_tls_database(session_.get(), authorities.get());
}

LiveFeed::~LiveFeed() {
  g_cancellable_cancel(cancellable_.get());
  soup_session_abort(session_.get());
}

void LiveFeed::start() {
  heard_ = false;
  readable_ = true;
  reader_ =
      std::make_unique<EventReader>([this] (const std::string &name, const std::string &data) {
        heard_ = true;
        readable_ = readable_ && callbacks_.event(name, data);
      });
  ObjectPtr<SoupMessage> message(soup_message_new_from_uri("GET", url_.get()));
  // The token is for nobody else.
  soup_message_add_flags(message.get(), SOUP_MESSAGE_NO_REDIRECT);
  auto *headers = soup_message_get_request_headers(message.get());
  soup_message_headers_replace(headers, "Authorization", authorization_.c_str());
  soup_message_headers_replace(headers, "Accept", "text/event-stream");
  const auto on_answer = [] (GObject *session, GAsyncResult *result, gpointer self) noexcept {
    g_autoptr(GError) error = nullptr;
    const ObjectPtr<GInputStream> stream(
        soup_session_send_finish(SOUP_SESSION(session), result, &error));
    if (!g_error_matches(error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
      static_cast<LiveFeed *>(self)->answered(
          stream.get(), soup_session_get_async_result_message(SOUP_SESSION(session), result),
          error);
  };
  soup_session_send_async(session_.get(), message.get(), G_PRIORITY_DEFAULT, cancellable_.get(),
                          on_answer, this);
}

void LiveFeed::answered(GInputStream *stream, SoupMessage *message, const GError *error) {
  if (error != nullptr)
    return again(error->message);
  const unsigned status = soup_message_get_status(message);
  if (status != SOUP_STATUS_OK)
    return refused(status, stream);
  const char *type =
      soup_message_headers_get_content_type(soup_message_get_response_headers(message), nullptr);
  if (g_strcmp0(type, "text/event-stream") != 0)
    return give_up("no gateway of ours answers there");
  stream_ = share(stream);
  read_on();
}

void LiveFeed::refused(unsigned status, GInputStream *stream) {
  status_ = status;
  refusal_.clear();
  stream_ = share(stream);
  patience_.in(refusal_ms);
  read_refusal();
}

void LiveFeed::read_refusal() {
  const auto on_bytes = [] (GObject *stream, GAsyncResult *result, gpointer self) noexcept {
    g_autoptr(GError) error = nullptr;
    const BytesPtr bytes(g_input_stream_read_bytes_finish(G_INPUT_STREAM(stream), result, &error));
    if (!g_error_matches(error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
      static_cast<LiveFeed *>(self)->took_refusal(bytes.get());
  };
  g_input_stream_read_bytes_async(stream_.get(), most_refusal_bytes - refusal_.size(),
                                  G_PRIORITY_DEFAULT, cancellable_.get(), on_bytes, this);
}

// `bytes`: null where it broke off. The status is known all the same.
void LiveFeed::took_refusal(GBytes *bytes) {
  gsize size = 0;
  if (bytes != nullptr) {
    const auto *data = static_cast<const char *>(g_bytes_get_data(bytes, &size));
    refusal_.append(data, size);
  }
  if (size == 0 || refusal_.size() >= most_refusal_bytes)
    tell_refusal();
  else
    read_refusal();
}

void LiveFeed::tell_refusal() {
  patience_.stop();
  const auto sentence = sentence_in(refusal_);
  const auto why =
      "the gateway answers " + std::to_string(status_) + (sentence.empty() ? "" : ": " + sentence);
  // A token isn't sent again and again where it is refused: that is guessing.
  const bool may_change = status_ >= SOUP_STATUS_INTERNAL_SERVER_ERROR ||
                          status_ == SOUP_STATUS_REQUEST_TIMEOUT ||
                          status_ == 429;  // libsoup has no name for it
  if (may_change)
    again(why);
  else
    give_up(why);
}

void LiveFeed::read_on() {
  const auto on_bytes = [] (GObject *stream, GAsyncResult *result, gpointer self) noexcept {
    g_autoptr(GError) error = nullptr;
    const BytesPtr bytes(g_input_stream_read_bytes_finish(G_INPUT_STREAM(stream), result, &error));
    if (!g_error_matches(error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
      static_cast<LiveFeed *>(self)->took(bytes.get(), error);
  };
  g_input_stream_read_bytes_async(stream_.get(), read_bytes, G_PRIORITY_DEFAULT, cancellable_.get(),
                                  on_bytes, this);
}

void LiveFeed::took(GBytes *bytes, const GError *error) {
  if (error != nullptr)
    return again(g_error_matches(error, G_IO_ERROR, G_IO_ERROR_TIMED_OUT)
                     ? "the gateway says nothing any more"
                     : error->message);
  gsize size = 0;
  const auto *data = static_cast<const char *>(g_bytes_get_data(bytes, &size));
  // An end as planned: the gateway wants to see the token again. Only if that doesn't work there is
  // something to tell.
  if (size == 0 && heard_) {
    stream_.reset();
    return next_.in(try_again_ms);
  }
  if (size == 0)
    return again("the gateway has closed the connection");
  if (!reader_->take({data, size}) || !readable_)
    return give_up("what it tells can't be read: is it a gateway of another version?");
  read_on();
}

void LiveFeed::again(const std::string &why) {
  stream_.reset();
  next_.in(try_again_ms);
  callbacks_.lost(why, false);
}

void LiveFeed::give_up(const std::string &why) {
  stream_.reset();
  callbacks_.lost(why, true);
}

}  // namespace agora::gateway

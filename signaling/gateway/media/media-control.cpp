// SPDX-License-Identifier: LGPL-2.1-or-later
#define G_LOG_DOMAIN "agora-gateway"
#include "signaling/gateway/media/media-control.hpp"

#include <utility>

namespace agora::gateway {

namespace {
// nginx does not list a session yet whose hook was just answered, so that one is dropped in several
// tries.
constexpr int drop_tries = 5;
constexpr unsigned drop_pause_ms = 100;
constexpr unsigned timeout_s = 2;
}  // namespace

struct MediaControl::Drop {
  std::string url;
  std::function<void()> done;
  bool one_session = false;
  int tries = 0;
};

MediaControl::MediaControl(std::string control_url, std::string app)
    : control_url_(std::move(control_url)),
      app_(std::move(app)),
      session_(soup_session_new_with_options("timeout", timeout_s, nullptr)),
      cancellable_(g_cancellable_new()) {
}

MediaControl::~MediaControl() {
  *here_ = false;
  g_cancellable_cancel(cancellable_.get());
  soup_session_abort(session_.get());
}

void MediaControl::get(const std::string &url, Answer answer) {
  ObjectPtr<SoupMessage> message(soup_message_new("GET", url.c_str()));
  // A new connection each time: an idle one may be to an nginx that has ended.
  soup_message_headers_append(soup_message_get_request_headers(message.get()), "Connection",
                              "close");
  auto on_answer = [] (GObject *session, GAsyncResult *result, gpointer data) {
    std::unique_ptr<Answer> waiting(static_cast<Answer *>(data));
    g_autoptr(GError) error = nullptr;
    BytesPtr bytes(soup_session_send_and_read_finish(SOUP_SESSION(session), result, &error));
    if (g_error_matches(error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
      return;
    auto *sent = soup_session_get_async_result_message(SOUP_SESSION(session), result);
    bool ok = bytes && SOUP_STATUS_IS_SUCCESSFUL(soup_message_get_status(sent));
    gsize size = 0;
    const char *text = nullptr;
    if (bytes)
      text = static_cast<const char *>(g_bytes_get_data(bytes.get(), &size));
    (*waiting)(ok, {text != nullptr ? text : "", size});
  };
  soup_session_send_and_read_async(session_.get(), message.get(), G_PRIORITY_DEFAULT,
                                   cancellable_.get(), on_answer, new Answer(std::move(answer)));
}

void MediaControl::drop(const DropMedia &what, std::function<void()> done) {
  bool push = what.direction == Direction::push;
  std::string kind = what.client_id != 0 ? "client" : push ? "publisher" : "subscriber";
  auto drop = std::make_shared<Drop>();
  drop->url = control_url_ + "/drop/" + kind + "?app=" + app_ + "&name=" + what.stream;
  if (what.client_id != 0)
    drop->url += "&clientid=" + std::to_string(what.client_id);
  drop->one_session = what.client_id != 0;
  drop->done = std::move(done);
  try_drop(drop);
}

void MediaControl::try_drop(const std::shared_ptr<Drop> &drop) {
  std::string url = drop->url;
  get(url, [this, drop, here = here_] (bool ok, std::string_view body) {
    g_debug("Drop, try %d: %s", drop->tries, ok ? std::string(body).c_str() : "failed");
    if (auto done = std::exchange(drop->done, nullptr))
      done();
    // By the next try, the name alone may be another publisher's.
    if ((ok && body != "0") || !drop->one_session || ++drop->tries >= drop_tries || !*here)
      return;
    struct Again {
      MediaControl *control;
      std::shared_ptr<bool> here;
      std::shared_ptr<Drop> drop;
    };
    g_timeout_add_full(
        G_PRIORITY_DEFAULT, drop_pause_ms * drop->tries,
        [] (gpointer data) -> gboolean {
          auto *again = static_cast<Again *>(data);
          if (*again->here)
            again->control->try_drop(again->drop);
          return G_SOURCE_REMOVE;
        },
        new Again{this, here, drop}, [] (gpointer data) { delete static_cast<Again *>(data); });
  });
}

}  // namespace agora::gateway

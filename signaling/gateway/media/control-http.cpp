// SPDX-License-Identifier: LGPL-2.1-or-later
#include "signaling/gateway/media/control-http.hpp"

#include <memory>
#include <utility>

namespace agora::gateway {

namespace {
constexpr unsigned control_timeout_s = 2;
}  // namespace

ControlHttp::ControlHttp()
    : session_(soup_session_new_with_options("timeout", control_timeout_s, nullptr)),
      cancellable_(g_cancellable_new()) {
}

ControlHttp::~ControlHttp() {
  g_cancellable_cancel(cancellable_.get());
  soup_session_abort(session_.get());
}

void ControlHttp::request(const char *method, const std::string &url, Answer answer) {
  ObjectPtr<SoupMessage> message(soup_message_new(method, url.c_str()));
  // A new connection each time: an idle one may be to a server that has ended.
  soup_message_headers_append(soup_message_get_request_headers(message.get()), "Connection",
                              "close");
  auto on_answer = [] (GObject *session, GAsyncResult *result, gpointer data) noexcept {
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

}  // namespace agora::gateway

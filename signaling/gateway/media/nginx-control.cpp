// SPDX-License-Identifier: LGPL-2.1-or-later
#define G_LOG_DOMAIN "agora-gateway"
#include "signaling/gateway/media/nginx-control.hpp"

#include <utility>

namespace agora::gateway {

namespace {
// nginx does not list a session yet whose hook was just answered, so that one is dropped in several
// tries.
constexpr int drop_tries = 5;
constexpr unsigned drop_pause_ms = 100;
}  // namespace

struct NginxControl::Drop {
  std::string url;
  std::function<void()> done;
  bool one_session = false;
  int tries = 0;
};

NginxControl::NginxControl(std::string control_url, std::string app)
    : control_url_(std::move(control_url)), app_(std::move(app)) {
}

NginxControl::~NginxControl() {
  *here_ = false;
}

void NginxControl::drop(const DropMedia &what, std::function<void()> done) {
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

void NginxControl::try_drop(const std::shared_ptr<Drop> &drop) {
  std::string url = drop->url;
  http_.request("GET", url, [this, drop, here = here_] (bool ok, std::string_view body) {
    g_debug("Drop, try %d: %s", drop->tries, ok ? std::string(body).c_str() : "failed");
    if (auto done = std::exchange(drop->done, nullptr))
      done();
    // By the next try, the name alone may be another publisher's.
    if ((ok && body != "0") || !drop->one_session || ++drop->tries >= drop_tries || !*here)
      return;
    struct Again {
      NginxControl *control;
      std::shared_ptr<bool> here;
      std::shared_ptr<Drop> drop;
    };
    g_timeout_add_full(
        G_PRIORITY_DEFAULT, drop_pause_ms * drop->tries,
        [] (gpointer data) noexcept -> gboolean {
          auto *again = static_cast<Again *>(data);
          if (*again->here)
            again->control->try_drop(again->drop);
          return G_SOURCE_REMOVE;
        },
        new Again{this, here, drop},
        [] (gpointer data) noexcept { delete static_cast<Again *>(data); });
  });
}

}  // namespace agora::gateway

// SPDX-License-Identifier: LGPL-2.1-or-later
// What of the client's signals reaches the membership, and by whom. The context's thread alone.
#include <utility>

#include "gst/membership/shared-membership.hpp"

namespace agora {

// A signal of the client that is passed on under its own name.
struct SharedMembership::Forward {
  SharedMembership *self;
  const char *name;
};

void SharedMembership::free_forward(gpointer data, GClosure *) noexcept {
  delete static_cast<Forward *>(data);
}

void SharedMembership::forward(AgoraClient *, gpointer data) noexcept {
  auto *f = static_cast<Forward *>(data);
  f->self->tell([f] (Member &m) { m.channel_event(f->name, 0); });
}

void SharedMembership::forward_about(AgoraClient *, guint uid, gpointer data) noexcept {
  auto *f = static_cast<Forward *>(data);
  f->self->tell([f, uid] (Member &m) { m.channel_event(f->name, uid); });
}

void SharedMembership::on_data(AgoraClient *, guint uid, const char *text,
                               SharedMembership *self) noexcept {
  self->tell([&] (Member &m) { m.data(uid, text); });
}

void SharedMembership::on_named(AgoraClient *, guint uid, const char *name,
                                SharedMembership *self) noexcept {
  self->tell([&] (Member &m) {
    m.speaker_named(uid, name);
    m.named(uid, name);
  });
}

void SharedMembership::send_data(Member *member, const std::string &text, const UidList &to) {
  post(context_, [self = shared_from_this(), member, text, to] {
    const auto refused = [raw = self.get(), member] (const GError &error) {
      raw->tell([&] (Member &m) { m.data_refused(error); }, nullptr, member);
    };
    if (!self->client_) {
      g_autoptr(GError) error =
          g_error_new(AGORA_ERROR, AGORA_ERROR_NOT_JOINED, "send-data: not in the channel yet");
      refused(*error);
      return;
    }
    const std::vector<guint> uids(to.begin(), to.end());
    agora_client_send_data_async(
        self->client_, text.c_str(), uids.data(), uids.size(), self->cancellable_, finished,
        self->call([raw = self.get(), refused] (GAsyncResult *result) {
          g_autoptr(GError) error = nullptr;
          if (!agora_client_send_data_finish(raw->client_, result, &error) &&
              !g_error_matches(error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
            refused(*error);
        }));
  });
}

void SharedMembership::connect_signals() {
  const std::pair<const char *, GCallback> signals[] = {
      {"stream-added", G_CALLBACK(on_stream_added)},
      {"stream-removed", G_CALLBACK(on_stream_removed)},
      {"update-url", G_CALLBACK(on_update_url)},
      {"codecs-wanted", G_CALLBACK(on_codecs_wanted)},
      {"data", G_CALLBACK(on_data)},
      {"member-named", G_CALLBACK(on_named)},
      {"member-joined", G_CALLBACK(on_member_joined)},
      {"member-left", G_CALLBACK(on_member_left)},
      {"error", G_CALLBACK(on_error)},
      {"reconnecting", G_CALLBACK(on_reconnecting)},
      {"reconnected", G_CALLBACK(on_reconnected)},
      {"notify::lists-members", G_CALLBACK(on_lists_members)},
      {"notify::silenced", G_CALLBACK(on_silenced)},
      {"notify::state", G_CALLBACK(on_state)},
  };
  for (auto [name, callback] : signals)
    handlers_.push_back(g_signal_connect(client_, name, callback, this));
  for (const char *name : {"mute-audio", "unmute-audio", "mute-video", "unmute-video"})
    handlers_.push_back(g_signal_connect_data(client_, name, G_CALLBACK(forward_about),
                                              new Forward{this, name}, free_forward,
                                              static_cast<GConnectFlags>(0)));
  for (const char *name : {"token-privilege-will-expire", "token-privilege-did-expire",
                           "client-banned", "silenced", "unsilenced"})
    handlers_.push_back(g_signal_connect_data(client_, name, G_CALLBACK(forward),
                                              new Forward{this, name}, free_forward,
                                              static_cast<GConnectFlags>(0)));
}

}  // namespace agora

// SPDX-License-Identifier: LGPL-2.1-or-later
// Nothing hangs: every state change of either element ends within 500 ms, whatever the gateway or
// the media server do, at every moment of connecting. The rig holds each change to it.
#include <signal.h>
#include <sys/socket.h>

#include <thread>
#include <vector>

#include "tests/element/channel-rig.hpp"

namespace {

using namespace agora::test;

// From before anything is sent to long after everything could have been answered.
constexpr unsigned moments[] = {0, 3, 20, 80, 300};

// A TCP server that is no help.
class BadPeer {
 public:
  enum class Kind { mute, full, drips };

  explicit BadPeer(Kind kind) : over_(g_cancellable_new()) {
    socket_ = g_socket_new(G_SOCKET_FAMILY_IPV4, G_SOCKET_TYPE_STREAM, G_SOCKET_PROTOCOL_DEFAULT,
                           nullptr);
    g_autoptr(GInetAddress) loopback = g_inet_address_new_loopback(G_SOCKET_FAMILY_IPV4);
    g_autoptr(GSocketAddress) any = g_inet_socket_address_new(loopback, 0);
    g_assert_true(g_socket_bind(socket_, any, TRUE, nullptr));
    g_socket_set_listen_backlog(socket_, kind == Kind::full ? 0 : 64);
    g_assert_true(g_socket_listen(socket_, nullptr));
    g_autoptr(GSocketAddress) bound = g_socket_get_local_address(socket_, nullptr);
    port_ = g_inet_socket_address_get_port(G_INET_SOCKET_ADDRESS(bound));
    // A queue that is full drops what comes: the packets of whoever connects get no answer.
    for (int i = 0; kind == Kind::full && i < 4; i++) {
      GSocket *filler = g_socket_new(G_SOCKET_FAMILY_IPV4, G_SOCKET_TYPE_STREAM,
                                     G_SOCKET_PROTOCOL_DEFAULT, nullptr);
      g_socket_set_blocking(filler, FALSE);
      g_socket_connect(filler, bound, nullptr, nullptr);
      fillers_.push_back(filler);
    }
    if (kind == Kind::drips)
      dripping_ = std::thread([this] { drip(); });
  }
  ~BadPeer() {
    g_cancellable_cancel(over_);
    if (dripping_.joinable())
      dripping_.join();
    for (GSocket *filler : fillers_)
      g_object_unref(filler);
    g_object_unref(socket_);
    g_object_unref(over_);
  }
  BadPeer(const BadPeer &) = delete;
  BadPeer &operator=(const BadPeer &) = delete;

  std::string at () const { return "127.0.0.1:" + std::to_string(port_); }

 private:
  // One byte of a beginning every now and then, to each in turn.
  void drip () {
    static const std::string text = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n";
    std::vector<std::pair<GSocket *, std::size_t>> peers;
    while (!g_cancellable_is_cancelled(over_)) {
      constexpr gint64 interval_us = 30'000;
      if (g_socket_condition_timed_wait(socket_, G_IO_IN, interval_us, over_, nullptr)) {
        if (GSocket *peer = g_socket_accept(socket_, over_, nullptr))
          peers.emplace_back(peer, 0);
      }
      for (auto &[peer, sent] : peers)
        g_socket_send(peer, &text[sent++ % text.size()], 1, nullptr, nullptr);
    }
    for (auto &[peer, sent] : peers)
      g_object_unref(peer);
  }

  GSocket *socket_;
  GCancellable *over_;
  unsigned port_ = 0;
  std::vector<GSocket *> fillers_;
  std::thread dripping_;
};

std::string both (const std::string &gateway) {
  const std::string where = " app-id=demo channel=room gateway=" + gateway;
  return "audiotestsrc is-live=true samplesperbuffer=480 ! agorasink name=host uid=7" + where +
         " agorasrc name=listener expose-speakers=true level-interval=50000000" + where +
         " uid=8 ! fakesink sync=true";
}

// Up, and down at each of the moments; by way of each state, too.
void stop_anytime (const std::string &gateway) {
  for (const unsigned moment : moments) {
    Pipeline pipeline(both(gateway));
    pipeline.expect_errors();
    pipeline.set_state(GST_STATE_PLAYING);
    let_pass(moment);
    pipeline.set_state(GST_STATE_PAUSED);
    pipeline.set_state(GST_STATE_PLAYING);
    pipeline.set_state(GST_STATE_NULL);
    pipeline.set_state(GST_STATE_PAUSED);
    pipeline.set_state(GST_STATE_READY);
  }
}

void test_bad_gateway (gconstpointer kind) {
  BadPeer peer(static_cast<BadPeer::Kind>(GPOINTER_TO_INT(kind)));
  stop_anytime("ws://" + peer.at() + "/api");
}

// Frozen once both are in the channel, or in the middle of coming.
void test_stopped_gateway () {
  for (const unsigned moment : moments) {
    GatewayProcess gateway;
    Pipeline pipeline(both(gateway.ws()));
    pipeline.expect_errors();
    pipeline.set_state(GST_STATE_PLAYING);
    let_pass(moment);
    gateway.signal(SIGSTOP);
    let_pass(20);
    pipeline.set_state(GST_STATE_PAUSED);
    pipeline.set_state(GST_STATE_PLAYING);
    pipeline.set_state(GST_STATE_NULL);
    pipeline.set_state(GST_STATE_PLAYING);
    let_pass(moment);
    pipeline.set_state(GST_STATE_NULL);
  }
}

void test_stopped_media_server () {
  GatewayProcess gateway;
  {
    Pipeline pipeline(both(gateway.ws()));
    pipeline.set_state(GST_STATE_PLAYING);
    WAIT_UNTIL(pipeline.heard(7));
  }
  for (const unsigned moment : moments) {
    gateway.signal_relay(SIGCONT);
    Pipeline pipeline(both(gateway.ws()));
    pipeline.set_state(GST_STATE_PLAYING);
    let_pass(moment);
    gateway.signal_relay(SIGSTOP);
    let_pass(20);
    pipeline.set_state(GST_STATE_NULL);
    pipeline.set_state(GST_STATE_PLAYING);
    let_pass(moment);
    pipeline.set_state(GST_STATE_NULL);
  }
  gateway.signal_relay(SIGCONT);
}

// EOS ends as soon when nothing moves.
void test_end (gconstpointer kind) {
  BadPeer peer(static_cast<BadPeer::Kind>(GPOINTER_TO_INT(kind)));
  Pipeline pipeline(
      "audiotestsrc num-buffers=10 samplesperbuffer=480 ! agorasink app-id=demo "
      "channel=room gateway=ws://" +
      peer.at() + "/api");
  pipeline.set_state(GST_STATE_PLAYING);
  const gint64 begin = g_get_monotonic_time();
  WAIT_UNTIL((pipeline.read(), pipeline.ended()));
  // A tenth of a second of sound, and what waiting for the network may take.
  g_assert_cmpint(g_get_monotonic_time() - begin, <, 700'000 * time_scale());
}

}  // namespace

int main (int argc, char **argv) {
  gst_init(&argc, &argv);
  g_test_init(&argc, &argv, nullptr);
  const std::pair<const char *, BadPeer::Kind> kinds[] = {{"mute", BadPeer::Kind::mute},
                                                          {"black-hole", BadPeer::Kind::full},
                                                          {"drips", BadPeer::Kind::drips}};
  for (const auto &[name, kind] : kinds) {
    gpointer which = GINT_TO_POINTER(static_cast<int>(kind));
    g_test_add_data_func((std::string("/hang/gateway/") + name).c_str(), which, test_bad_gateway);
    g_test_add_data_func((std::string("/hang/end/") + name).c_str(), which, test_end);
  }
  g_test_add_func("/hang/gateway/stopped", test_stopped_gateway);
  g_test_add_func("/hang/media-server/stopped", test_stopped_media_server);
  return g_test_run();
}

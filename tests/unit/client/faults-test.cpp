// SPDX-License-Identifier: LGPL-2.1-or-later
// AgoraClient against a gateway that cuts, delays, repeats, reorders, lies and stays mute.
#include <cstring>

#include "tests/suite.hpp"
#include "tests/unit/client/rig.hpp"

namespace faults_test {

using rig::Call;
using rig::Client;
using rig::Gateway;
using rig::Outcome;
using rig::Plain;
namespace protocol = agora::protocol;
using protocol::Code;
using protocol::EventKind;

namespace {

void mute_peers_are_bounded () {
  Plain mute("");
  Client client(mute.url());
  g_object_set(client.object, "connect-timeout", 100, nullptr);
  gint64 begun = g_get_monotonic_time();
  Outcome outcome = client.join();
  g_assert_true(outcome.is(AGORA_ERROR_UNREACHABLE));
  g_assert_nonnull(strstr(outcome.text.c_str(), "does not answer"));
  g_assert_cmpint(g_get_monotonic_time() - begun, >=, 100'000);
  g_assert_cmpint(g_get_monotonic_time() - begun, <, 15'000'000);

  // The socket opens, yet join is never answered.
  Gateway gateway;
  gateway.script = [] (Gateway::Socket &, const protocol::ClientMessage &) { return true; };
  Client other(gateway.url());
  g_object_set(other.object, "connect-timeout", 1000, nullptr);
  g_assert_true(other.join().is(AGORA_ERROR_TIMEOUT));
  g_assert_cmpint(other.state(), ==, AGORA_STATE_FAILED);
}

void answers_in_any_order () {
  Gateway gateway;
  std::vector<protocol::ClientMessage> kept;
  Client client(gateway.url());
  g_assert_true(client.join().is_well());
  gateway.script = [&] (Gateway::Socket &, const protocol::ClientMessage &message) {
    kept.push_back(message);
    return true;
  };
  Call calls[5];
  for (guint i = 0; i < 5; ++i)
    agora_client_subscribe_async(client.object, 8 + i, nullptr, Call::done, &calls[i]);
  WAIT_FOR(kept.size() == 5);
  for (auto message = kept.rbegin(); message != kept.rend(); ++message) {
    gateway.obey(gateway.socket(), *message);
    gateway.obey(gateway.socket(), *message);  // a second answer to the same request
  }
  for (guint i = 0; i < 5; ++i) {
    g_autofree char *url =
        agora_client_subscribe_finish(client.object, calls[i].wait(), nullptr, nullptr);
    std::string expected = "rtmp://play/" + std::to_string(8 + i) + "/1";
    g_assert_cmpstr(url, ==, expected.c_str());
  }
}

void lies_are_survived () {
  Gateway gateway;
  Client client(gateway.url());
  g_assert_true(client.join().is_well());
  Gateway::Socket &socket = gateway.socket();
  for (const char *text :
       {"", "{", "null", "[]", "{\"command\":7}", "{\"command\":\"serverStatus\"}",
        "{\"command\":\"serverResponse\",\"requestId\":3,\"code\":200}",
        "{\"command\":\"serverStatus\",\"serverStatus\":{\"action\":\"stream-added\",\"uid\":-1}}",
        "{\"command\":\"serverStatus\",\"serverStatus\":{\"action\":\"unheard-of\"}}"})
    Gateway::send_text(socket, text);
  Gateway::send_text(socket, std::string(1000, '['));
  soup_websocket_connection_send_binary(socket.connection, "\x00\x01", 2);
  gateway.script = [] (Gateway::Socket &at, const protocol::ClientMessage &message) {
    Gateway::send_text(at, "{\"command\":\"serverResponse\",\"code\":200,\"requestId\":" +
                               std::to_string(message.envelope.request_id) +
                               ",\"serverResponse\":{\"url\":[]}}");
    return true;
  };
  g_assert_true(client.publish().is(AGORA_ERROR_INTERNAL));
  gateway.script = nullptr;
  g_assert_true(client.publish().is_well());
  g_assert_cmpint(client.state(), ==, AGORA_STATE_JOINED);
  // Too much at once ends the socket, not the client.
  Gateway::send_text(socket, "{\"a\":\"" + std::string(100'000, 'x') + "\"}");
  WAIT_FOR(client.was_told("reconnected"));
  g_assert_cmpint(client.state(), ==, AGORA_STATE_JOINED);
}

void comes_back_after_a_cut () {
  Gateway gateway;
  gateway.speakers = {8, 9};
  Client client(gateway.url());
  g_assert_true(client.join().is_well());
  WAIT_FOR(client.was_told("stream-added 9"));
  g_assert_true(client.publish().is_well());
  g_assert_true(client.subscribe(8).is_well());
  g_assert_true(client.subscribe(9).is_well());
  client.told.clear();

  // Meanwhile 9 has gone; and the first two tries to come back are cut as well.
  gateway.speakers = {8};
  int cuts = 0;
  gateway.script = [&] (Gateway::Socket &socket, const protocol::ClientMessage &message) {
    if (std::holds_alternative<protocol::Join>(message.request) && ++cuts <= 2) {
      Gateway::cut(socket);
      return true;
    }
    const auto *subscribe = std::get_if<protocol::Subscribe>(&message.request);
    if (subscribe != nullptr && subscribe->uid == 9) {
      Gateway::refuse(socket, message, Code::not_publishing, "9 is silent");
      return true;
    }
    return false;
  };
  Call waiting;
  agora_client_unpublish_async(client.object, nullptr, Call::done, &waiting);
  Gateway::cut(gateway.socket());
  WAIT_FOR(client.state() == AGORA_STATE_RECONNECTING);
  GError *error = nullptr;
  g_assert_false(agora_client_unpublish_finish(client.object, waiting.wait(), &error));
  g_assert_true(Outcome::take(error).is(AGORA_ERROR_SOCKET_GONE));
  g_assert_true(client.publish().is(AGORA_ERROR_SOCKET_GONE));
  WAIT_FOR(client.was_told("update-url 7 rtmp://push/4"));
  WAIT_FOR(client.was_told("update-url 8 rtmp://play/8/4"));
  WAIT_FOR(client.was_told("stream-removed 9"));
  g_assert_true(client.was_told("reconnected"));
  g_assert_false(client.was_told("stream-added 8"));
  const auto *join = std::get_if<protocol::Join>(&gateway.heard.at(4).request);
  g_assert_nonnull(join);
  g_assert_true(join->known_speakers == (std::vector<protocol::Uid>{8, 9}));
}

void comes_back_to_a_gateway_that_was_away () {
  auto gateway = std::make_unique<Gateway>();
  Client client(gateway->url());
  g_assert_true(client.join().is_well());
  std::string dead = gateway->url();
  gateway.reset();
  WAIT_FOR(client.state() == AGORA_STATE_RECONNECTING);
  Gateway next;
  g_object_set(client.object, "gateway", next.url().c_str(), nullptr);
  WAIT_FOR(client.was_told("reconnected"));
  g_assert_cmpint(next.count<protocol::Join>(), ==, 1);
}

void silence_and_service_lost () {
  Gateway gateway;
  Client client(gateway.url());
  agora::client::core_of(client.object).limits().silence = 150;
  g_assert_true(client.join().is_well());
  gateway.answers_pings = false;
  WAIT_FOR(client.was_told("reconnected"));
  gateway.answers_pings = true;
  for (Code code : {Code::service_lost, Code::drain}) {
    client.told.clear();
    Gateway::send(gateway.socket(), protocol::ErrorEvent{code, "over"});
    WAIT_FOR(client.was_told("reconnected"));
    g_assert_false(client.was_told("error " + std::to_string(AGORA_ERROR_SERVICE_LOST)));
  }
}

void gives_up_for_good () {
  struct Row {
    protocol::ServerMessage message;
    AgoraError error;
    const char *also;
  };
  const Row rows[] = {
      {protocol::ErrorEvent{Code::bad_role_or_uid, "replaced by another device"},
       AGORA_ERROR_REPLACED, nullptr},
      {protocol::Event{EventKind::banned, 0, {}, 0, false}, AGORA_ERROR_BANNED, "client-banned"},
      {protocol::Event{EventKind::key_expired, 0, {}, 0, false}, AGORA_ERROR_TOKEN_EXPIRED,
       "token-privilege-did-expire"},
  };
  for (const Row &row : rows) {
    Gateway gateway;
    Client client(gateway.url());
    g_assert_true(client.join().is_well());
    Gateway::send(gateway.socket(), row.message);
    WAIT_FOR(client.was_told("error " + std::to_string(row.error)));
    g_assert_cmpint(client.state(), ==, AGORA_STATE_FAILED);
    if (row.also != nullptr)
      g_assert_true(client.was_told(row.also));
    WAIT_FOR(gateway.socket().closed);
    g_assert_cmpuint(gateway.sockets.size(), ==, 1);
  }
  // A refusal on the way back is as final.
  Gateway gateway;
  Client client(gateway.url());
  g_assert_true(client.join().is_well());
  gateway.script = [] (Gateway::Socket &socket, const protocol::ClientMessage &message) {
    Gateway::refuse(socket, message, Code::token_invalid, "no more");
    return true;
  };
  Gateway::cut(gateway.socket());
  WAIT_FOR(client.was_told("error " + std::to_string(AGORA_ERROR_TOKEN_INVALID)));
  g_assert_cmpint(client.state(), ==, AGORA_STATE_FAILED);
}

void gives_up_in_time () {
  auto gateway = std::make_unique<Gateway>();
  Client client(gateway->url());
  g_object_set(client.object, "reconnect-timeout", 1, nullptr);
  g_assert_true(client.join().is_well());
  gateway.reset();
  WAIT_FOR(client.state() == AGORA_STATE_FAILED);
  g_assert_true(client.was_told("error " + std::to_string(AGORA_ERROR_UNREACHABLE)));

  Gateway other;
  Client never(other.url());
  g_object_set(never.object, "reconnect-timeout", 0, nullptr);
  g_assert_true(never.join().is_well());
  Gateway::cut(other.socket());
  WAIT_FOR(never.state() == AGORA_STATE_FAILED);
  g_assert_false(never.was_told("AGORA_STATE_RECONNECTING"));
}

void cancelling () {
  Gateway gateway;
  gateway.script = [] (Gateway::Socket &, const protocol::ClientMessage &) { return true; };
  Client client(gateway.url());
  auto cancel_soon = [] (gpointer data) -> gboolean {
    g_cancellable_cancel(G_CANCELLABLE(data));
    return G_SOURCE_REMOVE;
  };
  // Before, at once, and while the gateway does not answer.
  g_autoptr(GCancellable) before = g_cancellable_new();
  g_cancellable_cancel(before);
  g_assert_true(client.join(nullptr, "hall", 7, nullptr, before).is_cancelled());
  g_assert_cmpint(client.state(), ==, AGORA_STATE_IDLE);
  g_autoptr(GCancellable) at_once = g_cancellable_new();
  g_idle_add_full(G_PRIORITY_HIGH, cancel_soon, at_once, nullptr);
  g_assert_true(client.join(nullptr, "hall", 7, nullptr, at_once).is_cancelled());
  g_assert_cmpint(client.state(), ==, AGORA_STATE_IDLE);
  g_autoptr(GCancellable) later = g_cancellable_new();
  Call call;
  agora_client_join_async(client.object, nullptr, "hall", 7, later, Call::done, &call);
  WAIT_FOR(gateway.count<protocol::Join>() > 0);
  g_cancellable_cancel(later);
  GError *error = nullptr;
  agora_client_join_finish(client.object, call.wait(), &error);
  g_assert_true(Outcome::take(error).is_cancelled());
  g_assert_cmpint(client.state(), ==, AGORA_STATE_IDLE);

  gateway.script = nullptr;
  g_assert_true(client.join().is_well());
  gateway.script = [] (Gateway::Socket &, const protocol::ClientMessage &) { return true; };
  g_autoptr(GCancellable) publish = g_cancellable_new();
  Call published;
  agora_client_publish_async(client.object, publish, Call::done, &published);
  g_cancellable_cancel(publish);
  g_assert_null(agora_client_publish_finish(client.object, published.wait(), &error));
  g_assert_true(Outcome::take(error).is_cancelled());
  g_assert_cmpint(client.state(), ==, AGORA_STATE_JOINED);
}

void leaving_a_mute_gateway () {
  Gateway gateway;
  Client client(gateway.url());
  g_assert_true(client.join().is_well());
  gateway.script = [] (Gateway::Socket &, const protocol::ClientMessage &) { return true; };
  Call waiting;
  agora_client_publish_async(client.object, nullptr, Call::done, &waiting);
  gint64 begun = g_get_monotonic_time();
  g_assert_true(client.leave().is_well());
  g_assert_cmpint(g_get_monotonic_time() - begun, <, 5'000'000);
  GError *error = nullptr;
  g_assert_null(agora_client_publish_finish(client.object, waiting.wait(), &error));
  g_assert_true(Outcome::take(error).is(AGORA_ERROR_SOCKET_GONE));
  // Leaving while joining stops that.
  Call join;
  agora_client_join_async(client.object, nullptr, "hall", 7, nullptr, Call::done, &join);
  g_assert_true(client.leave().is_well());
  g_assert_cmpuint(agora_client_join_finish(client.object, join.wait(), &error), ==, 0);
  g_assert_true(Outcome::take(error).is(AGORA_ERROR_SOCKET_GONE));
}

void dropped_in_the_middle () {
  Gateway gateway;
  gateway.speakers = {8};
  {  // A call under way keeps the client until it is done.
    Client client(gateway.url());
    Call call;
    agora_client_join_async(client.object, nullptr, "hall", 7, nullptr, Call::done, &call);
    g_object_unref(std::exchange(client.object, nullptr));
    g_assert_false(client.gone);
    call.wait();
  }
  WAIT_FOR(gateway.socket().closed);
  {  // Joined: the last reference closes.
    Client client(gateway.url());
    g_assert_true(client.join().is_well());
    client.drop();
  }
  WAIT_FOR(gateway.socket().closed);
  {  // From within a signal of its own.
    Client client(gateway.url());
    g_signal_connect(client.object, "stream-added",
                     G_CALLBACK(+[] (AgoraClient *, guint, Client *self) {
                       agora_client_destroy(self->object);
                       g_object_unref(std::exchange(self->object, nullptr));
                     }),
                     &client);
    Call call;
    agora_client_join_async(client.object, nullptr, "hall", 7, nullptr, Call::done, &call);
    call.wait();
    WAIT_FOR(client.object == nullptr);
  }
  {  // Closed under a call.
    Client client(gateway.url());
    Call call;
    agora_client_join_async(client.object, nullptr, "hall", 7, nullptr, Call::done, &call);
    agora_client_destroy(client.object);
    GError *error = nullptr;
    agora_client_join_finish(client.object, call.wait(), &error);
    g_assert_true(Outcome::take(error).is(AGORA_ERROR_SOCKET_GONE));
  }
  {  // Disposed of under a call.
    Client client(gateway.url());
    Call call;
    agora_client_join_async(client.object, nullptr, "hall", 7, nullptr, Call::done, &call);
    g_object_run_dispose(G_OBJECT(client.object));
    GError *error = nullptr;
    agora_client_join_finish(client.object, call.wait(), &error);
    g_assert_true(Outcome::take(error).is(AGORA_ERROR_SOCKET_GONE));
  }
}

void again_and_again () {
  Gateway gateway;
  Client client(gateway.url());
  for (int i = 0; i < 100; ++i) {
    g_assert_true(client.join().is_well());
    g_assert_true(client.leave().is_well());
  }
  g_assert_cmpint(gateway.count<protocol::Leave>(), ==, 100);
}

}  // namespace

static const agora::Suite suite("faults", [] {
  agora_log_set_level(AGORA_LOG_LEVEL_NONE);
  g_test_add_func("/client-faults/mute-peers-are-bounded", mute_peers_are_bounded);
  g_test_add_func("/client-faults/answers-in-any-order", answers_in_any_order);
  g_test_add_func("/client-faults/lies-are-survived", lies_are_survived);
  g_test_add_func("/client-faults/comes-back-after-a-cut", comes_back_after_a_cut);
  g_test_add_func("/client-faults/comes-back-to-a-gateway-that-was-away",
                  comes_back_to_a_gateway_that_was_away);
  g_test_add_func("/client-faults/silence-and-service-lost", silence_and_service_lost);
  g_test_add_func("/client-faults/gives-up-for-good", gives_up_for_good);
  g_test_add_func("/client-faults/gives-up-in-time", gives_up_in_time);
  g_test_add_func("/client-faults/cancelling", cancelling);
  g_test_add_func("/client-faults/leaving-a-mute-gateway", leaving_a_mute_gateway);
  g_test_add_func("/client-faults/dropped-in-the-middle", dropped_in_the_middle);
  g_test_add_func("/client-faults/again-and-again", again_and_again);
});

}  // namespace faults_test

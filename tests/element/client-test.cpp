// SPDX-License-Identifier: LGPL-2.1-or-later
// Memberships that are shared: with the application's own client, and between the elements of one
// pipeline, whichever starts, stops and starts again.
#include <signaling/agora-signaling.h>

#include <cstring>
#include <functional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "tests/element/channel-rig.hpp"

namespace {

using namespace agora::test;

constexpr guint host_uid = 7;
constexpr guint app_uid = 8;
constexpr const char *certificate = "0123456789abcdef0123456789abcdef";

// The application's client, on the test's own main context.
class Client {
 public:
  explicit Client(const GatewayProcess &gateway) : client_(agora_client_new(gateway.ws().c_str())) {
    g_signal_connect(
        client_, "stream-added",
        G_CALLBACK(+[] (AgoraClient *, guint uid, Client *c) { c->speakers.insert(uid); }), this);
    g_signal_connect(
        client_, "stream-removed",
        G_CALLBACK(+[] (AgoraClient *, guint uid, Client *c) { c->speakers.erase(uid); }), this);
    agora_client_init_async(client_, "demo", nullptr, nullptr, nullptr);
  }
  ~Client() {
    g_signal_handlers_disconnect_by_data(client_, this);
    leave();
    g_object_unref(client_);
  }
  Client(const Client &) = delete;
  Client &operator=(const Client &) = delete;

  AgoraClient *get () const { return client_; }
  void join (guint uid) {
    agora_client_join_async(client_, nullptr, "room", uid, nullptr, nullptr, nullptr);
    WAIT_UNTIL(agora_client_get_state(client_) == AGORA_STATE_JOINED);
  }
  void leave () {
    agora_client_leave_async(client_, nullptr, nullptr, nullptr);
    WAIT_UNTIL(agora_client_get_state(client_) == AGORA_STATE_IDLE);
    speakers.clear();
  }

  std::set<guint> speakers;

 private:
  AgoraClient *client_;
};

std::string host (const GatewayProcess &gateway, const std::string &more) {
  return "audiotestsrc name=tone is-live=true samplesperbuffer=480 ! agorasink name=host" +
         in_room(gateway, more);
}

std::string listener (const GatewayProcess &gateway, const std::string &more = "") {
  return " agorasrc name=listener level-interval=50000000" + in_room(gateway, more) +
         " ! fakesink name=end sync=true ";
}

void give (Pipeline &pipeline, const char *element, const Client &client) {
  g_autoptr(GstElement) found = pipeline.get(element);
  g_object_set(found, "client", client.get(), nullptr);
}

// Speakers that were in the channel before the element came are heard.
void test_late () {
  GatewayProcess gateway;
  Pipeline speaker(host(gateway, "uid=7"));
  speaker.set_state(GST_STATE_PLAYING);
  Client client(gateway);
  client.join(app_uid);
  WAIT_UNTIL(client.speakers.contains(host_uid));
  Pipeline pipeline(listener(gateway));
  give(pipeline, "listener", client);
  pipeline.set_state(GST_STATE_PLAYING);
  WAIT_UNTIL(pipeline.heard(host_uid));
  g_assert_cmpuint(pipeline.uid("listener"), ==, app_uid);
  // The element never makes it leave.
  pipeline.set_state(GST_STATE_NULL);
  let_pass(100);
  g_assert_cmpint(agora_client_get_state(client.get()), ==, AGORA_STATE_JOINED);
}

// The element waits for the application's join, and goes on with the next one.
void test_leave_and_join () {
  GatewayProcess gateway;
  Pipeline speaker(host(gateway, "uid=7"));
  speaker.set_state(GST_STATE_PLAYING);
  Pipeline far(listener(gateway));
  far.set_state(GST_STATE_PLAYING);
  Client client(gateway);
  Pipeline both(host(gateway, "") + listener(gateway));
  give(both, "host", client);
  give(both, "listener", client);
  both.set_state(GST_STATE_PLAYING);
  for (const guint uid : {app_uid, app_uid, app_uid + 1}) {
    client.join(uid);
    WAIT_UNTIL(both.heard(host_uid));
    WAIT_UNTIL(far.heard(uid));
    g_assert_cmpuint(both.uid("host"), ==, uid);
    g_assert_cmpuint(both.uid("listener"), ==, uid);
    // Mix-minus.
    g_assert_false(both.heard(uid));
    client.leave();
    far.heard(uid);
    const unsigned removed = far.told("agora-stream-removed");
    WAIT_UNTIL(far.told("agora-stream-removed") > removed || !far.heard(uid));
  }
}

// Who else is there, as the element that wants to know it is told: of each stay of the client's.
void test_members () {
  GatewayProcess gateway("demo", {"--show-members=demo"});
  Pipeline far(listener(gateway));
  far.set_state(GST_STATE_PLAYING);
  WAIT_UNTIL(far.uid("listener") != 0);
  Client client(gateway);
  Pipeline both(host(gateway, "") + listener(gateway, "list-members=true"));
  give(both, "host", client);
  give(both, "listener", client);
  both.set_state(GST_STATE_PLAYING);
  for (const unsigned stay : {1, 2}) {
    client.join(app_uid);
    WAIT_UNTIL(both.told("agora-member-joined") == stay);
    client.leave();
    WAIT_UNTIL(both.told("agora-member-left") == stay);
  }
  // One that comes later is told what the others were.
  client.join(app_uid);
  WAIT_UNTIL(both.told("agora-member-joined") == 3);
  Pipeline late(listener(gateway, "list-members=true"));
  give(late, "listener", client);
  late.set_state(GST_STATE_PLAYING);
  WAIT_UNTIL(late.told("agora-member-joined") == 1);
  far.set_state(GST_STATE_NULL);
  WAIT_UNTIL(both.told("agora-member-left") == 3 && late.told("agora-member-left") == 1);
  g_assert_cmpuint(both.told("agora-member-joined"), ==, 3);
}

void run (Pipeline &pipeline, const char *element, const char *other, bool on) {
  const GstState state = on ? GST_STATE_PLAYING : GST_STATE_NULL;
  pipeline.set_state(on ? other : element, state);
  pipeline.set_state(on ? element : other, state);
}

// By a gateway that it comes back to and that doesn't show them: nobody stays in it, and that is
// said once, until there is a list again.
void test_members_no_more () {
  const std::vector<std::string> shown{"--show-members=demo"};
  const std::vector<std::string> hidden;
  GatewayProcess gateway("demo", shown);
  Pipeline far(listener(gateway, "reconnect-timeout=60"));
  far.set_state(GST_STATE_PLAYING);
  WAIT_UNTIL(far.uid("listener") != 0);
  Pipeline own(listener(gateway, "list-members=true reconnect-timeout=60"));
  own.set_state(GST_STATE_PLAYING);
  WAIT_UNTIL(own.told("agora-member-joined") == 1);
  for (const unsigned returns : {1, 2}) {
    gateway.kill();
    gateway.start(hidden);
    WAIT_UNTIL(own.told("agora-reconnected") == returns);
    WAIT_UNTIL(own.told("agora-member-left") == 1 && own.warnings() == 1);
    g_assert_nonnull(strstr(own.complaint().c_str(), "Who else is in the channel isn't known"));
  }
  gateway.kill();
  gateway.start(shown);
  WAIT_UNTIL(own.told("agora-member-joined") == 2);
  g_assert_cmpuint(own.warnings(), ==, 1);
  gateway.kill();
  gateway.start(hidden);
  WAIT_UNTIL(own.told("agora-member-left") == 2 && own.warnings() == 2);
}

// Whoever is told may run the context's loop, as an application does that waits for something.
struct Nested {
  std::function<void()> what;
  std::vector<guint> told;
  static void on_joined (GstElement *, guint uid, const char *, Nested *self) {
    self->told.push_back(uid);
    if (const auto now = std::exchange(self->what, nullptr))
      now();
  }
};

void test_members_meanwhile () {
  GatewayProcess gateway("demo", {"--show-members=demo"});
  Pipeline first(listener(gateway, "uid=20"));
  Pipeline second(listener(gateway, "uid=21"));
  for (Pipeline *each : {&first, &second}) {
    each->set_state(GST_STATE_PLAYING);
    WAIT_UNTIL(each->uid("listener") != 0);
  }
  Client client(gateway);
  client.join(app_uid);
  // Who comes later than the list isn't told of one that leaves while it is.
  {
    Pipeline both(host(gateway, "list-members=true") + listener(gateway, "list-members=true"));
    give(both, "host", client);
    give(both, "listener", client);
    run(both, "tone", "host", false);
    both.set_state("listener", GST_STATE_PLAYING);
    both.set_state("end", GST_STATE_PLAYING);
    WAIT_UNTIL(both.told("agora-member-joined") == 2);
    Nested late;
    late.what = [&] {
      second.set_state(GST_STATE_NULL);
      WAIT_UNTIL(both.told("agora-member-left") > 0);
    };
    g_autoptr(GstElement) element = both.get("host");
    const gulong handler =
        g_signal_connect(element, "member-joined", G_CALLBACK(Nested::on_joined), &late);
    run(both, "tone", "host", true);
    WAIT_UNTIL(!late.told.empty() && !late.what);
    let_pass(100);
    g_assert_cmpuint(late.told.size(), ==, 1);
    g_assert_cmpuint(late.told.front(), ==, 20);
    g_signal_handler_disconnect(element, handler);
  }
  // And who ends the membership while the first list is told isn't told the rest.
  second.set_state(GST_STATE_PLAYING);
  WAIT_UNTIL(second.uid("listener") != 0);
  Pipeline brief(listener(gateway, "list-members=true"));
  give(brief, "listener", client);
  Nested ends;
  ends.what = [&] {
    brief.set_state(GST_STATE_NULL);
    let_pass(100);
  };
  g_autoptr(GstElement) element = brief.get("listener");
  g_signal_connect(element, "member-joined", G_CALLBACK(Nested::on_joined), &ends);
  brief.set_state(GST_STATE_PLAYING);
  WAIT_UNTIL(!ends.told.empty() && !ends.what);
  let_pass(100);
  g_assert_cmpuint(ends.told.size(), ==, 1);
}

// One membership, whoever is there first, and gone with the last.
void test_order () {
  GatewayProcess gateway;
  Client watcher(gateway);
  watcher.join(app_uid);
  Pipeline other(host(gateway, "uid=9"));
  other.set_state(GST_STATE_PLAYING);
  Pipeline both(host(gateway, "uid=7") + listener(gateway));
  run(both, "tone", "host", false);
  run(both, "listener", "end", false);
  both.set_state(GST_STATE_PLAYING);
  // Host first, then the listener, and the other way round; and each of them gone and back.
  for (const bool host_first : {true, false}) {
    if (!host_first)
      run(both, "listener", "end", true);
    run(both, "tone", "host", true);
    WAIT_UNTIL(watcher.speakers.size() == 2);
    if (host_first)
      run(both, "listener", "end", true);
    WAIT_UNTIL(both.heard(9));
    if (host_first) {
      g_assert_cmpuint(both.uid("listener"), ==, host_uid);
      g_assert_false(both.heard(host_uid));
    } else {
      // A uid that is set and differs from what the listener was given: a membership of its own.
      WAIT_UNTIL(both.heard(host_uid));
    }
    run(both, "tone", "host", false);
    WAIT_UNTIL(watcher.speakers.size() == 1);
    both.heard(9);
    WAIT_UNTIL(both.heard(9));
    run(both, "tone", "host", true);
    WAIT_UNTIL(watcher.speakers.size() == 2);
    run(both, "listener", "end", false);
    run(both, "tone", "host", false);
    WAIT_UNTIL(watcher.speakers.size() == 1);
  }
}

std::string token_for (gint64 seconds) {
  g_autoptr(GError) error = nullptr;
  g_autofree char *token = agora_token_build(AGORA_TOKEN_KIND_ACCESS_TOKEN_007, "demo", certificate,
                                             "room", "", AGORA_ROLE_BROADCASTER, seconds, &error);
  g_assert_no_error(error);
  return token;
}

constexpr const char *members = "agora_members{state=\"connected\"}";

// Whoever is the last to stop leaves the channel, in whatever order they came.
void test_last_leaves () {
  GatewayProcess gateway;
  Pipeline both(host(gateway, "uid=7") + listener(gateway));
  const auto host_stops = [&] { run(both, "tone", "host", false); };
  const auto listener_stops = [&] { run(both, "listener", "end", false); };
  for (const bool host_first : {true, false}) {
    run(both, "tone", "host", true);
    run(both, "listener", "end", true);
    both.set_state(GST_STATE_PLAYING);
    WAIT_UNTIL(metric(gateway, members) == 1 && both.uid("listener") == host_uid);
    host_first ? host_stops() : listener_stops();
    let_pass(300);
    g_assert_cmpfloat(metric(gateway, members), ==, 1);
    host_first ? listener_stops() : host_stops();
    WAIT_UNTIL(metric(gateway, members) == 0);
    both.set_state(GST_STATE_READY);
  }
}

// What is unset is adopted; what is set and differs makes a member of its own.
void test_adopt_or_differ () {
  GatewayProcess gateway(std::string("demo:") + certificate);
  const std::string token = "token=" + token_for(3600), other = "token=" + token_for(1800);
  const struct {
    std::string properties;
    double count;
  } cases[] = {{"", 1},
               {"uid=7", 1},
               {token, 1},
               {"uid=7 " + token, 1},
               {"connect-timeout=3000", 1},
               {"uid=8 " + token, 2},
               {other, 2},
               {token + " channel=elsewhere", 2}};
  for (const auto &each : cases) {
    g_test_message("%s", each.count > 1 ? "differs" : "adopts");
    // Of a property that is there twice the last counts.
    Pipeline both(host(gateway, "uid=7 " + token) + listener(gateway, each.properties));
    both.expect_errors();
    both.set_state(GST_STATE_PLAYING);
    WAIT_UNTIL(metric(gateway, members) == each.count || both.errors() > 0);
    const bool shared = each.count == 1;
    WAIT_UNTIL(both.uid("listener") != 0 || both.errors() > 0);
    // The token is for one channel.
    if (each.properties.find("elsewhere") != std::string::npos) {
      WAIT_UNTIL(both.errors() == 1);
      continue;
    }
    g_assert_cmpuint(both.errors(), ==, 0);
    g_assert_cmpint(both.uid("listener") == host_uid, ==, shared);
    if (!shared) {
      // And goes on being heard.
      WAIT_UNTIL(both.heard(host_uid));
      WAIT_UNTIL(both.heard(host_uid));
    } else {
      let_pass(200);
      g_assert_false(both.heard(host_uid));
    }
    g_assert_cmpfloat(metric(gateway, members), ==, each.count);
  }
}

// One voice for a member, whichever way two sinks are one member.
void test_second_sink () {
  GatewayProcess gateway;
  Client client(gateway);
  client.join(app_uid);
  for (const bool shared : {false, true}) {
    Pipeline two(host(gateway, shared ? "" : "uid=7") +
                 " audiotestsrc is-live=true ! agorasink name=second" +
                 in_room(gateway, shared ? "" : "uid=7"));
    if (shared)
      for (const char *name : {"host", "second"})
        give(two, name, client);
    two.expect_errors();
    two.set_state(GST_STATE_PLAYING);
    WAIT_UNTIL(two.errors() == 1);
    g_assert_nonnull(strstr(two.complaint().c_str(), "another agorasink"));
  }
  g_assert_cmpint(agora_client_get_state(client.get()), ==, AGORA_STATE_JOINED);
}

// Two clients are two members, in one pipeline too; what is no client is none.
void test_other_client () {
  GatewayProcess gateway;
  Client one(gateway), other(gateway);
  one.join(app_uid);
  other.join(app_uid + 1);
  Pipeline both(host(gateway, "") + listener(gateway));
  give(both, "host", one);
  give(both, "listener", other);
  both.set_state(GST_STATE_PLAYING);
  WAIT_UNTIL(both.heard(app_uid));
  g_assert_cmpuint(both.uid("host"), ==, app_uid);
  g_assert_cmpuint(both.uid("listener"), ==, app_uid + 1);
  both.set_state(GST_STATE_NULL);

  g_autoptr(GstElement) element = both.get("listener");
  // GLib says so in one version as a warning, and in another as something critical.
  std::string said;
  const auto fatal = g_log_set_always_fatal(static_cast<GLogLevelFlags>(G_LOG_FATAL_MASK));
  const guint handler = g_log_set_handler(
      "GLib-GObject", static_cast<GLogLevelFlags>(G_LOG_LEVEL_WARNING | G_LOG_LEVEL_CRITICAL),
      [] (const char *, GLogLevelFlags, const char *message, gpointer data) {
        *static_cast<std::string *>(data) += message;
      },
      &said);
  g_object_set(element, "client", element, nullptr);
  g_log_remove_handler("GLib-GObject", handler);
  g_log_set_always_fatal(fatal);
  g_assert_true(g_pattern_match_simple("*GstAgoraSrc*AgoraClient*", said.c_str()));
  g_autoptr(AgoraClient) still = nullptr;
  g_object_get(element, "client", &still, nullptr);
  g_assert_true(still == other.get());
}

void renew (Pipeline &pipeline, const std::string &token) {
  for (const char *name : {"host", "listener"}) {
    g_autoptr(GstElement) element = pipeline.get(name);
    g_object_set(element, "token", token.c_str(), nullptr);
  }
}

// In time, while the sound flows; and while the gateway is away, the old one over meanwhile.
void test_token_renewed () {
  GatewayProcess gateway(std::string("demo:") + certificate);
  const std::string token = "token=" + token_for(6);
  Pipeline pipeline(host(gateway, "uid=7 " + token) + listener(gateway, "uid=8 " + token));
  const gint64 begin = g_get_monotonic_time();
  pipeline.set_state(GST_STATE_PLAYING);
  WAIT_UNTIL(pipeline.told("agora-token-privilege-will-expire") == 2);
  renew(pipeline, token_for(12));
  const gint64 renewed = g_get_monotonic_time();
  WAIT_UNTIL(g_get_monotonic_time() - begin > 7 * G_USEC_PER_SEC);
  pipeline.heard(host_uid);
  WAIT_UNTIL(pipeline.heard(host_uid));

  gateway.kill();
  WAIT_UNTIL(pipeline.told("agora-reconnecting") >= 2);
  renew(pipeline, token_for(3600));
  // The last one is over.
  WAIT_UNTIL(g_get_monotonic_time() - renewed > 13 * G_USEC_PER_SEC);
  gateway.start();
  pipeline.heard(host_uid);
  WAIT_UNTIL(pipeline.told("agora-reconnected") >= 2 && pipeline.heard(host_uid));
  g_assert_cmpuint(pipeline.told("agora-token-privilege-did-expire"), ==, 0);
}

// The latency is told before anything flows, and stays.
void test_latency_query () {
  GatewayProcess gateway;
  Pipeline pipeline(listener(gateway));
  g_autoptr(GstElement) element = pipeline.get("listener");
  for (const GstState state : {GST_STATE_PAUSED, GST_STATE_PLAYING, GST_STATE_PAUSED}) {
    pipeline.set_state(state);
    gst_element_get_state(element, nullptr, nullptr, GST_SECOND);
    g_autoptr(GstQuery) query = gst_query_new_latency();
    g_assert_true(gst_element_query(element, query));
    gboolean live = FALSE;
    GstClockTime least = 0;
    gst_query_parse_latency(query, &live, &least, nullptr);
    g_assert_true(live);
    g_assert_cmpuint(least, ==, 5 * GST_MSECOND);
    g_object_set(element, "latency", 300, "adaptive-latency", TRUE, nullptr);
  }
}

}  // namespace

int main (int argc, char **argv) {
  gst_init(&argc, &argv);
  g_test_init(&argc, &argv, nullptr);
  g_test_add_func("/client/late", test_late);
  g_test_add_func("/client/leave-and-join", test_leave_and_join);
  g_test_add_func("/client/members", test_members);
  g_test_add_func("/client/members-no-more", test_members_no_more);
  g_test_add_func("/client/members-meanwhile", test_members_meanwhile);
  g_test_add_func("/client/order", test_order);
  g_test_add_func("/client/last-leaves", test_last_leaves);
  g_test_add_func("/client/adopt-or-differ", test_adopt_or_differ);
  g_test_add_func("/client/second-sink", test_second_sink);
  g_test_add_func("/client/other-client", test_other_client);
  g_test_add_func("/client/token-renewed", test_token_renewed);
  g_test_add_func("/client/latency-query", test_latency_query);
  return g_test_run();
}

// SPDX-License-Identifier: LGPL-2.1-or-later
// AgoraClient over real sockets, against a gateway that keeps to the protocol, or is none.
#include <glib/gstdio.h>

#include <cstring>

#include "tests/suite.hpp"
#include "tests/unit/client/rig.hpp"

namespace loopback_test {

using rig::Call;
using rig::Client;
using rig::Gateway;
using rig::Outcome;
using rig::Plain;
namespace protocol = agora::protocol;
using protocol::Code;
using protocol::EventKind;

namespace {

template <typename Start, typename Finish>
Outcome run (Client &client, Start start, Finish finish) {
  Call call;
  start(&call);
  GError *error = nullptr;
  gboolean well = finish(client.object, call.wait(), &error);
  g_assert_true((well != FALSE) == (error == nullptr));
  return Outcome::take(error);
}

void a_whole_life () {
  Gateway gateway;
  gateway.speakers = {8};
  Client client(gateway.url());
  AgoraClient *object = client.object;
  g_assert_true(run(
                    client,
                    [&] (Call *c) {
                      agora_client_set_role_async(object, AGORA_ROLE_BROADCASTER, nullptr,
                                                  Call::done, c);
                    },
                    agora_client_set_role_finish)
                    .is_well());
  guint uid = 0;
  g_assert_true(client.join(&uid).is_well());
  g_assert_cmpuint(uid, ==, 7);
  g_assert_cmpstr(agora_client_get_channel(object), ==, "hall");
  g_assert_cmpint(agora_client_get_role(object), ==, AGORA_ROLE_BROADCASTER);
  WAIT_FOR(client.was_told("stream-added 8"));
  g_assert_true(client.speakers() == std::vector<guint>{8});
  std::string url;
  g_assert_true(client.publish(&url).is_well());
  g_assert_true(url == "rtmp://push/1");
  g_assert_true(client.subscribe(8, &url).is_well());
  g_assert_true(url == "rtmp://play/8/1 90");

  g_assert_true(run(
                    client,
                    [&] (Call *c) {
                      agora_client_mute_async(object, 8, AGORA_TARGET_AUDIO, TRUE, nullptr,
                                              Call::done, c);
                    },
                    agora_client_mute_finish)
                    .is_well());
  g_assert_true(run(
                    client,
                    [&] (Call *c) {
                      agora_client_mute_local_async(object, AGORA_TARGET_ALL, FALSE, nullptr,
                                                    Call::done, c);
                    },
                    agora_client_mute_local_finish)
                    .is_well());
  g_assert_true(run(
                    client,
                    [&] (Call *c) {
                      agora_client_set_remote_stream_type_async(object, 8, 1, nullptr, Call::done,
                                                                c);
                    },
                    agora_client_set_remote_stream_type_finish)
                    .is_well());
  g_assert_true(run(
                    client,
                    [&] (Call *c) {
                      agora_client_renew_token_async(object, "007new", nullptr, Call::done, c);
                    },
                    agora_client_renew_token_finish)
                    .is_well());
  Call fresh;
  agora_client_update_push_url_async(object, nullptr, Call::done, &fresh);
  g_autofree char *push = agora_client_update_push_url_finish(object, fresh.wait(), nullptr);
  g_assert_cmpstr(push, ==, "rtmp://push/fresh");
  g_assert_true(
      run(
          client,
          [&] (Call *c) { agora_client_unsubscribe_async(object, 8, nullptr, Call::done, c); },
          agora_client_unsubscribe_finish)
          .is_well());
  g_assert_true(run(
                    client,
                    [&] (Call *c) { agora_client_unpublish_async(object, nullptr, Call::done, c); },
                    agora_client_unpublish_finish)
                    .is_well());

  // Every event of the protocol has its signal.
  const protocol::Event events[] = {
      {EventKind::stream_added, 9, {}, 0, false},
      {EventKind::audio_mute, 9, {}, 0, true},
      {EventKind::audio_mute, 9, {}, 0, false},
      {EventKind::video_mute, 9, {}, 0, true},
      {EventKind::video_mute, 9, {}, 0, false},
      {EventKind::update_url, 9, "rtmp://n", 0, false},
      {EventKind::video_rotation, 9, {}, 180, false},
      {EventKind::stream_removed, 9, {}, 0, false},
      {EventKind::key_will_expire, 0, {}, 0, false},
  };
  client.told.clear();
  for (const protocol::Event &event : events)
    Gateway::send(gateway.socket(), event);
  WAIT_FOR(client.told.size() == std::size(events));
  const char *lines[] = {"stream-added 9",       "mute-audio 9",     "unmute-audio 9",
                         "mute-video 9",         "unmute-video 9",   "update-url 9 rtmp://n",
                         "video-rotation 9 180", "stream-removed 9", "token-privilege-will-expire"};
  for (std::size_t i = 0; i < std::size(lines); ++i)
    g_assert_cmpstr(client.told[i].c_str(), ==, lines[i]);

  g_assert_true(client.speakers() == std::vector<guint>{8});
  Gateway::send(gateway.socket(), protocol::Event{EventKind::stream_added, 3, {}, 0, false});
  WAIT_FOR(client.was_told("stream-added 3"));
  g_assert_true((client.speakers() == std::vector<guint>{3, 8}));

  g_assert_true(client.leave().is_well());
  g_assert_cmpint(client.state(), ==, AGORA_STATE_IDLE);
  g_assert_true(client.speakers().empty());
  WAIT_FOR(gateway.socket().closed);
  g_assert_cmpint(gateway.count<protocol::Leave>(), ==, 1);
}

std::string url_of (GHashTable *urls, const char *codec) {
  const auto *url = static_cast<const char *>(g_hash_table_lookup(urls, codec));
  return url != nullptr ? url : "";
}

std::string joined (GObject *object, const char *property) {
  g_auto(GStrv) names = nullptr;
  g_object_get(object, property, &names, nullptr);
  g_autofree char *line = names != nullptr ? g_strjoinv(" ", names) : g_strdup("none");
  return line;
}

void several_codecs () {
  Gateway gateway;
  gateway.speakers = {8};
  protocol::Join join;
  gateway.script = [&] (Gateway::Socket &socket, const protocol::ClientMessage &message) {
    protocol::Answer answer = Gateway::answer_to(message);
    if (const auto *asked = std::get_if<protocol::Join>(&message.request))
      join = *asked;
    if (const auto *publish = std::get_if<protocol::Publish>(&message.request);
        publish && publish->codecs) {
      answer.url = "rtmp://aac";
      answer.urls = {{protocol::Codec::opus, "rtmp://opus"}, {protocol::Codec::aac, "rtmp://aac"}};
      Gateway::send(socket, answer);
      protocol::Event wanted{EventKind::codecs_wanted};
      wanted.codecs = *publish->codecs;
      Gateway::send(socket, wanted);
      return true;
    }
    if (std::holds_alternative<protocol::Subscribe>(message.request)) {
      answer.url = "rtmp://play";
      answer.codec = protocol::Codec::opus;
      Gateway::send(socket, answer);
      return true;
    }
    return false;
  };
  Client client(gateway.url());
  AgoraClient *object = client.object;
  const char *hears[] = {"opus", "lc3", "aac", nullptr};
  g_assert_true(joined(G_OBJECT(object), "hears") == "none");
  g_object_set(object, "hears", hears, nullptr);
  g_assert_true(joined(G_OBJECT(object), "hears") == "opus aac");
  std::string signalled, property;
  g_signal_connect(object, "codecs-wanted",
                   G_CALLBACK(+[] (AgoraClient *, const char *const *names, gpointer data) {
                     g_autofree char *line = g_strjoinv(" ", const_cast<char **>(names));
                     *static_cast<std::string *>(data) = line;
                   }),
                   &signalled);
  g_signal_connect(object, "notify::codecs-wanted",
                   G_CALLBACK(+[] (GObject *self, GParamSpec *, gpointer data) {
                     *static_cast<std::string *>(data) = joined(self, "codecs-wanted");
                   }),
                   &property);
  g_assert_true(client.join().is_well());
  g_assert_true(join.hears == (protocol::Codecs{protocol::Codec::opus, protocol::Codec::aac}));
  g_assert_null(agora_client_dup_push_urls(object));

  const char *wrong[] = {"opus", nullptr};
  Call refused;
  agora_client_publish_codecs_async(object, wrong, nullptr, Call::done, &refused);
  GError *error = nullptr;
  g_assert_null(agora_client_publish_codecs_finish(object, refused.wait(), &error));
  g_assert_true(Outcome::take(error).is(AGORA_ERROR_INVALID_ARGUMENT));
  Call call;
  agora_client_publish_codecs_async(object, hears, nullptr, Call::done, &call);
  g_autoptr(GHashTable) urls = agora_client_publish_codecs_finish(object, call.wait(), nullptr);
  g_assert_cmpuint(g_hash_table_size(urls), ==, 2);
  g_assert_true(url_of(urls, "opus") == "rtmp://opus" && url_of(urls, "aac") == "rtmp://aac");
  g_autoptr(GHashTable) same = agora_client_dup_push_urls(object);
  g_assert_true(url_of(same, "opus") == "rtmp://opus");
  WAIT_FOR(!signalled.empty());
  g_assert_true(signalled == "opus aac" && property == "opus aac");
  g_assert_true(joined(G_OBJECT(object), "codecs-wanted") == "opus aac");

  g_assert_null(agora_client_get_subscription_codec(object, 8));
  g_assert_true(client.subscribe(8).is_well());
  g_assert_cmpstr(agora_client_get_subscription_codec(object, 8), ==, "opus");
  protocol::Event moved{EventKind::update_url, 8, "rtmp://other"};
  moved.codec = protocol::Codec::aac;
  Gateway::send(gateway.socket(), moved);
  WAIT_FOR(client.was_told("update-url 8 rtmp://other"));
  g_assert_cmpstr(agora_client_get_subscription_codec(object, 8), ==, "aac");
  g_assert_true(client.leave().is_well());
  g_assert_true(joined(G_OBJECT(object), "codecs-wanted") == "none");
  g_assert_null(agora_client_dup_push_urls(object));
  g_object_set(object, "hears", nullptr, nullptr);
  g_assert_true(client.join().is_well());
  g_assert_false(join.hears.has_value());
}

void announced_before_the_answer () {
  Gateway gateway;
  gateway.script = [&] (Gateway::Socket &socket, const protocol::ClientMessage &message) {
    if (std::holds_alternative<protocol::Join>(message.request))
      Gateway::send(socket, protocol::Event{EventKind::stream_added, 8, {}, 0, false});
    return false;
  };
  Client client(gateway.url());
  g_assert_true(client.join().is_well());
  WAIT_FOR(client.was_told("stream-added 8"));
}

void accounts_and_rejoin () {
  Gateway gateway;
  {
    Client client(gateway.url());
    Call call;
    agora_client_join_account_async(client.object, nullptr, "hall", "carol", nullptr, Call::done,
                                    &call);
    g_assert_cmpuint(agora_client_join_account_finish(client.object, call.wait(), nullptr), ==,
                     4711);
    const auto &join = std::get<protocol::Join>(gateway.heard.at(0).request);
    g_assert_true(join.uid == "carol");
    g_assert_cmpint(join.uid_type, ==, 1);
    // Without a goodbye: the gateway sees a socket that is gone.
    agora_client_destroy(client.object);
    g_assert_cmpint(client.state(), ==, AGORA_STATE_IDLE);
    WAIT_FOR(gateway.socket().closed);
    g_assert_cmpint(gateway.count<protocol::Leave>(), ==, 0);
  }
  Client client(gateway.url());
  Call call;
  const guint speakers[] = {8, 9};
  agora_client_rejoin_async(client.object, "007t", "hall", 7, speakers, 2, nullptr, Call::done,
                            &call);
  g_assert_cmpuint(agora_client_rejoin_finish(client.object, call.wait(), nullptr), ==, 7);
  const auto &join = std::get<protocol::Join>(gateway.heard.back().request);
  g_assert_true(join.known_speakers == (std::vector<protocol::Uid>{8, 9}));
  g_assert_true(join.token == "007t");
}

void refusals_reach_the_caller () {
  struct Row {
    Code code;
    const char *reason;
    AgoraError error;
  };
  const Row rows[] = {
      {Code::app_invalid, "no such app", AGORA_ERROR_INVALID_APP},
      {Code::token_expired, "too old", AGORA_ERROR_TOKEN_EXPIRED},
      {Code::token_missing, "needs one", AGORA_ERROR_TOKEN_MISSING},
      {Code::bad_role_or_uid, "uid", AGORA_ERROR_BAD_ROLE_OR_UID},
      {Code::too_many, "full", AGORA_ERROR_TOO_MANY},
      {Code::overloaded, "busy", AGORA_ERROR_SERVICE_LOST},
      {static_cast<Code>(777), "who knows", AGORA_ERROR_INTERNAL},
  };
  for (const Row &row : rows) {
    Gateway gateway;
    gateway.script = [&] (Gateway::Socket &socket, const protocol::ClientMessage &message) {
      Gateway::refuse(socket, message, row.code, row.reason);
      return true;
    };
    Client client(gateway.url());
    Outcome outcome = client.join();
    g_assert_true(outcome.is(row.error));
    g_assert_nonnull(strstr(outcome.text.c_str(), row.reason));
    g_assert_cmpint(client.state(), ==, AGORA_STATE_FAILED);
    // Before a first join nothing is tried twice.
    g_assert_cmpuint(gateway.sockets.size(), ==, 1);
    g_assert_false(client.was_told("AGORA_STATE_RECONNECTING"));
    // It may join again.
    gateway.script = nullptr;
    g_assert_true(client.join().is_well());
  }
}

void nothing_is_sent_for_bad_arguments () {
  Gateway gateway;
  Client client(gateway.url());
  g_assert_true(client.join(nullptr, "").is(AGORA_ERROR_INVALID_ARGUMENT));
  g_assert_true(client.join(nullptr, "null").is(AGORA_ERROR_INVALID_ARGUMENT));
  g_assert_true(
      client.join(nullptr, std::string(129, 'x').c_str()).is(AGORA_ERROR_INVALID_ARGUMENT));
  g_assert_true(client.join(nullptr, "hall", 7, "null").is(AGORA_ERROR_INVALID_ARGUMENT));
  g_assert_true(client.publish().is(AGORA_ERROR_NOT_JOINED));
  g_assert_true(client.leave().is(AGORA_ERROR_NOT_JOINED));
  g_assert_true(gateway.sockets.empty());
  g_assert_true(client.join().is_well());
  g_assert_true(client.join().is(AGORA_ERROR_INVALID_ORDER));
  g_assert_true(client.subscribe(0).is(AGORA_ERROR_INVALID_ARGUMENT));
  g_assert_cmpuint(gateway.heard.size(), ==, 1);
}

void no_gateway_there () {
  Gateway gateway;
  Plain garbage("220 smtp.example ESMTP\r\n\r\n");
  Plain hangs_up("bye");
  guint16 free_port = 0;
  {
    g_autoptr(GSocketListener) listener = g_socket_listener_new();
    free_port = g_socket_listener_add_any_inet_port(listener, nullptr, nullptr);
  }
  std::string refused = "ws://127.0.0.1:" + std::to_string(free_port) + "/api";
  struct Row {
    std::string url;
    AgoraError error;
    const char *says;
  };
  const Row rows[] = {
      {gateway.url("/elsewhere"), AGORA_ERROR_UNREACHABLE, "404"},
      {gateway.url("/page"), AGORA_ERROR_UNREACHABLE, "not a gateway: HTTP 200"},
      {garbage.url(), AGORA_ERROR_UNREACHABLE, "not a gateway"},
      {garbage.url("wss"), AGORA_ERROR_UNREACHABLE, "no secure connection"},
      {hangs_up.url(), AGORA_ERROR_UNREACHABLE, "closed"},
      {refused, AGORA_ERROR_UNREACHABLE, "refused"},
      {"ws://nobody.invalid/api", AGORA_ERROR_UNREACHABLE, "resolved"},
      {"http://127.0.0.1/api", AGORA_ERROR_INVALID_ARGUMENT, "expected a ws:// or wss:// URL"},
      {"nonsense", AGORA_ERROR_INVALID_ARGUMENT, "\"nonsense\""},
      {"ws://", AGORA_ERROR_INVALID_ARGUMENT, "expected"},
  };
  for (const Row &row : rows) {
    Client client(row.url);
    Outcome outcome = client.join();
    g_assert_true(outcome.is(row.error));
    g_assert_nonnull(strstr(outcome.text.c_str(), row.url.c_str()));
    if (strstr(outcome.text.c_str(), row.says) == nullptr)
      g_error("%s: does not say \"%s\"", outcome.text.c_str(), row.says);
  }
}

void choosing_a_server () {
  Gateway gateway;
  Plain hangs_up("bye");
  protocol::ChooseAnswer answer{Code::ok, 815, {}};
  gateway.choice = [&] { return protocol::encode(answer); };
  Client client("ws://nobody.invalid/never-looked-at");
  g_object_set(client.object, "ap-url", gateway.url("/api/v1", "http").c_str(), nullptr);

  answer.servers = {{"x", hangs_up.url()}, {"y", gateway.url()}};
  g_assert_true(client.join().is_well());
  g_assert_true(std::get<protocol::Join>(gateway.heard.at(0).request).vid == "815");
  g_assert_true(client.leave().is_well());

  answer.servers = {{"x", hangs_up.url()}, {"y", gateway.url("/elsewhere")}};
  Outcome outcome = client.join();
  g_assert_true(outcome.is(AGORA_ERROR_UNREACHABLE));
  g_assert_nonnull(strstr(outcome.text.c_str(), hangs_up.url().c_str()));
  g_assert_nonnull(strstr(outcome.text.c_str(), "404"));

  answer.servers.clear();
  g_assert_true(client.join().is(AGORA_ERROR_NO_SERVER));
  answer.code = Code::app_invalid;
  outcome = client.join();
  g_assert_true(outcome.is(AGORA_ERROR_INVALID_APP));
  g_assert_nonnull(strstr(outcome.text.c_str(), "\"app\""));
  gateway.choice = [] { return std::string("<html>"); };
  g_assert_true(client.join().is(AGORA_ERROR_NO_SERVER));
  gateway.choice = [] { return std::string(200'000, '{'); };
  g_assert_true(client.join().is(AGORA_ERROR_NO_SERVER));
  g_object_set(client.object, "ap-url", gateway.url("/elsewhere", "http").c_str(), nullptr);
  g_assert_true(client.join().is(AGORA_ERROR_NO_SERVER));
  g_object_set(client.object, "ap-url", "ftp://x/", nullptr);
  g_assert_true(client.join().is(AGORA_ERROR_INVALID_ARGUMENT));
  g_assert_cmpint(gateway.choices, ==, 6);
}

void trusts_its_authority_alone () {
  g_autofree char *openssl = g_find_program_in_path("openssl");
  if (openssl == nullptr) {
    g_test_skip("openssl is not installed");
    return;
  }
  g_autoptr(GError) error = nullptr;
  g_autofree char *folder = g_dir_make_tmp("agora-test-XXXXXX", &error);
  g_assert_no_error(error);
  std::string key = std::string(folder) + "/key.pem";
  std::string chain = std::string(folder) + "/chain.pem";
  g_autoptr(GSubprocess) made = g_subprocess_new(
      static_cast<GSubprocessFlags>(G_SUBPROCESS_FLAGS_STDOUT_SILENCE |
                                    G_SUBPROCESS_FLAGS_STDERR_SILENCE),
      &error, openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
      "-nodes", "-keyout", key.c_str(), "-out", chain.c_str(), "-subj", "/CN=localhost", "-addext",
      "subjectAltName=IP:127.0.0.1", "-days", "2", nullptr);
  g_assert_no_error(error);
  g_assert_true(g_subprocess_wait_check(made, nullptr, &error));
  g_autoptr(GTlsCertificate) certificate =
      g_tls_certificate_new_from_files(chain.c_str(), key.c_str(), &error);
  g_assert_no_error(error);
  {
    Gateway gateway(certificate);
    Client client(gateway.url("/api", "wss"));
    Outcome outcome = client.join();
    g_assert_true(outcome.is(AGORA_ERROR_UNTRUSTED));
    g_assert_nonnull(strstr(outcome.text.c_str(),
                            "is not trusted here: its issuer, CN=localhost, is no authority"));
    g_object_set(client.object, "ca-file", chain.c_str(), nullptr);
    g_assert_true(client.join().is_well());
    g_assert_true(client.leave().is_well());
    g_object_set(client.object, "ca-file", (chain + ".none").c_str(), nullptr);
    outcome = client.join();
    g_assert_true(outcome.is(AGORA_ERROR_INVALID_ARGUMENT));
    g_assert_nonnull(strstr(outcome.text.c_str(), "chain.pem.none"));
  }
  g_unlink(key.c_str());
  g_unlink(chain.c_str());
  g_rmdir(folder);
}

gpointer in_a_thread (gpointer data) {
  auto *well = static_cast<bool *>(data);
  g_autoptr(GMainContext) context = g_main_context_new();
  g_main_context_push_thread_default(context);
  {
    Gateway gateway;
    gateway.speakers = {8};
    Client client(gateway.url());
    g_assert_true(client.join().is_well());
    WAIT_FOR(client.was_told("stream-added 8"));
    g_assert_true(client.leave().is_well());
    *well = true;
  }
  while (g_main_context_iteration(context, FALSE))
    continue;
  g_main_context_pop_thread_default(context);
  return nullptr;
}

void a_context_of_its_own () {
  bool well[3] = {};
  GThread *threads[3];
  for (int i = 0; i < 3; ++i)
    threads[i] = g_thread_new("member", in_a_thread, &well[i]);
  for (int i = 0; i < 3; ++i) {
    g_thread_join(threads[i]);
    g_assert_true(well[i]);
  }
}

void no_token_in_the_log () {
  std::string log;
  agora_log_set_level(AGORA_LOG_LEVEL_ALL);
  agora_log_set_handler(
      [] (AgoraLogLevel, const char *message, gpointer data) {
        *static_cast<std::string *>(data) += std::string(message) + "\n";
      },
      &log, nullptr);
  {
    Gateway gateway;
    Client client(gateway.url());
    g_assert_true(client.join(nullptr, "hall", 7, "007verysecret").is_well());
    Gateway::send_text(gateway.socket(), "{\"key_vos\":\"007verysecret\"}");
    Gateway::cut(gateway.socket());
    WAIT_FOR(client.was_told("reconnected"));
    g_assert_true(client.leave().is_well());
    Outcome refused = client.join(nullptr, "hall", 7, "007very\nsecret");
    g_assert_true(refused.is(AGORA_ERROR_INVALID_ARGUMENT));
    g_assert_null(strstr(refused.text.c_str(), "secret"));
  }
  agora_log_set_handler(nullptr, nullptr, nullptr);
  agora_log_set_level(AGORA_LOG_LEVEL_NONE);
  g_assert_nonnull(strstr(log.c_str(), "reconnecting"));
  g_assert_nonnull(strstr(log.c_str(), "connecting to ws://"));
  g_assert_null(strstr(log.c_str(), "secret"));
}

void properties_read_back () {
  g_setenv("AGORA_GATEWAY", "ws://from.environment/api", TRUE);
  g_autoptr(AgoraClient) client = agora_client_new(nullptr);
  g_autofree char *gateway = nullptr;
  guint connect = 0;
  guint reconnect = 0;
  AgoraState state = AGORA_STATE_FAILED;
  g_object_get(client, "gateway", &gateway, "connect-timeout", &connect, "reconnect-timeout",
               &reconnect, "state", &state, nullptr);
  g_assert_cmpstr(gateway, ==, "ws://from.environment/api");
  g_assert_cmpuint(connect, ==, 10'000);
  g_assert_cmpuint(reconnect, ==, 1'200);
  g_assert_cmpint(state, ==, AGORA_STATE_IDLE);
  g_assert_null(agora_client_get_channel(client));
  g_unsetenv("AGORA_GATEWAY");
  g_autoptr(AgoraClient) other = agora_client_new(nullptr);
  g_autofree char *fallback = nullptr;
  g_object_get(other, "gateway", &fallback, nullptr);
  g_assert_cmpstr(fallback, ==, "ws://127.0.0.1:8080/api");
}

}  // namespace

static const agora::Suite suite("loopback", [] {
  agora_log_set_level(AGORA_LOG_LEVEL_NONE);
  g_test_add_func("/client/a-whole-life", a_whole_life);
  g_test_add_func("/client/several-codecs", several_codecs);
  g_test_add_func("/client/announced-before-the-answer", announced_before_the_answer);
  g_test_add_func("/client/accounts-and-rejoin", accounts_and_rejoin);
  g_test_add_func("/client/refusals-reach-the-caller", refusals_reach_the_caller);
  g_test_add_func("/client/nothing-sent-for-bad-arguments", nothing_is_sent_for_bad_arguments);
  g_test_add_func("/client/no-gateway-there", no_gateway_there);
  g_test_add_func("/client/choosing-a-server", choosing_a_server);
  g_test_add_func("/client/trusts-its-authority-alone", trusts_its_authority_alone);
  g_test_add_func("/client/a-context-of-its-own", a_context_of_its_own);
  g_test_add_func("/client/no-token-in-the-log", no_token_in_the_log);
  g_test_add_func("/client/properties-read-back", properties_read_back);
});

}  // namespace loopback_test

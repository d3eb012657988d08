// SPDX-License-Identifier: LGPL-2.1-or-later
// What is final is said once and never tried again: a ban, another device with the same uid, an app
// or a token that the gateway doesn't take any more, a gateway that stays away for too long. A host
// and a listener play when it happens; each posts exactly one ERROR, which says which it is.
#include <gio/gio.h>
#include <glib/gstdio.h>
#include <signal.h>

#include "signaling/agora-token.h"
#include "tests/element/channel-rig.hpp"

namespace {

using namespace agora::test;

constexpr guint host_uid = 7;
constexpr const char *certificate = "0123456789abcdef0123456789abcdef";
constexpr const char *other_certificate = "fedcba9876543210fedcba9876543210";
constexpr const char *secret = "a-secret-of-the-test";

std::string member (const GatewayProcess &gateway, const std::string &more = "") {
  const std::string room = in_room(gateway, more);
  return "audiotestsrc is-live=true samplesperbuffer=480 ! agorasink name=host uid=7" + room +
         " agorasrc name=listener level-interval=50000000 uid=8" + room + " ! fakesink sync=true";
}

void play (Pipeline &pipeline) {
  pipeline.set_state(GST_STATE_PLAYING);
  WAIT_UNTIL(pipeline.heard(host_uid));
  pipeline.expect_errors();
}

// Listens where a gateway was: nobody may come.
class Watch {
 public:
  explicit Watch(const std::string &where) : service_(g_socket_service_new()) {
    g_autoptr(GError) error = nullptr;
    g_autoptr(GSocketConnectable) at = g_network_address_parse(where.c_str(), 0, &error);
    g_assert_no_error(error);
    auto *address = G_NETWORK_ADDRESS(at);
    g_autoptr(GSocketAddress) here = g_inet_socket_address_new_from_string(
        g_network_address_get_hostname(address), g_network_address_get_port(address));
    g_socket_listener_add_address(G_SOCKET_LISTENER(service_), here, G_SOCKET_TYPE_STREAM,
                                  G_SOCKET_PROTOCOL_TCP, nullptr, nullptr, &error);
    g_assert_no_error(error);
    g_signal_connect(
        service_, "incoming",
        G_CALLBACK(+[] (GSocketService *, GSocketConnection *, GObject *, Watch *self) -> gboolean {
          self->came++;
          return TRUE;
        }),
        this);
  }
  ~Watch() { g_object_unref(service_); }
  Watch(const Watch &) = delete;
  Watch &operator=(const Watch &) = delete;

  unsigned came = 0;

 private:
  GSocketService *service_;
};

// One ERROR of each element, which matches; and where the gateway was nobody asks again, for longer
// than any pause between two tries in a row begins with.
void assert_final (Pipeline &pipeline, GatewayProcess &gateway, const char *pattern,
                   const std::vector<const char *> &elements = {"host", "listener"}) {
  for (const char *element : elements) {
    WAIT_UNTIL(!pipeline.errors(element).empty());
    const std::string text = pipeline.errors(element).front();
    g_test_message("%s: %s", element, text.c_str());
    if (!g_regex_match_simple(pattern, text.c_str(), G_REGEX_CASELESS, G_REGEX_MATCH_DEFAULT))
      g_error("'%s' doesn't match '%s'", text.c_str(), pattern);
  }
  const std::string where = gateway.http().substr(strlen("http://"));
  gateway.kill();
  Watch watch(where);
  constexpr unsigned tries_ms = 2500;
  let_pass(tries_ms);
  g_assert_cmpuint(watch.came, ==, 0);
  for (const char *element : elements)
    g_assert_cmpuint(pipeline.errors(element).size(), ==, 1);
}

// As an operator does, over HTTP.
void ban (const GatewayProcess &gateway) {
  const std::string where = gateway.http().substr(strlen("http://"));
  const std::string body =
      R"({"appid": "demo", "cname": "room", "time": 60, "privileges": ["join_channel"]})";
  const std::string request =
      "POST /dev/v1/kicking-rule HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
      "Content-Type: application/json\r\nAuthorization: Bearer " +
      std::string(secret) + "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" +
      body;
  g_autoptr(GError) error = nullptr;
  g_autoptr(GSocketClient) client = g_socket_client_new();
  g_autoptr(GSocketConnection) connection =
      g_socket_client_connect_to_host(client, where.c_str(), 80, nullptr, &error);
  g_assert_no_error(error);
  GIOStream *stream = G_IO_STREAM(connection);
  g_output_stream_write_all(g_io_stream_get_output_stream(stream), request.data(), request.size(),
                            nullptr, nullptr, &error);
  g_assert_no_error(error);
  char status[16] = {};
  g_input_stream_read_all(g_io_stream_get_input_stream(stream), status, 12, nullptr, nullptr,
                          &error);
  g_assert_no_error(error);
  g_assert_cmpstr(status, ==, "HTTP/1.1 200");
}

void test_ban () {
  g_autofree char *path = nullptr;
  const int fd = g_file_open_tmp("agora-secret-XXXXXX", &path, nullptr);
  g_assert_cmpint(fd, >=, 0);
  g_close(fd, nullptr);
  g_assert_true(g_file_set_contents(path, secret, -1, nullptr));
  GatewayProcess gateway("demo", {std::string("--admin-token-file=") + path});
  Pipeline pipeline(member(gateway));
  play(pipeline);
  ban(gateway);
  assert_final(pipeline, gateway, "operator .* has removed .*\\. Ask the operator");
  g_unlink(path);
}

void test_replaced () {
  GatewayProcess gateway;
  Pipeline pipeline(member(gateway));
  play(pipeline);
  Pipeline other(member(gateway));
  other.set_state(GST_STATE_PLAYING);
  WAIT_UNTIL(pipeline.errors("host").size() == 1 && pipeline.errors("listener").size() == 1);
  WAIT_UNTIL(other.heard(host_uid));
  other.set_state(GST_STATE_NULL);
  assert_final(pipeline, gateway, "replaced by another device .*choose another uid");
}

// The gateway that comes back on its ports is another one: its word decides.
void test_unknown_app () {
  GatewayProcess gateway;
  Pipeline pipeline(member(gateway));
  play(pipeline);
  gateway.kill();
  gateway.start("else");
  assert_final(pipeline, gateway, "app.*demo.*Set app-id to one");
}

void test_refused_token () {
  GatewayProcess gateway(std::string("demo:") + certificate);
  g_autoptr(GError) error = nullptr;
  g_autofree char *token = agora_token_build(AGORA_TOKEN_KIND_ACCESS_TOKEN_007, "demo", certificate,
                                             "room", "", AGORA_ROLE_BROADCASTER, 3600, &error);
  g_assert_no_error(error);
  Pipeline pipeline(member(gateway, std::string("token=") + token));
  play(pipeline);
  gateway.kill();
  gateway.start(std::string("demo:") + other_certificate);
  assert_final(pipeline, gateway, "token.*Set token to a valid one");
}

void test_away_too_long () {
  GatewayProcess gateway;
  Pipeline pipeline(member(gateway, "reconnect-timeout=2"));
  play(pipeline);
  const gint64 begin = g_get_monotonic_time();
  gateway.kill();
  assert_final(pipeline, gateway, "gave up after .* reconnect-timeout");
  g_assert_cmpint(g_get_monotonic_time() - begin, >, 2 * G_USEC_PER_SEC);
}

}  // namespace

int main (int argc, char **argv) {
  gst_init(&argc, &argv);
  g_test_init(&argc, &argv, nullptr);
  g_test_add_func("/final/ban", test_ban);
  g_test_add_func("/final/replaced", test_replaced);
  g_test_add_func("/final/unknown-app", test_unknown_app);
  g_test_add_func("/final/refused-token", test_refused_token);
  g_test_add_func("/final/away-too-long", test_away_too_long);
  return g_test_run();
}

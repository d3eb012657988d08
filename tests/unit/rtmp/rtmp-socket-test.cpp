// SPDX-License-Identifier: LGPL-2.1-or-later
// The process-wide hook finds the sockets of our RTMP elements, and touches nobody else's: not a
// client with a time-out like ours, in the same process, while ours connects. And one to which no
// media comes ends.
#include "gst/rtmp/rtmp-socket.hpp"

#include <gio/gio.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <atomic>
#include <string>
#include <vector>

#include "gst/common/gst-ptr.hpp"

namespace {

using namespace agora;

// Takes connections on a free port, and says nothing.
class Server {
 public:
  Server() : service_(g_socket_service_new()) {
    port_ = g_socket_listener_add_any_inet_port(G_SOCKET_LISTENER(service_), nullptr, nullptr);
    g_assert_cmpuint(port_, !=, 0);
    g_signal_connect(
        service_, "incoming",
        G_CALLBACK(+[] (GSocketService *, GSocketConnection *one, GObject *, Server *self) {
          self->taken_.emplace_back(G_SOCKET_CONNECTION(g_object_ref(one)));
          return TRUE;
        }),
        this);
  }
  ~Server() {
    g_signal_handlers_disconnect_by_data(service_, this);
    g_object_unref(service_);
  }
  Server(const Server &) = delete;
  Server &operator=(const Server &) = delete;
  guint16 port () const { return port_; }

 private:
  GSocketService *service_;
  std::vector<ObjectPtr<GSocketConnection>> taken_;  // kept: they would be closed
  guint16 port_;
};

int option (GSocket *socket, int level, int name) {
  int value = 0;
  socklen_t size = sizeof(value);
  g_assert_cmpint(getsockopt(g_socket_get_fd(socket), level, name, &value, &size), ==, 0);
  return value;
}

// What a connection has of GLib, before there is anything of ours.
int usual_no_delay;

struct Foreign {
  unsigned events = 0;
  GSocketConnection *connection = nullptr;
  bool over = false;
};

// Connects as any program might, and checks that nothing of it was changed.
void connect_foreign (guint timeout, guint16 port) {
  Foreign foreign;
  g_autoptr(GSocketClient) client = g_socket_client_new();
  g_socket_client_set_timeout(client, timeout);
  g_signal_connect(client, "event",
                   G_CALLBACK(+[] (GSocketClient *, GSocketClientEvent, GSocketConnectable *,
                                   GIOStream *, Foreign *f) { f->events++; }),
                   &foreign);
  g_autoptr(GSocketConnectable) to = g_network_address_new("127.0.0.1", port);
  g_socket_client_connect_async(
      client, to, nullptr,
      [] (GObject *source, GAsyncResult *result, gpointer data) {
        auto *f = static_cast<Foreign *>(data);
        g_autoptr(GError) error = nullptr;
        f->connection = g_socket_client_connect_finish(G_SOCKET_CLIENT(source), result, &error);
        if (error && !g_error_matches(error, G_IO_ERROR, G_IO_ERROR_TIMED_OUT))
          g_assert_no_error(error);
        f->over = true;
      },
      &foreign);
  while (!foreign.over)
    g_main_context_iteration(nullptr, TRUE);
  g_assert_cmpuint(g_socket_client_get_timeout(client), ==, timeout);
  // GLib takes years for no time at all: their milliseconds overflow.
  if (!foreign.connection) {
    g_assert_cmpuint(timeout, >=, 1U << 30);
    g_assert_cmpuint(foreign.events, >=, 3);
    return;
  }
  // Resolving, resolved, connecting, connected, complete.
  g_assert_cmpuint(foreign.events, ==, 5);
  GSocket *socket = g_socket_connection_get_socket(foreign.connection);
  g_assert_cmpuint(g_socket_get_timeout(socket), ==, timeout);
  g_assert_cmpint(option(socket, IPPROTO_TCP, TCP_NODELAY), ==, usual_no_delay);
  g_assert_cmpint(option(socket, IPPROTO_TCP, TCP_USER_TIMEOUT), ==, 0);
  g_assert_cmpint(option(socket, SOL_SOCKET, SO_SNDBUF), >, 16'384);
  g_assert_true(g_socket_is_connected(socket));
  g_object_unref(foreign.connection);
}

void test_foreign () {
  Server ours, theirs;
  g_autoptr(GSocketClient) client = g_socket_client_new();
  g_autoptr(GSocketConnection) plain =
      g_socket_client_connect_to_host(client, "127.0.0.1", theirs.port(), nullptr, nullptr);
  g_assert_nonnull(plain);
  usual_no_delay = option(g_socket_connection_get_socket(plain), IPPROTO_TCP, TCP_NODELAY);
  RtmpSocket socket;
  GstElement *element = gst_element_factory_make("rtmp2src", nullptr);
  g_assert_nonnull(element);
  gst_object_ref_sink(element);
  const std::string url = "rtmp://127.0.0.1:" + std::to_string(ours.port()) + "/live/x";
  g_object_set(element, "location", url.c_str(), nullptr);
  socket.apply(element);
  guint mark = 0;
  g_object_get(element, "timeout", &mark, nullptr);

  connect_foreign(0, theirs.port());
  connect_foreign(7, theirs.port());
  connect_foreign(1U << 30, theirs.port());
  // With our own mark, by the greatest of accidents.
  connect_foreign(mark, theirs.port());
  g_assert_false(socket.sending().has_value());

  // Ours is found none the less.
  g_autoptr(GstBus) bus = gst_bus_new();
  gst_element_set_bus(element, bus);
  gst_element_set_state(element, GST_STATE_PLAYING);
  const gint64 until = g_get_monotonic_time() + 10 * G_TIME_SPAN_SECOND;
  GSource *timer = g_timeout_source_new(5);
  g_source_set_callback(
      timer, [] (gpointer) -> gboolean { return G_SOURCE_CONTINUE; }, nullptr, nullptr);
  g_source_attach(timer, nullptr);
  while (!socket.sending() && g_get_monotonic_time() < until)
    g_main_context_iteration(nullptr, TRUE);
  g_assert_true(socket.sending().has_value());
  // While it is there, and to the same port with the same mark.
  connect_foreign(mark, ours.port());
  g_source_destroy(timer);
  g_source_unref(timer);
  socket.cut();
  gst_element_set_state(element, GST_STATE_NULL);
  // Its messages hold it, and it holds the bus with them.
  gst_element_set_bus(element, nullptr);
  gst_object_unref(element);
}

struct End {
  std::atomic<gint64> at = 0;
  std::atomic<bool> timed_out = false;  // by what GSocketClient has of its own
};

// The element's own thread says that it ended.
GstBusSyncReply note_error (GstBus *, GstMessage *message, gpointer data) {
  auto *end = static_cast<End *>(data);
  if (GST_MESSAGE_TYPE(message) == GST_MESSAGE_ERROR) {
    g_autoptr(GError) error = nullptr;
    g_autofree char *debug = nullptr;
    gst_message_parse_error(message, &error, &debug);
    const std::string timed_out = "code " + std::to_string(G_IO_ERROR_TIMED_OUT);
    end->timed_out = debug && g_str_has_suffix(debug, timed_out.c_str());
    end->at = g_get_monotonic_time();
  }
  gst_message_unref(message);
  return GST_BUS_DROP;
}

// The server takes the connection, and never says a word. Media that came counts, whoever brought
// it: it ends when nothing has come for as long as it may, and not before.
void test_idle () {
  Server frozen;
  LastMedia media = 0;
  End end;
  RtmpSocket socket;
  ObjectPtr<GstElement> element(
      GST_ELEMENT(gst_object_ref_sink(gst_element_factory_make("rtmp2src", nullptr))));
  const std::string url = "rtmp://127.0.0.1:" + std::to_string(frozen.port()) + "/live/x";
  g_object_set(element.get(), "location", url.c_str(), nullptr);
  ObjectPtr<GstBus> bus(gst_bus_new());
  gst_bus_set_sync_handler(bus.get(), note_error, &end, nullptr);
  gst_element_set_bus(element.get(), bus.get());
  socket.apply(element.get(), nullptr, &media);
  const gint64 began = g_get_monotonic_time();
  gst_element_set_state(element.get(), GST_STATE_PLAYING);
  GSource *timer = g_timeout_source_new(20);
  g_source_set_callback(
      timer, [] (gpointer) -> gboolean { return G_SOURCE_CONTINUE; }, nullptr, nullptr);
  g_source_attach(timer, nullptr);
  const gint64 last = began + RtmpSocket::idle_us / 3;
  while (end.at == 0 && g_get_monotonic_time() < began + 4 * RtmpSocket::idle_us) {
    g_main_context_iteration(nullptr, TRUE);
    if (media == 0 && g_get_monotonic_time() > last)
      media = g_get_monotonic_time();
  }
  g_source_destroy(timer);
  g_source_unref(timer);
  g_assert_cmpint(media, !=, 0);
  g_assert_cmpint(end.at, >=, media + RtmpSocket::idle_us);
  g_assert_false(end.timed_out);
  gst_element_set_state(element.get(), GST_STATE_NULL);
  gst_element_set_bus(element.get(), nullptr);
}

}  // namespace

int main (int argc, char **argv) {
  gst_init(&argc, &argv);
  g_test_init(&argc, &argv, nullptr);
  g_test_add_func("/rtmp-socket/foreign", test_foreign);
  g_test_add_func("/rtmp-socket/idle", test_idle);
  return g_test_run();
}

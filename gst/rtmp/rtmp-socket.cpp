// SPDX-License-Identifier: LGPL-2.1-or-later
// How a connection is known: rtmp2sink and rtmp2src give their GSocketClient nothing of ours but a
// time-out, and GSocketClient tells of itself by its signal `event`, of which a process can have an
// emission hook. So the time-out is a mark, and the hook looks for it. It must be ours beyond
// doubt: the mark is random, and only the first client that connects to our host and port with it
// is taken.
//
// The way out. This file can go when rtmp2sink and rtmp2src have
//   - their GSocket, or properties for TCP_NODELAY, SO_SNDBUF and TCP_USER_TIMEOUT,
//   - a property for the certificate database of rtmps, and the flags of a certificate that failed
//     in their error,
//   - what of the sent is acknowledged, in `stats`,
//   - an `idle-timeout` that isn't a timer for each message,
//   - a stop that closes the connection whatever state it is in (see RtmpSocket::cut()).
#include "gst/rtmp/rtmp-socket.hpp"

#include <gio/gio.h>
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "gst/common/gst-ptr.hpp"
#include "gst/common/handoff.hpp"
#include "signaling/agora-error.h"
#include "signaling/support/certificate.hpp"

namespace agora {

namespace {

constexpr int send_buffer_bytes = 4096;
constexpr int unacknowledged_ms = 4000;
// The element's loop has nothing else to do; a machine that is too busy for it isn't waited for.
constexpr auto told_within = std::chrono::milliseconds(50);
// What both elements have by default.
constexpr guint timeout_seconds = 5;
// Half a lifetime in seconds, which nobody asks for.
constexpr guint first_mark = 1U << 30;
constexpr char mark_key[] = "agora-connection";
// Where this process itself stood still, what came meanwhile is read within that.
constexpr gint64 doubt_us = 100 * G_TIME_SPAN_MILLISECOND;

class WeakSocket {
 public:
  WeakSocket() { g_weak_ref_init(&ref_, nullptr); }
  ~WeakSocket() { g_weak_ref_clear(&ref_); }
  WeakSocket(const WeakSocket &) = delete;
  WeakSocket &operator=(const WeakSocket &) = delete;
  void set (GSocket *socket) { g_weak_ref_set(&ref_, socket); }
  ObjectPtr<GSocket> get () {
    return ObjectPtr<GSocket>(static_cast<GSocket *>(g_weak_ref_get(&ref_)));
  }

 private:
  GWeakRef ref_;
};

struct Connection {
  std::string host;  // where its element connects to
  guint port = 0;
  AuthoritiesPtr authorities;
  ErrorPtr refusal;
  bool taken = false;           // its client is known
  ContextPtr context;           // of its element's loop; none before the name is resolved
  std::list<WeakSocket> tried;  // one for each address of the host
  WeakSocket socket;            // the one that it became
  bool trying = false;          // from the start until its element has been told how it went
  bool cut = false;
  const LastMedia *media = nullptr;  // where somebody watches it
  gint64 tried_at = 0;
  bool doubted = false;  // idle, as it seems
};

struct Connections {
  std::mutex mutex;
  std::condition_variable told;
  std::map<guint, Connection> known;  // under mutex, by mark
};

Connections &connections () {
  // Never destroyed: the hook outlives everything.
  static auto *all = new Connections;
  return *all;
}

// That nobody else has, nor could guess.
guint next_mark () {
  return first_mark + static_cast<guint>(g_random_int_range(0, G_MAXINT32) % first_mark);
}

std::optional<Sending> ask (GSocket *socket) {
  const int fd = g_socket_get_fd(socket);
  tcp_info info = {};
  socklen_t size = sizeof(info);
  int waiting = 0;
  if (fd < 0 || getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) != 0 ||
      size < offsetof(tcp_info, tcpi_bytes_received) || ioctl(fd, SIOCOUTQ, &waiting) != 0)
    return std::nullopt;
  // The first byte that counts as taken was no byte, but the connection itself.
  const std::uint64_t taken = info.tcpi_bytes_acked > 0 ? info.tcpi_bytes_acked - 1 : 0;
  return Sending{taken, static_cast<std::uint64_t>(waiting)};
}

// Before the client has a socket: the mark goes over to it, and its time-out becomes what it should
// be.
void take_mark (GSocketClient *client, gpointer to) {
  const guint mark = g_socket_client_get_timeout(client);
  if (mark < first_mark || !G_IS_NETWORK_ADDRESS(to))
    return;
  GNetworkAddress *address = G_NETWORK_ADDRESS(to);
  Connections &all = connections();
  {
    std::lock_guard lock(all.mutex);
    auto it = all.known.find(mark);
    if (it == all.known.end() || it->second.taken ||
        it->second.host != g_network_address_get_hostname(address) ||
        it->second.port != g_network_address_get_port(address))
      return;
    it->second.taken = true;
  }
  g_object_set_data(G_OBJECT(client), mark_key, GUINT_TO_POINTER(mark));
  g_socket_client_set_timeout(client, timeout_seconds);
}

using Sockets = std::vector<ObjectPtr<GSocket>>;

// Given back after the lock is: the last reference closes.
Sockets sockets_of (Connection &mine) {
  Sockets all;
  for (WeakSocket &one : mine.tried)
    all.push_back(one.get());
  all.push_back(mine.socket.get());
  std::erase(all, nullptr);
  return all;
}

void shut (const Sockets &sockets) {
  for (const ObjectPtr<GSocket> &socket : sockets)
    g_socket_shutdown(socket.get(), TRUE, TRUE, nullptr);
}

void look_in (gint64 us, guint mark, GMainContext *context);

// The element's own `idle-timeout` is a timer for each message, which wakes its loop twice more,
// and has both of its threads meet at the loop's lock: 7 % of what a listener of one speaker costs,
// and a fifth of one of sixteen. This one looks once in idle_us. Thread of the element's loop.
gboolean look_whether_idle (gpointer data) noexcept {
  const guint mark = GPOINTER_TO_UINT(data);
  Sockets idle;
  Connections &all = connections();
  {
    std::lock_guard lock(all.mutex);
    const auto it = all.known.find(mark);
    if (it == all.known.end() || it->second.cut)
      return G_SOURCE_REMOVE;
    Connection &mine = it->second;
    const gint64 since = std::max(mine.tried_at, mine.media->load());
    const gint64 left = since + RtmpSocket::idle_us - g_get_monotonic_time();
    const bool sure = std::exchange(mine.doubted, left <= 0);
    // Nor does the next address get a try, which nobody would watch.
    mine.cut = left <= 0 && sure;
    if (mine.cut)
      idle = sockets_of(mine);
    else
      look_in(std::max(left, doubt_us), mark, mine.context.get());
  }
  shut(idle);
  return G_SOURCE_REMOVE;
}

void look_in (gint64 us, guint mark, GMainContext *context) {
  GSource *look = g_timeout_source_new(static_cast<guint>(us / G_TIME_SPAN_MILLISECOND) + 1);
  g_source_set_callback(look, look_whether_idle, GUINT_TO_POINTER(mark), nullptr);
  g_source_attach(look, context);
  g_source_unref(look);
}

void connecting (guint mark, GSocket *socket) {
  Connections &all = connections();
  std::lock_guard lock(all.mutex);
  auto it = all.known.find(mark);
  // Whoever is gone by now had it cut.
  if (it == all.known.end() || it->second.cut) {
    g_socket_close(socket, nullptr);
    return;
  }
  Connection &mine = it->second;
  if (!mine.context) {
    mine.context.reset(g_main_context_ref_thread_default());
    mine.tried_at = g_get_monotonic_time();
    if (mine.media)
      look_in(RtmpSocket::idle_us, mark, mine.context.get());
  }
  mine.tried.emplace_back().set(socket);
}

void connected (guint mark, GSocket *socket) {
  g_socket_set_option(socket, IPPROTO_TCP, TCP_NODELAY, 1, nullptr);
  g_socket_set_option(socket, SOL_SOCKET, SO_SNDBUF, send_buffer_bytes, nullptr);
  g_socket_set_option(socket, IPPROTO_TCP, TCP_USER_TIMEOUT, unacknowledged_ms, nullptr);
  Connections &all = connections();
  std::lock_guard lock(all.mutex);
  auto it = all.known.find(mark);
  if (it == all.known.end() || it->second.cut)
    g_socket_shutdown(socket, TRUE, TRUE, nullptr);
}

// The element's thread. GIO says of a certificate that it is unacceptable, and no more.
gboolean refused (GTlsConnection *, GTlsCertificate *certificate, GTlsCertificateFlags flags,
                  gpointer mark) noexcept {
  Connections &all = connections();
  std::lock_guard lock(all.mutex);
  const auto it = all.known.find(GPOINTER_TO_UINT(mark));
  if (it == all.known.end())
    return FALSE;
  Connection &mine = it->second;
  const std::string why =
      why_untrusted(certificate, flags, mine.host, mine.authorities ? mine.authorities->file : "");
  mine.refusal.reset(
      g_error_new(AGORA_ERROR, AGORA_ERROR_UNTRUSTED,
                  "rtmps://%s:%u: the certificate of the media server is not trusted "
                  "here: %s",
                  mine.host.c_str(), mine.port, why.c_str()));
  return FALSE;
}

// TCP is there, and TLS is about to begin.
void securing (guint mark, GTlsConnection *connection) {
  AuthoritiesPtr authorities;
  {
    Connections &all = connections();
    std::lock_guard lock(all.mutex);
    if (const auto it = all.known.find(mark); it != all.known.end())
      authorities = it->second.authorities;
  }
  if (authorities)
    g_tls_connection_set_database(connection, authorities->database.get());
  g_signal_connect(connection, "accept-certificate", G_CALLBACK(refused), GUINT_TO_POINTER(mark));
}

// Thread of the element's loop, or of whoever lets go of the loop's context.
void told (gpointer mark) noexcept {
  Connections &all = connections();
  std::lock_guard lock(all.mutex);
  auto it = all.known.find(GPOINTER_TO_UINT(mark));
  if (it == all.known.end())
    return;
  it->second.trying = false;
  it->second.tried.clear();
  all.told.notify_all();
}

// The element is told as soon as its loop gets to it, and so before what is less urgent. `socket`:
// nullptr where it failed.
void complete (guint mark, GSocket *socket) {
  GSource *source = g_idle_source_new();
  g_source_set_priority(source, G_PRIORITY_LOW);
  g_source_set_callback(
      source, [] (gpointer) noexcept -> gboolean { return G_SOURCE_REMOVE; },
      GUINT_TO_POINTER(mark), told);
  const ContextPtr context(g_main_context_ref_thread_default());
  g_source_attach(source, context.get());
  g_source_unref(source);
  if (!socket)
    return;
  Connections &all = connections();
  std::lock_guard lock(all.mutex);
  if (auto it = all.known.find(mark); it != all.known.end())
    it->second.socket.set(socket);
}

gboolean on_event (GSignalInvocationHint *, guint n_values, const GValue *values,
                   gpointer) noexcept {
  // (client, event, connectable, connection)
  if (n_values < 4)
    return TRUE;
  auto *client = static_cast<GSocketClient *>(g_value_get_object(&values[0]));
  const int event = g_value_get_enum(&values[1]);
  if (event == G_SOCKET_CLIENT_RESOLVING)
    take_mark(client, g_value_get_object(&values[2]));
  const guint mark = GPOINTER_TO_UINT(g_object_get_data(G_OBJECT(client), mark_key));
  if (!mark)
    return TRUE;
  gpointer connection = g_value_get_object(&values[3]);
  GSocket *socket = G_IS_SOCKET_CONNECTION(connection)
                        ? g_socket_connection_get_socket(G_SOCKET_CONNECTION(connection))
                        : nullptr;
  if (event == G_SOCKET_CLIENT_CONNECTING && socket)
    connecting(mark, socket);
  else if (event == G_SOCKET_CLIENT_CONNECTED && socket)
    connected(mark, socket);
  else if (event == G_SOCKET_CLIENT_TLS_HANDSHAKING && G_IS_TLS_CONNECTION(connection))
    securing(mark, G_TLS_CONNECTION(connection));
  else if (event == G_SOCKET_CLIENT_COMPLETE)
    complete(mark, socket);
  return TRUE;
}

void install_hook () {
  static std::once_flag once;
  std::call_once(once, [] {
    // The class must exist before its signal can be looked up, and must stay.
    g_type_class_ref(G_TYPE_SOCKET_CLIENT);
    g_signal_add_emission_hook(g_signal_lookup("event", G_TYPE_SOCKET_CLIENT), 0, on_event, nullptr,
                               nullptr);
  });
}

}  // namespace

Deadline told_by () {
  return std::chrono::steady_clock::now() + told_within;
}

// Two of 2^30 that are alike are made different.
RtmpSocket::RtmpSocket()
    : mark_([] {
        install_hook();
        Connections &all = connections();
        std::lock_guard lock(all.mutex);
        guint mark = next_mark();
        while (!all.known.try_emplace(mark).second)
          mark = next_mark();
        return mark;
      }()) {
}

RtmpSocket::~RtmpSocket() {
  Connections &all = connections();
  std::unique_lock lock(all.mutex);
  // Let go of without the lock: what its context still holds asks for it.
  const auto mine = all.known.extract(mark_);
  lock.unlock();
}

void RtmpSocket::apply(GstElement *element, AuthoritiesPtr authorities, const LastMedia *media) {
  g_autofree char *host = nullptr;
  g_autofree char *location = nullptr;
  guint port = 0;
  g_object_get(element, "host", &host, "port", &port, "location", &location, nullptr);
  const bool secure = location && g_str_has_prefix(location, "rtmps://");
  ErrorPtr refusal;
  if (secure && !g_tls_backend_supports_tls(g_tls_backend_get_default()))
    refusal.reset(g_error_new(AGORA_ERROR, AGORA_ERROR_UNTRUSTED,
                              "rtmps://%s:%u: this machine has no TLS: it comes with the Debian "
                              "package glib-networking",
                              host, port));
  {
    Connections &all = connections();
    std::lock_guard lock(all.mutex);
    Connection &mine = all.known[mark_];
    mine.host = host ? host : "";
    mine.port = port;
    mine.authorities = std::move(authorities);
    mine.refusal = std::move(refusal);
    mine.trying = true;
    mine.media = media;
  }
  g_object_set(element, "timeout", mark_, nullptr);
}

ErrorPtr RtmpSocket::refusal() const {
  Connections &all = connections();
  std::lock_guard lock(all.mutex);
  const ErrorPtr &refusal = all.known[mark_].refusal;
  return ErrorPtr(refusal ? g_error_copy(refusal.get()) : nullptr);
}

std::optional<Sending> RtmpSocket::sending() const {
  // Given back after the lock is: the last reference closes.
  ObjectPtr<GSocket> socket;
  Connections &all = connections();
  std::lock_guard lock(all.mutex);
  socket = all.known[mark_].socket.get();
  return socket ? ask(socket.get()) : std::nullopt;
}

void RtmpSocket::cut() {
  Connections &all = connections();
  std::lock_guard lock(all.mutex);
  Connection &mine = all.known[mark_];
  if (std::exchange(mine.cut, true) || !mine.context)
    return;
  // By their own thread: another one might do it to a descriptor that is somebody else's by then.
  // Before it ends its loop, and also to one whose peer hasn't answered: it fails at once then.
  GSource *source = g_idle_source_new();
  g_source_set_priority(source, G_PRIORITY_HIGH);
  auto *work =
      new Work([sockets = std::make_shared<Sockets>(sockets_of(mine))] { shut(*sockets); });
  g_source_set_callback(
      source,
      [] (gpointer data) noexcept -> gboolean {
        Work::run(data);
        return G_SOURCE_REMOVE;
      },
      work, Work::discard);
  g_source_attach(source, mine.context.get());
  g_source_unref(source);
}

void RtmpSocket::await_told(Deadline until) {
  Connections &all = connections();
  std::unique_lock lock(all.mutex);
  const Connection &mine = all.known[mark_];
  all.told.wait_until(lock, until, [&] { return !mine.trying; });
}

void set_for_push (GstElement *element) {
  constexpr unsigned chunk_bytes = 4096;
  g_object_set(element, "sync", FALSE, "async", FALSE, "enable-last-sample", FALSE, "qos", FALSE,
               "chunk-size", chunk_bytes, nullptr);
}

guint64 stat_of (GstElement *element, const char *name) {
  GstStructure *stats = nullptr;
  g_object_get(element, "stats", &stats, nullptr);
  guint64 value = 0;
  if (stats) {
    gst_structure_get_uint64(stats, name, &value);
    gst_structure_free(stats);
  }
  return value;
}

}  // namespace agora

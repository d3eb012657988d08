// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/rtmp/rtmp-socket.hpp"

#include <gio/gio.h>
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "gst/common/gst-ptr.hpp"
#include "gst/common/handoff.hpp"

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
  ContextPtr context;           // of its element's loop; none before the name is resolved
  std::list<WeakSocket> tried;  // one for each address of the host
  WeakSocket socket;            // the one that it became
  bool trying = false;          // from the start until its element has been told how it went
  bool cut = false;
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

guint next_mark () {
  static std::atomic<guint> count = 0;
  return first_mark + count++ % first_mark;
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
void take_mark (GSocketClient *client) {
  const guint mark = g_socket_client_get_timeout(client);
  Connections &all = connections();
  std::lock_guard lock(all.mutex);
  if (!all.known.contains(mark))
    return;
  g_object_set_data(G_OBJECT(client), mark_key, GUINT_TO_POINTER(mark));
  g_socket_client_set_timeout(client, timeout_seconds);
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
  if (!it->second.context)
    it->second.context.reset(g_main_context_ref_thread_default());
  it->second.tried.emplace_back().set(socket);
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

// Thread of the element's loop, or of whoever lets go of the loop's context.
void told (gpointer mark) {
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
      source, [] (gpointer) -> gboolean { return G_SOURCE_REMOVE; }, GUINT_TO_POINTER(mark), told);
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

gboolean on_event (GSignalInvocationHint *, guint n_values, const GValue *values, gpointer) {
  // (client, event, connectable, connection)
  if (n_values < 4)
    return TRUE;
  auto *client = static_cast<GSocketClient *>(g_value_get_object(&values[0]));
  const int event = g_value_get_enum(&values[1]);
  if (event == G_SOCKET_CLIENT_RESOLVING)
    take_mark(client);
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

RtmpSocket::RtmpSocket() : mark_(next_mark()) {
  install_hook();
  Connections &all = connections();
  std::lock_guard lock(all.mutex);
  all.known[mark_];
}

RtmpSocket::~RtmpSocket() {
  Connections &all = connections();
  std::unique_lock lock(all.mutex);
  // Let go of without the lock: what its context still holds asks for it.
  const auto mine = all.known.extract(mark_);
  lock.unlock();
}

void RtmpSocket::apply(GstElement *element) {
  {
    Connections &all = connections();
    std::lock_guard lock(all.mutex);
    all.known[mark_].trying = true;
  }
  g_object_set(element, "timeout", mark_, nullptr);
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
  auto sockets = std::make_shared<std::vector<ObjectPtr<GSocket>>>();
  Connections &all = connections();
  std::lock_guard lock(all.mutex);
  Connection &mine = all.known[mark_];
  if (std::exchange(mine.cut, true) || !mine.context)
    return;
  for (WeakSocket &one : mine.tried)
    sockets->push_back(one.get());
  sockets->push_back(mine.socket.get());
  // By their own thread: another one might do it to a descriptor that is somebody else's by then.
  // Before it ends its loop, and also to one whose peer hasn't answered: it fails at once then.
  GSource *source = g_idle_source_new();
  g_source_set_priority(source, G_PRIORITY_HIGH);
  auto *work = new Work([sockets = std::move(sockets)] {
    for (const ObjectPtr<GSocket> &socket : *sockets)
      if (socket)
        g_socket_shutdown(socket.get(), TRUE, TRUE, nullptr);
  });
  g_source_set_callback(
      source,
      [] (gpointer data) -> gboolean {
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

// SPDX-License-Identifier: LGPL-2.1-or-later
#define G_LOG_DOMAIN "agora-gateway"
#include "signaling/gateway/http/acceptor.hpp"

#include <glib-unix.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <list>
#include <map>
#include <mutex>
#include <string_view>
#include <utility>

#include "signaling/gateway/http/http.hpp"
#include "signaling/gateway/http/linger.hpp"
#include "signaling/support/network.hpp"
#include "signaling/support/timer-queue.hpp"

namespace agora::gateway {

namespace {

// Time from accepting a connection to the end of its TLS handshake.
constexpr unsigned handshake_s = 10;
// Time from accepting a connection to its whole request, TLS handshake included. The answer may
// take longer, but not stand still for so long. There is one request a connection: libsoup closes
// those that don't come from its own listener after the first.
constexpr unsigned request_s = 30;
// At a time, so that members' messages are served in between.
constexpr int most_looked_at = 64;
// The same, where each look may be the arithmetic of a handshake.
constexpr int most_handshakes_at_once = 8;
// The kernel's queue has to be emptied faster than a storm of reconnecting members fills it:
// whoever finds it full tries again only after a second.
constexpr int most_at_once = 512;
constexpr unsigned out_of_files_ms = 200;
// Descriptors that no connection gets: for webhooks, files, the media server.
constexpr rlim_t most_reserved = 64;
// Until it is learned anew how many connections there are descriptors for: others may have taken
// them for a while.
constexpr std::int64_t capacity_holds_us = 10 * G_USEC_PER_SEC;
constexpr const char *socket_key = "agora-socket";
constexpr const char *connection_key = "agora-connection";

// Whether these first bytes may be the beginning of a request.
bool may_be_http (std::string_view begin) {
  constexpr std::string_view methods[] = {"GET ",   "HEAD ",    "POST ",  "PUT ",    "DELETE ",
                                          "PATCH ", "OPTIONS ", "TRACE ", "CONNECT "};
  for (auto method : methods) {
    auto size = std::min(method.size(), begin.size());
    if (method.substr(0, size) == begin.substr(0, size))
      return true;
  }
  return false;
}

// Whether a header's name has a blank behind it: libsoup would leave such a header out, and what
// it asks for or forbids would count as not said (RFC 9112, 5.1: to be refused).
bool has_blank_name (std::string_view begin) {
  const auto head = begin.substr(0, begin.find("\r\n\r\n"));
  for (auto at = head.find('\n'); at != std::string_view::npos; at = head.find('\n', at + 1)) {
    const auto line = head.substr(at + 1, head.find('\n', at + 1) - at - 1);
    const auto name = line.substr(0, line.find(':'));
    if (name.size() < line.size() && name.find_first_of(" \t") != std::string_view::npos)
      return true;
  }
  return false;
}

bool watch (int epoll, int fd) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.fd = fd;
  if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == 0)
    return true;
  g_warning("epoll_ctl: %s", g_strerror(errno));
  return false;
}

}  // namespace

struct Acceptor::Book {
  // Guards all of it: libsoup may give up its last reference to a connection on any thread.
  std::mutex lock;
  std::map<std::string, unsigned> counts;  // by networks
  TimerQueue<Connection *> ends;
  std::list<Connection *> strangers;  // the oldest first
  std::size_t open = 0;
};

// What goes with an accepted socket.
struct Acceptor::Connection {
  Connection(std::shared_ptr<Book> kept, std::string from, GSocket *of)
      : book(std::move(kept)), network(std::move(from)) {
    g_weak_ref_init(&socket, of);
    const std::lock_guard guard(book->lock);
    place = book->strangers.insert(book->strangers.end(), this);
    book->open++;
  }
  ~Connection() {
    {
      const std::lock_guard guard(book->lock);
      book->open--;
      book->ends.cancel(this);
      if (stranger)
        book->strangers.erase(place);
      auto found = book->counts.find(network);
      if (--found->second == 0)
        book->counts.erase(found);
    }
    g_weak_ref_clear(&socket);
  }
  Connection(const Connection &) = delete;
  Connection &operator=(const Connection &) = delete;

  static Connection *of (GSocket *socket) {
    return static_cast<Connection *>(g_object_get_data(G_OBJECT(socket), connection_key));
  }

  const std::shared_ptr<Book> book;
  const std::string network;
  const std::int64_t since = g_get_monotonic_time();
  bool stranger = true;
  std::list<Connection *>::iterator place;
  GWeakRef socket{};
};

Acceptor::Acceptor(SoupServer *server, GSocket *socket, TlsIdentity::Ptr identity, Bounds bounds,
                   Opener opener)
    : server_(share(server)),
      socket_(share(socket)),
      identity_(std::move(identity)),
      tls_(identity_ != nullptr),
      bounds_(bounds),
      opener_(std::move(opener)),
      book_(std::make_shared<Book>()),
      epoll_(epoll_create1(EPOLL_CLOEXEC)),
      end_([this] { end_slow(); }),
      again_([this] { start(); }) {
  if (epoll_ < 0)
    g_error("epoll_create1: %s", g_strerror(errno));
  auto *on_request_read =
      +[] (SoupServer *, SoupServerMessage *message, gpointer) { release(socket_of(message)); };
  g_signal_connect(server, "request-read", G_CALLBACK(on_request_read), nullptr);
}

Acceptor::~Acceptor() {
  stop();
  close(epoll_);
}

void Acceptor::start() {
  if (!ready_) {
    auto *source = g_unix_fd_source_new(epoll_, G_IO_IN);
    g_source_set_callback(source, G_SOURCE_FUNC(on_ready), this, nullptr);
    g_source_attach(source, g_main_context_get_thread_default());
    ready_ = SourcePtr(source);
  }
  watch(epoll_, g_socket_get_fd(socket_.get()));
}

void Acceptor::stop() {
  ready_.reset();
  again_.stop();
  end_.stop();
  waiting_.clear();
  g_socket_close(socket_.get(), nullptr);
}

gboolean Acceptor::on_ready(gint, GIOCondition, gpointer data) noexcept {
  auto *self = static_cast<Acceptor *>(data);
  std::array<epoll_event, most_looked_at> events{};
  const int most = self->tls_ ? most_handshakes_at_once : most_looked_at;
  const int count = epoll_wait(self->epoll_, events.data(), most, 0);
  for (int i = 0; i < count; i++) {
    const int fd = events[static_cast<std::size_t>(i)].data.fd;
    if (fd == g_socket_get_fd(self->socket_.get()))
      self->accept();
    else if (self->waiting_.contains(fd))
      self->look(self->forget(fd));
  }
  return G_SOURCE_CONTINUE;
}

void Acceptor::accept() {
  g_socket_set_blocking(socket_.get(), FALSE);
  for (int i = 0; i < most_at_once; i++) {
    g_autoptr(GError) error = nullptr;
    ObjectPtr<GSocket> socket(g_socket_accept(socket_.get(), nullptr, &error));
    if (socket) {
      const auto room = make_room(g_socket_get_fd(socket.get()));
      if (room != Room::none && count_in(socket.get())) {
        if (i < most_looked_at && !tls_)
          look({std::move(socket), nullptr});
        else
          wait({std::move(socket), nullptr});
      }
      // Those that made room end in the next turn of the loop: it goes on here in the one after.
      if (room != Room::free)
        return;
      continue;
    }
    if (!g_error_matches(error, G_IO_ERROR, G_IO_ERROR_WOULD_BLOCK) &&
        !g_error_matches(error, G_IO_ERROR, G_IO_ERROR_CONNECTION_CLOSED)) {
      g_warning("Could not accept a connection: %s", error->message);
      epoll_ctl(epoll_, EPOLL_CTL_DEL, g_socket_get_fd(socket_.get()), nullptr);
      again_.in(out_of_files_ms);
    }
    return;
  }
}

// For a connection whose descriptor is `fd`: it has the lowest number that was free.
Acceptor::Room Acceptor::make_room(int fd) {
  rlimit files{};
  getrlimit(RLIMIT_NOFILE, &files);
  const rlim_t reserve = std::min(most_reserved, files.rlim_cur / 4);
  bool scarce = false;
  ObjectPtr<GSocket> oldest;  // released after the lock, which ~Connection() takes
  {
    const std::lock_guard guard(book_->lock);
    // That this number was the lowest one tells that all below are in use, and so how many
    // connections there is room for beside what else is open.
    const auto now = g_get_monotonic_time();
    if (now >= capacity_until_)
      capacity_ = std::numeric_limits<std::size_t>::max();
    if (static_cast<rlim_t>(fd) + reserve >= files.rlim_cur) {
      capacity_ = std::min(capacity_, book_->open);
      capacity_until_ = now + capacity_holds_us;
    }
    scarce = book_->open >= capacity_;
    if (!scarce && book_->strangers.size() < bounds_.strangers)
      return Room::free;
    if (!book_->strangers.empty()) {
      auto *connection = book_->strangers.front();
      book_->strangers.pop_front();
      connection->stranger = false;
      oldest.reset(static_cast<GSocket *>(g_weak_ref_get(&connection->socket)));
    }
  }
  if (scarce)
    g_warning("Out of file descriptors: of %" G_GUINT64_FORMAT " at most %" G_GUINT64_FORMAT
              " are for connections. For a new one, the oldest that has not joined is closed",
              static_cast<guint64>(files.rlim_cur), static_cast<guint64>(files.rlim_cur - reserve));
  else
    g_warning("%u connections have not joined: for a new one, the oldest is closed",
              bounds_.strangers);
  if (oldest) {
    const int old = g_socket_get_fd(oldest.get());
    shutdown(old, SHUT_RDWR);
    // What libsoup has, it closes when it reads the end.
    if (waiting_.contains(old))
      forget(old);
  }
  // The reserve lends some, for as long as that takes.
  return oldest && static_cast<rlim_t>(fd) + reserve / 2 < files.rlim_cur ? Room::made : Room::none;
}

// Whether there is room for it.
bool Acceptor::count_in(GSocket *socket) {
  const auto address = peer_address(socket);
  // Reset meanwhile.
  if (address.empty())
    return false;
  auto network = network_of(address);
  {
    const std::lock_guard guard(book_->lock);
    auto &count = book_->counts[network];
    if (count >= bounds_.per_address)
      return false;
    count++;
  }
  g_object_set_data_full(G_OBJECT(socket), connection_key,
                         new Connection(book_, std::move(network), socket),
                         [] (gpointer data) noexcept { delete static_cast<Connection *>(data); });
  g_socket_set_timeout(socket, request_s);
  return true;
}

// Closes what is no HTTP at once: libsoup would wait for a whole request until the deadline.
void Acceptor::look(Waiting waiting) {
  if (tls_)
    return look_at_handshake(std::move(waiting));
  auto *socket = waiting.socket.get();
  const int fd = g_socket_get_fd(socket);
  char begin[4096];
  const auto size = recv(fd, begin, sizeof begin, MSG_PEEK | MSG_DONTWAIT);
  const std::string_view seen(begin, static_cast<std::size_t>(std::max<ssize_t>(size, 0)));
  if (size > 0 && may_be_http(seen) && has_blank_name(seen)) {
    g_info("Refused a request with a blank in the name of a header");
    constexpr std::string_view answer =
        "HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
    send(fd, answer.data(), answer.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    linger(fd);
  } else if (size > 0 && may_be_http(seen)) {
    if (!opener_ || !opener_(socket, seen))
      serve(socket, nullptr);
  } else if (size > 0) {
    g_info("Closed a connection that began with something else than HTTP");
    // Unread data would turn the close into a reset.
    recv(fd, begin, sizeof begin, MSG_DONTWAIT);
  } else if (size < 0 && (errno == EAGAIN || errno == EINTR)) {
    wait(std::move(waiting));
  }
}

void Acceptor::look_at_handshake(Waiting waiting) {
  auto *socket = waiting.socket.get();
  if (!waiting.tls)
    waiting.tls = tls_stream_new(socket, identity_);
  switch (tls_stream_handshake(waiting.tls.get())) {
    case TlsStep::more:
      return wait(std::move(waiting));
    case TlsStep::established:
      return serve(socket, waiting.tls.get());
    case TlsStep::failed:
      const auto reason = tls_stream_reason(waiting.tls.get());
      g_info("A TLS handshake failed: %s", reason.empty() ? "the peer went away" : reason.c_str());
      // So that the alert arrives.
      linger(g_socket_get_fd(socket));
      return;
  }
}

// Waits for the next bytes, until the deadline.
void Acceptor::wait(Waiting waiting) {
  const int fd = g_socket_get_fd(waiting.socket.get());
  if (!watch(epoll_, fd))
    return;
  limit(waiting.socket.get(), tls_ ? handshake_s : request_s);
  waiting_[fd] = std::move(waiting);
}

Acceptor::Waiting Acceptor::forget(int fd) {
  epoll_ctl(epoll_, EPOLL_CTL_DEL, fd, nullptr);
  return std::move(waiting_.extract(fd).mapped());
}

// From when it was accepted: further bytes don't move the deadline.
void Acceptor::limit(GSocket *socket, unsigned seconds) {
  auto *connection = Connection::of(socket);
  const std::lock_guard guard(book_->lock);
  book_->ends.set(connection, connection->since + std::int64_t{G_USEC_PER_SEC} * seconds);
  end_.at(*book_->ends.next());
}

void Acceptor::release(GSocket *socket) {
  auto *connection = Connection::of(socket);
  const std::lock_guard guard(connection->book->lock);
  connection->book->ends.cancel(connection);
}

void Acceptor::admit(GSocket *socket) {
  auto *connection = Connection::of(socket);
  const std::lock_guard guard(connection->book->lock);
  if (std::exchange(connection->stranger, false))
    connection->book->strangers.erase(connection->place);
}

// Shuts down the connections whose deadline has passed; we or libsoup then read the end.
void Acceptor::end_slow() {
  const auto now = g_get_monotonic_time();
  for (;;) {
    ObjectPtr<GSocket> socket;  // released after the lock, which ~Connection() may take
    const std::lock_guard guard(book_->lock);
    auto connection = book_->ends.pop(now);
    if (!connection)
      break;
    socket.reset(static_cast<GSocket *>(g_weak_ref_get(&(*connection)->socket)));
    if (socket && shutdown(g_socket_get_fd(socket.get()), SHUT_RDWR) == 0)
      g_info("Closed a connection whose request took too long");
  }
  const std::lock_guard guard(book_->lock);
  if (auto next = book_->ends.next())
    end_.at(*next);
}

// `stream`: with TLS; null without.
void Acceptor::serve(GSocket *socket, GIOStream *stream) {
  ObjectPtr<GSocketAddress> remote(g_socket_get_remote_address(socket, nullptr));
  ObjectPtr<GSocketAddress> local(g_socket_get_local_address(socket, nullptr));
  if (!remote || !local)
    return;
  limit(socket, request_s);
  g_object_set_data_full(G_OBJECT(remote.get()), socket_key, g_object_ref(socket), g_object_unref);
  ObjectPtr<GIOStream> plain;
  if (stream == nullptr) {
    plain.reset(G_IO_STREAM(g_socket_connection_factory_create_connection(socket)));
    stream = plain.get();
  }
  g_autoptr(GError) error = nullptr;
  if (!soup_server_accept_iostream(server_.get(), stream, local.get(), remote.get(), &error))
    g_warning("Could not serve a connection: %s", error->message);
}

GSocket *Acceptor::socket_of(SoupServerMessage *message) {
  return static_cast<GSocket *>(
      g_object_get_data(G_OBJECT(soup_server_message_get_remote_address(message)), socket_key));
}

}  // namespace agora::gateway

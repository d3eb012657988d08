// SPDX-License-Identifier: LGPL-2.1-or-later
#define G_LOG_DOMAIN "agora-gateway"
#include "signaling/gateway/acceptor.hpp"

#include <glib-unix.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <string_view>
#include <utility>

#include "signaling/gateway/http.hpp"
#include "signaling/gateway/network.hpp"

namespace agora::gateway {

namespace {

// A request has to come, and the next one after it, within so many seconds.
constexpr unsigned silence_s = 30;
// New connections get in between what members say, not before it.
constexpr int most_looked_at = 64;
// The kernel's queue has to be emptied faster than a storm of reconnecting members fills it:
// whoever finds it full tries again only after a second.
constexpr int most_at_once = 512;
constexpr unsigned out_of_files_ms = 200;
constexpr const char *socket_key = "agora-socket";

// Whether a request may begin so, as far as it has come.
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

Acceptor::Acceptor(SoupServer *server, GSocket *socket, GTlsCertificate *certificate,
                   unsigned connections_per_address, Opener opener)
    : server_(share(server)),
      socket_(share(socket)),
      connections_per_address_(connections_per_address),
      opener_(std::move(opener)),
      epoll_(epoll_create1(EPOLL_CLOEXEC)),
      end_([this] { end_silent(); }),
      again_([this] { start(); }) {
  if (epoll_ < 0)
    g_error("epoll_create1: %s", g_strerror(errno));
  if (certificate != nullptr)
    certificate_ = share(certificate);
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
  silent_.clear();
  g_socket_close(socket_.get(), nullptr);
}

gboolean Acceptor::on_ready(gint, GIOCondition, gpointer data) {
  auto *self = static_cast<Acceptor *>(data);
  std::array<epoll_event, most_looked_at> events{};
  const int count = epoll_wait(self->epoll_, events.data(), events.size(), 0);
  for (int i = 0; i < count; i++) {
    const int fd = events[static_cast<std::size_t>(i)].data.fd;
    if (fd == g_socket_get_fd(self->socket_.get()))
      self->accept();
    else if (self->silent_.contains(fd))
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
      if (!count_in(socket.get()))
        continue;
      if (i < most_looked_at)
        look(std::move(socket));
      else
        wait(std::move(socket));
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

// Whether there is room for it.
bool Acceptor::count_in(GSocket *socket) {
  const auto address = peer_address(socket);
  // Reset meanwhile.
  if (address.empty())
    return false;
  auto network = network_of(address);
  auto &count = (*counts_)[network];
  if (count >= connections_per_address_)
    return false;
  count++;
  struct Leave {
    std::shared_ptr<Counts> counts;
    std::string network;
    ~Leave() {
      auto found = counts->find(network);
      if (--found->second == 0)
        counts->erase(found);
    }
  };
  g_object_set_data_full(G_OBJECT(socket), "agora-leave", new Leave{counts_, std::move(network)},
                         [] (gpointer data) { delete static_cast<Leave *>(data); });
  g_socket_set_timeout(socket, silence_s);
  return true;
}

// libsoup would wait for a whole request of whoever says something else, until the time is over.
void Acceptor::look(ObjectPtr<GSocket> socket) {
  // What isn't TLS is refused by TLS itself.
  if (certificate_)
    return serve(socket.get());
  const int fd = g_socket_get_fd(socket.get());
  char begin[4096];
  const auto size = recv(fd, begin, sizeof begin, MSG_PEEK | MSG_DONTWAIT);
  const std::string_view seen(begin, static_cast<std::size_t>(std::max<ssize_t>(size, 0)));
  if (size > 0 && may_be_http(seen)) {
    if (!opener_ || !opener_(socket.get(), seen))
      serve(socket.get());
  } else if (size > 0) {
    g_info("Closed a connection that began with something else than HTTP");
    // What stays unread would make the end a reset.
    recv(fd, begin, sizeof begin, MSG_DONTWAIT);
  } else if (size < 0 && (errno == EAGAIN || errno == EINTR)) {
    wait(std::move(socket));
  }
}

// For its first bytes, but not for ever.
void Acceptor::wait(ObjectPtr<GSocket> socket) {
  const int fd = g_socket_get_fd(socket.get());
  if (!watch(epoll_, fd))
    return;
  silent_[fd] = std::move(socket);
  ends_.set(fd, g_get_monotonic_time() + std::int64_t{G_USEC_PER_SEC} * silence_s);
  end_.at(*ends_.next());
}

ObjectPtr<GSocket> Acceptor::forget(int fd) {
  epoll_ctl(epoll_, EPOLL_CTL_DEL, fd, nullptr);
  ends_.cancel(fd);
  return std::move(silent_.extract(fd).mapped());
}

void Acceptor::end_silent() {
  while (auto fd = ends_.pop(g_get_monotonic_time()))
    forget(*fd);
  if (auto next = ends_.next())
    end_.at(*next);
}

void Acceptor::serve(GSocket *socket) {
  ObjectPtr<GSocketAddress> remote(g_socket_get_remote_address(socket, nullptr));
  ObjectPtr<GSocketAddress> local(g_socket_get_local_address(socket, nullptr));
  if (!remote || !local)
    return;
  g_object_set_data_full(G_OBJECT(remote.get()), socket_key, g_object_ref(socket), g_object_unref);
  ObjectPtr<GIOStream> stream(G_IO_STREAM(g_socket_connection_factory_create_connection(socket)));
  g_autoptr(GError) error = nullptr;
  if (certificate_)
    stream.reset(g_tls_server_connection_new(stream.get(), certificate_.get(), &error));
  if (!stream ||
      !soup_server_accept_iostream(server_.get(), stream.get(), local.get(), remote.get(), &error))
    g_warning("Could not serve a connection: %s", error->message);
}

GSocket *Acceptor::socket_of(SoupServerMessage *message) {
  return static_cast<GSocket *>(
      g_object_get_data(G_OBJECT(soup_server_message_get_remote_address(message)), socket_key));
}

}  // namespace agora::gateway

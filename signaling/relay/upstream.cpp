// SPDX-License-Identifier: LGPL-2.1-or-later
#include "signaling/relay/upstream.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "signaling/relay/server.hpp"

namespace agora::relay {

namespace {

constexpr std::int64_t pull_ping_ms = 500;
// Without a word of the origin for so long, it is gone: before the play is accepted, and after.
// With the second attempt (Pulls), listeners are told within 3 s.
constexpr std::int64_t pull_opening_ms = 1100;
constexpr std::int64_t mute_ms = 1500;

}  // namespace

Upstream::Upstream(Server &server, Owner &owner, Descriptor socket, rtmp::Target target,
                   std::unique_ptr<Tls> tls)
    : server_(server),
      owner_(owner),
      socket_(std::move(socket)),
      tls_(std::move(tls)),
      player_(server.rtmp_limits(), std::move(target), draw_seed(),
              static_cast<std::uint32_t>(server.now())),
      heard_(server.now()) {
  const int yes = 1;
  // Fails, without harm, for a socket that is none of TCP.
  setsockopt(socket_.get(), IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
  unsent_ = player_.take_output();
}

Upstream::~Upstream() {
  end();
}

// Tells by EPOLLOUT that it is connected.
bool Upstream::start() {
  return server_.poller().add(socket_.get(), EPOLLIN | EPOLLOUT, *this);
}

void Upstream::end() {
  if (ended())
    return;
  server_.poller().remove(socket_.get());
  socket_ = Descriptor();
}

void Upstream::fail(const std::string &reason) {
  end();
  owner_.on_ended(reason);
}

std::string Upstream::socket_error() const {
  int code = 0;
  socklen_t size = sizeof code;
  getsockopt(socket_.get(), SOL_SOCKET, SO_ERROR, &code, &size);
  return code != 0 ? strerrordesc_np(code) : "closed by the origin";
}

void Upstream::on_ready(std::uint32_t events) {
  if (ended())
    return;
  if (events & EPOLLERR) {
    fail(socket_error());
    return;
  }
  if (events & EPOLLOUT)
    write();
  if (!ended() && (events & (EPOLLIN | EPOLLHUP)))
    read();
}

void Upstream::read() {
  // As of those who connect: the rest of them is for the loop's next turn.
  if (tls_ && !tls_->established() && !server_.take_handshake())
    return;
  const auto buffer = server_.read_buffer();
  const ssize_t size = recv(socket_.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
  if (size < 0 && (errno == EAGAIN || errno == EINTR))
    return;
  if (size <= 0) {
    fail(size == 0 ? "closed by the origin" : strerrordesc_np(errno));
    return;
  }
  heard_ = server_.now();
  server_.counters.bytes_in += static_cast<std::uint64_t>(size);
  const bool kept = feed({buffer.data(), static_cast<std::size_t>(size)});
  owner_.on_read();
  if (!kept || !good_) {
    fail(kept ? "the origin sends more than a push may" : player_.reason());
    return;
  }
  write();
  if (!ended() && tls_ && tls_->over())
    fail(tls_->reason().empty() ? "closed by the origin" : "TLS: " + tls_->reason());
}

bool Upstream::feed(rtmp::Bytes bytes) {
  if (!tls_)
    return player_.feed(bytes, *this);
  std::array<std::uint8_t, Tls::record_bytes> plaintext;
  tls_->feed(bytes);
  while (const std::size_t size = tls_->read(plaintext))
    if (!player_.feed({plaintext.data(), size}, *this))
      return false;
  return true;
}

// Whether there is more ciphertext to send by now.
bool Upstream::seal() {
  const rtmp::Bytes all(reinterpret_cast<const std::uint8_t *>(unsent_.data()), unsent_.size());
  const std::size_t taken = tls_ ? tls_->write(all) : 0;
  unsent_.erase(0, taken);
  return taken > 0;
}

// Little is ever to be said, so that what waits is bounded by what the player itself allows.
void Upstream::write() {
  unsent_ += player_.take_output();
  while (!outgoing().empty() || seal()) {
    const std::string_view bytes = outgoing();
    const ssize_t size =
        send(socket_.get(), bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (size < 0 && errno == EINTR)
      continue;
    if (size < 0 && errno == EAGAIN)
      break;
    if (size < 0) {
      fail(strerrordesc_np(errno));
      return;
    }
    server_.counters.bytes_out += static_cast<std::uint64_t>(size);
    if (tls_)
      tls_->sent(static_cast<std::size_t>(size));
    else
      unsent_.erase(0, static_cast<std::size_t>(size));
  }
  if (unsent_.size() > server_.rtmp_limits().output_bytes) {
    fail("the origin reads none of its answers");
    return;
  }
  const bool wanted = !outgoing().empty();
  if (std::exchange(watching_write_, wanted) != wanted)
    server_.poller().change(socket_.get(), wanted ? EPOLLIN | EPOLLOUT : EPOLLIN, *this);
}

void Upstream::tick() {
  if (ended())
    return;
  const std::int64_t now = server_.now();
  if (now - heard_ > (player_.playing() ? mute_ms : pull_opening_ms)) {
    fail("the origin says nothing");
    return;
  }
  if (!player_.playing() || now < next_ping_)
    return;
  next_ping_ = now + pull_ping_ms;
  player_.ping(static_cast<std::uint32_t>(now));
  write();
}

void Upstream::stood_still() {
  heard_ = server_.now();
}

}  // namespace agora::relay

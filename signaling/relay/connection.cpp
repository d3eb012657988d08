// SPDX-License-Identifier: LGPL-2.1-or-later
#include "signaling/relay/connection.hpp"

#include <netdb.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <utility>

#include "signaling/relay/server.hpp"
#include "signaling/support/network.hpp"

namespace agora::relay {

namespace {

using relay_line::Refusal;
using relay_line::Side;

// A play calls its stream by a number up to this: listeners that call it the same share each
// message. Whoever makes that many streams connects anew.
constexpr std::uint32_t most_play_stream = 32;

// Each publish or play is work for the gateway, and each push that begins or ends a word to all
// of its listeners.
constexpr unsigned asks_a_second = 2;
constexpr unsigned most_asks_at_once = 20;

// The shortest time from one frame to the next that players expect.
constexpr std::uint32_t one_frame_ms = 20;

}  // namespace

void PlaySession::send(std::span<const PacketRef> packets) {
  if (steady)
    connection.note_time(*this, packets.back()->timestamp);
  connection.send(*this, packets);
}

std::optional<std::uint32_t> PlaySession::own_time() const {
  if (!steady)
    return {};
  return connection.time_of(*this);
}
void PlaySession::push_began() {
  connection.push_began(*this);
}
void PlaySession::push_ended(bool discard) {
  connection.push_ended(*this, discard);
}

void Connection::note_time(PlaySession &of, std::uint32_t time) const {
  if (of.began_ms == 0)
    of.began_ms = server_.now();
  of.last_time = time;
}

// What comes next is after what went, whatever clock that was by.
std::uint32_t Connection::time_of(const PlaySession &of) const {
  if (of.began_ms == 0)
    return 0;
  const auto passed = static_cast<std::uint32_t>(server_.now() - of.began_ms);
  const std::uint32_t least = of.last_time + one_frame_ms;
  return static_cast<std::int32_t>(passed - least) > 0 ? passed : least;
}

Connection::Connection(Server &server, int fd, const TlsIdentity::Ptr &identity, bool guest)
    : server_(server),
      fd_(fd),
      guest_(guest),
      tls_(identity ? std::make_unique<Tls>(identity) : nullptr),
      session_(server.rtmp_limits(), draw_seed(), static_cast<std::uint32_t>(server.now())),
      asks_(asks_a_second, most_asks_at_once) {
  place_.owner = this;
}

Connection::~Connection() {
  if (fd_ >= 0)
    close(fd_);
}

bool Connection::start() {
  watched_ = wanted_events();
  return server_.poller().add(fd_, watched_, *this);
}

std::string Connection::address() const {
  sockaddr_storage peer{};
  socklen_t size = sizeof peer;
  std::array<char, NI_MAXHOST> text{};
  if (getpeername(fd_, reinterpret_cast<sockaddr *>(&peer), &size) != 0 ||
      getnameinfo(reinterpret_cast<sockaddr *>(&peer), size, text.data(), text.size(), nullptr, 0,
                  NI_NUMERICHOST) != 0)
    return "?";
  return plain_address(text.data());
}

void Connection::on_ready(std::uint32_t events) {
  if (ended() || doomed_)
    return;
  if (events & EPOLLOUT)
    flush();
  if (ended() || doomed_ || !(events & ~EPOLLOUT))
    return;
  if (!(events & EPOLLIN)) {
    end();
    return;
  }
  const bool all = read() && !(events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR));
  if (!all && !ended() && !doomed_ && (watched_ & EPOLLET))
    server_.poller().change(fd_, watched_, *this);
}

// Whether all was read that was there. Only then a new event comes by itself (EPOLLET).
bool Connection::read() {
  // A handshake costs as much as a thousand frames. The rest of them is for the loop's next turn.
  if (tls_ && !tls_->established() && !server_.take_handshake())
    return false;
  const auto buffer = server_.read_buffer();
  const ssize_t size = recv(fd_, buffer.data(), buffer.size(), MSG_DONTWAIT);
  if (size < 0 && (errno == EAGAIN || errno == EINTR))
    return errno == EAGAIN;
  if (size <= 0) {
    end();
    return true;
  }
  server_.counters.bytes_in += static_cast<std::uint64_t>(size);
  const rtmp::Bytes bytes(buffer.data(), static_cast<std::size_t>(size));
  if (tls_)
    read_tls(bytes);
  else
    feed(bytes);
  return bytes.size() < buffer.size();
}

void Connection::read_tls(rtmp::Bytes ciphertext) {
  std::array<std::uint8_t, Tls::record_bytes> plaintext;
  tls_->feed(ciphertext);
  while (const std::size_t size = tls_->read(plaintext)) {
    feed({plaintext.data(), size});
    if (ended() || doomed_)
      return;
  }
  // The handshake's part, or an alert.
  flush();
  if (ended() || doomed_ || !tls_->over())
    return;
  if (!tls_->established())
    server_.refused(Refusal::tls, *this, tls_->reason());
  end();
}

void Connection::feed(rtmp::Bytes bytes) {
  // Of one that is refused nothing more is wanted. It is read so that its kernel doesn't throw the
  // refusal away.
  if (finishing_)
    return;
  const bool good = session_.feed(bytes, *this);
  if (doomed_)
    return;
  for (auto &session : media_)
    if (session->admitted && session->side == Side::push)
      server_.hub().flush(static_cast<PushSession &>(*session));
  write_answers();
  if (!good) {
    server_.refused(Refusal::protocol, *this, session_.reason());
    end();
    return;
  }
  watch();
}

// While a publish or play waits for its answer nothing is read, but the end is to be noticed.
// Nearly always a connection only reads. Told of what is new alone (EPOLLET), the kernel needn't
// look at a socket once more to find that nothing is left: 3 % of the work for many pushes.
std::uint32_t Connection::wanted_events() const {
  std::uint32_t wanted = session_.waiting() && !finishing_ ? EPOLLRDHUP : EPOLLIN;
  if ((!queue_.empty() && !still_) || (tls_ && !tls_->output().empty()))
    wanted |= EPOLLOUT;
  return wanted == EPOLLIN && !tls_ ? EPOLLIN | EPOLLRDHUP | EPOLLET : wanted;
}

void Connection::watch() {
  if (ended())
    return;
  const std::uint32_t wanted = wanted_events();
  if (std::exchange(watched_, wanted) != wanted)
    server_.poller().change(fd_, wanted, *this);
}

void Connection::on_publish(const rtmp::Opened &opened) {
  open(std::make_unique<PushSession>(*this, server_.next_number(), opened.stream, opened.name,
                                     server_.now()),
       opened);
}

void Connection::on_play(const rtmp::Opened &opened) {
  open(std::make_unique<PlaySession>(*this, server_.next_number(), opened.stream, opened.name),
       opened);
}

void Connection::open(std::unique_ptr<MediaSession> session, const rtmp::Opened &opened) {
  if (finishing_)
    return;
  media_.push_back(std::move(session));
  if (media_.back()->side == Side::play && opened.stream > most_play_stream) {
    refuse(*media_.back(), nullptr, "too many streams of one connection; connect anew");
    return;
  }
  if (!asks_.take(server_.now())) {
    refuse(*media_.back(), nullptr, "too many publishes and plays of one connection; connect anew");
    return;
  }
  server_.admission().asks(place_, server_.now());
  if (!server_.ask(*media_.back(), opened))
    refuse(*media_.back(), nullptr, "not a name of this server");
}

std::size_t Connection::index_of(std::uint32_t stream) const {
  std::size_t i = 0;
  while (i < media_.size() && media_[i]->stream != stream)
    i++;
  return i;
}

PlaySession *Connection::play_of(std::uint32_t stream) const {
  const std::size_t i = index_of(stream);
  return i < media_.size() && media_[i]->side == Side::play && media_[i]->admitted
             ? static_cast<PlaySession *>(media_[i].get())
             : nullptr;
}

void Connection::on_media(std::uint32_t stream, const rtmp::MediaMessage &message) {
  const std::size_t i = index_of(stream);
  if (i == media_.size() || media_[i]->side != Side::push || !media_[i]->admitted || doomed_)
    return;
  auto &push = static_cast<PushSession &>(*media_[i]);
  push.heard_ms = server_.now();
  if (!push.rate.charge(message.payload.size(), server_.limits().push_kbps, push.heard_ms)) {
    server_.refused(
        Refusal::rate, *this,
        "a push sends more than " + std::to_string(server_.limits().push_kbps) + " kbit/s");
    server_.doom(*this);
    return;
  }
  server_.hub().message(push, message);
}

void Connection::on_closed(std::uint32_t stream) {
  const std::size_t i = index_of(stream);
  if (i < media_.size())
    forget(i, false);
  for (const auto &session : media_)
    if (session->admitted)
      return;
  server_.admission().idle(place_, server_.now());
}

void Connection::on_pause(std::uint32_t stream, bool paused) {
  PlaySession *play = play_of(stream);
  if (play == nullptr || play->paused == paused)
    return;
  play->paused = paused;
  // Headers may have changed meanwhile, so it begins anew.
  server_.hub().leave(*play);
  // The end of a push reaches none that has paused: what is unsent of it would be heard later.
  if (paused)
    lost(queue_.clear_media(stream));
  else
    server_.hub().play(play->name, *play);
}

void Connection::on_pong(std::uint32_t) {
  answers_pings_ = true;
  pinged_ = 0;
  if (std::exchange(still_, false))
    flush();
}

void Connection::on_receive_audio(std::uint32_t stream, bool wanted) {
  if (PlaySession *play = play_of(stream))
    play->no_audio = !wanted;
}

void Connection::on_receive_video(std::uint32_t stream, bool wanted) {
  PlaySession *play = play_of(stream);
  if (play == nullptr)
    return;
  play->no_video = !wanted;
  if (wanted)
    play->lost_video();
}

void Connection::answer(MediaSession &session, bool allow, const std::string &reason) {
  if (allow && session.side == Side::push)
    server_.pulls().yield(session.name);
  if (!allow) {
    server_.refused(Refusal::denied, *this, reason);
    refuse(session, nullptr, reason);
  } else if (session.side == Side::push &&
             !server_.hub().publish(session.name, static_cast<PushSession &>(session))) {
    server_.done(session);
    refuse(session, "NetStream.Publish.BadName", "Already publishing");
  } else {
    session.admitted = true;
    server_.admitted(session);
    server_.admission().admitted(place_);
    session_.accept(session.stream);
    write_answers();
    if (session.side == Side::play)
      server_.hub().play(session.name, static_cast<PlaySession &>(session));
  }
  if (!ended() && !doomed_ && !finishing_)
    feed({});
}

// The peer is told, and the connection ends.
void Connection::refuse(MediaSession &session, const char *code, const std::string &text) {
  if (code == nullptr)
    code = session.side == Side::push ? "NetStream.Publish.Denied" : "NetStream.Play.Failed";
  const std::uint32_t stream = session.stream;
  media_.erase(media_.begin() + static_cast<std::ptrdiff_t>(index_of(stream)));
  // Nothing may come behind the end that flush() sends.
  while (!media_.empty())
    forget(media_.size() - 1, false);
  finishing_ = true;
  server_.admission().idle(place_, server_.now());
  session_.refuse(stream, code, text);
  write_answers();
  flush();
}

void Connection::forget(std::size_t index, bool discard) {
  const std::unique_ptr<MediaSession> session = std::move(media_[index]);
  media_.erase(media_.begin() + static_cast<std::ptrdiff_t>(index));
  if (session->admitted && session->side == Side::push)
    server_.hub().unpublish(static_cast<PushSession &>(*session), discard);
  if (session->side == Side::play)
    server_.hub().leave(static_cast<PlaySession &>(*session));
  server_.done(*session);
}

void Connection::end(bool discard) {
  if (ended())
    return;
  server_.poller().remove(fd_);
  close(std::exchange(fd_, -1));
  while (!media_.empty())
    forget(media_.size() - 1, discard);
  queue_ = SendQueue();
  server_.bury(*this);
}

}  // namespace agora::relay

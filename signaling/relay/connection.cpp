// SPDX-License-Identifier: LGPL-2.1-or-later
#include "signaling/relay/connection.hpp"

#include <linux/sockios.h>
#include <netdb.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/uio.h>
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

// Packets in one write.
constexpr std::size_t most_at_once = 256;
// Only what is well below a packet is held.
constexpr std::size_t most_held = 1024;
// How often a player is pinged, and how long one that is known to answer may take.
constexpr std::int64_t ping_ms = 1000;
constexpr std::int64_t still_ms = 1500;
constexpr std::int64_t most_still_ms = 90'000;  // then it is gone
// Plaintext of one TLS record: what is sealed can't be left out any more. 0.7 s of a voice.
constexpr std::size_t most_record_bytes = 4096;

// A play calls its stream by a number up to this: listeners that call it the same share each
// message. Whoever makes that many streams connects anew.
constexpr std::uint32_t most_play_stream = 32;

// Each publish or play is work for the gateway, and each push that begins or ends a word to all
// of its listeners.
constexpr unsigned asks_a_second = 2;
constexpr unsigned most_asks_at_once = 20;

std::uint64_t draw_seed () {
  std::uint64_t seed = 0;
  // Nothing depends on it: it only fills the handshake.
  if (getrandom(&seed, sizeof seed, GRND_NONBLOCK) != sizeof seed)
    seed = static_cast<std::uint64_t>(monotonic_ms());
  return seed;
}

}  // namespace

void PlaySession::send(std::span<const PacketRef> packets) {
  connection.send(*this, packets);
}
void PlaySession::push_began() {
  connection.push_began(*this);
}
void PlaySession::push_ended(bool discard) {
  connection.push_ended(*this, discard);
}

Connection::Connection(Server &server, int fd, const TlsIdentity::Ptr &identity)
    : server_(server),
      fd_(fd),
      tls_(identity ? std::make_unique<Tls>(identity) : nullptr),
      session_(server.rtmp_limits(), draw_seed(), static_cast<std::uint32_t>(server.now())),
      asks_(asks_a_second, most_asks_at_once) {
  place.owner = this;
}

Connection::~Connection() {
  if (fd_ >= 0)
    close(fd_);
}

bool Connection::start() {
  watched_ = EPOLLIN;
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
  if (ended() || doomed)
    return;
  if (events & EPOLLOUT)
    flush();
  if (ended() || doomed || !(events & ~EPOLLOUT))
    return;
  if (events & EPOLLIN)
    read();
  else
    end();
}

void Connection::read() {
  // A handshake costs as much as a thousand frames. The rest of them is for the loop's next turn.
  if (tls_ && !tls_->established() && !server_.take_handshake())
    return;
  const auto buffer = server_.read_buffer();
  const ssize_t size = recv(fd_, buffer.data(), buffer.size(), MSG_DONTWAIT);
  if (size < 0 && (errno == EAGAIN || errno == EINTR))
    return;
  if (size <= 0) {
    end();
    return;
  }
  server_.counters.bytes_in += static_cast<std::uint64_t>(size);
  const rtmp::Bytes bytes(buffer.data(), static_cast<std::size_t>(size));
  if (tls_)
    read_tls(bytes);
  else
    feed(bytes);
}

void Connection::read_tls(rtmp::Bytes ciphertext) {
  std::array<std::uint8_t, Tls::record_bytes> plaintext;
  tls_->feed(ciphertext);
  while (const std::size_t size = tls_->read(plaintext)) {
    feed({plaintext.data(), size});
    if (ended() || doomed)
      return;
  }
  // The handshake's part, or an alert.
  flush();
  if (ended() || doomed || !tls_->over())
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
  if (doomed)
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
void Connection::watch() {
  if (ended())
    return;
  std::uint32_t wanted = session_.waiting() && !finishing_ ? EPOLLRDHUP : EPOLLIN;
  if ((!queue_.empty() && !held_ && !still_) || (tls_ && !tls_->output().empty()))
    wanted |= EPOLLOUT;
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
  server_.admission().asks(place, server_.now());
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
  if (i == media_.size() || media_[i]->side != Side::push || !media_[i]->admitted || doomed)
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
  server_.admission().idle(place, server_.now());
}

void Connection::on_pause(std::uint32_t stream, bool paused) {
  PlaySession *play = play_of(stream);
  if (play == nullptr || play->paused == paused)
    return;
  play->paused = paused;
  // Headers may have changed meanwhile, so it begins anew.
  server_.hub().leave(*play);
  if (!paused)
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
    server_.admission().admitted(place);
    session_.accept(session.stream);
    write_answers();
    if (session.side == Side::play)
      server_.hub().play(session.name, static_cast<PlaySession &>(session));
  }
  if (!ended() && !doomed && !finishing_)
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
  server_.admission().idle(place, server_.now());
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

void Connection::push_began(PlaySession &to) {
  session_.push_began(to.stream);
  write_answers();
}

void Connection::push_ended(PlaySession &to, bool discard) {
  if (ended() || doomed)
    return;
  // What comes next begins anew.
  if (discard)
    lost(queue_.clear_media(to.stream));
  session_.push_ended(to.stream);
  write_answers();
}

void Connection::write_answers() {
  if (!session_.has_output())
    return;
  std::string answers = session_.take_output();
  if (ended() || doomed)
    return;
  const PacketRef packet = PacketRef::make(std::move(answers), MediaKind::control);
  queue({&packet, 1});
}

void Connection::send(PlaySession &to, std::span<const PacketRef> packets) {
  if (ended() || doomed || to.paused)
    return;
  ask_whether_it_reads();
  if (!to.no_audio && !to.no_video) {
    if (!hold(packets))
      queue(packets);
    return;
  }
  std::vector<PacketRef> wanted;
  for (const PacketRef &packet : packets)
    if (!(to.no_audio && packet->kind == MediaKind::audio) &&
        !(to.no_video &&
          (packet->kind == MediaKind::video || packet->kind == MediaKind::video_key)))
      wanted.push_back(packet);
  if (!wanted.empty())
    queue(wanted);
}

bool Connection::unacknowledged() const {
  int bytes = 0;
  return ioctl(fd_, SIOCOUTQ, &bytes) == 0 && bytes > 0;
}

// In a crowd each packet counts. A listener that hasn't acknowledged the last one yet, because its
// way is long or it doesn't read at once, gets two frames in the next.
bool Connection::hold(std::span<const PacketRef> packets) {
  if (!server_.crowded() || !queue_.empty() || tls_ || still_)
    return false;
  std::size_t size = 0;
  for (const PacketRef &packet : packets)
    size += packet->bytes.size();
  if (size > most_held || !unacknowledged())
    return false;
  for (const PacketRef &packet : packets)
    queue_.push(packet);
  held_ = true;
  server_.hold(*this);
  return true;
}

void Connection::release() {
  if (std::exchange(held_, false) && !ended() && !doomed)
    flush();
}

// A player's kernel takes ten seconds of voice and more for a program that stands still, and the
// program hears all of that when it goes on. So players are asked, behind the sound, whether they
// have read it. While one owes the answer, its sound waits here, where the oldest can be left out.
void Connection::ask_whether_it_reads() {
  const std::int64_t now = server_.now();
  if (pinged_ != 0) {
    still_ = answers_pings_ && now - pinged_ > still_ms;
    if (still_ && now - pinged_ > most_still_ms)
      server_.doom(*this);
    return;
  }
  // Behind sound that waits here it would be late by our own doing.
  if (now < next_ping_ || !queue_.empty())
    return;
  pinged_ = now;
  next_ping_ = now + ping_ms;
  session_.ping(static_cast<std::uint32_t>(now));
  write_answers();
}

// Sends what the kernel takes, and keeps the rest.
void Connection::queue(std::span<const PacketRef> packets) {
  const bool held = std::exchange(held_, false);
  std::size_t sent = 0;
  if (queue_.empty() && !tls_ && !still_)
    sent = write_now(packets);
  if (doomed)
    return;
  for (const PacketRef &packet : packets) {
    const std::size_t size = packet->bytes.size();
    if (sent >= size) {
      sent -= size;
      continue;
    }
    queue_.push(packet, sent);
    sent = 0;
  }
  if (tls_ && !still_)
    flush_tls();
  else if (held && !still_)
    flush_plain();
  if (queue_.empty() || doomed)
    return;
  lost(queue_.trim(server_.send_limits()));
  if (queue_.kept() > server_.send_limits().most_kept)
    server_.doom(*this);
  else
    watch();
}

void Connection::lost(const SendQueue::Loss &loss) {
  if (loss.frames == 0)
    return;
  server_.counters.dropped_frames += loss.frames;
  for (const auto &session : media_)
    if (session->side == Side::play && (loss.video_streams >> (session->stream & 31U) & 1U) != 0)
      static_cast<PlaySession &>(*session).lost_video();
}

std::size_t Connection::write_now(std::span<const PacketRef> packets) {
  ssize_t size = 0;
  if (packets.size() == 1) {
    const std::string &bytes = packets[0]->bytes;
    size = ::send(fd_, bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  } else {
    std::array<iovec, most_at_once> parts;
    msghdr message{};
    message.msg_iov = parts.data();
    message.msg_iovlen = std::min(packets.size(), parts.size());
    for (std::size_t i = 0; i < message.msg_iovlen; i++)
      parts[i] = {const_cast<char *>(packets[i]->bytes.data()), packets[i]->bytes.size()};
    size = sendmsg(fd_, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
  }
  return written(size) ? static_cast<std::size_t>(size) : 0;
}

// Whether something went; the connection is doomed where nothing ever will.
bool Connection::written(ssize_t size) {
  if (size > 0) {
    server_.counters.bytes_out += static_cast<std::uint64_t>(size);
    return true;
  }
  if (errno != EAGAIN && errno != EINTR && errno != ENOBUFS && errno != ENOMEM)
    server_.doom(*this);
  return false;
}

void Connection::flush_plain() {
  std::array<const Packet *, most_at_once> packets;
  std::array<iovec, most_at_once> parts;
  std::size_t from = 0;
  const std::size_t count = queue_.peek(packets, from);
  if (count == 0)
    return;
  for (std::size_t i = 0; i < count; i++) {
    const std::string &bytes = packets[i]->bytes;
    parts[i] = {const_cast<char *>(bytes.data()) + from, bytes.size() - from};
    from = 0;
  }
  msghdr message{};
  message.msg_iov = parts.data();
  message.msg_iovlen = count;
  const ssize_t size = sendmsg(fd_, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
  if (written(size))
    queue_.advance(static_cast<std::size_t>(size));
}

// A record at a time, so that what the kernel doesn't take stays plain, and may be left out.
void Connection::flush_tls() {
  std::array<std::uint8_t, most_record_bytes> plaintext;
  for (;;) {
    while (!tls_->output().empty()) {
      const std::string_view output = tls_->output();
      const ssize_t size = ::send(fd_, output.data(), output.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
      if (!written(size))
        return;
      tls_->sent(static_cast<std::size_t>(size));
    }
    const std::size_t gathered = queue_.copy(plaintext);
    const std::size_t taken = gathered > 0 ? tls_->write({plaintext.data(), gathered}) : 0;
    if (taken == 0) {
      // What waits never goes, and the socket would go on to say that it can be written to.
      if (gathered > 0 && tls_->over())
        server_.doom(*this);
      return;
    }
    queue_.advance(taken);
  }
}

void Connection::flush() {
  if (tls_)
    flush_tls();
  else
    flush_plain();
  const bool all_sent = queue_.empty() && (!tls_ || tls_->output().empty());
  if (finishing_ && all_sent && !std::exchange(shut_, true)) {
    if (tls_) {
      tls_->close();
      flush_tls();
    }
    shutdown(fd_, SHUT_WR);
  }
  watch();
}

}  // namespace agora::relay

// SPDX-License-Identifier: LGPL-2.1-or-later
// What a connection sends: at once where its socket takes it, else from a queue of which the oldest
// sound is left out.
#include <sys/socket.h>
#include <sys/uio.h>

#include <array>
#include <cerrno>
#include <utility>

#include "signaling/relay/connection.hpp"
#include "signaling/relay/server.hpp"

namespace agora::relay {

namespace {

using relay_line::Side;

// Packets in one write.
constexpr std::size_t most_at_once = 256;
// How often a player is pinged, and how long one that is known to answer may take.
constexpr std::int64_t ping_ms = 1000;
constexpr std::int64_t still_ms = 1500;
constexpr std::int64_t most_still_ms = 90'000;  // then it is gone
// Plaintext of one TLS record: what is sealed can't be left out any more. 0.7 s of a voice.
constexpr std::size_t most_record_bytes = 4096;

}  // namespace

void Connection::push_began(PlaySession &to) {
  if (to.steady && to.began_ms != 0)
    return;
  session_.push_began(to.stream);
  write_answers();
}

void Connection::push_ended(PlaySession &to, bool discard) {
  if (ended() || doomed_)
    return;
  // What comes next begins anew.
  if (discard)
    lost(queue_.clear_media(to.stream));
  if (!to.steady)
    session_.push_ended(to.stream);
  write_answers();
}

void Connection::write_answers() {
  if (!session_.has_output())
    return;
  std::string answers = session_.take_output();
  if (ended() || doomed_)
    return;
  const PacketRef packet = PacketRef::make(std::move(answers), MediaKind::control);
  queue({&packet, 1});
}

void Connection::send(PlaySession &to, std::span<const PacketRef> packets) {
  if (ended() || doomed_ || to.paused)
    return;
  ask_whether_it_reads();
  if (!to.no_audio && !to.no_video) {
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

// A player's kernel takes ten seconds of voice and more for a program that stands still, and the
// program hears all of that when it goes on. So players are asked, behind the sound, whether they
// have read it. While one owes the answer, its sound waits here, where the oldest can be left out.
void Connection::ask_whether_it_reads() {
  const std::int64_t now = server_.now();
  if (pinged_ != 0) {
    still_ = answers_pings_ && now - pinged_ > still_ms;
    if (still_ && now - pinged_ > most_still_ms)
      cut();
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
  std::size_t sent = 0;
  // All of them are of one stream, or no media.
  std::uint64_t payload = 0;
  if (queue_.empty() && !tls_ && !still_)
    sent = write_now(packets);
  if (doomed_)
    return;
  for (const PacketRef &packet : packets) {
    const std::size_t size = packet->bytes.size();
    if (sent >= size) {
      sent -= size;
      payload += packet->payload;
      continue;
    }
    queue_.push(packet, sent);
    sent = 0;
  }
  if (payload != 0 && !guest_)
    packets.front()->counts->sent_bytes += payload;
  if (tls_ && !still_)
    flush_tls();
  if (queue_.empty() || doomed_)
    return;
  lost(queue_.trim(server_.send_limits()));
  if (queue_.kept() > server_.send_limits().most_kept)
    cut();
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

// It is too slow for what it plays.
void Connection::cut() {
  for (const auto &session : media_)
    if (session->side == Side::play)
      Hub::cut(static_cast<const PlaySession &>(*session));
  server_.doom(*this);
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
    queue_.advance(static_cast<std::size_t>(size), !guest_);
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
    queue_.advance(taken, !guest_);
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

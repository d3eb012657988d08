// SPDX-License-Identifier: LGPL-2.1-or-later
#include "signaling/relay/line.hpp"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <utility>
#include <variant>
#include <vector>

namespace agora::relay {

namespace {

// Lines of the log: a burst, then so many a second.
constexpr unsigned log_burst = 50;
constexpr unsigned log_per_second = 5;
// With so much unsent, lines of the log are left out.
constexpr std::size_t most_unsent_for_log = 64;
// Packets of the gateway that are read in one turn.
constexpr int most_packets = 64;

}  // namespace

Line::Line(Poller &poller, int fd, Told told, std::function<void()> over)
    : poller_(poller),
      fd_(fd),
      told_(std::move(told)),
      over_(std::move(over)),
      lines_(log_per_second, log_burst) {
  poller_.add(fd_, EPOLLIN, *this);
}

Line::~Line() {
  poller_.remove(fd_);
  close(fd_);
}

bool Line::send(const relay_line::ToGateway &message) {
  std::optional<std::string> packet = relay_line::encode(message);
  if (!packet)
    return false;
  unsent_.push_back(std::move(*packet));
  write();
  return true;
}

void Line::log(relay_line::Level level, std::string text) {
  if (unsent_.size() > most_unsent_for_log || !lines_.take(monotonic_ms())) {
    left_out_++;
    return;
  }
  send(relay_line::Log{level, std::move(text)});
}

void Line::tick(std::int64_t mono_ms) {
  if (left_out_ == 0 || unsent_.size() > most_unsent_for_log || !lines_.take(mono_ms))
    return;
  const unsigned count = std::exchange(left_out_, 0);
  send(relay_line::Log{relay_line::Level::warning,
                       std::to_string(count) + " more lines were left out"});
}

void Line::on_ready(std::uint32_t events) {
  if (events & EPOLLOUT)
    write();
  if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
    read();
}

void Line::read() {
  std::vector<char> packet(relay_line::max_to_relay + 1);
  for (int i = 0; i < most_packets; i++) {
    const ssize_t size = recv(fd_, packet.data(), packet.size(), MSG_DONTWAIT);
    if (size < 0 && (errno == EAGAIN || errno == EINTR))
      return;
    if (size <= 0) {
      over_();
      return;
    }
    const auto message =
        relay_line::decode_to_relay({packet.data(), static_cast<std::size_t>(size)});
    if (const auto *reason = std::get_if<std::string>(&message)) {
      std::fprintf(stderr, "the gateway's message is wrong: %s\n", reason->c_str());
      over_();
      return;
    }
    told_(std::get<relay_line::ToRelay>(message));
  }
}

void Line::write() {
  while (!unsent_.empty()) {
    const std::string &packet = unsent_.front();
    if (::send(fd_, packet.data(), packet.size(), MSG_DONTWAIT | MSG_NOSIGNAL) < 0) {
      if (errno == EINTR)
        continue;
      // The end is told by read().
      break;
    }
    unsent_.pop_front();
  }
  const bool wanted = !unsent_.empty();
  if (std::exchange(watching_write_, wanted) != wanted)
    poller_.change(fd_, wanted ? EPOLLIN | EPOLLOUT : EPOLLIN, *this);
}

}  // namespace agora::relay

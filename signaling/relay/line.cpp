// SPDX-License-Identifier: LGPL-2.1-or-later
#include "signaling/relay/line.hpp"

#include <sys/epoll.h>

#include <cstdio>
#include <utility>
#include <variant>

namespace agora::relay {

namespace {

// Lines of the log: a burst, then so many a second.
constexpr unsigned log_burst = 50;
constexpr unsigned log_per_second = 5;
// With so much unsent, lines of the log are left out, and figures wait.
constexpr std::size_t most_unsent = 64;
// Packets of the gateway that are read in one turn.
constexpr int most_packets = 64;

}  // namespace

Line::Line(Poller &poller, int fd, Told told, std::function<void()> over)
    : poller_(poller),
      socket_(fd, relay_line::max_to_relay),
      told_(std::move(told)),
      over_(std::move(over)),
      lines_(log_per_second, log_burst) {
  poller_.add(socket_.fd(), EPOLLIN, *this);
}

Line::~Line() {
  poller_.remove(socket_.fd());
}

bool Line::send(const relay_line::ToGateway &message) {
  std::optional<std::string> packet = relay_line::encode(message);
  if (!packet)
    return false;
  socket_.send(std::move(*packet));
  watch_room();
  return true;
}

bool Line::has_room() const {
  return socket_.unsent() <= most_unsent;
}

void Line::log(relay_line::Level level, std::string text) {
  if (!has_room() || !lines_.take(monotonic_ms())) {
    left_out_++;
    return;
  }
  send(relay_line::Log{level, std::move(text)});
}

void Line::tick(std::int64_t mono_ms) {
  if (left_out_ == 0 || !has_room() || !lines_.take(mono_ms))
    return;
  const unsigned count = std::exchange(left_out_, 0);
  send(relay_line::Log{relay_line::Level::warning,
                       std::to_string(count) + " more lines were left out"});
}

void Line::on_ready(std::uint32_t events) {
  if (events & EPOLLOUT) {
    socket_.flush();
    watch_room();
  }
  if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
    read();
}

void Line::read() {
  for (int i = 0; i < most_packets; i++) {
    const auto packet = socket_.receive();
    if (!packet) {
      if (socket_.has_ended())
        over_();
      return;
    }
    const auto message = relay_line::decode_to_relay(*packet);
    if (const auto *reason = std::get_if<std::string>(&message)) {
      std::fprintf(stderr, "the gateway's message is wrong: %s\n", reason->c_str());
      over_();
      return;
    }
    told_(std::get<relay_line::ToRelay>(message), socket_.take_descriptor());
  }
}

void Line::watch_room() {
  const bool wanted = socket_.unsent() > 0;
  if (std::exchange(watching_write_, wanted) != wanted)
    poller_.change(socket_.fd(), wanted ? EPOLLIN | EPOLLOUT : EPOLLIN, *this);
}

}  // namespace agora::relay

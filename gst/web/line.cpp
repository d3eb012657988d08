// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/web/line.hpp"

#include <glib-unix.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <utility>
#include <variant>
#include <vector>

namespace agora::web {

namespace {

// Packets of the gateway that are read in one turn.
constexpr int most_packets = 64;
// With so many unsent, what is of no use later is left out.
constexpr std::size_t prompt = 32;
// A gateway that leaves so much unread has stopped reading.
constexpr std::size_t most_unsent_bytes = 32U << 20;

SourcePtr watch (int fd, GIOCondition condition, GUnixFDSourceFunc callback, gpointer self) {
  GSource *source = g_unix_fd_source_new(fd, condition);
  g_source_set_callback(source, G_SOURCE_FUNC(callback), self, nullptr);
  g_source_attach(source, nullptr);
  return SourcePtr(source);
}

}  // namespace

Line::Line(int fd, Told told, std::function<void()> over)
    : fd_(fd),
      told_(std::move(told)),
      over_(std::move(over)),
      reading_(
          watch(fd, static_cast<GIOCondition>(G_IO_IN | G_IO_HUP | G_IO_ERR), on_readable, this)) {
}

Line::~Line() {
  close(fd_);
}

bool Line::send(const web_line::ToGateway &message) {
  std::optional<std::string> packet = web_line::encode(message);
  if (!packet)
    return false;
  unsent_bytes_ += packet->size();
  unsent_.push_back(std::move(*packet));
  if (!writing_)
    write();
  return true;
}

void Line::send_if_prompt(const web_line::ToGateway &message) {
  if (unsent_.size() < prompt)
    send(message);
}

gboolean Line::on_readable(gint, GIOCondition, gpointer self) {
  static_cast<Line *>(self)->read();
  return G_SOURCE_CONTINUE;
}

gboolean Line::on_writable(gint, GIOCondition, gpointer self) {
  static_cast<Line *>(self)->write();
  return G_SOURCE_CONTINUE;
}

void Line::read() {
  std::vector<char> packet(web_line::max_packet + 1);
  for (int i = 0; i < most_packets && !ended_; i++) {
    const ssize_t size = recv(fd_, packet.data(), packet.size(), MSG_DONTWAIT);
    if (size < 0 && (errno == EAGAIN || errno == EINTR))
      return;
    if (size <= 0) {
      end();
      return;
    }
    const auto message =
        web_line::decode_to_worker({packet.data(), static_cast<std::size_t>(size)});
    if (const auto *reason = std::get_if<std::string>(&message)) {
      std::fprintf(stderr, "the gateway's message is wrong: %s\n", reason->c_str());
      end();
      return;
    }
    told_(std::get<web_line::ToWorker>(message));
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
    unsent_bytes_ -= packet.size();
    unsent_.pop_front();
  }
  if (unsent_.empty())
    writing_.reset();
  else if (!writing_)
    writing_ = watch(fd_, G_IO_OUT, on_writable, this);
  if (unsent_bytes_ > most_unsent_bytes) {
    std::fputs("the gateway doesn't read its line any more\n", stderr);
    end();
  }
}

void Line::end() {
  if (std::exchange(ended_, true))
    return;
  reading_.reset();
  writing_.reset();
  over_();
}

}  // namespace agora::web

// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/web/line.hpp"

#include <glib-unix.h>

#include <cstdio>
#include <utility>
#include <variant>

namespace agora::web {

namespace {

// Packets of the gateway that are read in one turn.
constexpr int most_packets = 64;
// With so many unsent, what is of no use later is left out.
constexpr std::size_t prompt = 32;
// With so much unsent, there is no room for what may be lost.
constexpr std::size_t most_words_bytes = 4U << 20;
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
    : socket_(fd, web_line::max_packet),
      told_(std::move(told)),
      over_(std::move(over)),
      reading_(
          watch(fd, static_cast<GIOCondition>(G_IO_IN | G_IO_HUP | G_IO_ERR), on_readable, this)) {
}

bool Line::send(const web_line::ToGateway &message) {
  std::optional<std::string> packet = web_line::encode(message);
  if (!packet)
    return false;
  socket_.send(std::move(*packet));
  watch_room();
  return true;
}

void Line::send_if_prompt(const web_line::ToGateway &message) {
  if (socket_.unsent() < prompt)
    send(message);
}

bool Line::send_if_room(const web_line::ToGateway &message) {
  if (socket_.unsent_bytes() >= most_words_bytes)
    return false;
  send(message);
  return true;
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
  for (int i = 0; i < most_packets && !ended_; i++) {
    const auto packet = socket_.receive();
    if (!packet) {
      if (socket_.has_ended())
        end();
      return;
    }
    const auto message = web_line::decode_to_worker(*packet);
    if (const auto *reason = std::get_if<std::string>(&message)) {
      std::fprintf(stderr, "the gateway's message is wrong: %s\n", reason->c_str());
      end();
      return;
    }
    told_(std::get<web_line::ToWorker>(message));
  }
}

void Line::write() {
  socket_.flush();
  watch_room();
}

void Line::watch_room() {
  if (socket_.unsent() == 0)
    writing_.reset();
  else if (!writing_)
    writing_ = watch(socket_.fd(), G_IO_OUT, on_writable, this);
  if (socket_.unsent_bytes() > most_unsent_bytes) {
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

// SPDX-License-Identifier: LGPL-2.1-or-later
#define G_LOG_DOMAIN "agora-gateway"
#include "signaling/gateway/http/event-streams.hpp"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <unistd.h>

#include <utility>
#include <vector>

#include "signaling/gateway/http/acceptor.hpp"
#include "signaling/gateway/http/event-queue.hpp"
#include "signaling/gateway/http/linger.hpp"

namespace agora::gateway {

namespace {

constexpr unsigned pulse_ms = 1000;
// Where nothing else is sent, so that both ends notice what became of the other.
constexpr std::int64_t beat_us = 5 * G_USEC_PER_SEC;
// A reader that takes nothing for so long, though something waits, is gone or as good as gone.
constexpr std::int64_t stuck_us = 10 * G_USEC_PER_SEC;
constexpr int unacknowledged_ms = 10'000;
// From end() to the end of the connection, for what still waits.
constexpr std::int64_t last_us = 2 * G_USEC_PER_SEC;
// How much of what isn't read waits in the kernel: of levels, as few as possible.
constexpr int stream_buffer = 16 * 1024;

}  // namespace

class EventStreams::Stream : public EventSink {
 public:
  Stream(EventStreams &owner, GIOStream *stream, GSocket *socket, const std::string &head)
      : owner_(owner), stream_(share(stream)), socket_(share(socket)), queue_(owner.most_bytes_) {
    // Deadlines are ours from now on; and it is no stranger's that makes room.
    g_socket_set_timeout(socket, 0);
    Acceptor::admit(socket);
    g_socket_set_option(socket, SOL_SOCKET, SO_SNDBUF, stream_buffer, nullptr);
    g_socket_set_option(socket, IPPROTO_TCP, TCP_USER_TIMEOUT, unacknowledged_ms, nullptr);
    watched_ = owner.watch_.add(g_socket_get_fd(socket), {[this] { fail(); }, [this] { flush(); }});
    queue_.append(std::make_shared<std::string>(head));
    flush();
  }
  ~Stream() override {
    owner_.watch_.remove(watched_);
    // A close with something unread resets the connection, and takes with it what was sent last.
    const int own = fcntl(g_socket_get_fd(socket_.get()), F_DUPFD_CLOEXEC, 0);
    g_io_stream_close(stream_.get(), nullptr, nullptr);
    if (own < 0)
      return;
    if (!broken_)
      linger(own);
    close(own);
  }
  Stream(const Stream &) = delete;
  Stream &operator=(const Stream &) = delete;

  void tell (const StreamEvent &event) override {
    if (!broken_ && !ending_)
      pushed(queue_.push(event));
  }
  void tell (std::shared_ptr<const std::string> text) override {
    if (!broken_ && !ending_)
      pushed(queue_.append(std::move(text)));
  }
  void begin (const std::vector<StreamEvent> &events) override {
    std::string text;
    for (const auto &event : events)
      text += text_of(event);
    if (broken_ || ending_ || text.empty())
      return;
    queue_.begin(std::move(text));
    flush();
  }
  void end () override {
    ending_ = true;
    ends_by_ = g_get_monotonic_time() + last_us;
    flush();
    owner_.look_soon();
  }

  // Whether it is over; else what has to be done every now and then.
  bool look (std::int64_t now) {
    const bool idle = queue_.empty() && !rest_;
    if (broken_ || (ending_ && (idle || now >= ends_by_)))
      return true;
    if (!idle && now - moved_ > stuck_us) {
      g_info("An event stream ends: its reader takes nothing");
      broken_ = true;
    } else if (idle && now - moved_ >= beat_us) {
      queue_.beat();
      flush();
    }
    return broken_;
  }
  bool ended_by_us () const { return ending_; }

 private:
  void pushed (bool there_was_room) {
    if (there_was_room)
      return flush();
    g_info("An event stream ends: its reader is too slow");
    fail();
  }
  void fail () {
    broken_ = true;
    owner_.watch_.remove(watched_);
    owner_.look_soon();
  }

  void flush () {
    auto *output = G_POLLABLE_OUTPUT_STREAM(g_io_stream_get_output_stream(stream_.get()));
    while (!broken_ && (rest_ || !queue_.empty())) {
      if (!rest_) {
        rest_ = queue_.take();
        sent_ = 0;
      }
      g_autoptr(GError) error = nullptr;
      const auto sent = g_pollable_output_stream_write_nonblocking(
          output, rest_->data() + sent_, rest_->size() - sent_, nullptr, &error);
      if (sent >= 0) {
        sent_ += static_cast<std::size_t>(sent);
        if (sent_ == rest_->size())
          rest_.reset();
        moved_ = g_get_monotonic_time();
      } else if (g_error_matches(error, G_IO_ERROR, G_IO_ERROR_WOULD_BLOCK)) {
        owner_.watch_.want_room(watched_, true);
        return;
      } else {
        fail();
      }
    }
    owner_.watch_.want_room(watched_, false);
    if (ending_)
      owner_.look_soon();
  }

  EventStreams &owner_;
  ObjectPtr<GIOStream> stream_;
  ObjectPtr<GSocket> socket_;
  PeerWatch::Id watched_ = 0;
  EventQueue queue_;
  EventQueue::Text rest_;  // what was taken from the queue; null: nothing is on its way
  std::size_t sent_ = 0;   // of it
  std::int64_t moved_ = g_get_monotonic_time();
  std::int64_t ends_by_ = 0;
  bool ending_ = false;
  bool broken_ = false;
};

EventStreams::EventStreams(PeerWatch &watch, std::size_t most_bytes,
                           std::function<void(EventSink &sink)> closed)
    : watch_(watch),
      most_bytes_(most_bytes),
      closed_(std::move(closed)),
      pulse_([this] { look(); }) {
}

EventStreams::~EventStreams() = default;

EventSink &EventStreams::open(GIOStream *stream, GSocket *socket, const std::string &head) {
  auto made = std::make_unique<Stream>(*this, stream, socket, head);
  auto &sink = *made;
  const bool first = streams_.empty();
  streams_.emplace(&sink, std::move(made));
  if (first && !soon_)
    pulse_.in(pulse_ms);
  return sink;
}

// In a turn of its own: whoever called us still uses the stream.
void EventStreams::look_soon() {
  if (!std::exchange(soon_, true))
    pulse_.in(0);
}

void EventStreams::look() {
  soon_ = false;
  const auto now = g_get_monotonic_time();
  std::vector<EventSink *> over;
  for (const auto &[sink, stream] : streams_)
    if (stream->look(now))
      over.push_back(sink);
  for (auto *sink : over) {
    const auto stream = std::move(streams_.extract(sink).mapped());
    if (!stream->ended_by_us())
      closed_(*sink);
  }
  if (!streams_.empty() && !soon_)
    pulse_.in(pulse_ms);
}

}  // namespace agora::gateway

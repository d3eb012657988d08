// SPDX-License-Identifier: LGPL-2.1-or-later
#include "signaling/gateway/http/linger.hpp"

#include <fcntl.h>
#include <glib-unix.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>

#include "signaling/support/glib-ptr.hpp"
#include "signaling/support/timer.hpp"

namespace agora::gateway {

namespace {

constexpr unsigned most_ms = 2000;
constexpr std::size_t most_bytes = 1024 * 1024;
constexpr unsigned most_lingering = 256;

unsigned open_now = 0;

// Owns itself.
class Lingering {
 public:
  explicit Lingering(int fd) : fd_(fd), end_([this] { delete this; }) {
    open_now++;
    end_.in(most_ms);
    auto *source = g_unix_fd_source_new(fd, G_IO_IN);
    auto on_readable = [] (gint, GIOCondition, gpointer self) -> gboolean {
      static_cast<Lingering *>(self)->read();
      return G_SOURCE_CONTINUE;
    };
    g_source_set_callback(source, G_SOURCE_FUNC(+on_readable), this, nullptr);
    g_source_attach(source, g_main_context_get_thread_default());
    readable_ = SourcePtr(source);
  }
  Lingering(const Lingering &) = delete;
  Lingering &operator=(const Lingering &) = delete;

 private:
  ~Lingering() {
    readable_.reset();
    close(fd_);
    open_now--;
  }

  void read () {
    static std::array<char, 64 * 1024> forgotten;
    const auto size = recv(fd_, forgotten.data(), forgotten.size(), MSG_DONTWAIT);
    if (size < 0 && (errno == EAGAIN || errno == EINTR))
      return;
    if (size <= 0 || static_cast<std::size_t>(size) > left_) {
      delete this;
      return;
    }
    left_ -= static_cast<std::size_t>(size);
  }

  const int fd_;
  std::size_t left_ = most_bytes;
  SourcePtr readable_;
  Timer end_;
};

}  // namespace

void linger (int fd) {
  const int own = open_now < most_lingering ? fcntl(fd, F_DUPFD_CLOEXEC, 0) : -1;
  if (own < 0)
    return;
  shutdown(own, SHUT_WR);
  new Lingering(own);
}

}  // namespace agora::gateway

// SPDX-License-Identifier: LGPL-2.1-or-later
#define G_LOG_DOMAIN "agora-gateway"
#include "signaling/gateway/http/peer-watch.hpp"

#include <glib-unix.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <utility>

namespace agora::gateway {

namespace {

constexpr std::uint32_t end_events = EPOLLRDHUP | EPOLLHUP | EPOLLERR;

}  // namespace

PeerWatch::PeerWatch() : epoll_(epoll_create1(EPOLL_CLOEXEC)) {
  if (epoll_ < 0)
    g_error("epoll_create1: %s", g_strerror(errno));
  auto *source = g_unix_fd_source_new(epoll_, G_IO_IN);
  g_source_set_callback(source, G_SOURCE_FUNC(on_ready), this, nullptr);
  g_source_attach(source, g_main_context_get_thread_default());
  source_ = SourcePtr(source);
}

PeerWatch::~PeerWatch() {
  source_.reset();
  close(epoll_);
}

PeerWatch::Id PeerWatch::add(int fd, Callbacks callbacks) {
  const auto id = ++last_id_;
  epoll_event event{};
  event.events = EPOLLRDHUP;
  event.data.u64 = id;
  if (epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event) != 0) {
    g_warning("epoll_ctl: %s", g_strerror(errno));
    return 0;
  }
  peers_[id] = {fd, false, std::move(callbacks)};
  return id;
}

void PeerWatch::want_room(Id id, bool wanted) {
  const auto found = peers_.find(id);
  if (found == peers_.end() || found->second.wants_room == wanted)
    return;
  found->second.wants_room = wanted;
  epoll_event event{};
  event.events = EPOLLRDHUP | (wanted ? std::uint32_t{EPOLLOUT} : 0U);
  event.data.u64 = id;
  epoll_ctl(epoll_, EPOLL_CTL_MOD, found->second.fd, &event);
}

void PeerWatch::remove(Id id) {
  const auto found = peers_.find(id);
  if (found == peers_.end())
    return;
  epoll_ctl(epoll_, EPOLL_CTL_DEL, found->second.fd, nullptr);
  peers_.erase(found);
}

gboolean PeerWatch::on_ready(gint, GIOCondition, gpointer self) noexcept {
  static_cast<PeerWatch *>(self)->dispatch();
  return G_SOURCE_CONTINUE;
}

// A callback may remove any of them, so each is looked up anew, and called by a copy.
void PeerWatch::dispatch() {
  std::array<epoll_event, 64> events{};
  const int count = epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), 0);
  for (int i = 0; i < count; i++) {
    const auto &event = events[static_cast<std::size_t>(i)];
    const auto found = peers_.find(event.data.u64);
    if (found == peers_.end())
      continue;
    const auto call = (event.events & end_events) != 0 ? found->second.callbacks.gone
                                                       : found->second.callbacks.room;
    if (call)
      call();
  }
}

}  // namespace agora::gateway

// SPDX-License-Identifier: LGPL-2.1-or-later
#define G_LOG_DOMAIN "agora-gateway"
#include "signaling/gateway/front/readiness.hpp"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <utility>

namespace agora::gateway {

struct Readiness::Source {
  GSource parent;
  Readiness *owner;
};

struct Readiness::Socket::Waiting {
  GSource parent;
  Socket *socket;  // null: forgotten
  GObject *stream;
  Way way;
};

Readiness::Readiness() : epoll_(epoll_create1(EPOLL_CLOEXEC)), dormant_(g_main_context_new()) {
  if (epoll_ < 0)
    g_error("epoll_create1: %s", g_strerror(errno));
  static GSourceFuncs functions = {
      [] (GSource *source, gint *timeout) noexcept -> gboolean {
        *timeout = -1;
        return !reinterpret_cast<Source *>(source)->owner->asked_.empty();
      },
      nullptr,
      [] (GSource *source, GSourceFunc, gpointer) noexcept -> gboolean {
        reinterpret_cast<Source *>(source)->owner->dispatch();
        return G_SOURCE_CONTINUE;
      },
      nullptr,
      nullptr,
      nullptr};
  source_ = reinterpret_cast<Source *>(g_source_new(&functions, sizeof(Source)));
  source_->owner = this;
  g_source_add_unix_fd(&source_->parent, epoll_, G_IO_IN);
  g_source_attach(&source_->parent, g_main_context_get_thread_default());
}

Readiness::~Readiness() {
  g_source_destroy(&source_->parent);
  g_source_unref(&source_->parent);
  g_main_context_unref(dormant_);
  close(epoll_);
}

Readiness::Socket *Readiness::find(std::uint64_t id) const {
  auto found = sockets_.find(id);
  return found == sockets_.end() ? nullptr : found->second;
}

// A callback may end any socket, so each one is looked up anew by its id.
void Readiness::dispatch() {
  auto keep = shared_from_this();
  for (auto id : std::exchange(asked_, {}))
    if (auto *socket = find(id))
      socket->serve_writer();
  std::array<epoll_event, 64> events{};
  const int count = epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), 0);
  for (int i = 0; i < count; i++)
    if (auto *socket = find(events[static_cast<std::size_t>(i)].data.u64))
      socket->ready(events[static_cast<std::size_t>(i)].events);
}

Readiness::Socket::Socket(std::shared_ptr<Readiness> readiness, int fd)
    : readiness_(std::move(readiness)), fd_(fd), id_(++readiness_->last_id_) {
  readiness_->sockets_.emplace(id_, this);
}

Readiness::Socket::~Socket() {
  forget();
}

void Readiness::Socket::forget() {
  if (std::exchange(forgotten_, true))
    return;
  for (auto *waiting : {in_, out_})
    if (waiting != nullptr)
      waiting->socket = nullptr;
  in_ = out_ = nullptr;
  rest_.clear();
  watch();
  readiness_->sockets_.erase(id_);
}

gboolean Readiness::Socket::nothing(GSource *, gint *timeout) noexcept {
  *timeout = -1;
  return FALSE;
}

gboolean Readiness::Socket::never(GSource *, GSourceFunc, gpointer) noexcept {
  return G_SOURCE_CONTINUE;
}

void Readiness::Socket::finalize(GSource *source) noexcept {
  auto *waiting = reinterpret_cast<Waiting *>(source);
  auto *socket = waiting->socket;
  if (socket == nullptr)
    return;
  auto &slot = waiting->way == Way::in ? socket->in_ : socket->out_;
  // A newer source may have taken its place while someone still held this one.
  if (slot == waiting)
    slot = nullptr;
  socket->watch();
}

GSource *Readiness::Socket::make_source(GObject *stream, Way way) {
  static GSourceFuncs functions = {nothing, nullptr, never, finalize, nullptr, nullptr};
  auto *waiting = reinterpret_cast<Waiting *>(g_source_new(&functions, sizeof(Waiting)));
  waiting->socket = forgotten_ ? nullptr : this;
  waiting->stream = stream;
  waiting->way = way;
  // libsoup makes the next source for its input as the last step of its callback.
  if (way == Way::in && readiness_->calling_ && !readiness_->sleeping_) {
    g_main_context_push_thread_default(readiness_->dormant_);
    readiness_->sleeping_ = true;
  }
  if (!forgotten_) {
    (way == Way::in ? in_ : out_) = waiting;
    if (way == Way::out)
      readiness_->asked_.push_back(id_);
    watch();
  }
  return &waiting->parent;
}

// Dispatches the source as a context would; GLib has no function for that. GSource's fields are in
// GLib's public header and part of its ABI.
void Readiness::Socket::call(Waiting *waiting) {
  auto *source = &waiting->parent;
  if (g_source_is_destroyed(source) || source->callback_funcs == nullptr)
    return;
  auto readiness = waiting->socket->readiness_;
  g_source_ref(source);
  auto *functions = source->callback_funcs;
  gpointer holder = source->callback_data;
  GSourceFunc function = nullptr;
  gpointer data = nullptr;
  functions->ref(holder);
  functions->get(holder, source, &function, &data);
  readiness->calling_ = true;
  const bool again = function != nullptr &&
                     reinterpret_cast<GPollableSourceFunc>(reinterpret_cast<void (*)()>(function))(
                         waiting->stream, data);
  readiness->calling_ = false;
  if (std::exchange(readiness->sleeping_, false))
    g_main_context_pop_thread_default(readiness->dormant_);
  functions->unref(holder);
  if (!again)
    g_source_destroy(source);
  g_source_unref(source);
}

void Readiness::Socket::ready(std::uint32_t events) {
  auto readiness = readiness_;
  const auto id = id_;
  constexpr std::uint32_t end = EPOLLHUP | EPOLLERR;
  if ((events & (EPOLLIN | end)) != 0 && in_ != nullptr) {
    drained_ = false;
    call(in_);
  }
  auto *self = readiness->find(id);
  if (self != nullptr && (events & (EPOLLOUT | end)) != 0 && self->wait_out_)
    self->serve_writer();
}

void Readiness::Socket::serve_writer() {
  auto readiness = readiness_;
  const auto id = id_;
  const bool rested = !rest_.empty();
  if (flush() && out_ != nullptr)
    call(out_);
  auto *self = readiness->find(id);
  if (self == nullptr)
    return;
  self->wait_out_ = !self->rest_.empty() || self->out_ != nullptr;
  if (rested || self->wait_out_ || (self->watched_ & EPOLLOUT) != 0)
    self->watch();
}

bool Readiness::Socket::flush() {
  if (rest_.empty())
    return true;
  const auto sent = send(fd_, rest_.data(), rest_.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  if (sent > 0)
    rest_.erase(0, static_cast<std::size_t>(sent));
  // The connection is broken: drop the rest; reading finds the end.
  else if (sent < 0 && errno != EAGAIN && errno != EINTR)
    rest_.clear();
  return rest_.empty();
}

bool Readiness::Socket::write(std::string_view data) {
  if (forgotten_ || out_ != nullptr || !rest_.empty())
    return false;
  const auto sent = send(fd_, data.data(), data.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  if (sent <= 0)
    return false;
  if (static_cast<std::size_t>(sent) < data.size()) {
    rest_ = data.substr(static_cast<std::size_t>(sent));
    wait_out_ = true;
    watch();
  }
  return true;
}

void Readiness::Socket::watch() {
  std::uint32_t wanted = 0;
  if (in_ != nullptr)
    wanted |= EPOLLIN;
  if (wait_out_ && (out_ != nullptr || !rest_.empty()))
    wanted |= EPOLLOUT;
  if (wanted == watched_)
    return;
  epoll_event event{};
  event.events = wanted;
  event.data.u64 = id_;
  const int what = wanted == 0 ? EPOLL_CTL_DEL : watched_ == 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;
  if (epoll_ctl(readiness_->epoll_, what, fd_, &event) != 0)
    g_warning("epoll_ctl: %s", g_strerror(errno));
  watched_ = wanted;
}

}  // namespace agora::gateway

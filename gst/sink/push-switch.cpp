// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/sink/push-switch.hpp"

#include <algorithm>
#include <utility>

#include "gst/common/failures.hpp"
#include "gst/common/handoff.hpp"

GST_DEBUG_CATEGORY_STATIC(agora_rtmp_debug);
#define GST_CAT_DEFAULT agora_rtmp_debug

namespace agora {

namespace {

using std::chrono::milliseconds;

constexpr milliseconds accept_poll(5);
constexpr milliseconds accept_limit(6000);
constexpr milliseconds drain_poll(10);
constexpr milliseconds retire_limit(200);
// How long a session that was replaced is sent the same sound as the new one: whoever listens to
// its name is told the other one by the gateway, and goes over by a session of its own. With
// several gateways that takes a word by the store, a pull and a session, on busy machines half a
// second. The gateway cuts what was replaced after a second (previous_ms of its book-config.hpp).
constexpr milliseconds overlap(900);
// A session that doesn't take what it is sent is not worth keeping: the new one waits for it.
constexpr std::uint64_t most_waiting = 16'384;
// How often the kernel is asked how far the server has taken what was sent, and how long it may
// take nothing: longer than a lost packet on a slow network. Its buffers hide the first three
// seconds.
constexpr milliseconds look_interval(100);
constexpr milliseconds still_limit(450);

}  // namespace

PushSwitch::PushSwitch(GstBin *bin, Owner &owner) : bin_(bin), owner_(owner) {
  static const bool registered = [] {
    GST_DEBUG_CATEGORY_INIT(agora_rtmp_debug, "agorartmp", 0, "RTMP connections of the elements");
    return true;
  }();
  static_cast<void>(registered);
}

PushSwitch::~PushSwitch() {
  stop();
}

bool PushSwitch::start() {
  if (!require_element(GST_ELEMENT(bin_), "rtmp2sink", "gstreamer1.0-plugins-bad"))
    return false;
  std::lock_guard lock(mutex_);
  running_ = true;
  run_++;
  ended_ = works_ = standing_ = false;
  sent_bytes_ = 0;
  sessions_ = 0;
  return true;
}

void PushSwitch::stop() {
  std::vector<ConnectionPtr> connections;
  {
    std::lock_guard lock(mutex_);
    running_ = false;
    connections = connections_;
    current_.reset();
    next_.reset();
    former_.reset();
    changed_.notify_all();
  }
  for (const ConnectionPtr &connection : connections)
    connection->cut();
  const Deadline until = told_by();
  for (const ConnectionPtr &connection : connections)
    connection->close(until);
  std::lock_guard lock(mutex_);
  for (const ConnectionPtr &connection : connections)
    std::erase(connections_, connection);
}

PushSwitch::Route PushSwitch::await_route() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return !running_ || (current_ && !current_->broken()); });
  if (!running_)
    return {};
  return {.to = current_, .to_former = former_ != nullptr};
}

PushSwitch::Outcome PushSwitch::push(const FlvTag &tag) {
  for (;;) {
    const Route route = await_route();
    if (!route.to)
      return Outcome::stopped;
    if (Clock::now() > tag.expires)
      return Outcome::expired;
    if (route.to->push(tag.buffer.get(), tag.caps, tag.ms) == GST_FLOW_OK) {
      pushed(route.to, gst_buffer_get_size(tag.buffer.get()));
      if (route.to_former)
        push_former(tag);
      return Outcome::sent;
    }
    // Its own message may be under way still, and tells the cause; a session that was replaced or
    // closed is no longer asked about.
    g_autoptr(GError) error = g_error_new_literal(GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_WRITE,
                                                  "The RTMP session to the media server ended");
    broke(route.to, *error);
  }
}

// Waits where that one's network does, but no longer than it is kept.
void PushSwitch::push_former(const FlvTag &tag) {
  ConnectionPtr former;
  {
    std::lock_guard lock(mutex_);
    if (!former_ || former_->broken())
      return;
    former = former_;
  }
  // Not under the lock, as all that asks a session.
  const std::optional<Sending> sending = former->sending();
  {
    std::lock_guard lock(mutex_);
    if (former_ != former)
      return;
    if (sending && sending->waiting > most_waiting) {
      former_.reset();
      changed_.notify_all();
      return;
    }
    in_former_ = former.get();
  }
  former->push(tag.buffer.get(), tag.caps, tag.ms);
  std::lock_guard lock(mutex_);
  in_former_ = nullptr;
}

void PushSwitch::pushed(const ConnectionPtr &connection, gsize bytes) {
  sent_bytes_ += bytes;
  if (works_ || standing_)
    return;
  {
    std::lock_guard lock(mutex_);
    if (connection != current_ || standing_ || works_)
      return;
    works_ = true;
  }
  owner_.connection_works();
}

void PushSwitch::connect(const std::string &url, AuthoritiesPtr authorities) {
  ConnectionPtr old;
  bool wait = false;
  guint run = 0;
  {
    std::lock_guard lock(mutex_);
    if (!running_)
      return;
    run = run_;
    if (current_ && !current_->broken()) {
      if (current_->url() == url)
        return;
      // Only a session that works is worth keeping until the new one does.
      wait = works_;
    }
    old = std::move(next_);
  }
  if (old)
    retire(std::move(old), false);

  g_autoptr(GError) error = nullptr;
  ConnectionPtr connection = PushConnection::make(
      url, std::move(authorities),
      [this] (PushConnection &from, const GError &cause) {
        // Nobody is there to be told of one that is being given up.
        if (const ConnectionPtr held = from.weak_from_this().lock())
          broke(held, cause);
      },
      &error);
  if (!connection) {
    owner_.connection_broke(*error);
    return;
  }
  {
    std::lock_guard lock(mutex_);
    if (!running_ || run_ != run)
      return;
    connections_.push_back(connection);
    sessions_++;
    if (wait)
      next_ = connection;
  }
  // A stop() that comes from here on closes it, and then it doesn't open.
  connection->open();
  if (wait)
    run_held([this, connection, run] { promote(connection, run); });
  else
    install(connection, run, false);
}

void PushSwitch::disconnect() {
  std::vector<ConnectionPtr> gone;
  {
    std::lock_guard lock(mutex_);
    for (ConnectionPtr *each : {&current_, &next_, &former_})
      if (*each)
        gone.push_back(std::move(*each));
    current_.reset();
    next_.reset();
    former_.reset();
    works_ = standing_ = false;
    changed_.notify_all();
  }
  for (ConnectionPtr &connection : gone)
    retire(std::move(connection), false);
  if (!gone.empty())
    owner_.connection_taken();
}

// Waits for the server's word, and takes the new session into use then.
void PushSwitch::promote(ConnectionPtr connection, guint run) {
  const auto deadline = Clock::now() + accept_limit;
  for (;;) {
    if (connection->accepted())
      break;
    std::unique_lock lock(mutex_);
    const bool over = changed_.wait_for(lock, accept_poll, [&] {
      return !running_ || next_ != connection || connection->broken() || Clock::now() > deadline;
    });
    if (!over)
      continue;
    const bool mine = running_ && next_ == connection;
    if (mine)
      next_.reset();
    lock.unlock();
    if (!mine)
      return;
    retire(connection, false);
    owner_.connection_refused();
    return;
  }
  install(connection, run, true);
}

// `promoted`: unless another one has been asked for since. A start after `run` knows nothing of it.
void PushSwitch::install(const ConnectionPtr &connection, guint run, bool promoted) {
  ConnectionPtr old;
  bool graceful = false;
  {
    std::lock_guard lock(mutex_);
    if (!running_ || run_ != run || (promoted && next_ != connection))
      return;
    old = std::exchange(current_, connection);
    standing_ = false;
    taken_ = 0;
    taken_at_ = Clock::now();
    graceful = old && !old->broken() && works_;
    if (next_ == connection)
      next_.reset();
    if (graceful)
      former_ = old;
    else
      works_ = false;
    changed_.notify_all();
  }
  if (old)
    retire(std::move(old), graceful);
  owner_.connection_taken();
  // It may have broken before anyone depended on it; nobody was told then.
  if (connection->broken())
    broke(connection, *connection->cause());
}

void PushSwitch::run_held(std::function<void()> what) {
  run_async(GST_ELEMENT(bin_), [held = owner_.hold(), what = std::move(what)] { what(); });
}

void PushSwitch::retire(ConnectionPtr connection, bool graceful) {
  run_held([this, connection = std::move(connection), graceful] {
    if (graceful)
      outlast(connection);
    connection->close();
    std::lock_guard lock(mutex_);
    std::erase(connections_, connection);
  });
}

// Waits while the session is sent what the new one is, and until that is on its way.
void PushSwitch::outlast(const ConnectionPtr &connection) {
  std::unique_lock lock(mutex_);
  const auto gone = [&] { return !running_ || connection->broken(); };
  changed_.wait_for(lock, overlap, [&] { return gone() || former_ != connection; });
  if (former_ == connection)
    former_.reset();
  // Whoever waits in it is the one who serves the new session.
  if (in_former_ == connection.get())
    return;
  const auto deadline = Clock::now() + retire_limit;
  std::optional<guint64> sent;
  do {
    // Not under the lock: it is wanted by whoever tells of the session's end, with its own held.
    lock.unlock();
    const guint64 now = connection->sent_bytes();
    const bool over = std::exchange(sent, now) == now || Clock::now() > deadline;
    lock.lock();
    if (over)
      return;
  } while (!changed_.wait_for(lock, drain_poll, gone));
}

void PushSwitch::broke(const ConnectionPtr &connection, const GError &error) {
  const ErrorPtr refusal = connection->refusal();
  const GError &cause = refusal ? *refusal : error;
  bool tell = false;
  {
    std::lock_guard lock(mutex_);
    connection->set_broken(cause);
    tell = running_ && connection == current_;
    if (tell) {
      current_.reset();
      works_ = false;
    }
    changed_.notify_all();
  }
  if (!tell)
    return;
  GST_INFO_OBJECT(bin_, "session broke: %s", cause.message);
  retire(connection, false);
  owner_.connection_broke(cause);
}

bool PushSwitch::stalled() {
  std::lock_guard lock(mutex_);
  return current_ && works_.exchange(false);
}

void PushSwitch::end() {
  if (const ConnectionPtr connection = await_route().to)
    connection->end();
  std::lock_guard lock(mutex_);
  ended_ = true;
  changed_.notify_all();
}

void PushSwitch::moved() {
  std::lock_guard lock(mutex_);
  moves_++;
}

bool PushSwitch::stands_still() {
  const auto now = Clock::now();
  if (now - looked_ < look_interval)
    return standing_;
  looked_ = now;
  ConnectionPtr connection;
  {
    std::lock_guard lock(mutex_);
    if (!current_ || current_->broken())
      return standing_;
    connection = current_;
  }
  const std::optional<Sending> sending = connection->sending();
  std::lock_guard lock(mutex_);
  if (connection != current_)
    return false;
  if (!sending || sending->waiting == 0 || sending->taken != taken_) {
    taken_ = sending ? sending->taken : 0;
    taken_at_ = now;
    standing_ = false;
  } else if (now - taken_at_ > still_limit) {
    standing_ = true;
  }
  return standing_;
}

bool PushSwitch::drain(milliseconds quiet, milliseconds most) {
  const auto begin = Clock::now();
  auto moved_at = begin;
  guint64 sent = 0;
  guint64 moved = 0;
  std::unique_lock lock(mutex_);
  const guint run = run_;
  const auto cancelled = [&] { return !running_ || run_ != run; };
  while (!changed_.wait_for(lock, drain_poll, cancelled)) {
    const ConnectionPtr connection = current_ ? current_ : next_;
    const bool ended = ended_;
    const guint moves = moves_;
    if (ended && (!connection || connection->broken()))
      return false;
    lock.unlock();
    const auto now = Clock::now();
    bool done = false;
    guint64 position = moves;
    if (connection) {
      const guint64 bytes = connection->sent_bytes();
      const bool same = std::exchange(sent, bytes) == bytes;
      const std::optional<Sending> sending = connection->sending();
      done = ended && bytes > 0 && same && (!sending || sending->waiting == 0);
      position += bytes + (sending ? sending->taken : 0);
    }
    if (std::exchange(moved, position) != position)
      moved_at = now;
    lock.lock();
    if (done)
      return true;
    if (now - moved_at > quiet || now - begin > most)
      return false;
  }
  return false;
}

std::string PushSwitch::url() const {
  std::lock_guard lock(mutex_);
  return current_ ? current_->url() : next_ ? next_->url() : std::string();
}

guint PushSwitch::sessions() const {
  std::lock_guard lock(mutex_);
  return sessions_;
}

}  // namespace agora

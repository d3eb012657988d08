// SPDX-License-Identifier: LGPL-2.1-or-later
#include "signaling/relay/server.hpp"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>
#include <variant>

#include "agora-config.h"

namespace agora::relay {

namespace {

using relay_line::Level;
using relay_line::Refusal;
using relay_line::Side;

constexpr std::size_t read_buffer_bytes = 64 * 1024;
constexpr int tick_ms = 100;
constexpr int idle_tick_ms = 1000;  // without connections and pulls
// If a tick comes so late, this process stood still, or its machine.
constexpr std::int64_t stall_ms = 1500;
// Connections that one door lets in during one turn.
constexpr int most_accepted = 32;
// Steps of TLS handshakes in one turn. One with an RSA key takes half a millisecond.
constexpr int handshakes_a_turn = 4;
// Questions that the gateway has not answered.
constexpr std::size_t most_asked = 256;
// Descriptors that connections may not take: the line, the doors, epoll, and what libraries open.
constexpr std::size_t kept_descriptors = 16;
// Packets of figures in one tick.
constexpr int most_reports = 4;
// How often those of streams that are over are forgotten, where nobody wants them.
constexpr std::int64_t unreported_ms = 10'000;
// Strangers are a part of all connections.
constexpr std::size_t stranger_share = 4;

// A player that takes nothing for so long is gone, or as good as: it may stand still for a minute.
constexpr unsigned player_timeout_ms = 90'000;
constexpr int keepalive_idle_s = 30;
constexpr int keepalive_interval_s = 10;
// Unsent bytes that the kernel takes for one connection: what it has can't be left out any more.
constexpr int unsent_bytes = 4096;

void set (int fd, int level, int name, int value) {
  setsockopt(fd, level, name, &value, sizeof value);
}

Network network_of (const sockaddr_storage &peer) {
  Network network;
  if (peer.ss_family == AF_INET) {
    const auto &ip = reinterpret_cast<const sockaddr_in &>(peer).sin_addr;
    network.bytes[10] = network.bytes[11] = 0xff;
    std::memcpy(network.bytes.data() + 12, &ip, 4);
  } else if (peer.ss_family == AF_INET6) {
    const auto &ip = reinterpret_cast<const sockaddr_in6 &>(peer).sin6_addr;
    std::memcpy(network.bytes.data(), &ip, IN6_IS_ADDR_V4MAPPED(&ip) ? 16 : 8);
  }
  return network;
}

Connection &connection_of (Admission::Place &place) {
  return *static_cast<Connection *>(place.owner);
}

std::size_t most_descriptors () {
  rlimit files{};
  getrlimit(RLIMIT_NOFILE, &files);
  return std::max<std::size_t>(files.rlim_cur, 2 * kept_descriptors);
}

}  // namespace

std::uint64_t draw_seed () {
  std::uint64_t seed = 0;
  // Nothing depends on it.
  if (getrandom(&seed, sizeof seed, GRND_NONBLOCK) != sizeof seed)
    seed = static_cast<std::uint64_t>(monotonic_ms());
  return seed;
}

// A listening socket.
class Door final : public Ready {
 public:
  Door(Server &server, int fd, bool tls) : server_(server), fd_(fd), tls_(tls), spare_(dup(fd)) {
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    // Accepted sockets inherit all of these.
    set(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    set(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
    set(fd, IPPROTO_TCP, TCP_KEEPIDLE, keepalive_idle_s);
    set(fd, IPPROTO_TCP, TCP_KEEPINTVL, keepalive_interval_s);
    set(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, player_timeout_ms);
    set(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, unsent_bytes);
    server_.poller().add(fd_, EPOLLIN, *this);
  }
  ~Door() override {
    close(fd_);
    close(spare_);
  }

  // After all the others' turn, so that who is there comes on before who comes.
  void on_ready (std::uint32_t) override { ready_ = true; }
  void let_in () {
    if (!std::exchange(ready_, false))
      return;
    for (int i = 0; i < most_accepted; i++) {
      if (server_.busy()) {
        open_ = false;
        server_.poller().change(fd_, 0, *this);
        return;
      }
      sockaddr_storage peer{};
      socklen_t size = sizeof peer;
      const int fd =
          accept4(fd_, reinterpret_cast<sockaddr *>(&peer), &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (fd >= 0) {
        server_.welcome(fd, network_of(peer), tls_ ? Server::Via::rtmps : Server::Via::rtmp);
        continue;
      }
      if (errno == EMFILE || errno == ENFILE) {
        turn_away();
        return;
      }
      if (errno != EINTR && errno != ECONNABORTED)
        return;
    }
  }

  void open () {
    if (!std::exchange(open_, true))
      server_.poller().change(fd_, EPOLLIN, *this);
  }

 private:
  // Out of descriptors, of this process or of the machine. The spare one serves to say so: one that
  // isn't taken would wait, and wake the loop for ever.
  void turn_away () {
    close(spare_);
    const int fd = accept4(fd_, nullptr, nullptr, SOCK_CLOEXEC);
    if (fd >= 0)
      close(fd);
    spare_ = dup(fd_);
    server_.counters.refused[static_cast<std::size_t>(Refusal::full)]++;
  }

  Server &server_;
  const int fd_;
  const bool tls_;
  int spare_;
  bool open_ = true;
  bool ready_ = false;
};

Server::Server(const Sockets &sockets)
    : line_(
          poller_, sockets.line,
          [this] (const relay_line::ToRelay &message, Descriptor socket) {
            on_line(message, std::move(socket));
          },
          [this] { over_ = true; }),
      read_buffer_(read_buffer_bytes),
      descriptors_(most_descriptors()) {
  for (const int fd : sockets.rtmp)
    doors_.push_back(std::make_unique<Door>(*this, fd, false));
  for (const int fd : sockets.rtmps)
    doors_.push_back(std::make_unique<Door>(*this, fd, true));
  told(relay_line::Configure{});
}

Server::~Server() {
  while (!connections_.empty())
    connections_.begin()->first->end();
}

void Server::run() {
  // Not before: main() gives up its rights between.
  line_.send(relay_line::Ready{AGORA_VERSION});
  while (!over_) {
    handshakes_left_ = handshakes_a_turn;
    poller_.turn(connections_.empty() && pulls_.count() == 0 ? idle_tick_ms : tick_ms);
    for (auto &door : doors_)
      door->let_in();
    if (now() >= next_tick_) {
      if (next_tick_ != 0 && now() - next_tick_ > stall_ms)
        stood_still();
      next_tick_ = now() + tick_ms;
      tick();
    }
    end_turn();
  }
}

void Server::open_doors() {
  if (!busy())
    for (auto &door : doors_)
      door->open();
}

void Server::end_turn() {
  answer_guests();
  while (!doomed_.empty()) {
    Connection *next = doomed_.back();
    doomed_.pop_back();
    next->end();
  }
  buried_.clear();
  ended_.clear();
  pulls_.end_turn();
  open_doors();
  counters.lag_ms = std::max(counters.lag_ms, static_cast<std::uint64_t>(monotonic_ms() - now()));
}

// What the pushes sent meanwhile is still to be read.
void Server::stood_still() {
  for (PushSession *push : pushes_)
    push->heard_ms = now();
  pulls_.stood_still();
}

void Server::tick() {
  while (auto *place = admission_.overdue(now())) {
    Connection &late = connection_of(*place);
    refused(Refusal::deadline, late, "neither published nor played in time");
    late.end();
  }
  const std::int64_t idle_since = now() - limits_.idle_push_ms;
  for (std::size_t i = pushes_.size(); i-- > 0;) {
    if (i >= pushes_.size() || pushes_[i]->heard_ms > idle_since)
      continue;
    line_.log(Level::info, "RTMP: a push of " + pushes_[i]->connection.address() +
                               " sent nothing for " + std::to_string(limits_.idle_push_ms) +
                               " ms; ending it");
    pushes_[i]->connection.end();
  }
  pulls_.tick();
  report();
  line_.tick(now());
}

// Of many streams a part each tick, so that neither the line nor the gateway has them all at once.
void Server::report() {
  if (now() >= next_report_) {
    hub_.ledger().begin_round(report_ms_ != 0);
    next_report_ = now() + (report_ms_ != 0 ? report_ms_ : unreported_ms);
  }
  for (int i = 0; i < most_reports && hub_.ledger().waits() && line_.has_room(); i++)
    if (const relay_line::Traffic traffic = hub_.ledger().next(); !traffic.streams.empty())
      line_.send(traffic);
}

void Server::welcome(int fd, const Network &network, Via via) {
  const bool tls = via == Via::rtmps;
  if (tls && !identity_) {
    close(fd);
    counters.refused[static_cast<std::size_t>(Refusal::tls)]++;
    return;
  }
  // Another worker counts, but is never turned away: all of its listeners would be with it.
  const Admission::Come come = via == Via::worker ? Admission::Come{} : admission_.ask(network);
  const Refusal why = come.of_address ? Refusal::address : Refusal::full;
  if (come.verdict == Admission::Verdict::refused) {
    close(fd);
    counters.refused[static_cast<std::size_t>(why)]++;
    return;
  }
  if (come.verdict == Admission::Verdict::welcome_for) {
    Connection &oldest = connection_of(*come.instead);
    refused(why, oldest,
            come.of_address ? "too many connections of its address" : "too many connections");
    oldest.end();
  }
  auto connection =
      std::make_unique<Connection>(*this, fd, tls ? identity_ : nullptr, via == Via::worker);
  Connection &one = *connection;
  admission_.come(one.place(), network, now());
  connections_.emplace(&one, std::move(connection));
  // Its first words are often there already.
  if (one.start())
    one.on_ready(EPOLLIN);
  else
    one.end();
}

void Server::doom(Connection &connection) {
  if (!connection.doom())
    doomed_.push_back(&connection);
}

void Server::bury(Connection &connection) {
  std::erase(doomed_, &connection);
  admission_.go(connection.place());
  auto found = connections_.find(&connection);
  buried_.push_back(std::move(found->second));
  connections_.erase(found);
}

void Server::refused(Refusal why, const Connection &whose, const std::string &text) {
  counters.refused[static_cast<std::size_t>(why)]++;
  line_.log(Level::info, "RTMP: " + whose.address() + " refused: " + text);
}

bool Server::ask(MediaSession &session, const rtmp::Opened &opened) {
  if (session.connection.is_guest()) {
    if (session.side == Side::push)
      return false;
    sessions_.emplace(session.number, &session);
    guests_.push_back(session.number);
    return true;
  }
  relay_line::Ask ask{session.number, session.side, opened.app,
                      opened.name,    opened.args,  session.connection.address()};
  sessions_.emplace(session.number, &session);
  if (asked_.size() >= most_asked) {
    unasked_.push_back(std::move(ask));
    return true;
  }
  if (!line_.send(ask)) {
    sessions_.erase(session.number);
    return false;
  }
  asked_.insert(session.number);
  return true;
}

void Server::ask_next() {
  while (!unasked_.empty() && asked_.size() < most_asked) {
    const relay_line::Ask ask = std::move(unasked_.front());
    unasked_.pop_front();
    const auto found = sessions_.find(ask.id);
    if (found == sessions_.end())
      continue;
    if (line_.send(ask)) {
      asked_.insert(ask.id);
      continue;
    }
    MediaSession &session = *found->second;
    // Its refusal ends it, and the gateway was never asked about it.
    sessions_.erase(found);
    session.connection.answer(session, false, "not a name of this server");
  }
}

// Not from within ask(): its caller is still reading.
void Server::answer_guests() {
  for (const std::uint64_t number : std::exchange(guests_, {})) {
    const auto found = sessions_.find(number);
    if (found != sessions_.end())
      found->second->connection.answer(*found->second, true, "");
  }
}

void Server::admitted(MediaSession &session) {
  if (session.side == Side::play) {
    pulls_.joined(session.name);
    plays_ += session.connection.is_guest() ? 0 : 1;
    return;
  }
  auto &push = static_cast<PushSession &>(session);
  push.heard_ms = now();
  push.index = pushes_.size();
  pushes_.push_back(&push);
}

void Server::done(MediaSession &session) {
  if (sessions_.erase(session.number) == 0)
    return;
  if (session.admitted && session.side == Side::push) {
    auto &push = static_cast<PushSession &>(session);
    pushes_[push.index] = pushes_.back();
    pushes_[push.index]->index = push.index;
    pushes_.pop_back();
  }
  if (session.admitted && session.side == Side::play) {
    pulls_.left(session.name);
    plays_ -= session.connection.is_guest() ? 0 : 1;
  }
  if (session.connection.is_guest())
    return;
  // One that the gateway was never asked for, it is not told of.
  const auto waits = std::find_if(unasked_.begin(), unasked_.end(),
                                  [&] (const auto &each) { return each.id == session.number; });
  if (waits != unasked_.end()) {
    unasked_.erase(waits);
    return;
  }
  line_.send(relay_line::Done{session.number, session.side, session.name});
}

void Server::on_line(const relay_line::ToRelay &message, Descriptor socket) {
  std::visit(
      [&] (const auto &each) {
        if constexpr (requires { told(each, std::move(socket)); })
          told(each, std::move(socket));
        else
          told(each);
      },
      message);
}

std::uint64_t Server::dial(const std::string &stream, const std::string &address) {
  tell(relay_line::Dial{++dials_, stream, address});
  return dials_;
}

// Not those whom the hub has: one that has paused is in none of its lists.
template <typename Meant>
void Server::cut_plays(Meant meant) {
  std::vector<Connection *> all;
  for (const auto &[number, session] : sessions_)
    if (session->admitted && session->side == Side::play && meant(*session))
      all.push_back(&session->connection);
  for (Connection *each : all)
    each->end(true);
}

void Server::drop_plays(const std::string &stream) {
  cut_plays([&] (const MediaSession &play) { return play.name == stream; });
}

void Server::told(const relay_line::Link &message, Descriptor socket) {
  pulls_.linked(message, std::move(socket));
}

void Server::told(const relay_line::Guest &, Descriptor socket) {
  if (socket)
    welcome(socket.release(), {}, Via::worker);
}

// Those who are there go on with theirs. One of no use leaves the last one there.
void Server::set_identity(const relay_line::Configure &message) {
  if (message.certificate == certificate_ && message.key == key_)
    return;
  auto made = TlsIdentity::make(message.certificate, message.key);
  if (const auto *reason = std::get_if<std::string>(&made)) {
    line_.log(Level::warning,
              "RTMPS: " + *reason + (identity_ ? "; the last certificate stays" : ""));
    return;
  }
  identity_ = std::get<TlsIdentity::Ptr>(std::move(made));
  certificate_ = message.certificate;
  key_ = message.key;
}

void Server::told(const relay_line::Configure &message) {
  app_ = message.app;
  limits_ = message.limits;
  if (std::exchange(report_ms_, message.report_ms) != message.report_ms)
    next_report_ = 0;
  send_limits_.lag_ms = limits_.listener_lag_ms;
  // What a push may send in that time, and a frame more.
  send_limits_.media_bytes =
      std::size_t{limits_.push_kbps} * limits_.listener_lag_ms / 8 + rtmp_limits_.media_bytes;
  const std::size_t most = std::min<std::size_t>(limits_.sessions, descriptors_ - kept_descriptors);
  admission_.set_limits({most, std::max<std::size_t>(most / stranger_share, 1),
                         limits_.sessions_per_address, limits_.strangers_per_address,
                         limits_.opening_ms});
  pulls_.set_opening(limits_.opening_pulls);
  set_identity(message);
}

// Those who pull go on.
void Server::told(const relay_line::Trust &message) {
  auto made = TlsTrust::make(message.authorities);
  if (const auto *reason = std::get_if<std::string>(&made))
    line_.log(Level::warning, "Authorities: " + *reason + (trust_ ? "; the last ones stay" : ""));
  else
    trust_ = std::get<TlsTrust::Ptr>(std::move(made));
}

// Before it is answered.
void Server::rename(MediaSession &session, const std::string &name) {
  session.name = name;
  if (session.side == Side::play)
    static_cast<PlaySession &>(session).steady = true;
}

void Server::told(const relay_line::Move &message) {
  const auto found = sessions_.find(message.id);
  if (found == sessions_.end() || !found->second->admitted || found->second->side != Side::play)
    return;
  auto &play = static_cast<PlaySession &>(*found->second);
  hub_.leave(play);
  pulls_.left(std::exchange(play.name, message.stream));
  pulls_.joined(play.name);
  if (!play.paused)
    hub_.play(play.name, play);
}

void Server::told(const relay_line::Answer &message) {
  if (asked_.erase(message.id) == 0)
    return;
  const auto found = sessions_.find(message.id);
  if (found != sessions_.end()) {
    MediaSession &session = *found->second;
    if (!message.allow)
      sessions_.erase(found);
    else if (!message.stream.empty())
      rename(session, message.stream);
    const std::string stream = session.name;
    session.connection.answer(session, message.allow, message.reason);
    if (message.allow && !message.relay_from.empty())
      pulls_.pull_from(stream, message.relay_from);
  }
  ask_next();
}

void Server::told(const relay_line::Drop &message) {
  if (message.side == Side::push)
    drop_push(message);
  else if (message.id != 0)
    drop_play(message.id);
  else
    cut_plays([&] (const MediaSession &play) {
      return play.name == message.stream && !play.connection.is_guest();
    });
  line_.send(relay_line::Dropped{message.ticket});
}

// Whatever it is called by now.
void Server::drop_play(std::uint64_t number) {
  const auto found = sessions_.find(number);
  if (found == sessions_.end())
    return;
  const MediaSession &play = *found->second;
  if (play.admitted && play.side == Side::play && !play.connection.is_guest())
    play.connection.end(true);
}

void Server::drop_push(const relay_line::Drop &message) {
  if (pulls_.has(message.stream)) {
    if (message.id == 0)
      pulls_.drop(message.stream);
    return;
  }
  auto *push = static_cast<PushSession *>(hub_.publisher_of(message.stream));
  if (push != nullptr && (message.id == 0 || push->number == message.id))
    push->connection.end(true);
}

void Server::told(const relay_line::Ping &message) {
  counters.connections = connections_.size();
  counters.pushes = pushes_.size();
  counters.pulls = pulls_.count();
  counters.listeners = plays_;
  counters.fds = connections_.size() + pulls_.count() + 2 * doors_.size() + 5;
  line_.send(relay_line::Pong{message.n, counters});
  counters.lag_ms = 0;
}

void Server::told(const relay_line::ListSessions &message) {
  relay_line::Sessions list{message.n, {}, false};
  for (const auto &[number, session] : sessions_) {
    if (!session->admitted || session->connection.is_guest())
      continue;
    if (list.ids.size() == relay_line::max_ids) {
      line_.send(list);
      list.ids.clear();
    }
    list.ids.push_back(number);
  }
  list.last = true;
  line_.send(list);
}

}  // namespace agora::relay

// SPDX-License-Identifier: LGPL-2.1-or-later
#include "signaling/relay/pulls.hpp"

#include <utility>
#include <variant>

#include "signaling/relay/media-session.hpp"
#include "signaling/relay/server.hpp"
#include "signaling/support/token-bucket.hpp"

namespace agora::relay {

namespace {

using relay_line::RelayUrl;

// How long a pull stays for want of listeners: somebody often comes back at once.
constexpr std::int64_t linger_ms = 500;
// From a failed attempt to the next one. There is one: then the listeners have to go, and ask the
// gateway anew, which knows better where the stream is by then.
constexpr std::int64_t retry_ms = 50;
// It waits for its turn so long, and no second attempt begins later: those who listen are told
// within 3 s in any case.
constexpr std::int64_t turn_ms = 1500;
// Until the gateway has answered with a socket.
constexpr std::int64_t dial_ms = 1100;
// From a connection to the play: one that says a word now and then has to end, too.
constexpr std::int64_t opening_ms = 2000;
// A pull that played for so long may fail once more.
constexpr std::int64_t lasted_ms = 2000;
// A stream that played, and isn't pushed at the origin that was connected to anew: listeners hear
// of its end after this.
constexpr std::int64_t absent_ms = 500;
// An origin may begin and end pushes so often: each is a word to all listeners.
constexpr unsigned changes_a_second = 2;
constexpr unsigned most_changes_at_once = 20;
// The origin holds its push to the limits. What it sends may come in lumps.
constexpr unsigned rate_factor = 2;

}  // namespace

// One stream that is pulled.
class Pull final : public Publisher, public Upstream::Owner {
 public:
  Pull(Server &server, PullTurns &turns, std::string of)
      : server_(server),
        turns_(turns),
        name_(std::move(of)),
        rate_(server.now(), rate_factor),
        changes_(changes_a_second, most_changes_at_once) {
    place_.owner = this;
  }
  ~Pull() {
    unpublish(false);
    turns_.leave(place_);
  }

  void pull_from (RelayUrl url);
  void linked (const relay_line::Link &link, Descriptor socket);
  // Its turn has come.
  void dial ();
  void tick ();
  void stood_still () {
    if (upstream_)
      upstream_->stood_still();
    since_ = server_.now();
  }
  void unpublish (bool discard);
  // Whether it is to end.
  bool over () const { return state_ == State::over; }
  void end () {
    disconnect();
    state_ = State::over;
  }

  bool on_playing () override;
  bool on_begin () override;
  bool on_end () override;
  bool on_media (const rtmp::MediaMessage &message) override;
  void on_read () override { server_.hub().flush(*this); }
  void on_ended (const std::string &reason) override { fail(reason); }

  std::int64_t deserted_ = 0;  // since when nobody listens; 0: somebody does

 private:
  enum class State { idle, waiting, dialling, opening, playing, pausing, over };

  void become (State state) {
    state_ = state;
    since_ = server_.now();
  }
  void attempt ();
  void open (Descriptor socket, rtmp::Target target, std::unique_ptr<Tls> tls);
  void disconnect ();
  void fail (const std::string &reason);
  void give_up (const std::string &reason);

  Server &server_;
  PullTurns &turns_;
  PullTurns::Place place_;
  const std::string name_;
  PushRate rate_;
  TokenBucket changes_;
  State state_ = State::idle;
  std::int64_t since_ = 0;  // of this state
  std::int64_t began_ = 0;  // to connect: its first attempt
  RelayUrl url_;
  bool local_ = false;  // from another worker, which the gateway looks after
  bool published_ = false;
  bool confirmed_ = false;  // by this connection: it is pushed there
  bool retried_ = false;
  std::uint64_t dial_ = 0;
  std::unique_ptr<Upstream> upstream_;
};

void Pull::disconnect() {
  dial_ = 0;
  turns_.leave(place_);
  if (!upstream_)
    return;
  upstream_->end();
  server_.bury(std::move(upstream_));
}

void Pull::pull_from(RelayUrl url) {
  const bool elsewhere = local_ || url.tls != url_.tls || url.name != url_.name ||
                         relay_line::address_of(url) != relay_line::address_of(url_);
  url_ = std::move(url);
  if (state_ != State::idle && state_ != State::over && !elsewhere)
    return;
  local_ = counted_ = false;
  retried_ = false;
  disconnect();
  began_ = server_.now();
  attempt();
}

void Pull::attempt() {
  become(State::waiting);
  if (turns_.take(place_, relay_line::address_of(url_)))
    dial();
}

void Pull::dial() {
  become(State::dialling);
  dial_ = server_.dial(name_, relay_line::address_of(url_));
}

void Pull::linked(const relay_line::Link &link, Descriptor socket) {
  if (link.n != dial_ && link.n != 0)
    return;
  if (link.n == 0) {
    disconnect();
    local_ = counted_ = true;
  }
  dial_ = 0;
  if (!socket) {
    fail(link.reason.empty() ? "no descriptor is left" : link.reason);
    return;
  }
  if (local_) {
    const std::string &app = server_.app();
    open(std::move(socket), {"rtmp://worker/" + app, app, name_}, nullptr);
    return;
  }
  open(std::move(socket),
       {(url_.tls ? "rtmps://" : "rtmp://") + relay_line::address_of(url_) + "/" + url_.app,
        url_.app, url_.args.empty() ? url_.stream : url_.stream + "?" + url_.args},
       url_.tls ? std::make_unique<Tls>(server_.trust(), url_.name.empty() ? url_.host : url_.name)
                : nullptr);
}

void Pull::open(Descriptor socket, rtmp::Target target, std::unique_ptr<Tls> tls) {
  become(State::opening);
  confirmed_ = false;
  upstream_ = std::make_unique<Upstream>(server_, *this, std::move(socket), std::move(target),
                                         std::move(tls));
  if (!upstream_->start())
    fail("no memory for its socket");
}

bool Pull::on_playing() {
  become(State::playing);
  turns_.leave(place_);
  if (!local_)
    server_.tell(relay_line::Pulled{name_});
  return true;
}

bool Pull::on_begin() {
  confirmed_ = true;
  if (published_)
    return true;
  if (!changes_.take(server_.now()))
    return false;
  // Somebody pushes it here: that push wins.
  published_ = server_.hub().publish(name_, *this);
  return published_;
}

bool Pull::on_end() {
  unpublish(false);
  return true;
}

bool Pull::on_media(const rtmp::MediaMessage &message) {
  if (!on_begin() ||
      !rate_.charge(message.payload.size(), server_.limits().push_kbps, server_.now()))
    return false;
  server_.hub().message(*this, message);
  return true;
}

void Pull::unpublish(bool discard) {
  if (std::exchange(published_, false))
    server_.hub().unpublish(*this, discard);
}

// Its listeners hear nothing of a failure that the second attempt mends.
void Pull::fail(const std::string &reason) {
  if (state_ == State::playing) {
    began_ = server_.now();
    if (began_ - since_ > lasted_ms)
      retried_ = false;
  }
  disconnect();
  if (!local_ && !std::exchange(retried_, true) && server_.now() - began_ <= turn_ms)
    become(State::pausing);
  else
    give_up(local_ ? reason : relay_line::address_of(url_) + ": " + reason);
}

void Pull::give_up(const std::string &reason) {
  become(local_ ? State::idle : State::over);
  disconnect();
  unpublish(false);
  server_.counters.pulls_failed++;
  server_.tell(relay_line::PullFailed{name_, reason});
  if (!local_)
    server_.drop_plays(name_);
}

void Pull::tick() {
  const std::int64_t elapsed = server_.now() - since_;
  if (upstream_)
    upstream_->tick();
  if (state_ == State::pausing && elapsed >= retry_ms)
    attempt();
  else if (state_ == State::waiting && server_.now() - began_ > turn_ms)
    give_up(relay_line::address_of(url_) + ": too many pulls of this origin are opened at once");
  else if (state_ == State::dialling && elapsed > dial_ms)
    fail("the gateway gave no socket for it");
  else if (state_ == State::opening && elapsed > opening_ms)
    fail("the origin takes too long");
  else if (state_ == State::playing && published_ && !confirmed_ && elapsed > absent_ms)
    unpublish(false);
}

Pulls::Pulls(Server &server) : server_(server) {
}

Pulls::~Pulls() = default;

Pull &Pulls::pull_of(Place place) {
  if (!place->second.pull) {
    place->second.pull = std::make_unique<Pull>(server_, turns_, place->first);
    pulls_++;
  }
  return *place->second.pull;
}

// It may be what just calls.
void Pulls::bury(Place place) {
  Played &played = place->second;
  if (played.pull) {
    server_.counters.pulls_ended += played.pull->over() ? 0 : 1;
    played.pull->end();
    played.pull->unpublish(false);
    buried_.push_back(std::move(played.pull));
    pulls_--;
  }
  if (played.listeners == 0)
    played_.erase(place);
}

void Pulls::joined(const std::string &stream) {
  Played &played = played_[stream];
  played.listeners++;
  if (played.pull)
    played.pull->deserted_ = 0;
}

void Pulls::left(const std::string &stream) {
  const auto found = played_.find(stream);
  if (found == played_.end() || --found->second.listeners > 0)
    return;
  if (found->second.pull)
    found->second.pull->deserted_ = server_.now();
  else
    played_.erase(found);
}

void Pulls::pull_from(const std::string &stream, const std::string &url) {
  const auto found = played_.find(stream);
  if (found == played_.end())
    return;
  auto parsed = relay_line::parse_relay_url(url);
  if (const auto *named = std::get_if<RelayUrl>(&parsed);
      named != nullptr && named->tls && !server_.trust())
    parsed = relay_line::address_of(*named) +
             ": the origin wants TLS, and there is no authority to check it by (--relay-ca-file)";
  if (const auto *reason = std::get_if<std::string>(&parsed)) {
    server_.counters.pulls_failed++;
    server_.tell(relay_line::PullFailed{stream, *reason});
    server_.drop_plays(stream);
    return;
  }
  // One who pushes it here is heard, and nobody else.
  if (!found->second.pull && server_.hub().publisher_of(stream) != nullptr)
    return;
  pull_of(found).pull_from(std::get<RelayUrl>(std::move(parsed)));
}

void Pulls::linked(const relay_line::Link &link, Descriptor socket) {
  const auto found = played_.find(link.stream);
  if (found == played_.end() || (!found->second.pull && link.n != 0))
    return;
  if (!found->second.pull && server_.hub().publisher_of(link.stream) != nullptr)
    return;
  pull_of(found).linked(link, std::move(socket));
}

void Pulls::yield(const std::string &stream) {
  const auto found = played_.find(stream);
  if (found != played_.end() && found->second.pull)
    bury(found);
}

bool Pulls::has(const std::string &stream) const {
  const auto found = played_.find(stream);
  return found != played_.end() && found->second.pull;
}

void Pulls::drop(const std::string &stream) {
  const auto found = played_.find(stream);
  if (found == played_.end() || !found->second.pull)
    return;
  found->second.pull->unpublish(true);
  bury(found);
}

void Pulls::tick() {
  if (pulls_ == 0)
    return;
  // A pull that fails may end listeners, and with them other pulls.
  std::vector<std::string> names;
  for (const auto &[name, played] : played_)
    if (played.pull)
      names.push_back(name);
  for (const std::string &name : names) {
    auto found = played_.find(name);
    if (found == played_.end() || !found->second.pull)
      continue;
    found->second.pull->tick();
    found = played_.find(name);
    if (found == played_.end() || !found->second.pull)
      continue;
    const std::int64_t deserted = found->second.pull->deserted_;
    if (found->second.pull->over() || (deserted != 0 && server_.now() - deserted >= linger_ms))
      bury(found);
  }
}

void Pulls::end_turn() {
  while (PullTurns::Place *next = turns_.next())
    static_cast<Pull *>(next->owner)->dial();
  buried_.clear();
}

void Pulls::stood_still() {
  for (const auto &[name, played] : played_)
    if (played.pull)
      played.pull->stood_still();
}

}  // namespace agora::relay

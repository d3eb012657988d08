// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/web/session.hpp"

#include <utility>

#include "gst/common/signal-thread.hpp"
#include "gst/web/member.hpp"

namespace agora::web {

Session::Session(Surroundings &around, std::uint64_t number, std::shared_ptr<Member> member,
                 Wanted wanted)
    : around_(around), number_(number), member_(std::move(member)), wanted_(std::move(wanted)) {
  const unsigned opening_ms = around_.configuration().limits.opening_ms;
  opening_ = after(nullptr, opening_ms, [this, opening_ms] {
    around_.over(*this, {protocol::Code::timeout,
                         "no connection within " + std::to_string(opening_ms) + " ms"});
  });
}

Session::~Session() {
  if (peer_)
    peer_->close();
}

bool Session::open(std::string &error) {
  // The Peer calls nobody after close(), and this is closed before it goes.
  PeerCallbacks callbacks;
  callbacks.answer = [this] (std::string sdp) {
    sdp_ = std::move(sdp);
    answer();
  };
  callbacks.refused = [this] (int status, const std::string &reason) {
    around_.over(*this, {protocol::Code::bad_request, reason}, static_cast<unsigned>(status));
  };
  callbacks.connected = [this] { on_connected(); };
  callbacks.gone = [this] (const std::string &reason) {
    around_.over(*this, {protocol::Code::timeout, reason});
  };
  peer_ =
      Peer::make(wanted_.offer, around_.peer_config(wanted_.address), std::move(callbacks), error);
  if (!peer_)
    return false;
  pipeline_ = std::make_unique<Pipeline>(
      Pipeline::Callbacks{[this] (const GError &cause) { fail(cause); }, {}});
  gst_bin_add(pipeline_->bin(), peer_->bin());
  prepare();
  if (!pipeline_->play()) {
    error = "its pipeline doesn't start";
    return false;
  }
  peer_->start();
  return true;
}

void Session::fail(const GError &error) {
  around_.over(*this, {protocol::Code::internal, error.message});
}

void Session::admit(std::uint32_t uid) {
  if (uid_ != 0 || closed_)
    return;
  const auto kept = shared_from_this();
  uid_ = uid;
  std::string error;
  if (open(error))
    admitted();
  else
    around_.over(*this, {protocol::Code::internal, error});
}

std::optional<Refusal> Session::trickle(std::string_view fragment) {
  if (!peer_)
    return Refusal{409, "this session has no answer yet"};
  return peer_->trickle(fragment);
}

void Session::answer() {
  if (answered_ || closed_)
    return;
  answered_ = true;
  around_.send(web_line::Answer{number_, uid_, std::exchange(sdp_, {})});
  member_->answered(*this);
}

void Session::on_connected() {
  connected_ = true;
  opening_.reset();
  member_->connected(*this);
}

void Session::tell(const char *name, std::string text) {
  if (answered_)
    around_.send(web_line::Event{number_, name, std::move(text)});
}

// True: nothing was left out.
bool Session::tell_if_room(const char *name, std::string text) {
  return !answered_ || around_.send_if_room(web_line::Event{number_, name, std::move(text)});
}

void Session::tell_if_prompt(const char *name, std::string text) {
  if (listens_)
    around_.send_if_prompt(web_line::Event{number_, name, std::move(text)});
}

void Session::close(std::function<void()> stopped) {
  opening_.reset();
  closed_ = true;
  if (!peer_)
    return;
  peer_->close();
  const std::shared_ptr<Peer> peer(std::move(peer_));
  // In the middle of its making it isn't to be disturbed.
  std::function<bool()> may_stop;
  if (!answered_)
    may_stop = [peer] { return peer->is_settled(); };
  if (pipeline_)
    pipeline_->end(std::move(stopped), std::move(may_stop));
}

}  // namespace agora::web

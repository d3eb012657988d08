// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/web/session.hpp"

#include <utility>

#include "gst/common/signal-thread.hpp"
#include "gst/web/member.hpp"

namespace agora::web {

Session::Session(Surroundings &around, std::uint64_t number, std::shared_ptr<Member> member)
    : around_(around), number_(number), member_(std::move(member)) {
}

Session::~Session() {
  if (peer_)
    peer_->close();
}

bool Session::open(const Offer &offer, const std::string &address, std::string &error) {
  kind_ = offer.kind;
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
  peer_ = Peer::make(offer, around_.peer_config(address), std::move(callbacks), error);
  if (!peer_)
    return false;
  pipeline_ = std::make_unique<Pipeline>(
      Pipeline::Callbacks{[this] (const GError &cause) { fail(cause); }, {}});
  gst_bin_add(pipeline_->bin(), peer_->bin());
  prepare();
  const unsigned opening_ms = around_.configuration().limits.opening_ms;
  opening_ = after(nullptr, opening_ms, [this, opening_ms] {
    around_.over(*this, {protocol::Code::timeout,
                         "no connection within " + std::to_string(opening_ms) + " ms"});
  });
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
  if (uid_ != 0)
    return;
  uid_ = uid;
  admitted();
  answer();
}

void Session::answer() {
  if (answered_ || sdp_.empty() || uid_ == 0)
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

void Session::tell_if_prompt(const char *name, std::string text) {
  if (listens_)
    around_.send_if_prompt(web_line::Event{number_, name, std::move(text)});
}

void Session::close(std::function<void()> stopped) {
  opening_.reset();
  if (!peer_)
    return;
  peer_->close();
  pipeline_->end(std::move(stopped));
  peer_.reset();
}

}  // namespace agora::web

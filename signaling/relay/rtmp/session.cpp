// SPDX-License-Identifier: LGPL-2.1-or-later
#include "signaling/relay/rtmp/session.hpp"

#include <utility>

namespace agora::relay::rtmp {

struct Session::State {
  std::string output;
  std::string reason;
};

Session::Session(const Limits & /*limits*/, std::uint64_t /*seed*/, std::uint32_t /*ms*/)
    : state_(std::make_unique<State>()) {
}
Session::~Session() = default;

bool Session::feed(Bytes /*bytes*/, Events & /*events*/) {
  state_->reason = "the session can't read yet";
  return false;
}
bool Session::waiting() const {
  return false;
}
const std::string &Session::reason() const {
  return state_->reason;
}
std::string Session::take_output() {
  return std::exchange(state_->output, {});
}
bool Session::has_output() const {
  return !state_->output.empty();
}
void Session::accept(std::uint32_t /*stream*/) {
}
void Session::refuse(std::uint32_t /*stream*/, std::string_view /*code*/,
                     std::string_view /*text*/) {
}
void Session::push_began(std::uint32_t /*stream*/) {
}
void Session::push_ended(std::uint32_t /*stream*/) {
}
void Session::ping(std::uint32_t /*ms*/) {
}
bool Session::connected() const {
  return false;
}
std::uint64_t Session::bytes_in() const {
  return 0;
}
std::size_t Session::held_memory() const {
  return 0;
}
std::string_view data_name (Bytes /*payload*/) {
  return {};
}

}  // namespace agora::relay::rtmp

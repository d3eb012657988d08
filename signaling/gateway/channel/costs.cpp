// SPDX-License-Identifier: LGPL-2.1-or-later
// What a socket, and an address before it has joined, may ask for. A frame costs by its length, so
// that a few long ones are no way around the limit.
#include <algorithm>
#include <iterator>
#include <limits>

#include "signaling/gateway/channel/channel-book.hpp"

namespace agora::gateway {

using protocol::Code;

namespace {

constexpr std::size_t bytes_per_request = 2048;
// What one who joins has to be told, in events that weigh as much as one request.
constexpr std::size_t events_per_request = 16;
// Of a socket that hasn't joined: they are looked at whatever others of its address do, so that
// nobody is kept out by a neighbour.
constexpr unsigned frames_to_join = 4;
// Networks without a socket that are remembered until their allowance is full again.
constexpr std::size_t spare_networks = 1024;
// A burst of joins is what a restart brings: each socket, a few times.
constexpr std::uint64_t joins_per_socket = 4;

}  // namespace

bool ChannelBook::affords(SessionId id, std::size_t bytes, Now now) {
  MemberSession *from = session(id);
  if (!from)
    return false;
  const std::size_t cost = 1 + bytes / bytes_per_request;
  const Limits &limits = config_.limits;
  bool good = !limits.requests_per_second || from->requests.charge(now.mono_ms, cost);
  // A socket that owes already doesn't use up what others of its address may ask for.
  if (good && !from->member && from->entrance != Entrance::mix && limits.unjoined_per_second &&
      from->unjoined_frames++ >= frames_to_join) {
    // Without debts: who comes later must not pay for them.
    TokenBucket &shared = network(from->network, now).unjoined;
    good = shared.is_paid(now.mono_ms);
    if (good)
      shared.charge(now.mono_ms, cost);
  }
  return good;
}

Commands ChannelBook::refuse_frame(SessionId id, std::int64_t request_id, Now now) {
  Step step{now, {}};
  MemberSession *from = session(id);
  if (!from)
    return finish(step);
  from->heard_ms = step.now.mono_ms;
  constexpr const char *why = "too many requests, slow down";
  if (request_id)
    refuse(step, Asked{*from, request_id}, Code::too_many, why);
  else
    step.out.push_back(Send{{id}, protocol::ErrorEvent{Code::too_many, why}});
  if (from->requests.owes_more_than(4))
    close(step, *from, CloseCode::policy, "flood of requests");
  return finish(step);
}

Network &ChannelBook::network(const std::string &name, Now now) {
  const auto found = networks_.find(name);
  if (found != networks_.end())
    return found->second;
  if (networks_.size() > 2 * sessions_.size() + spare_networks)
    for (auto each = networks_.begin(); each != networks_.end();) {
      const bool idle = each->second.sockets == 0 && each->second.unjoined.is_full(now.mono_ms);
      each = idle ? networks_.erase(each) : std::next(each);
    }
  const Limits &limits = config_.limits;
  // Behind a proxy all have one address, and its limit on sockets says so.
  const std::uint64_t burst = std::max(std::uint64_t{2} * limits.unjoined_per_second,
                                       joins_per_socket * limits.sockets_per_address);
  Network &fresh = networks_[name];
  fresh.unjoined = {limits.unjoined_per_second, static_cast<unsigned>(std::min<std::uint64_t>(
                                                    burst, std::numeric_limits<unsigned>::max()))};
  return fresh;
}

void ChannelBook::leave_network(const std::string &name, Now now) {
  const auto found = networks_.find(name);
  if (found == networks_.end() || --found->second.sockets > 0)
    return;
  if (found->second.unjoined.is_full(now.mono_ms))
    networks_.erase(found);
}

// What a repeated join makes. It is never a flood by itself.
void ChannelBook::charge_join(MemberSession &session, std::size_t events, Now now) {
  const std::size_t cost =
      std::min<std::size_t>(events / events_per_request, config_.limits.request_burst);
  if (config_.limits.requests_per_second)
    session.requests.charge(now.mono_ms, cost);
}

}  // namespace agora::gateway

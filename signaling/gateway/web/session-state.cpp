// SPDX-License-Identifier: LGPL-2.1-or-later
#include "signaling/gateway/web/session-state.hpp"

#include <limits>
#include <optional>

#include "signaling/protocol/json.hpp"

namespace agora::gateway {

namespace {

std::optional<protocol::Uid> uid_in (std::string_view data) {
  // What is kept of a thousand speakers, in each session.
  constexpr std::size_t most_bytes = 64;
  constexpr unsigned depth = 8;
  std::string reason;
  const auto document = protocol::parse_object(data, most_bytes, depth, reason);
  const auto *uid = document ? document->root()->member("uid") : nullptr;
  if (uid == nullptr || uid->kind != protocol::JsonKind::integer || uid->integer < 0 ||
      uid->integer > std::numeric_limits<protocol::Uid>::max())
    return {};
  return static_cast<protocol::Uid>(uid->integer);
}

// Of what is kept until another event, in bytes; of longer data it is known that it was.
constexpr std::size_t longest_cause = 1024;

// An event that holds until another one.
struct Pair {
  std::string_view begins;
  std::string_view ends;
};
constexpr Pair pairs[] = {
    {"active", "inactive"}, {"silenced", "unsilenced"}, {"reconnecting", "reconnected"}};

}  // namespace

SessionState::Speaker *SessionState::speaker(std::string_view data, bool make) {
  const auto uid = uid_in(data);
  if (!uid)
    return nullptr;
  const auto found = speakers_.find(*uid);
  if (found != speakers_.end())
    return &found->second;
  return make && speakers_.size() < most_speakers ? &speakers_[*uid] : nullptr;
}

void SessionState::took_place(const StreamEvent &event) {
  const auto &[name, data] = event;
  if (name == "levels")
    return;
  if (name == "joined") {
    if (uid_in(data))
      joined_ = data;
  } else if (name == "stream-added") {
    if (auto *who = speaker(data, true))
      who->added = data;
  } else if (name == "mute-audio") {
    if (auto *who = speaker(data, true))
      who->muted = data;
  } else if (name == "unmute-audio") {
    if (auto *who = speaker(data, false)) {
      who->muted.clear();
      forget_if_nothing(data);
    }
  } else if (name == "stream-removed") {
    if (const auto uid = uid_in(data))
      speakers_.erase(*uid);
  }
  for (const auto &[begins, ends] : pairs) {
    if (name == begins)
      holds_[std::string(begins)] = data.size() <= longest_cause ? data : "{}";
    else if (name == ends)
      holds_.erase(std::string(begins));
  }
}

void SessionState::forget_if_nothing(std::string_view data) {
  const auto uid = uid_in(data);
  const auto found = uid ? speakers_.find(*uid) : speakers_.end();
  if (found != speakers_.end() && found->second.added.empty() && found->second.muted.empty())
    speakers_.erase(found);
}

std::vector<StreamEvent> SessionState::events() const {
  std::vector<StreamEvent> all;
  if (!joined_.empty())
    all.push_back({"joined", joined_});
  for (const auto &[uid, who] : speakers_)
    if (!who.added.empty())
      all.push_back({"stream-added", who.added});
  for (const auto &[uid, who] : speakers_)
    if (!who.muted.empty())
      all.push_back({"mute-audio", who.muted});
  for (const auto &[name, data] : holds_)
    all.push_back({name, data});
  return all;
}

}  // namespace agora::gateway

// SPDX-License-Identifier: LGPL-2.1-or-later
#include "signaling/gateway/web/session-state.hpp"

#include <limits>
#include <optional>

#include "signaling/protocol/json.hpp"

namespace agora::gateway {

namespace {

// What is kept of a thousand speakers, in each session.
constexpr std::size_t longest_data = 64;
// With a name beside: a character has 4 bytes at most, and a quotation mark 2.
constexpr std::size_t longest_named = longest_data + 4 * protocol::max_name;
constexpr unsigned depth = 8;

std::optional<protocol::Uid> uid_of (const protocol::JsonNode &object) {
  const auto *uid = object.member("uid");
  if (uid == nullptr || uid->kind != protocol::JsonKind::integer || uid->integer < 0 ||
      uid->integer > std::numeric_limits<protocol::Uid>::max())
    return {};
  return static_cast<protocol::Uid>(uid->integer);
}

std::optional<protocol::Uid> uid_in (std::string_view data) {
  std::string reason;
  const auto document = protocol::parse_object(data, longest_data, depth, reason);
  return document ? uid_of(*document->root()) : std::nullopt;
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

SessionState::Speaker *SessionState::speaker(std::optional<protocol::Uid> uid, bool make) {
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
    if (auto *who = speaker(uid_in(data), true))
      who->added = data;
  } else if (name == "mute-audio") {
    if (auto *who = speaker(uid_in(data), true))
      who->muted = data;
  } else if (name == "unmute-audio") {
    const auto uid = uid_in(data);
    if (auto *who = speaker(uid, false)) {
      who->muted.clear();
      forget_if_nothing(*uid);
    }
  } else if (name == "member-named") {
    keep_name(data);
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

// An empty name: it has none any more.
void SessionState::keep_name(const std::string &data) {
  std::string reason;
  const auto document = protocol::parse_object(data, longest_named, depth, reason);
  const auto *name = document ? document->root()->member("name") : nullptr;
  if (name == nullptr || name->kind != protocol::JsonKind::text)
    return;
  const auto uid = uid_of(*document->root());
  if (auto *who = speaker(uid, !name->text.empty())) {
    who->named = name->text.empty() ? "" : data;
    forget_if_nothing(*uid);
  }
}

void SessionState::forget_if_nothing(protocol::Uid uid) {
  const auto found = speakers_.find(uid);
  if (found != speakers_.end() && found->second.added.empty() && found->second.muted.empty() &&
      found->second.named.empty())
    speakers_.erase(found);
}

std::vector<StreamEvent> SessionState::events() const {
  std::vector<StreamEvent> all;
  if (!joined_.empty())
    all.push_back({"joined", joined_});
  for (const auto &[uid, who] : speakers_) {
    // First, so that whoever is told of the stream can name it.
    if (!who.named.empty())
      all.push_back({"member-named", who.named});
    if (!who.added.empty())
      all.push_back({"stream-added", who.added});
  }
  for (const auto &[uid, who] : speakers_)
    if (!who.muted.empty())
      all.push_back({"mute-audio", who.muted});
  for (const auto &[name, data] : holds_)
    all.push_back({name, data});
  return all;
}

}  // namespace agora::gateway

// SPDX-License-Identifier: LGPL-2.1-or-later
#include "signaling/gateway/channel/roster.hpp"

#include <algorithm>
#include <utility>

namespace agora::gateway {

namespace {

// {"uid":4294967295,"name":""},
constexpr std::size_t bytes_beside_name = 29;

std::size_t listed_bytes (const std::string &name) {
  const auto escaped =
      std::count_if(name.begin(), name.end(), [] (char c) { return c == '"' || c == '\\'; });
  return bytes_beside_name + name.size() + static_cast<std::size_t>(escaped);
}

bool fits (std::size_t members, std::size_t bytes, const std::string &name) {
  return members < protocol::max_listed && bytes + listed_bytes(name) <= protocol::max_list_bytes;
}

}  // namespace

void Roster::forget(protocol::Uid uid) {
  const auto node = waiting_.extract(uid);
  if (node.empty())
    return;
  changed_.erase(node.mapped().place);
  coming_.erase(node.mapped().place);
}

void Roster::set(protocol::Uid uid, std::optional<std::string> name) {
  const auto told = told_.find(uid);
  const bool known = told != told_.end();
  const bool same = known ? name == told->second : !name;
  const auto found = waiting_.find(uid);
  if (same && (found == waiting_.end() || !found->second.given))
    return forget(uid);
  if (found == waiting_.end()) {
    const std::uint64_t place = ++places_;
    (known ? changed_ : coming_)[place] = uid;
    waiting_[uid] = {place, std::move(name), false};
    return;
  }
  // Somebody has it in a list.
  if (!known && !name && coming_.erase(found->second.place) > 0)
    changed_[found->second.place] = uid;
  found->second.name = std::move(name);
}

bool Roster::has_news() const {
  return !changed_.empty() ||
         (!coming_.empty() &&
          fits(told_.size(), bytes_, *waiting_.at(coming_.begin()->second).name));
}

Roster::News Roster::take() {
  // Who goes makes room.
  const protocol::Uid uid = (changed_.empty() ? coming_ : changed_).begin()->second;
  Waiting &next = waiting_.at(uid);
  if (const auto told = told_.find(uid); told != told_.end()) {
    bytes_ -= listed_bytes(told->second);
    told_.erase(told);
  }
  // A longer name may be one too many.
  if (next.name && !fits(told_.size(), bytes_, *next.name)) {
    changed_.erase(next.place);
    coming_[next.place] = uid;
    next.given = false;
    return {uid, std::nullopt};
  }
  const std::optional<std::string> name = next.name;
  forget(uid);
  if (name) {
    bytes_ += listed_bytes(*name);
    told_[uid] = *name;
  }
  return {uid, name};
}

protocol::MemberList Roster::give() {
  protocol::MemberList list;
  std::size_t bytes = 0;
  const auto add = [&] (protocol::Uid uid, const std::string &name) {
    const bool good = fits(list.members.size(), bytes, name);
    if (good) {
      bytes += listed_bytes(name);
      list.members.push_back({uid, name});
    } else {
      list.more++;
    }
    return good;
  };
  for (const auto &[uid, name] : told_)
    if (!waiting_.contains(uid))
      add(uid, name);
  for (const auto *queue : {&changed_, &coming_})
    for (const auto &[place, uid] : *queue) {
      Waiting &each = waiting_.at(uid);
      const bool listed = each.name && add(uid, *each.name);
      each.given = each.given || listed || queue == &changed_;
    }
  std::sort(list.members.begin(), list.members.end(),
            [] (const auto &one, const auto &other) { return one.uid < other.uid; });
  return list;
}

void Roster::clear() {
  *this = {};
}

}  // namespace agora::gateway

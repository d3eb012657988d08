// SPDX-License-Identifier: LGPL-2.1-or-later
#include "signaling/gateway/channel/roster.hpp"

#include <algorithm>
#include <utility>

namespace agora::gateway {

namespace {

// {"uid":4294967295,"name":""},
constexpr std::size_t bytes_beside_name = 29;
// What all members without a name leave for names.
constexpr std::size_t all_names =
    protocol::max_list_bytes - protocol::max_listed * bytes_beside_name;
static_assert(protocol::max_listed * bytes_beside_name < protocol::max_list_bytes);
// Each one's share of it. Names that are longer get half of it at most: the rest is for those who
// have short ones.
constexpr std::size_t share = all_names / protocol::max_listed;

std::size_t name_bytes (const std::string &name) {
  const auto escaped =
      std::count_if(name.begin(), name.end(), [] (char c) { return c == '"' || c == '\\'; });
  return name.size() + static_cast<std::size_t>(escaped);
}

bool has_room (std::size_t taken, const std::string &name) {
  const std::size_t bytes = name_bytes(name);
  return taken + bytes <= (bytes > share ? all_names / 2 : all_names);
}

}  // namespace

Roster::Queue &Roster::queue_for(protocol::Uid uid, const std::optional<std::string> &name) {
  if (!name)
    return leaving_;
  return told_.contains(uid) ? renamed_ : coming_;
}

void Roster::forget(protocol::Uid uid) {
  if (const auto node = waiting_.extract(uid))
    node.mapped().queue->erase(node.mapped().place);
}

void Roster::set(protocol::Uid uid, std::optional<std::string> name) {
  const auto told = told_.find(uid);
  const bool same = told == told_.end() ? !name : name == told->second.name;
  const auto found = waiting_.find(uid);
  if (same && (found == waiting_.end() || !found->second.given))
    return forget(uid);
  Waiting &each = waiting_[uid];
  if (each.queue)
    each.queue->erase(each.place);
  else
    each.place = ++places_;
  each.queue = &queue_for(uid, name);
  (*each.queue)[each.place] = uid;
  each.name = std::move(name);
}

bool Roster::has_news(bool renames) const {
  return !leaving_.empty() || (renames && !renamed_.empty()) ||
         (!coming_.empty() && told_.size() < protocol::max_listed);
}

Roster::News Roster::take(bool renames) {
  const bool room = !coming_.empty() && told_.size() < protocol::max_listed;
  const bool rename = renames && !renamed_.empty() && (!room || rename_next_);
  // Who goes makes room.
  const Queue &next = !leaving_.empty() ? leaving_ : rename ? renamed_ : coming_;
  if (&next != &leaving_)
    rename_next_ = !rename;
  const protocol::Uid uid = next.begin()->second;
  std::optional<std::string> name = std::move(waiting_.at(uid).name);
  forget(uid);
  const auto before = told_.find(uid);
  const bool known = before != told_.end();
  if (known) {
    name_bytes_ -= before->second.left_out ? 0 : name_bytes(before->second.name);
    told_.erase(before);
  }
  if (!name)
    return {uid, std::nullopt};
  const bool left_out = !has_room(name_bytes_, *name);
  name_bytes_ += left_out ? 0 : name_bytes(*name);
  told_[uid] = {*name, left_out};
  return {uid, left_out ? "" : std::move(*name), known};
}

protocol::MemberList Roster::give(protocol::Uid asker) {
  protocol::MemberList list;
  std::size_t bytes = 0;
  const auto add = [&] (protocol::Uid uid, const std::string &name) {
    if (list.members.size() >= protocol::max_listed) {
      list.more++;
      return false;
    }
    const bool named = has_room(bytes, name);
    bytes += named ? name_bytes(name) : 0;
    list.members.push_back({uid, named ? name : ""});
    return true;
  };
  for (const auto &[uid, told] : told_)
    if (uid != asker && !waiting_.contains(uid))
      add(uid, told.left_out ? "" : told.name);
  for (const Queue *queue : {&leaving_, &renamed_, &coming_})
    for (const auto &[place, uid] : *queue) {
      if (uid == asker)
        continue;
      Waiting &each = waiting_.at(uid);
      const bool listed = each.name && add(uid, *each.name);
      each.given = each.given || listed || queue != &coming_;
    }
  std::sort(list.members.begin(), list.members.end(),
            [] (const auto &one, const auto &other) { return one.uid < other.uid; });
  return list;
}

void Roster::clear() {
  told_.clear();
  name_bytes_ = 0;
  waiting_.clear();
  for (Queue *queue : {&leaving_, &coming_, &renamed_})
    queue->clear();
  rename_next_ = false;
}

}  // namespace agora::gateway

// SPDX-License-Identifier: LGPL-2.1-or-later
#include "signaling/gateway/channel/looks.hpp"

#include <algorithm>
#include <iterator>

namespace agora::gateway {

namespace {

// Between two looks; and more for each member that the last one has found, so that a large channel
// is no more work than many small ones.
constexpr std::int64_t look_ms = 2'000;
constexpr std::int64_t look_ms_per_member = 2;
// What they find is paid afterwards, so there must be few of which nothing is known.
constexpr std::size_t most_looking = 8;
// So many weigh as much as a look.
constexpr std::size_t found_per_look = 50;
// One of a list weighs less than an event.
constexpr std::size_t listed_per_event = 8;
// Members and channels that are kept for those who may ask again.
constexpr std::size_t most_kept = 50'000;

}  // namespace

void Looks::file(const std::string &key, Entry &entry, bool in) {
  if (entry.looking)
    return;
  auto &where = entry.wanted ? due_ : kept_;
  const std::size_t size = entry.wanted ? 0 : entry.found.size() + 1;
  if (in) {
    where.emplace(entry.not_before_ms, key);
    kept_size_ += size;
  } else {
    where.erase({entry.not_before_ms, key});
    kept_size_ -= size;
  }
}

void Looks::prune(std::int64_t now_ms) {
  while (!kept_.empty() && (kept_.begin()->first <= now_ms || kept_size_ > most_kept)) {
    const std::string key = kept_.begin()->second;
    file(key, entries_.at(key), false);
    entries_.erase(key);
  }
}

void Looks::want(const std::string &key, const TokenBucket &answers, std::int64_t now_ms) {
  prune(now_ms);
  const auto [at, fresh] = entries_.try_emplace(key, answers);
  Entry &entry = at->second;
  if (!fresh)
    file(key, entry, false);
  entry.wanted = true;
  entry.not_before_ms = std::max(entry.not_before_ms, now_ms);
  file(key, entry, true);
}

void Looks::unwant(const std::string &key, std::int64_t now_ms) {
  const auto at = entries_.find(key);
  if (at == entries_.end() || !at->second.wanted)
    return;
  file(key, at->second, false);
  at->second.wanted = false;
  at->second.not_before_ms = std::max(at->second.not_before_ms, now_ms + look_ms);
  file(key, at->second, true);
  prune(now_ms);
}

bool Looks::is_paid(const std::string &key, std::int64_t now_ms) {
  const auto at = entries_.find(key);
  return at == entries_.end() || at->second.answers.is_paid(now_ms);
}

void Looks::charge(const std::string &key, std::int64_t now_ms, std::size_t members) {
  if (const auto at = entries_.find(key); at != entries_.end())
    at->second.answers.charge(now_ms, members / listed_per_event);
}

bool Looks::is_looking(const std::string &key) const {
  const auto at = entries_.find(key);
  return at != entries_.end() && at->second.looking;
}

const Looks::Found *Looks::found(const std::string &key) const {
  const auto at = entries_.find(key);
  return at == entries_.end() ? nullptr : &at->second.found;
}

const Looks::There *Looks::find(const std::string &key, protocol::Uid uid) const {
  const Found *all = found(key);
  if (!all)
    return nullptr;
  const auto at = all->find(uid);
  return at == all->end() ? nullptr : &at->second;
}

std::optional<std::string> Looks::take(std::int64_t now_ms) {
  if (due_.empty() || due_.begin()->first > now_ms || looking_ >= most_looking ||
      !rate_.is_paid(now_ms))
    return {};
  const std::string key = due_.begin()->second;
  Entry &entry = entries_.at(key);
  file(key, entry, false);
  entry.looking = true;
  entry.seen.clear();
  looking_++;
  rate_.charge(now_ms);
  return key;
}

// While as many as may be are on their way, the next answer makes room.
std::optional<std::int64_t> Looks::next_ms(std::int64_t now_ms) {
  if (due_.empty() || looking_ >= most_looking)
    return {};
  const std::int64_t owed = rate_.is_paid(now_ms) ? 0 : rate_.owed_ms();
  return std::max(due_.begin()->first, now_ms + owed);
}

std::vector<protocol::Uid> Looks::answered(const std::string &key, std::optional<Found> all,
                                           std::int64_t now_ms) {
  const auto asked = entries_.find(key);
  if (asked == entries_.end() || !asked->second.looking)
    return {};
  Entry &entry = asked->second;
  std::vector<protocol::Uid> news;
  if (all) {
    rate_.charge(now_ms, all->size() / found_per_look);
    for (const protocol::Uid uid : entry.seen) {
      all->erase(uid);
      if (const auto known = entry.found.find(uid); known != entry.found.end())
        all->insert(*known);
    }
    const auto differs = [&] (const Found &one, const Found &other, bool both) {
      for (const auto &[uid, there] : one) {
        const auto at = other.find(uid);
        if (at == other.end() || (both && !(at->second == there)))
          news.push_back(uid);
      }
    };
    differs(*all, entry.found, true);
    differs(entry.found, *all, false);
    entry.found = std::move(*all);
  }
  entry.looking = false;
  looking_--;
  entry.not_before_ms =
      now_ms + look_ms + look_ms_per_member * static_cast<std::int64_t>(entry.found.size());
  file(key, entry, true);
  prune(now_ms);
  return news;
}

void Looks::seen(const std::string &key, protocol::Uid uid, bool is_here,
                 std::optional<There> there) {
  const auto at = entries_.find(key);
  if (at == entries_.end())
    return;
  Entry &entry = at->second;
  file(key, entry, false);
  if (entry.looking)
    entry.seen.insert(uid);
  if (is_here)
    entry.found.erase(uid);
  else if (there && (entry.found.size() < most_kept || entry.found.contains(uid)))
    entry.found[uid] = std::move(*there);
  file(key, entry, true);
}

void Looks::left(const std::string &key, protocol::Uid uid) {
  seen(key, uid, true);
}

}  // namespace agora::gateway

// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tests/unit/cluster/book.hpp"

#include <algorithm>

namespace sim {

namespace {

using agora::protocol::Codec;

constexpr std::int64_t hold_ms = 3'000;
constexpr std::int64_t grace_ms = 10'000;
const std::string torn = "not all of one";

// Some voices are offered in two codecs.
CodecStreams streams_of (const std::string &stream) {
  CodecStreams streams{{Codec::aac, stream}};
  if (stream.back() % 2 == 0)
    streams[Codec::opus] = stream + "o";
  return streams;
}

}  // namespace

Book::Book(ClusterSettings settings, BookPorts &ports)
    : cluster(std::move(settings), *this), ports_(ports) {
}

void Book::start(Moment now) {
  now_ = now;
  cluster.start(now);
}

void Book::ask(Ticket ticket, Operation operation) {
  ports_.ask(ticket, std::move(operation));
}

void Book::join(Socket &socket, Uid uid, bool adopt, std::vector<Uid> known, Moment now,
                const std::string &account) {
  now_ = now;
  socket.pending = true;
  socket.adopt = adopt;
  socket.known = std::move(known);
  joins_[socket.id] = &socket;
  ClaimRequest request;
  request.key = socket.key;
  request.uid = uid;
  request.adopt = adopt;
  request.who.account = account;
  cluster.claim(socket.id, request, now);
}

// The speaker of this gateway, else of another, else what it left behind here.
const std::string *Book::stream_of(const std::string &key, Uid uid) const {
  const auto member = members_.find({key, uid});
  if (member != members_.end() && !member->second.stream.empty())
    return &member->second.stream;
  if (const auto *remote = cluster.speakers(key))
    if (const auto found = remote->find(uid); found != remote->end()) {
      const SpeakerEntry &entry = found->second;
      CodecStreams streams = entry.others;
      streams[Codec::aac] = entry.stream;
      return streams == streams_of(entry.stream) ? &entry.stream : &torn;
    }
  const auto orphan = orphans_.find({key, uid});
  return orphan == orphans_.end() ? nullptr : &orphan->second;
}

std::map<Uid, std::string> Book::heard(const std::string &key) const {
  const auto found = told_.find(key);
  return found == told_.end() ? std::map<Uid, std::string>() : found->second;
}

void Book::refresh(const std::string &key, Uid uid) {
  // Without a member, nobody is told: the first one reads them all.
  const auto channel = told_.find(key);
  if (channel == told_.end())
    return;
  auto &told = channel->second;
  const std::string *stream = stream_of(key, uid);
  const auto known = told.find(uid);
  Told news{Told::What::added, uid, Verdict::ok};
  if (!stream) {
    if (known == told.end())
      return;
    told.erase(known);
    news.what = Told::What::removed;
  } else if (known == told.end()) {
    told[uid] = *stream;
  } else {
    if (known->second == *stream)
      return;
    known->second = *stream;
    news.what = Told::What::moved;
  }
  for (auto it = members_.lower_bound({key, 0}); it != members_.end() && it->first.first == key;
       ++it)
    if (it->first.second != uid && it->second.socket)
      ports_.tell(*it->second.socket, news);
}

void Book::replaced(Member &member) {
  if (!member.socket)
    return;
  member.socket->member = false;
  ports_.tell(*member.socket, {Told::What::replaced, 0, Verdict::ok});
  ports_.drop(*member.socket);
  member.socket = nullptr;
}

void Book::forget_if_empty(const std::string &key) {
  const auto member = members_.lower_bound({key, 0});
  const auto orphan = orphans_.lower_bound({key, 0});
  if ((member == members_.end() || member->first.first != key) &&
      (orphan == orphans_.end() || orphan->first.first != key))
    told_.erase(key);
}

void Book::remove(std::map<Place, Member>::iterator member) {
  const Place place = member->first;
  if (member->second.socket)
    member->second.socket->member = false;
  members_.erase(member);
  refresh(place.first, place.second);
  forget_if_empty(place.first);
}

void Book::claimed(JoinId join, const Claimed &claimed) {
  Socket &socket = *joins_.at(join);
  joins_.erase(join);
  claims.push_back(claimed);
  socket.pending = false;
  if (claimed.verdict != Verdict::ok) {
    if (!socket.here)
      return;
    if (claimed.verdict != Verdict::lost)
      return ports_.tell(socket, {Told::What::refused, 0, claimed.verdict});
    ports_.tell(socket, {Told::What::replaced, 0, Verdict::ok});
    return ports_.drop(socket);
  }
  const Place place{socket.key, claimed.uid};
  auto found = members_.find(place);
  if (found != members_.end()) {
    replaced(found->second);
    if (found->second.mid != claimed.mid)
      remove(found);
  }
  if (const auto [channel, fresh] = told_.try_emplace(socket.key); fresh) {
    const auto &speakers = *cluster.speakers(socket.key);
    for (const auto &[uid, entry] : speakers)
      channel->second[uid] = entry.stream;
  }
  Member &member = members_[place];
  member.mid = claimed.mid;
  member.grace_until_ms = 0;
  if (const auto orphan = orphans_.find(place); orphan != orphans_.end()) {
    member.stream = orphan->second;
    orphans_.erase(orphan);
  }
  refresh(socket.key, claimed.uid);
  if (!socket.here) {
    member.grace_until_ms = now_.mono_ms + grace_ms;
    return;
  }
  member.socket = &socket;
  socket.member = true;
  socket.uid = claimed.uid;
  ports_.tell(socket, {Told::What::joined, claimed.uid, Verdict::ok});
  const auto &told = told_[socket.key];
  for (const auto &[uid, stream] : told)
    if (uid != claimed.uid)
      ports_.tell(socket, {Told::What::added, uid, Verdict::ok});
  for (const Uid uid : socket.known)
    if (uid != claimed.uid && !told.contains(uid))
      ports_.tell(socket, {Told::What::removed, uid, Verdict::ok});
}

void Book::taken(const std::string &key, Uid uid, MemberId mid, bool adopted) {
  const auto found = members_.find({key, uid});
  if (found == members_.end() || found->second.mid != mid)
    return;
  replaced(found->second);
  if (adopted && !found->second.stream.empty())
    orphans_[{key, uid}] = found->second.stream;
  remove(found);
}

void Book::orphan_over(const std::string &key, Uid uid, MemberId) {
  orphans_.erase({key, uid});
  refresh(key, uid);
  forget_if_empty(key);
}

void Book::speaker_set(const std::string &key, Uid uid, const SpeakerEntry &) {
  refresh(key, uid);
}

void Book::speaker_gone(const std::string &key, Uid uid) {
  refresh(key, uid);
}

std::vector<Uid> Book::candidates(JoinId) {
  std::vector<Uid> uids(3);
  for (Uid &uid : uids)
    uid = static_cast<Uid>(1'000 + ports_.random() % 1'000'000);
  return uids;
}

void Book::disconnected(Socket &socket, Moment now) {
  now_ = now;
  if (!std::exchange(socket.here, false) || !socket.member)
    return;
  socket.member = false;
  const auto found = members_.find({socket.key, socket.uid});
  if (found == members_.end() || found->second.socket != &socket)
    return;
  found->second.socket = nullptr;
  found->second.grace_until_ms = now.mono_ms + grace_ms;
}

void Book::leave(Socket &socket, Moment now) {
  now_ = now;
  socket.here = false;
  const auto found = members_.find({socket.key, socket.uid});
  if (!socket.member || found == members_.end() || found->second.socket != &socket)
    return;
  cluster.release(socket.key, socket.uid, found->second.mid, now);
  remove(found);
}

bool Book::push(Socket &socket, const std::string &stream, Moment now) {
  now_ = now;
  const auto found = members_.find({socket.key, socket.uid});
  if (!socket.member || found == members_.end() || found->second.socket != &socket)
    return false;
  found->second.stream = stream;
  found->second.hold_until_ms = 0;
  cluster.speak(socket.key, socket.uid, found->second.mid,
                {streams_of(stream), {}, {}, false, false}, now);
  refresh(socket.key, socket.uid);
  return true;
}

void Book::push_ended(const std::string &stream, Moment now) {
  now_ = now;
  for (auto &[place, member] : members_)
    if (member.stream == stream)
      member.hold_until_ms = now.mono_ms + hold_ms;
}

void Book::unpublish(Socket &socket, Moment now) {
  now_ = now;
  const auto found = members_.find({socket.key, socket.uid});
  if (!socket.member || found == members_.end() || found->second.socket != &socket)
    return;
  const std::string stream = std::exchange(found->second.stream, "");
  cluster.hush(socket.key, socket.uid, found->second.mid, stream, now);
  refresh(socket.key, socket.uid);
}

void Book::tick(Moment now) {
  now_ = now;
  if (const auto due = cluster.next_deadline(); due && *due <= now.mono_ms)
    cluster.tick(now);
  std::vector<Place> gone;
  for (auto &[place, member] : members_) {
    if (member.hold_until_ms && member.hold_until_ms <= now.mono_ms) {
      member.hold_until_ms = 0;
      const std::string stream = std::exchange(member.stream, "");
      cluster.hush(place.first, place.second, member.mid, stream, now);
      refresh(place.first, place.second);
    }
    if (member.grace_until_ms && member.grace_until_ms <= now.mono_ms)
      gone.push_back(place);
  }
  for (const Place &place : gone) {
    const auto found = members_.find(place);
    cluster.release(place.first, place.second, found->second.mid, now);
    remove(found);
  }
}

}  // namespace sim

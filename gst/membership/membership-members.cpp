// SPDX-License-Identifier: LGPL-2.1-or-later
// Who the members of a membership are, how they come and go, and how they are called.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <utility>

#include "gst/membership/shared-membership.hpp"

namespace agora {

bool SharedMembership::fits(const ChannelSettings &s) const {
  std::lock_guard lock(mutex_);
  if (dead_ || left_ || entries_.empty())
    return false;
  if (s.client || !own_client_)
    return s.client && s.client == shared_;
  return s.gateway == settings_.gateway && s.ap_url == settings_.ap_url &&
         s.ca_file == settings_.ca_file && s.app_id == settings_.app_id &&
         s.channel == settings_.channel && s.hears == settings_.hears &&
         (s.uid == 0 || s.uid == settings_.uid || s.uid == uid_) &&
         (s.token.empty() || s.token == settings_.token);
}

bool SharedMembership::add(GstElement *element, Member *member, Part part, bool lists,
                           GError **error) {
  std::lock_guard lock(mutex_);
  const bool taken = std::any_of(entries_.begin(), entries_.end(),
                                 [] (const Entry &e) { return e.part == Part::host; });
  if (part == Part::host && taken) {
    g_set_error(error, AGORA_ERROR, AGORA_ERROR_INVALID_ORDER,
                "another agorasink of this pipeline speaks in channel “%s” already; a second one "
                "needs a uid of its own",
                settings_.channel.c_str());
    return false;
  }
  if (part == Part::host)
    host_ended_ = false;
  entries_.push_back({element, member, part, lists});
  // Who waits for the goodbye needn't: there is none.
  idle_.notify_all();
  return true;
}

bool SharedMembership::has(Part part) const {
  std::lock_guard lock(mutex_);
  return std::any_of(entries_.begin(), entries_.end(), [&] (const Entry &e) {
    return e.entered && e.part == part && (part != Part::host || !host_ended_);
  });
}

// With the lock held.
bool SharedMembership::calls(const Member *member) const {
  return std::find(calling_.begin(), calling_.end(), member) != calling_.end();
}

// Calls every member, or those of one part, or one alone, without the lock.
void SharedMembership::tell(const std::function<void(Member &)> &what, const Part *only,
                            Member *alone) {
  std::vector<Member *> members;
  {
    std::lock_guard lock(mutex_);
    for (const Entry &e : entries_)
      if (e.entered && (!only || e.part == *only) && (!alone || e.member == alone))
        members.push_back(e.member);
  }
  for (Member *member : members) {
    // Given back after the lock is: the last one would end the element here.
    ObjectPtr<GstElement> element;
    {
      std::lock_guard lock(mutex_);
      auto it = std::find_if(entries_.begin(), entries_.end(),
                             [&] (const Entry &e) { return e.member == member; });
      if (it == entries_.end())
        continue;
      element.reset(GST_ELEMENT(gst_object_ref(it->element)));
      calling_.push_back(member);
      caller_ = std::this_thread::get_id();
    }
    what(*member);
    std::vector<std::shared_ptr<void>> over;
    {
      std::lock_guard lock(mutex_);
      calling_.pop_back();
      if (!calls(member))
        std::erase_if(held_, [&] (auto &each) {
          if (each.first != member)
            return false;
          over.push_back(std::move(each.second));
          return true;
        });
    }
    // It may hold the last reference to this, which whoever called us still needs.
    if (!over.empty())
      post(context_, [over = std::move(over)] {});
    idle_.notify_all();
  }
}

void SharedMembership::run(Member *member, std::function<void()> what) {
  post(context_, [self = shared_from_this(), member, what = std::move(what)] {
    self->tell([&] (Member &) { what(); }, nullptr, member);
  });
}

void SharedMembership::run(std::function<void()> what) {
  post(context_, std::move(what));
}

void SharedMembership::enter(Member *member) {
  post(context_, [self = shared_from_this(), member] {
    {
      std::lock_guard lock(self->mutex_);
      for (Entry &e : self->entries_)
        if (e.member == member)
          e.entered = true;
    }
    if (!self->began_)
      self->begin();
    else if (self->joined_)
      self->welcome(member);
    else if (self->cause_)
      self->tell([&] (Member &m) { m.reconnecting(*self->cause_); }, nullptr, member);
  });
}

bool SharedMembership::leave(Member *member, GstClockTime budget) {
  using std::chrono::steady_clock;
  // When somebody last waited in vain for a goodbye. A pipeline has only one time limit for all of
  // its elements, which stop one after the other.
  static std::atomic<steady_clock::time_point> in_vain;
  constexpr auto just_now = std::chrono::milliseconds(200);
  constexpr auto short_budget = std::chrono::milliseconds(50);
  const auto now = steady_clock::now();
  const auto until =
      now - in_vain.load() < just_now ? now + short_budget : now + std::chrono::nanoseconds(budget);
  std::unique_lock lock(mutex_);
  std::erase_if(entries_, [&] (const Entry &e) { return e.member == member; });
  // Not for a callback that calls us itself: that would wait for ever.
  const bool own_call = caller_ == std::this_thread::get_id();
  bool quiet = !calls(member);
  if (!quiet && !own_call)
    quiet = idle_.wait_until(lock, until, [&] { return !calls(member); });
  const bool last = entries_.empty();
  bool said = true;
  lock.unlock();
  post(context_, [self = shared_from_this(), last] { last ? self->goodbye() : self->pursue(); });
  lock.lock();
  // Never for the application's own loop, which may not run.
  if (last && quiet && own_client_ && !own_call)
    said = idle_.wait_until(lock, until, [&] { return left_ || !entries_.empty(); });
  if (!said || (!quiet && !own_call))
    in_vain = steady_clock::now();
  return quiet;
}

void SharedMembership::hold(Member *member, std::shared_ptr<void> what) {
  std::lock_guard lock(mutex_);
  if (calls(member))
    held_.emplace_back(member, std::move(what));
}

}  // namespace agora

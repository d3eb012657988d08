// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/src/speaker.hpp"

#include <algorithm>
#include <utility>

namespace agora {

Speaker::Speaker(Events events, MakePlayConnection make)
    : events_(std::move(events)),
      branches_(std::make_shared<Branches>()),
      switch_(this, std::move(make)) {
}

Speaker::~Speaker() = default;

void Speaker::add(std::shared_ptr<SpeakerBranch> branch) {
  std::lock_guard lock(mutex_);
  auto more = std::make_shared<Branches>(*branches_);
  if (std::find(more->begin(), more->end(), branch) == more->end())
    more->push_back(std::move(branch));
  branches_ = std::move(more);
}

bool Speaker::remove(const std::shared_ptr<SpeakerBranch> &branch) {
  std::lock_guard lock(mutex_);
  auto fewer = std::make_shared<Branches>(*branches_);
  std::erase(*fewer, branch);
  branches_ = std::move(fewer);
  return branches_->empty();
}

// Whoever walks along them holds what this gives: another thread may put others in their place.
std::shared_ptr<const Speaker::Branches> Speaker::branches() const {
  std::lock_guard lock(mutex_);
  return branches_;
}

void Speaker::play(const std::string &url) {
  if (url == url_ && switch_.busy())
    return;
  url_ = url;
  switch_.play(url);
}

void Speaker::stop(Deadline until) {
  switch_.stop(until);
  set_heard(false);
}

void Speaker::set_heard(bool is_heard) {
  if (is_heard_.exchange(is_heard) != is_heard)
    events_.is_heard(is_heard);
}

// What nobody listens to is not decoded.
bool Speaker::frame(GstBuffer *frame, GstCaps *caps) {
  bool decode = false;
  const auto held = branches();
  for (const auto &branch : *held)
    decode |= branch->frame(frame, caps);
  return decode;
}

void Speaker::sound(const DecodedSound &sound) {
  const auto held = branches();
  for (const auto &branch : *held)
    branch->sound(sound);
}

void Speaker::unplayable(const Unplayable &what) {
  const auto held = branches();
  for (const auto &branch : *held)
    branch->unplayable(what);
}

void Speaker::moved() {
  const auto held = branches();
  for (const auto &branch : *held)
    branch->moved();
}

bool Speaker::brace(GstClockTimeDiff later) {
  bool braced = true;
  const auto held = branches();
  for (const auto &branch : *held)
    braced = branch->brace(later) && braced;
  return braced;
}

void Speaker::crossed(GstClockTimeDiff later) {
  const auto held = branches();
  for (const auto &branch : *held)
    branch->crossed(later);
}

void Speaker::heard() {
  broke_since_ = GST_CLOCK_TIME_NONE;
  set_heard(true);
  events_.heard();
}

void Speaker::broke(const std::string &url, GstClockTime since) {
  broke_since_ = since;
  if (!switch_.busy())
    set_heard(false);
  events_.broke(url);
}

void Speaker::untrusted(const GError &error) {
  broke_since_ = gst_util_get_timestamp();
  if (!switch_.busy())
    set_heard(false);
  events_.untrusted(error);
}

Speakers::Speakers(std::weak_ptr<Membership> membership) : membership_(std::move(membership)) {
}

std::shared_ptr<Speakers> Speakers::of(const std::shared_ptr<Membership> &membership) {
  auto shared =
      membership->shared_by_listeners([&] { return std::make_shared<Speakers>(membership); });
  return std::static_pointer_cast<Speakers>(shared);
}

std::shared_ptr<Speaker> Speakers::make(std::uint32_t uid) {
  Speaker::Events events;
  events.broke = [membership = membership_, uid] (const std::string &url) {
    if (auto to = membership.lock())
      to->play_broke(uid, url);
  };
  events.is_heard = [membership = membership_, uid] (bool is_heard) {
    if (auto to = membership.lock())
      to->speaker_is_heard(uid, is_heard);
  };
  events.untrusted = [membership = membership_] (const GError &error) {
    if (auto to = membership.lock())
      to->play_untrusted(error);
  };
  auto slot = std::make_shared<std::weak_ptr<Speaker>>();
  events.heard = [membership = membership_, slot] {
    if (auto to = membership.lock())
      to->run([weak = *slot] {
        if (auto speaker = weak.lock())
          speaker->tidy();
      });
  };
  auto speaker = std::make_shared<Speaker>(
      std::move(events),
      [membership = membership_] (const std::string &url, PlayConnection::Watcher *watcher) {
        const auto to = membership.lock();
        return make_play_connection(url, watcher, to ? to->authorities() : nullptr);
      });
  *slot = speaker;
  return speaker;
}

std::shared_ptr<Speaker> Speakers::listen(std::uint32_t uid,
                                          std::shared_ptr<SpeakerBranch> branch) {
  std::lock_guard lock(mutex_);
  auto &speaker = speakers_[uid];
  if (!speaker)
    speaker = make(uid);
  speaker->add(std::move(branch));
  return speaker;
}

std::shared_ptr<Speaker> Speakers::leave(std::uint32_t uid,
                                         const std::shared_ptr<SpeakerBranch> &branch) {
  branch->close();
  std::lock_guard lock(mutex_);
  auto it = speakers_.find(uid);
  if (it == speakers_.end() || !it->second->remove(branch))
    return nullptr;
  std::shared_ptr<Speaker> last = std::move(it->second);
  speakers_.erase(it);
  return last;
}

}  // namespace agora

// SPDX-License-Identifier: LGPL-2.1-or-later
#include "signaling/gateway/operator/webhook-queue.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

namespace agora::gateway {

bool WebhookQueue::push(Event event) {
  const auto found = lines_.find(event.channel);
  if (found != lines_.end() && !event.state.empty()) {
    const auto same = found->second.states.find(event.state);
    // In its place, so that it doesn't wait longer for being changed.
    if (same != found->second.states.end()) {
      *same->second = std::move(event);
      return true;
    }
  }
  const bool full = size_ >= limit_;
  if (full && !make_room(event.channel))
    return false;
  Line &line = lines_[event.channel];
  line.size++;
  size_++;
  append(line, std::move(event));
  return !full;
}

void WebhookQueue::append(Line &line, Event event) {
  if (line.due.empty())
    turns_.push_back(event.channel);
  line.due.push_back(std::move(event));
  const Event &last = line.due.back();
  if (!last.state.empty())
    line.states[last.state] = std::prev(line.due.end());
}

// Of the channel that has most, the one that has waited least. False: that is `channel` itself.
bool WebhookQueue::make_room(const std::string &channel) {
  const auto most = std::max_element(lines_.begin(), lines_.end(), [] (auto &one, auto &other) {
    return one.second.size < other.second.size;
  });
  if (most == lines_.end() || most->first == channel)
    return false;
  Line &line = most->second;
  if (!line.due.empty()) {
    line.states.erase(line.due.back().state);
    line.due.pop_back();
    if (line.due.empty())
      turns_.remove(most->first);
  } else {
    const auto last = std::find_if(resting_.rbegin(), resting_.rend(), [&] (const auto &each) {
      return each.second.channel == most->first;
    });
    if (last == resting_.rend())
      return false;
    resting_.erase(std::prev(last.base()));
  }
  line.size--;
  if (line.size == 0)
    lines_.erase(most);
  size_--;
  return true;
}

std::optional<WebhookQueue::Event> WebhookQueue::pop() {
  for (std::size_t left = turns_.size(); left > 0; left--) {
    turns_.splice(turns_.end(), turns_, turns_.begin());
    Line &line = lines_.at(turns_.back());
    if (line.under_way >= at_once_)
      continue;
    Event event = std::move(line.due.front());
    line.states.erase(event.state);
    line.due.pop_front();
    line.under_way++;
    if (line.due.empty())
      turns_.pop_back();
    return event;
  }
  return {};
}

void WebhookQueue::leave(std::unordered_map<std::string, Line>::iterator line) {
  size_--;
  if (--line->second.size == 0)
    lines_.erase(line);
}

void WebhookQueue::done(const Event &event) {
  const auto line = lines_.find(event.channel);
  line->second.under_way--;
  leave(line);
}

void WebhookQueue::rest(Event event, std::int64_t until) {
  lines_.at(event.channel).under_way--;
  resting_.emplace(until, std::move(event));
}

void WebhookQueue::wake(std::int64_t now) {
  while (!resting_.empty() && resting_.begin()->first <= now) {
    Event event = std::move(resting_.extract(resting_.begin()).mapped());
    const auto line = lines_.find(event.channel);
    if (!event.state.empty() && line->second.states.contains(event.state))
      leave(line);
    else
      append(line->second, std::move(event));
  }
}

std::optional<std::int64_t> WebhookQueue::next_wake() const {
  if (resting_.empty())
    return {};
  return resting_.begin()->first;
}

}  // namespace agora::gateway

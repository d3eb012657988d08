// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/web/audience.hpp"

#include <algorithm>
#include <cstdio>

#include "gst/common/signal-thread.hpp"

namespace agora::web {

namespace {

// How long a mix stays that nobody hears: whoever comes next, or comes back, hears it at once.
constexpr gint64 linger_us = 5 * G_USEC_PER_SEC;
constexpr unsigned tidy_ms = 1000;

}  // namespace

Audience::Audience(const std::string &gateway, std::string app, std::string channel)
    : gateway_(gateway), app_(std::move(app)), channel_(std::move(channel)) {
  empty_since_ = g_get_monotonic_time();
  make();
}

Audience::~Audience() = default;

void Audience::make() {
  made_ = g_get_monotonic_time();
  Mix::Settings settings;
  settings.gateway = gateway_ + "/mix";
  settings.app = app_;
  settings.channel = channel_;
  mix_ = std::make_unique<Mix>(settings,
                               Mix::Callbacks{[this] (const GError &error) { broke(error); },
                                              [this] (const auto &speakers) { told(speakers); }});
  for (const auto &[listener, chosen] : listeners_) {
    if (chosen)
      listener->ear()->choose(&mix_->fan());
    mix_->fan().add(listener->ear());
  }
  measure();
  mix_->play();
}

// Its listeners hear nothing until there is the next one.
void Audience::broke(const GError &error) {
  const unsigned pause_ms = pause_.after(g_get_monotonic_time() - made_);
  std::fprintf(stderr,
               "the mix for those who listen to %s/%s broke, and is made again in %u ms: %s\n",
               app_.c_str(), channel_.c_str(), pause_ms, error.message);
  mix_->end();
  again_ = after(nullptr, pause_ms, [this] {
    again_.reset();
    make();
  });
}

void Audience::add(Listener *listener) {
  if (!listeners_.emplace(listener, false).second)
    return;
  mix_->fan().add(listener->ear());
  measure();
}

void Audience::remove(Listener *listener) {
  if (listeners_.erase(listener) == 0)
    return;
  mix_->fan().remove(listener->ear().get());
  if (listeners_.empty())
    empty_since_ = g_get_monotonic_time();
  measure();
}

void Audience::choose(Listener *listener) {
  listeners_[listener] = true;
  listener->ear()->choose(&mix_->fan());
}

void Audience::measure() {
  mix_->set_measuring(std::any_of(listeners_.begin(), listeners_.end(),
                                  [] (auto &each) { return each.first->wants_levels(); }));
}

void Audience::told(const std::vector<events::Loudness> &speakers) {
  // None of them leaves at this.
  for (const auto &[listener, chosen] : listeners_)
    if (chosen && listener->wants_levels())
      listener->levels(speakers);
}

std::shared_ptr<Audience> Audiences::find(const std::string &app, const std::string &channel) {
  auto &audience = audiences_[{app, channel}];
  if (!audience)
    audience = std::make_shared<Audience>(gateway_, app, channel);
  if (!timer_)
    timer_ = after(nullptr, tidy_ms, [this] { tidy(); });
  return audience;
}

void Audiences::tidy() {
  const gint64 now = g_get_monotonic_time();
  std::erase_if(audiences_, [&] (const auto &each) {
    return each.second->is_empty() && now - each.second->empty_since() >= linger_us;
  });
  if (audiences_.empty())
    timer_.reset();
  else
    timer_ = after(nullptr, tidy_ms, [this] { tidy(); });
}

}  // namespace agora::web

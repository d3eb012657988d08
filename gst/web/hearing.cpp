// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/web/hearing.hpp"

#include <utility>

#include "gst/common/signal-thread.hpp"
#include "gst/web/member.hpp"

namespace agora::web {

namespace {

// How often it is looked whether the other mix plays, and for how long: a speaker who is on the air
// and sends nothing isn't waited for.
constexpr unsigned look_ms = 20;
constexpr gint64 longest_us = 1'500'000;
// Beyond a mix's latency, from a sound's arrival until it is in a packet.
constexpr gint64 encoding_us = 40'000;

}  // namespace

Hearing::~Hearing() {
  close();
}

void Hearing::prepare() {
  ear_->open(peer());
}

void Hearing::admitted() {
  const Which first = wanted_ == Which::none ? Which::shared : wanted_;
  wanted_ = first;
  make(first);
  choose(first);
}

void Hearing::want_own(bool own) {
  const Which which = own ? Which::own : Which::shared;
  if (std::exchange(wanted_, which) == which || heard_ == Which::none || is_closed())
    return;
  if (which == heard_) {
    // It was on its way, and turns back.
    looking_.reset();
    drop(own ? Which::shared : Which::own);
    return;
  }
  make(which);
  since_ = 0;
  until_ = g_get_monotonic_time() + longest_us;
  look();
}

void Hearing::make(Which which) {
  if (which == Which::shared) {
    audience_ = around().audiences().find(member().app(), member().channel());
    audience_->add(this);
    return;
  }
  Mix::Settings settings;
  settings.client = member().client();
  own_ = std::make_unique<Mix>(
      settings, Mix::Callbacks{[this] (const GError &error) {
                                 around().over(*this, {protocol::Code::internal, error.message});
                               },
                               [this] (const auto &speakers) {
                                 if (is_own())
                                   levels(speakers);
                               }});
  own_->fan().add(ear_);
  own_->set_measuring(listens());
  adapt();
  for (const auto &[uid, fader] : member().taste().faders)
    own_->set_fader(uid, fader.volume, fader.mute);
  own_->play();
}

void Hearing::drop(Which which) {
  if (which == Which::shared && audience_) {
    audience_->remove(this);
    audience_.reset();
  } else if (which == Which::own) {
    own_.reset();
  }
}

void Hearing::choose(Which which) {
  heard_ = which;
  if (which == Which::shared)
    audience_->choose(this);
  else
    ear_->choose(&own_->fan());
}

bool Hearing::is_ready(Which which) const {
  const auto uids = member().audible();
  return which == Which::shared ? audience_->hears(uids) : own_->hears(uids);
}

void Hearing::look() {
  looking_.reset();
  const gint64 now = g_get_monotonic_time();
  if (!is_ready(wanted_))
    since_ = 0;
  else if (since_ == 0)
    since_ = now;
  const unsigned latency = wanted_ == Which::own ? own_->latency() : Mix::default_latency_ms;
  if (now < until_ && (since_ == 0 || now - since_ < latency * 1000 + encoding_us)) {
    looking_ = after(nullptr, look_ms, [this] { look(); });
    return;
  }
  const Which old = heard_;
  choose(wanted_);
  drop(old);
  member().moved();
}

void Hearing::adapt() {
  if (!own_)
    return;
  const Taste &taste = member().taste();
  own_->set_latency(taste.latency_ms);
  own_->set_speakers(taste.unsubscribed.empty() ? std::set<std::uint32_t>() : member().wanted());
}

void Hearing::adapt(std::uint32_t uid) {
  if (!own_)
    return;
  const auto &faders = member().taste().faders;
  const auto found = faders.find(uid);
  const Taste::Fader fader = found == faders.end() ? Taste::Fader() : found->second;
  own_->set_fader(uid, fader.volume, fader.mute);
}

void Hearing::listen(bool on) {
  Session::listen(on);
  if (audience_)
    audience_->measure();
  if (own_)
    own_->set_measuring(on);
}

void Hearing::levels(const std::vector<events::Loudness> &speakers) {
  tell_if_prompt("levels", events::levels(speakers));
}

GstStructure *Hearing::mix_stats() const {
  if (heard_ == Which::own)
    return own_->stats();
  return audience_ ? audience_->stats() : nullptr;
}

void Hearing::close(std::function<void()> stopped) {
  looking_.reset();
  ear_->close();
  drop(Which::shared);
  drop(Which::own);
  heard_ = Which::none;
  Session::close(std::move(stopped));
}

}  // namespace agora::web

// SPDX-License-Identifier: LGPL-2.1-or-later
// An agorasink's place in its channel: what it is told, what it tells, and how trouble reaches the
// application.
#include <utility>

#include "gst/common/failures.hpp"
#include "gst/common/messages.hpp"
#include "gst/sink/publisher.hpp"
#include "signaling/agora-client.h"

namespace agora {

void Publisher::joined(std::uint32_t uid) {
  uid_ = uid;
  if (const BroadcastPtr to = broadcast())
    to->moved();
  g_object_notify(G_OBJECT(bin_), "uid");
}

// The one that is encoded until the gateway says more comes first.
std::vector<VoiceCodec> Publisher::offers() const {
  CodecChoice choice;
  {
    std::lock_guard lock(mutex_);
    choice = codec_;
  }
  if (choice == CodecChoice::aac || !InputChain::can_encode_opus())
    return {};
  if (choice == CodecChoice::opus)
    return {VoiceCodec::opus, VoiceCodec::aac};
  return {VoiceCodec::aac, VoiceCodec::opus};
}

UidList Publisher::talk_to() const {
  std::lock_guard lock(mutex_);
  return talk_to_;
}

void Publisher::push_urls(const PushUrls &urls) {
  announce_broken_push();
  const std::shared_ptr<Membership> channel = session();
  VoiceCodecs wanted;
  {
    std::lock_guard lock(mutex_);
    urls_ = urls;
    wanted = wanted_codecs_;
  }
  // A gateway that knows nothing of codecs.
  if (!urls.contains(VoiceCodec::opus) && wanted.contains(VoiceCodec::opus)) {
    wanted = {VoiceCodec::aac};
    want(wanted, Broadcast::Leaving::moves);
  }
  const BroadcastPtr to = broadcast();
  if (!to)
    return;
  for (const auto &[codec, url] : urls)
    if (wanted.contains(codec))
      to->connect(codec, url, channel ? channel->authorities() : nullptr);
  to->moved();
}

void Publisher::codecs_wanted(const VoiceCodecs &codecs) {
  const std::shared_ptr<Membership> channel = session();
  PushUrls urls;
  {
    std::lock_guard lock(mutex_);
    urls = urls_;
  }
  want(codecs, Broadcast::Leaving::unheard);
  if (const BroadcastPtr to = broadcast(); to && !air_.silenced)
    for (const auto &[codec, url] : urls)
      if (codecs.contains(codec))
        to->connect(codec, url, channel ? channel->authorities() : nullptr);
}

void Publisher::want(const VoiceCodecs &codecs, Broadcast::Leaving leaving) {
  {
    std::lock_guard lock(mutex_);
    wanted_codecs_ = codecs;
  }
  if (const BroadcastPtr to = broadcast()) {
    to->set_wanted(codecs, leaving);
    front_.set_wanted(to->on_air());
  }
}

// A state, not an end: what comes in is let fall until the gateway gives another push URL.
void Publisher::silenced(bool silenced) {
  air_.silenced = silenced;
  if (!silenced)
    return;
  if (const BroadcastPtr to = broadcast()) {
    to->disconnect();
    to->moved();
  }
  announce_end_of_outage(Outage::Of::media);
}

void Publisher::named(std::uint32_t uid, const std::string &name) {
  announce_name(GST_ELEMENT(bin_), uid, name);
}

void Publisher::member_joined(std::uint32_t uid, const std::string &name) {
  announce_member(GST_ELEMENT(bin_), uid, name);
}

void Publisher::list_refused(const GError &error) {
  post_list_refused(GST_ELEMENT(bin_), error);
}

void Publisher::data(std::uint32_t uid, const std::string &text) {
  announce_data(GST_ELEMENT(bin_), uid, text);
}

void Publisher::data_refused(const GError &error) {
  post_data_refused(GST_ELEMENT(bin_), error);
}

void Publisher::channel_event(const char *name, std::uint32_t uid) {
  announce_event(GST_ELEMENT(bin_), name, uid);
}

void Publisher::failed(const GError &error) {
  if (!g_error_matches(&error, AGORA_ERROR, AGORA_ERROR_REPLACED)) {
    post_late_failure(GST_ELEMENT(bin_), error);
    return;
  }
  g_autoptr(GError) named =
      g_error_new(AGORA_ERROR, AGORA_ERROR_REPLACED, "uid %u is on the air elsewhere: %s",
                  uid_.load(), error.message);
  post_late_failure(GST_ELEMENT(bin_), *named);
}

void Publisher::set_muted(bool muted) {
  if (air_.muted.exchange(muted) == muted)
    return;
  if (const std::shared_ptr<Membership> channel = session())
    tell_muted(*channel);
}

// Whoever tells last tells what is so, whichever thread set it.
void Publisher::tell_muted(Membership &channel) {
  bool told = false;
  do {
    told = air_.muted;
    channel.mute_local(this, told);
  } while (told != air_.muted);
}

void Publisher::renew_token(const std::string &token) {
  std::shared_ptr<Membership> channel;
  {
    std::lock_guard lock(mutex_);
    channel = session_;
    if (!channel)
      early_token_ = token;
  }
  if (channel && !token.empty())
    channel->renew_token(this, token);
}

void Publisher::update_push_url() {
  if (const std::shared_ptr<Membership> channel = session())
    channel->update_push_url(this);
}

bool Publisher::send_data(const std::string &text, const UidList &to) {
  const std::shared_ptr<Membership> channel = session();
  if (channel)
    channel->send_data(this, text, to);
  return channel != nullptr;
}

void Publisher::token_refused(const GError &error) {
  post_token_refused(GST_ELEMENT(bin_), error);
}

// Whoever comes while another thread tells leaves it to that one.
void Publisher::tell_published() {
  for (bool first = true;; first = false) {
    std::shared_ptr<Membership> channel;
    unsigned told = 0;
    {
      std::lock_guard lock(mutex_);
      if (first && std::exchange(telling_, true))
        return;
      if (wanted_ == told_ || !session_) {
        telling_ = false;
        return;
      }
      told = told_ = wanted_;
      channel = session_;
    }
    if (told)
      channel->republish(this);
    else
      channel->unpublish(this);
  }
}

// --- Trouble

void Publisher::announce_outage(Outage::Of what, const GError &cause) {
  outage_.begin(what, Clock::now());
  if (outage_.tell())
    announce_reconnecting(GST_ELEMENT(bin_), cause);
}

void Publisher::announce_broken_push() {
  if (!outage_.tell())
    return;
  ErrorPtr cause;
  {
    std::lock_guard lock(mutex_);
    cause.reset(push_cause_ ? g_error_copy(push_cause_.get()) : nullptr);
  }
  if (cause)
    announce_reconnecting(GST_ELEMENT(bin_), *cause);
}

void Publisher::push_url_is_late() {
  announce_broken_push();
}

void Publisher::announce_end_of_outage(Outage::Of what) {
  if (const auto lasted = outage_.end(what, Clock::now()))
    announce_reconnected(GST_ELEMENT(bin_),
                         static_cast<GstClockTime>(std::chrono::nanoseconds(*lasted).count()));
}

void Publisher::reconnecting(const GError &error) {
  announce_outage(Outage::Of::signalling, error);
}

void Publisher::reconnected(GstClockTime) {
  announce_end_of_outage(Outage::Of::signalling);
}

// No outage, but what it was for must come: who is left out of a talkback hears it until then.
void Publisher::connection_refused(const Publication &from) {
  const BroadcastPtr of = broadcast();
  if (!is_current(from) || !from.wanted() || !of || !of->wants(from.codec()) || air_.silenced)
    return;
  if (const std::shared_ptr<Membership> channel = session())
    channel->push_broke(this);
}

void Publisher::connection_taken() {
  g_object_notify(G_OBJECT(bin_), "push-url");
}

void Publisher::connection_works(const Publication &from) {
  const BroadcastPtr to = broadcast();
  if (stopping_ || !to || !to->has(from))
    return;
  const bool all_work = to->session_works();
  front_.set_wanted(to->on_air());
  if (all_work)
    announce_end_of_outage(Outage::Of::media);
}

void Publisher::connection_broke(const Publication &from, const GError &cause) {
  std::shared_ptr<Membership> channel;
  int timeout_s = 0;
  // One that nobody is to hear any more may end as it likes.
  const BroadcastPtr of = broadcast();
  if (!is_current(from) || !from.wanted() || !of || !of->wants(from.codec()))
    return;
  {
    std::lock_guard lock(mutex_);
    if (air_.silenced)
      return;
    push_cause_.reset(g_error_copy(&cause));
    timeout_s = reconnect_timeout_s_;
    channel = session_;
  }
  const auto now = Clock::now();
  outage_.begin(Outage::Of::media, now);
  if (g_error_matches(&cause, AGORA_ERROR, AGORA_ERROR_UNTRUSTED)) {
    if (channel)
      channel->push_untrusted(this, cause);
    return;
  }
  if (timeout_s >= 0 && outage_.lasted(now) >= std::chrono::seconds(timeout_s)) {
    GST_ELEMENT_ERROR(bin_, RESOURCE, WRITE,
                      ("The media server could not be reached again within %d s: %s. Check the "
                       "gateway's RTMP server and the way to it, or raise reconnect-timeout.",
                       timeout_s, cause.message),
                      (nullptr));
    return;
  }
  // The gateway's answer decides between another try and the end. Only then is there something to
  // tell: a session that the operator's silence has ended may be gone before that is told, but what
  // the gateway answers comes after it.
  if (channel)
    channel->push_broke(this);
  else
    announce_broken_push();
}

}  // namespace agora

// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// One membership of a channel, as the elements see it: an AgoraClient that lives on the process's
// signalling thread, and the elements of one pipeline that share it.
//
// Threads: every method may be called from any thread and none waits for the network, but for
// leave(), whose wait is bounded. A Member's methods are called on the signalling thread, with no
// lock of ours held, and with a reference to its element; after leave() none will be called.
#pragma once

#include <gst/gst.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "gst/common/authorities.hpp"
#include "gst/common/channel-settings.hpp"
#include "gst/common/uid-list.hpp"
#include "gst/common/voice-codec.hpp"
#include "gst/membership/member-report.hpp"

namespace agora {

using PushUrls = std::map<VoiceCodec, std::string>;

// What an element does in its channel. One membership has at most one host.
enum class Part { host, listener };

// See Membership::shared_by_listeners().
class SharedByListeners {
 public:
  virtual ~SharedByListeners() = default;
};

class Member {
 public:
  virtual ~Member() = default;
  // In the channel, with this uid.
  virtual void joined (std::uint32_t uid) = 0;
  // Host: the codecs that it can send, those first that it sends until codecs_wanted(); none: AAC,
  // and nothing else is ever wanted. Any thread.
  virtual std::vector<VoiceCodec> offers () const { return {}; }
  // Host: those that it is for; none: everybody. Any thread.
  virtual UidList talk_to () const { return {}; }
  // Host: push here what is wanted, AAC until codecs_wanted() says more. Called again with other
  // URLs when the old ones are of no use any more.
  virtual void push_urls (const PushUrls &) {}
  // Host: after push_broke(), the gateway's answer takes its time, or there is none yet.
  virtual void push_url_is_late () {}
  // Host: these codecs somebody hears; one at least.
  virtual void codecs_wanted (const VoiceCodecs &) {}
  // Host: the operator's silence begins, or ends; the push URL is void meanwhile.
  virtual void silenced (bool) {}
  // The gateway doesn't take the token that renew_token() gave; the old one still counts.
  virtual void token_refused (const GError &) {}
  // A speaker has a name, or another one; "": none any more.
  virtual void named (std::uint32_t, const std::string &) {}
  // Listener: the same, of those who had it before as well. Before speaker_url().
  virtual void speaker_named (std::uint32_t, const std::string &) {}
  // With list-members: another member is in the channel, or has another name; "": none. That it is
  // there no more is the channel_event() "member-left".
  virtual void member_joined (std::uint32_t, const std::string &) {}
  // With list-members: the gateway doesn't say who is there.
  virtual void list_refused (const GError &) {}
  // Another member has sent a few words.
  virtual void data (std::uint32_t, const std::string &) {}
  // What send_data() gave isn't sent.
  virtual void data_refused (const GError &) {}
  // Listener: what this speaker says is for a few, this member among them. Before speaker_url().
  virtual void speaker_talks (std::uint32_t, bool) {}
  // Listener: this speaker can be heard at `url`. Called again with another URL when it moved.
  virtual void speaker_url (std::uint32_t, const std::string &) {}
  // Listener: this speaker has unpublished or left.
  virtual void speaker_removed (std::uint32_t) {}
  // An event of the channel under the name of the client's signal ("stream-added", "mute-audio",
  // ...), with the uid it is about or 0, for the element's own signals and messages (events.hpp).
  virtual void channel_event (const char *, std::uint32_t) {}
  // How its sound fares, for the operator: fills in its part. Every few seconds.
  virtual void report (MemberReport &) {}
  // The membership was lost and is being made again, and is back after so long.
  virtual void reconnecting (const GError &) {}
  virtual void reconnected (GstClockTime) {}
  // Over for good; no further call follows.
  virtual void failed (const GError &error) = 0;
};

// What leaving may wait for. A state change has 500 ms in all, in which sessions end too, and a
// machine that is busy needs some of them for itself.
inline constexpr GstClockTime kLeaveBudget = 250 * GST_MSECOND;

class Membership {
 public:
  virtual ~Membership() = default;

  // Finds the membership that `element`'s pipeline already has for these settings, or makes one,
  // and adds `member` to it. nullptr and `error` when the settings are refused at once (the text
  // names the value), or when the membership has a host already.
  static std::shared_ptr<Membership> join (GstElement *element, const ChannelSettings &settings,
                                           Part part, Member *member, GError **error);

  // Joins the channel where nobody did before, and tells `member` what there is.
  virtual void enter (Member *member) = 0;

  // Takes `member` out; the last one out leaves the channel. Waits at most `budget` for a callback
  // that is running and for the goodbye to be sent; the rest happens behind the caller's back.
  // False where a callback still runs, held up by the application, or is what leaves: `member` must
  // live until that has returned, for which hold() is.
  virtual bool leave (Member *member, GstClockTime budget) = 0;
  // Lets go of `what` as soon as no callback of `member`, which has left, runs any more: at once,
  // or on the thread of that callback.
  virtual void hold (Member *, std::shared_ptr<void> what) { what.reset(); }

  // The host's offers(), or its talk_to(), are others than they were: publishes them, and gives
  // other URLs.
  virtual void offers_changed (Member *) {}
  // The RTMP session to the push URL broke: asks the gateway whether the member may still push, and
  // answers through push_url(), silenced() or failed(); push_url_is_late() comes before where that
  // isn't at once.
  virtual void push_broke (Member *member) = 0;
  // It works, but another one is wanted; answers likewise.
  virtual void update_push_url (Member *member) = 0;
  // The RTMP session from a speaker's play URL broke: asks for another one, and answers every
  // listener through speaker_url() or speaker_removed(). Nothing, where another one was told since.
  virtual void play_broke (std::uint32_t, const std::string &) {}
  // The server of a play URL isn't trusted (AGORA_ERROR_UNTRUSTED): every listener failed().
  virtual void play_untrusted (const GError &) {}
  // The same of the push URL, and the host failed().
  virtual void push_untrusted (Member *, const GError &) {}
  // Whose certificates of media servers count; nullptr: the system's authorities'.
  virtual AuthoritiesPtr authorities () const { return nullptr; }
  // Whether sound of this speaker comes, as it begins and ends; one call for each.
  virtual void speaker_is_heard (std::uint32_t, bool) {}
  // What the listeners of this membership have in common, for as long as one of them holds it:
  // `make` makes it for the first.
  virtual std::shared_ptr<SharedByListeners> shared_by_listeners (
      const std::function<std::shared_ptr<SharedByListeners>()> &make) {
    return make();
  }
  // The host stopped sending (EOS): unpublish, and leave when nobody else is a member.
  virtual void unpublish (Member *member) = 0;
  // It sends again after all (a seek): publish anew.
  virtual void republish (Member *member) = 0;
  // Tells the others that the host is silent on purpose.
  virtual void mute_local (Member *member, bool mute) = 0;

  // Another token in place of one that ends.
  virtual void renew_token (Member *member, const std::string &token) = 0;

  // A few words to these members; to none: to all.
  virtual void send_data (Member *, const std::string &, const UidList &) {}

  // Runs `what` on the signalling thread, unless `member` has left by then.
  virtual void run (Member *member, std::function<void()> what) = 0;
  // The same in any case.
  virtual void run (std::function<void()> what) = 0;

  virtual std::uint32_t uid () const = 0;
  // The client's AgoraState, as its enum's nick.
  virtual const char *state () const = 0;
};

}  // namespace agora

// SPDX-License-Identifier: LGPL-2.1-or-later
// Voices that are for a few: a producer's word in a host's ear. To all others they don't exist.
#include <algorithm>
#include <utility>

#include "signaling/gateway/channel/channel-book.hpp"

namespace agora::gateway {

// A mix is heard by all who only listen.
bool ChannelBook::is_for(const protocol::Addressees &to, const Member &listener) {
  return to.empty() || (listener.entrance != Entrance::mix &&
                        std::binary_search(to.begin(), to.end(), listener.uid));
}

std::vector<const Member *> ChannelBook::others_of(const Channel &channel, Uid uid,
                                                   const protocol::Addressees &to,
                                                   const protocol::Addressees *but) {
  std::vector<const Member *> others;
  const auto add = [&] (const Member *other) {
    if (other->session && !(but && is_for(*but, *other)))
      others.push_back(other);
  };
  if (!to.empty()) {
    for (const Uid each : to)
      if (const auto found = channel.members.find(each);
          each != uid && found != channel.members.end())
        add(found->second);
    return others;
  }
  others.reserve(channel.members.size());
  for (const auto &[other_uid, other] : channel.members)
    if (other_uid != uid)
      add(other);
  for (const Member *mix : channel.mixes)
    add(mix);
  return others;
}

void ChannelBook::readdress(Step &step, Voice &voice) {
  // Told before their sessions end.
  changed(step, *voice.channel, voice.uid);
  const auto listeners = voice.listeners;
  for (const MemberId id : listeners)
    if (Member *listener = member(id); !is_for(voice.to, *listener))
      unsubscribe(step, *listener, voice.uid);
  move_players(step, *voice.channel, voice.uid);
}

}  // namespace agora::gateway

// SPDX-License-Identifier: LGPL-2.1-or-later
// What members say to each other in a few words: cue lights, chat. It is passed on and forgotten;
// who isn't there gets none of it.
#include <utility>

#include "signaling/gateway/channel/channel-book.hpp"

namespace agora::gateway {

using protocol::Code;

void ChannelBook::handle(Step &step, const Asked &asked, Member &member,
                         const protocol::Data &request) {
  // As of any action that a gateway doesn't know.
  if (!member.knows_data)
    return refuse(step, asked, Code::bad_request, "unknown action \"data\"");
  if (member.grant && !member.grant->allows(protocol::Privilege::publish_data, step.now.wall_s))
    return refuse(step, asked, Code::not_permitted, "the token gives no privilege to send data");
  if (!member.data.take(step.now.mono_ms))
    return refuse(step, asked, Code::too_many,
                  "data: expected at most " + std::to_string(data_per_second) + " a second");
  Channel &channel = *member.channel;
  if (!may_tell_data(channel, step.now))
    return refuse(step, asked, Code::too_many,
                  "data: the channel has too much to tell, try again in a second");
  answer(step, asked);
  tell_data(step, channel, member.uid, request);
  if (cluster_)
    later([key = cluster::channel_key(channel.app_id, channel.name), uid = member.uid,
           id = member.id, request] (cluster::Cluster &all, cluster::Moment at) {
      all.say(key, uid, id, request, at);
    });
}

// One word to all is as many events as there are members, and who comes and goes is told first.
bool ChannelBook::may_tell_data(Channel &channel, const Now &now) const {
  return !config_.limits.events_per_second ||
         (channel.changed.empty() && channel.events.is_paid(now.mono_ms));
}

void ChannelBook::tell_data(Step &step, Channel &channel, Uid from, const protocol::Data &data) {
  std::vector<SessionId> to;
  for (const Member *other : others_of(channel, from, data.to, nullptr))
    if (other->knows_data)
      to.push_back(other->session->id);
  if (to.empty())
    return;
  totals_.events += to.size();
  channel.events.charge(step.now.mono_ms, to.size());
  protocol::Event event{protocol::EventKind::data, from};
  event.text = data.text;
  step.out.push_back(Send{std::move(to), std::move(event)});
}

// What is too much here was not too much where it was said: of that nobody here hears.
void ChannelBook::said(const std::string &key, Uid uid, const protocol::Data &data) {
  if (Channel *channel = channel_of(key);
      channel && channel->open && may_tell_data(*channel, cluster_step_->now))
    tell_data(*cluster_step_, *channel, uid, data);
}

}  // namespace agora::gateway

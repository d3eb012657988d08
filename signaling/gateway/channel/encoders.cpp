// SPDX-License-Identifier: LGPL-2.1-or-later
// Members without a socket: encoders that push by a stream key. One is in the channel from its push
// on, and leaves with it. To all others, to rules and limits it is a member as any.
#include "signaling/gateway/channel/channel-book.hpp"
#include "signaling/support/network.hpp"

namespace agora::gateway {

using protocol::Codec;

std::optional<StreamKeys::Made> ChannelBook::make_stream_key(const std::string &app_id,
                                                             const std::string &channel, Uid uid,
                                                             Now now, KeyUse use) {
  return keys_.make(app_id, channel, uid, now.wall_s, config_.random, use);
}

std::optional<Commands> ChannelBook::end_stream_key(std::uint64_t id, Now now) {
  if (!keys_.find(id))
    return {};
  Step step{now, {}};
  drop_players(step, std::set<std::uint64_t>(players_.by(id)));
  keys_.end(id);
  if (Member *encoder = encoder_of(id))
    remove(step, *encoder, LeaveReason::other);
  return finish(step);
}

std::vector<StreamKeyInfo> ChannelBook::stream_keys(std::string_view app_id, KeyUse use) const {
  std::vector<StreamKeyInfo> list;
  for (const StreamKey &key : keys_.of_app(app_id, use))
    list.push_back({key.id, key.channel, key.uid, key.made_at, encoders_.contains(key.id),
                    players_.by(key.id).size()});
  return list;
}

std::string ChannelBook::media_server(std::string_view host, bool of_mixes) const {
  std::string name = url_host(config_.rtmp_host.empty() ? host : config_.rtmp_host);
  if (name.empty())
    name = "localhost";
  return config_.rtmp_scheme + "://" + name + ":" + std::to_string(config_.rtmp_port) + "/" +
         (of_mixes ? std::string(mix_app) : config_.rtmp_app);
}

Member *ChannelBook::encoder_of(std::uint64_t key) {
  const auto found = encoders_.find(key);
  return found == encoders_.end() ? nullptr : member(found->second);
}

// What holds for encoders and players. "": who shows the key may use it.
std::string ChannelBook::check_key(const StreamKey &key, const Whom &whom, const Now &now) const {
  if (closed_ || draining_)
    return "the gateway is shutting down";
  if (!config_.apps.contains(key.app_id))
    return key.use == KeyUse::play ? "the play key's app is gone" : "the stream key's app is gone";
  if (forbidden(whom, now.wall_s, &Rule::join_channel))
    return "banned from the channel by its operator";
  return {};
}

// Whether a push by the key may be; "": it may. A push that is there already is no reason against
// it: as with members, the newer one wins.
std::string ChannelBook::check_encoder(const StreamKey &key, const std::string &network,
                                       const Now &now) const {
  const Whom whom{key.app_id, key.channel, key.uid, "", network};
  if (std::string why = check_key(key, whom, now); !why.empty())
    return why;
  if (forbidden(whom, now.wall_s, &Rule::publish_audio))
    return "silenced";
  if (encoders_.contains(key.id))
    return {};
  if (const auto full = check_room(key.app_id, key.channel, {key.uid, ""}))
    return full->second;
  return {};
}

// `stream`: where to the push goes.
std::string ChannelBook::admit_encoder(Step &step, const HookRequest &request, StreamKey &key,
                                       std::string &stream) {
  const std::string network = network_of(request.address);
  if (std::string why = check_encoder(key, network, step.now); !why.empty())
    return why;
  if (pushing_.contains(request.client_id))
    return "the session pushes for another member already";
  if (!key.pushes.take(step.now.mono_ms))
    return "pushed anew too often, try again in a few seconds";
  Member *encoder = encoder_of(key.id);
  if (!encoder)
    encoder = &enter_encoder(step, key, request.address, network);
  // The last one's socket may be half open still: its place and its listeners are this one's.
  encoder->address = request.address;
  encoder->network = network;
  if (!encoder->live)
    make_offer(step, *encoder, {Codec::aac}, false);
  PublishedStream &which = (encoder->live ? encoder->live : encoder->next)->streams.front();
  stream = which.stream;
  begin_push(step, *encoder, which, request.client_id);
  return {};
}

Member &ChannelBook::enter_encoder(Step &step, const StreamKey &key, const std::string &address,
                                   const std::string &network) {
  MemberSession door;
  door.entrance = Entrance::encoder;
  door.address = address;
  door.network = network;
  protocol::Join join;
  join.app_id = key.app_id;
  join.channel = key.channel;
  join.role = protocol::Role::broadcaster;
  join.client_type = "rtmp";
  Member &member = settle(step, door, {join, {key.uid, ""}, {}}, {key.uid, new_member_id()});
  member.stream_key = key.id;
  encoders_[key.id] = member.id;
  return member;
}

}  // namespace agora::gateway

// SPDX-License-Identifier: LGPL-2.1-or-later
// Players that play by a play key: a radio's decoder, VLC, a wall of loudspeakers. They are no
// members. One hears its uid's sound whenever that is on the air, and waits for it else; where it
// is pushed anew, or elsewhere, its session at the media server is moved there. One that hears the
// mix stays where that is pushed (feeds.cpp).
#include "signaling/gateway/channel/channel-book.hpp"
#include "signaling/support/network.hpp"

namespace agora::gateway {

using protocol::Codec;

namespace {

// At once, by one key.
constexpr std::size_t most_players = 256;

}  // namespace

// What the player of a key has to play now. Decoders have AAC; a speaker that has other codecs,
// too, is told that it is wanted. A voice that is for a few isn't for players.
std::string ChannelBook::stream_for(const Players::Whom &whom, StreamKey &key) const {
  const auto found = channels_.find(whom.channel);
  const Voice *voice = found == channels_.end() ? nullptr : find_voice(*found->second, whom.uid);
  if (voice && voice->to.empty())
    return voice->streams.at(Codec::aac);
  // Nobody may push that.
  if (key.waits.empty())
    key.waits = random_stream(config_.random);
  return key.waits;
}

// `stream`: what it gets.
std::string ChannelBook::admit_player(Step &step, const HookRequest &request, StreamKey &key,
                                      std::string &stream) {
  const bool is_mix = key.uid == 0;
  if (is_mix != (request.app == mix_app))
    return is_mix ? "the key plays a channel's mix: expected /mix/KEY"
                  : "the key plays one speaker: expected /live/KEY";
  const std::string network = network_of(request.address);
  if (std::string why = check_key(key, player_of(key, network), step.now); !why.empty())
    return why;
  if (players_.by(key.id).size() >= most_players)
    return "too many play by this key";
  if (playing_.contains(request.client_id) || relayed_.contains(request.client_id) ||
      players_.find(request.client_id))
    return "the session plays another stream already";
  const Players::Whom whom{channel_key(key.app_id, key.channel), key.uid};
  if (!is_mix)
    stream = stream_for(whom, key);
  else if (std::string why = feed_mix(step, key, stream); !why.empty())
    return why;
  players_.add(request.client_id, {key.id, whom, stream, network, step.now.mono_ms});
  recount_players(step, whom);
  return {};
}

void ChannelBook::player_ended(Step &step, std::uint64_t client) {
  if (const auto player = players_.remove(client))
    recount_players(step, player->whom);
}

void ChannelBook::drop_players(Step &step, const std::set<std::uint64_t> &clients) {
  for (const std::uint64_t client : clients) {
    const auto player = players_.remove(client);
    step.out.push_back(DropMedia{player->stream, Direction::play, client});
    recount_players(step, player->whom);
  }
}

// It is nobody in the channel: rules for a uid or an account are of others.
Whom ChannelBook::player_of(const StreamKey &key, std::string_view network) {
  return {key.app_id, key.channel, 0, "", network};
}

void ChannelBook::ban_players(Step &step, const Rule &rule) {
  std::set<std::uint64_t> hit;
  for (const auto &[client, player] : players_.all())
    if (matches(rule, Suspect(player_of(*keys_.by_id(player.key), player.network))))
      hit.insert(client);
  drop_players(step, hit);
}

// Whether AAC is heard has changed, or may have; or whether the mix is.
void ChannelBook::recount_players(Step &step, const Players::Whom &whom) {
  if (whom.uid == 0)
    return watch_feed(step, whom.channel);
  const auto found = channels_.find(whom.channel);
  if (found == channels_.end())
    return;
  if (const Voice *voice = find_voice(*found->second, whom.uid))
    recount(step, *voice);
}

bool ChannelBook::is_played(const Voice &voice) const {
  return voice.to.empty() && !players_.empty() &&
         !players_.of({voice.channel->key, voice.uid}).empty();
}

// The voice of that uid is pushed elsewhere now, has come, or is gone.
void ChannelBook::move_players(Step &step, const Channel &channel, Uid uid) {
  if (players_.empty())
    return;
  const Players::Whom whom{channel.key, uid};
  for (const std::uint64_t client : players_.of(whom)) {
    Players::Player &player = *players_.find(client);
    std::string stream = stream_for(whom, *keys_.by_id(player.key));
    if (stream == player.stream)
      continue;
    player.stream = stream;
    step.out.push_back(MovePlay{client, std::move(stream)});
  }
  recount_players(step, whom);
}

}  // namespace agora::gateway

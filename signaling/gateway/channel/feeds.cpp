// SPDX-License-Identifier: LGPL-2.1-or-later
// The mix of a channel for players: whoever plays by a play key of the mix waits for a stream that
// agora-web pushes, which hears the channel as a mix that nobody sees (mix.cpp). It is ordered with
// the first player and ends a while after the last one, so that a decoder that comes again doesn't
// begin it anew.
#include <utility>

#include "signaling/gateway/channel/channel-book.hpp"

namespace agora::gateway {

// `stream`: what the player of a mix plays. "": it may.
std::string ChannelBook::feed_mix(Step &step, const StreamKey &key, std::string &stream) {
  if (!config_.makes_mixes)
    return "mixes are made by agora-web: start the gateway with --web";
  std::string channel = channel_key(key.app_id, key.channel);
  if (const Feed *feed = feeds_.of_channel(channel)) {
    stream = feed->stream;
    return {};
  }
  if (feeds_.is_full())
    return "the mixes of too many channels are played";
  Feed fresh;
  fresh.app_id = key.app_id;
  fresh.channel = key.channel;
  fresh.key = std::move(channel);
  fresh.stream = stream = random_stream(config_.random);
  const Feed &feed = feeds_.make(std::move(fresh));
  // Its expiry isn't looked at: it is good for as long as the feed lasts, see admit_feed().
  const std::string args = signer_.write(Direction::push, feed.stream, feed.id, 0,
                                         step.now.wall_s + config_.times.url_lifetime_s);
  step.out.push_back(OrderFeed{feed.id, feed.app_id, feed.channel,
                               media_url(Entrance::mix, "", feed.stream, args)});
  return {};
}

// The URL's signature is ours, and holds for the stream, which is this feed's alone.
std::string ChannelBook::admit_feed(Step &step, const HookRequest &request, Feed &feed,
                                    HookOwner &owner) {
  owner = {feed.app_id, feed.channel, 0, 0};
  if (pushing_.contains(request.client_id) && feed.client != request.client_id)
    return "the session pushes for another member already";
  if (!feed.pushes.take(step.now.mono_ms))
    return "pushed anew too often, try again in a few seconds";
  if (feed.client != request.client_id)
    drop_feed(step, feed);
  feed.client = request.client_id;
  pushing_[request.client_id] = {0, step.now.mono_ms};
  return {};
}

void ChannelBook::drop_feed(Step &step, const Feed &feed) {
  if (feed.client == 0)
    return;
  pushing_.erase(feed.client);
  step.out.push_back(DropMedia{feed.stream, Direction::push, feed.client});
}

// A player of the channel's mix has come or gone.
void ChannelBook::watch_feed(const Step &step, const std::string &channel) {
  const Feed *feed = feeds_.of_channel(channel);
  if (!feed)
    return;
  if (players_.of({channel, 0}).empty())
    deadlines_.set({Deadline::feed, feed->id}, step.now.mono_ms + config_.times.feed_ms);
  else
    deadlines_.cancel({Deadline::feed, feed->id});
}

// Nobody has played it for a while.
void ChannelBook::end_feed(Step &step, std::uint64_t id) {
  const Feed *feed = feeds_.of_id(id);
  if (!feed)
    return;
  step.out.push_back(OrderFeed{id, {}, {}, {}});
  drop_feed(step, *feed);
  Channel *channel = find_channel(feed->app_id, feed->channel);
  feeds_.erase(id);
  if (channel)
    close_ears(step, *channel);
}

}  // namespace agora::gateway

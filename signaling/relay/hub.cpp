// SPDX-License-Identifier: LGPL-2.1-or-later
#include "signaling/relay/hub.hpp"

#include <algorithm>
#include <cstddef>
#include <utility>
#include <vector>

#include "signaling/relay/rtmp/chunk-writer.hpp"

namespace agora::relay {

namespace {

// So many messages are gathered at most.
constexpr std::size_t most_gathered = 256;
// Headers and metadata that are kept for late joiners: of so many tracks, so many bytes in all.
constexpr std::size_t most_headers = 16;
constexpr std::size_t most_header_bytes = 64 * 1024;

struct Header {
  MediaKind kind;
  std::uint8_t track;
  rtmp::Type type;
  std::string payload;
};

// Memory is fetched for the subscriber so many places ahead: a send takes far longer than that.
constexpr std::size_t fetched_ahead = 2;
constexpr std::size_t cache_line = 64;

// The subscribers that call the stream by one id and hear it by one clock. Nearly always there is
// one lane.
struct Lane {
  struct Place {
    Subscriber *subscriber;
    const void *needs;
  };
  void fetch (std::size_t from) const {
    if (from >= places.size())
      return;
    const auto [subscriber, needs] = places[from];
    for (const void *const each : {static_cast<const void *>(subscriber), needs}) {
      __builtin_prefetch(each);
      __builtin_prefetch(static_cast<const std::byte *>(each) + cache_line);
    }
  }
  std::uint32_t id;
  std::uint32_t shift;
  std::vector<Place> places;
  std::vector<PacketRef> gathered;
};

bool is_kept (MediaKind kind) {
  return kind == MediaKind::audio_header || kind == MediaKind::video_header ||
         kind == MediaKind::metadata;
}

PacketRef encode (const rtmp::MediaMessage &message, MediaKind kind, const Lane &lane,
                  const CountsRef &counts) {
  const std::uint32_t timestamp = message.timestamp + lane.shift;
  return PacketRef::make(rtmp::encode_media({message.type, timestamp, message.payload}, lane.id),
                         kind, timestamp, lane.id, message.payload.size(), counts);
}

}  // namespace

class HubStream {
 public:
  HubStream(std::string_view of, CountsRef by) : name(of), counts(std::move(by)) {}

  Lane &lane_of (std::uint32_t id, std::uint32_t shift) {
    auto found = std::find_if(lanes.begin(), lanes.end(), [&] (const Lane &lane) {
      return lane.id == id && lane.shift == shift;
    });
    return found != lanes.end() ? *found : lanes.emplace_back(Lane{id, shift, {}, {}});
  }

  void keep (const MediaClass &found, const rtmp::MediaMessage &message) {
    auto same = std::find_if(headers.begin(), headers.end(), [&] (const Header &each) {
      return each.kind == found.kind && each.track == found.track;
    });
    std::size_t bytes = message.payload.size();
    for (auto each = headers.begin(); each != headers.end(); ++each)
      bytes += each != same ? each->payload.size() : 0;
    // One that isn't kept must not leave an older one, which would be wrong.
    if (bytes > most_header_bytes || (same == headers.end() && headers.size() >= most_headers)) {
      if (same != headers.end())
        headers.erase(same);
      return;
    }
    if (same == headers.end())
      same = headers.insert(headers.end(), Header{found.kind, found.track, message.type, {}});
    same->type = message.type;
    same->payload.assign(message.payload.begin(), message.payload.end());
  }

  const std::string name;
  const CountsRef counts;
  Publisher *publisher = nullptr;
  std::vector<Lane> lanes;
  bool began = false;           // subscribers were told of the push
  std::uint32_t timestamp = 0;  // of the last message
  std::size_t gathered = 0;     // messages, in each lane
  bool gathered_video = false;  // some of them are video
  std::vector<Header> headers;  // in the order they came
};

Hub::Hub() = default;
Hub::~Hub() = default;

HubStream &Hub::stream_of(std::string_view name) {
  auto found = streams_.find(name);
  if (found == streams_.end())
    found = streams_.emplace(std::string(name), std::make_unique<HubStream>(name, ledger_.of(name)))
                .first;
  return *found->second;
}

void Hub::let_go(HubStream &stream) {
  if (stream.publisher == nullptr && stream.lanes.empty())
    streams_.erase(stream.name);
}

bool Hub::publish(std::string_view name, Publisher &publisher) {
  HubStream &stream = stream_of(name);
  if (stream.publisher != nullptr)
    return false;
  stream.publisher = &publisher;
  publisher.stream_ = &stream;
  pushes_++;
  return true;
}

void Hub::unpublish(Publisher &publisher, bool discard) {
  HubStream *stream = publisher.stream_;
  if (stream == nullptr)
    return;
  if (!discard)
    flush(*stream);
  publisher.stream_ = nullptr;
  stream->publisher = nullptr;
  pushes_--;
  for (Lane &lane : stream->lanes) {
    lane.gathered.clear();
    for (const auto &[subscriber, needs] : lane.places) {
      subscriber->waits_for_key_ = true;
      if (stream->began)
        subscriber->push_ended(discard);
    }
  }
  stream->gathered = 0;
  stream->gathered_video = false;
  stream->began = false;
  stream->headers.clear();
  let_go(*stream);
}

// Before the push begins, its time isn't known.
void Hub::add(HubStream &stream, Subscriber &subscriber) {
  const std::optional<std::uint32_t> time = subscriber.own_time();
  subscriber.shift_ = time && stream.began ? *time - stream.timestamp : 0;
  Lane &lane = stream.lane_of(subscriber.stream_id_, subscriber.shift_);
  subscriber.stream_ = &stream;
  subscriber.index_ = lane.places.size();
  lane.places.push_back({&subscriber, subscriber.needs_});
}

void Hub::remove(HubStream &stream, Subscriber &subscriber) {
  Lane &lane = stream.lane_of(subscriber.stream_id_, subscriber.shift_);
  const Lane::Place last = lane.places.back();
  lane.places[subscriber.index_] = last;
  last.subscriber->index_ = subscriber.index_;
  lane.places.pop_back();
  if (lane.places.empty())
    stream.lanes.erase(stream.lanes.begin() + (&lane - stream.lanes.data()));
}

// The push has begun: those with a time of their own get it from here on.
void Hub::settle(HubStream &stream) {
  std::vector<Subscriber *> with_own;
  for (const Lane &lane : stream.lanes)
    for (const Lane::Place &place : lane.places)
      if (place.subscriber->own_time())
        with_own.push_back(place.subscriber);
  for (Subscriber *subscriber : with_own) {
    remove(stream, *subscriber);
    add(stream, *subscriber);
  }
}

void Hub::play(std::string_view name, Subscriber &subscriber) {
  HubStream &stream = stream_of(name);
  // It may have been away.
  subscriber.waits_for_key_ = true;
  // What was gathered is for those who were there.
  flush(stream);
  add(stream, subscriber);
  subscribers_++;
  if (stream.began)
    welcome(stream, subscriber);
}

void Hub::welcome(HubStream &stream, Subscriber &subscriber) {
  subscriber.push_began();
  const std::uint32_t timestamp = stream.timestamp + subscriber.shift_;
  std::vector<PacketRef> packets;
  packets.reserve(stream.headers.size());
  for (const Header &header : stream.headers) {
    const std::span bytes(reinterpret_cast<const std::uint8_t *>(header.payload.data()),
                          header.payload.size());
    packets.push_back(PacketRef::make(
        rtmp::encode_media({header.type, timestamp, bytes}, subscriber.stream_id_), header.kind,
        timestamp, subscriber.stream_id_, bytes.size(), stream.counts));
  }
  if (!packets.empty())
    subscriber.send(packets);
}

void Hub::leave(Subscriber &subscriber) {
  HubStream *stream = subscriber.stream_;
  if (stream == nullptr)
    return;
  subscriber.stream_ = nullptr;
  subscribers_--;
  remove(*stream, subscriber);
  let_go(*stream);
}

void Hub::message(Publisher &publisher, const rtmp::MediaMessage &message) {
  HubStream *stream = publisher.stream_;
  if (stream == nullptr)
    return;
  const MediaClass found = classify(message);
  if (!stream->began) {
    stream->began = true;
    for (const Lane &lane : stream->lanes)
      for (const Lane::Place &place : lane.places)
        place.subscriber->push_began();
    stream->timestamp = message.timestamp;
    settle(*stream);
  }
  stream->timestamp = message.timestamp;
  if (!publisher.counted_)
    stream->counts->received_bytes += message.payload.size();
  if (is_kept(found.kind))
    stream->keep(found, message);
  for (Lane &lane : stream->lanes)
    lane.gathered.push_back(encode(message, found.kind, lane, stream->counts));
  stream->gathered++;
  stream->gathered_video |= found.kind == MediaKind::video || found.kind == MediaKind::video_key;
  if (stream->gathered >= most_gathered)
    flush(*stream);
}

void Hub::flush(Publisher &publisher) {
  if (publisher.stream_ != nullptr)
    flush(*publisher.stream_);
}

void Hub::flush(HubStream &stream) {
  if (stream.gathered == 0)
    return;
  std::vector<PacketRef> from_key;
  for (Lane &lane : stream.lanes) {
    for (std::size_t i = 0; i < lane.places.size(); i++) {
      lane.fetch(i + fetched_ahead);
      Subscriber *subscriber = lane.places[i].subscriber;
      if (!stream.gathered_video || !subscriber->waits_for_key_) {
        subscriber->send(lane.gathered);
        continue;
      }
      from_key.clear();
      for (const PacketRef &packet : lane.gathered) {
        if (packet->kind == MediaKind::video_key)
          subscriber->waits_for_key_ = false;
        if (packet->kind != MediaKind::video || !subscriber->waits_for_key_)
          from_key.push_back(packet);
      }
      if (!from_key.empty())
        subscriber->send(from_key);
    }
    lane.gathered.clear();
  }
  stream.gathered = 0;
  stream.gathered_video = false;
}

void Hub::cut(const Subscriber &subscriber) {
  if (subscriber.stream_ != nullptr)
    subscriber.stream_->counts->cut_listeners++;
}

Publisher *Hub::publisher_of(std::string_view name) const {
  auto found = streams_.find(name);
  return found != streams_.end() ? found->second->publisher : nullptr;
}

}  // namespace agora::relay

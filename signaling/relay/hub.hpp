// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// Who pushes what, who plays it, and what each subscriber gets: from its beginning the metadata and
// the codecs' last headers, sound at once, video from a key frame. Pure: no socket, no clock.
//
// Messages of one push are gathered until flush(), so that a subscriber gets all that came in one
// read by one write.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>

#include "signaling/relay/packet.hpp"
#include "signaling/relay/rtmp/message.hpp"
#include "signaling/relay/stream-counts.hpp"

namespace agora::relay {

class HubStream;

// One play: it hears what is pushed under a name. Its owner takes it off the hub before it ends.
class Subscriber {
 public:
  // `stream_id`: what its connection calls the stream. `needs`: the memory that its send() looks at
  // first, if there is such. It is fetched while the subscriber before it is served.
  explicit Subscriber(std::uint32_t stream_id, const void *needs = nullptr)
      : stream_id_(stream_id), needs_(needs) {}
  Subscriber(const Subscriber &) = delete;
  Subscriber &operator=(const Subscriber &) = delete;
  virtual ~Subscriber() = default;

  // Called by the hub; none of them may change what the hub holds.
  // To go out in this order, after what went before.
  virtual void send (std::span<const PacketRef> packets) = 0;
  // A push of the name began; or ended, and `discard`: at once, what is unsent is not to be heard.
  virtual void push_began () = 0;
  virtual void push_ended (bool discard) = 0;

  // At which time it hears what comes next; nothing: as the push counts. One that stays while
  // pushes come and go has a time of its own.
  virtual std::optional<std::uint32_t> own_time () const { return {}; }

  // It lost a video frame: none goes to it before the next key frame.
  void lost_video () { waits_for_key_ = true; }
  std::uint32_t stream_id () const { return stream_id_; }

 private:
  friend class Hub;
  const std::uint32_t stream_id_;
  const void *const needs_;
  bool waits_for_key_ = true;
  HubStream *stream_ = nullptr;
  std::uint32_t shift_ = 0;  // its time is later than the push's
  std::size_t index_ = 0;    // in the stream's list
};

// One push.
class Publisher {
 public:
  Publisher() = default;
  Publisher(const Publisher &) = delete;
  Publisher &operator=(const Publisher &) = delete;
  virtual ~Publisher() = default;

 protected:
  // What it brings has come to this machine before, and was counted where it did.
  bool counted_ = false;

 private:
  friend class Hub;
  HubStream *stream_ = nullptr;
};

class Hub {
 public:
  Hub();
  ~Hub();
  Hub(const Hub &) = delete;
  Hub &operator=(const Hub &) = delete;

  // False: another one pushes this name.
  bool publish (std::string_view name, Publisher &publisher);
  void unpublish (Publisher &publisher, bool discard = false);
  void play (std::string_view name, Subscriber &subscriber);
  void leave (Subscriber &subscriber);

  // A message of a push. It goes out at flush() at the latest.
  void message (Publisher &publisher, const rtmp::MediaMessage &message);
  void flush (Publisher &publisher);

  Publisher *publisher_of (std::string_view name) const;

  StreamLedger &ledger () { return ledger_; }
  // It is no subscriber any more for having been too slow.
  static void cut (const Subscriber &subscriber);

  std::size_t pushes () const { return pushes_; }
  std::size_t subscribers () const { return subscribers_; }

 private:
  HubStream &stream_of (std::string_view name);
  void let_go (HubStream &stream);
  static void add (HubStream &stream, Subscriber &subscriber);
  static void remove (HubStream &stream, Subscriber &subscriber);
  static void settle (HubStream &stream);
  void welcome (HubStream &stream, Subscriber &subscriber);
  void flush (HubStream &stream);

  StreamLedger ledger_;
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const {
      return std::hash<std::string_view>()(text);
    }
  };
  std::unordered_map<std::string, std::unique_ptr<HubStream>, Hash, std::equal_to<>> streams_;
  std::size_t pushes_ = 0;
  std::size_t subscribers_ = 0;
};

}  // namespace agora::relay

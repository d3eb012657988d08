// SPDX-License-Identifier: LGPL-2.1-or-later
#include "signaling/relay/send-queue.hpp"

#include <algorithm>
#include <string_view>

namespace agora::relay {

namespace {

// Charged for each packet, so that many tiny ones are bounded, too, and what they cost to look at.
constexpr std::size_t packet_cost = 512;

// From one timestamp to another, whichever comes first. Both wrap.
std::uint32_t distance (std::uint32_t from, std::uint32_t to) {
  const std::uint32_t forward = to - from;
  return std::min(forward, 0U - forward);
}

std::size_t kept_cost (const Packet &packet) {
  return may_be_left_out(packet.kind) ? 0 : packet.bytes.size() + packet_cost;
}

bool is_video (MediaKind kind) {
  return kind == MediaKind::video || kind == MediaKind::video_key;
}

}  // namespace

void SendQueue::push(PacketRef packet, std::size_t sent) {
  if (packets_.empty())
    sent_ = sent;
  bytes_ += packet->bytes.size();
  kept_ += kept_cost(*packet);
  packets_.push_back(std::move(packet));
}

template <typename Late>
SendQueue::Loss SendQueue::leave_out(Late late) {
  Loss loss;
  auto to = packets_.begin() + static_cast<std::ptrdiff_t>(first_);
  for (std::size_t i = first_; i < packets_.size(); i++) {
    PacketRef &packet = packets_[i];
    const unsigned stream = 1U << (packet->stream & 31U);
    bool gone = false;
    if (whole(i) && may_be_left_out(packet->kind)) {
      // What follows a lost video frame can't be decoded before the next key frame.
      const bool broken = packet->kind == MediaKind::video && (loss.video_streams & stream) != 0;
      gone = late(*packet) || broken;
    }
    if (packet->kind == MediaKind::video_key && !gone)
      loss.video_streams &= ~stream;
    if (gone) {
      loss.frames++;
      if (packet->counts)
        packet->counts->dropped_frames++;
      if (is_video(packet->kind))
        loss.video_streams |= stream;
      bytes_ -= packet->bytes.size();
      continue;
    }
    if (&*to != &packet)
      *to = std::move(packet);
    ++to;
  }
  packets_.erase(to, packets_.end());
  if (first_ == packets_.size())
    release();
  return loss;
}

SendQueue::Loss SendQueue::trim(const SendLimits &limits) {
  if (packets_.empty())
    return {};
  const Packet &newest = *packets_.back();
  const std::size_t cost = bytes() + packet_cost * (packets_.size() - first_);
  const auto oldest =
      std::find_if(packets_.begin() + static_cast<std::ptrdiff_t>(first_), packets_.end(),
                   [&] (const PacketRef &each) {
                     return may_be_left_out(each->kind) && each->stream == newest.stream;
                   });
  const std::uint32_t lag = oldest != packets_.end() && may_be_left_out(newest.kind)
                                ? distance((*oldest)->timestamp, newest.timestamp)
                                : 0;
  const bool late = lag > limits.lag_ms;
  // What is later is left out. It may be time that went back, too.
  if (newest.counts)
    newest.counts->lag_ms = std::max(newest.counts->lag_ms, std::min(lag, limits.lag_ms));
  if (!late && cost <= limits.media_bytes)
    return {};
  // By time of the newest one's stream; by bytes of all.
  std::size_t surplus = cost > limits.media_bytes ? cost - limits.media_bytes : 0;
  return leave_out([&] (const Packet &each) {
    if (each.stream == newest.stream && may_be_left_out(newest.kind) &&
        distance(each.timestamp, newest.timestamp) > limits.lag_ms)
      return true;
    if (surplus == 0)
      return false;
    surplus -= std::min(surplus, each.bytes.size() + packet_cost);
    return true;
  });
}

SendQueue::Loss SendQueue::clear_media(std::uint32_t stream) {
  return leave_out([stream] (const Packet &each) { return each.stream == stream; });
}

std::size_t SendQueue::peek(std::span<const Packet *> packets, std::size_t &first_from) const {
  const std::size_t count = std::min(packets.size(), packets_.size() - first_);
  for (std::size_t i = 0; i < count; i++)
    packets[i] = &*packets_[first_ + i];
  first_from = sent_;
  return count;
}

std::size_t SendQueue::copy(std::span<std::uint8_t> bytes) const {
  std::size_t filled = 0;
  for (std::size_t i = first_; i < packets_.size() && filled < bytes.size(); i++) {
    const std::string_view from =
        std::string_view(packets_[i]->bytes).substr(i == first_ ? sent_ : 0);
    const std::size_t size = std::min(from.size(), bytes.size() - filled);
    std::copy_n(from.begin(), size, bytes.begin() + static_cast<std::ptrdiff_t>(filled));
    filled += size;
  }
  return filled;
}

void SendQueue::advance(std::size_t bytes, bool counted) {
  sent_ += bytes;
  while (first_ < packets_.size() && sent_ >= packets_[first_]->bytes.size()) {
    const std::size_t size = packets_[first_]->bytes.size();
    sent_ -= size;
    bytes_ -= size;
    kept_ -= kept_cost(*packets_[first_]);
    if (const CountsRef &counts = packets_[first_]->counts; counted && counts)
      counts->sent_bytes += packets_[first_]->payload;
    packets_[first_] = PacketRef();
    first_++;
  }
  if (first_ == packets_.size())
    release();
  else if (first_ > 32 && first_ > packets_.size() / 2) {
    packets_.erase(packets_.begin(), packets_.begin() + static_cast<std::ptrdiff_t>(first_));
    first_ = 0;
  }
}

void SendQueue::release() {
  std::vector<PacketRef>().swap(packets_);
  first_ = sent_ = bytes_ = kept_ = 0;
}

}  // namespace agora::relay

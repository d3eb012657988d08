// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/recorder/track.hpp"

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <utility>

#include "gst/common/voice-codec.hpp"
#include "gst/recorder/coded-file.hpp"
#include "gst/recorder/wav-file.hpp"

namespace agora::recorder {

namespace {

// A disk may stand still for so long.
constexpr std::size_t kWaitingSeconds = 20;
// As it was sent: more than AAC or Opus ever need for that.
constexpr std::size_t kCodedBytes = 2 << 20;
// Silence of those who are away is filled in such steps.
constexpr std::int64_t kFillStep = 30;
constexpr unsigned kMostParts = 1000;
// A file that can't be written is followed by another one after so many seconds.
constexpr std::int64_t kRetry = 5;
// A codec that isn't taken is told of once in so many seconds.
constexpr std::int64_t kTellRefused = 10;

struct Level {
  double peak;     // of full scale, which is 1
  double squares;  // their sum
};

// Of little-endian samples. In whole numbers, which the compiler takes several of at a time.
template <int width>
Level level_of (const std::uint8_t *bytes, std::size_t count) {
  constexpr double kFull = 1 << (8 * width - 1);
  std::int32_t least = 0, most = 0;
  // 24 bits squared leave room for 131072 of them: less than a buffer may have.
  double squares = 0;
  constexpr std::size_t kAtATime = 4096;
  for (std::size_t begin = 0; begin < count; begin += kAtATime) {
    std::int64_t sum = 0;
    for (std::size_t i = begin; i < std::min(count, begin + kAtATime); i++) {
      const std::uint8_t *at = bytes + i * width;
      std::int32_t value;
      if constexpr (width == 2)
        value = static_cast<std::int16_t>(at[0] | at[1] << 8);
      else
        value = static_cast<std::int32_t>(static_cast<std::uint32_t>(at[0]) << 8 |
                                          static_cast<std::uint32_t>(at[1]) << 16 |
                                          static_cast<std::uint32_t>(at[2]) << 24) >>
                8;
      least = std::min(least, value);
      most = std::max(most, value);
      sum += static_cast<std::int64_t>(value) * value;
    }
    squares += static_cast<double>(sum);
  }
  return {std::max(most, -least) / kFull, squares / (kFull * kFull)};
}

// (transfer full) The part of a raw piece from `from` on, `length` frames long.
Piece cut (const Piece &piece, std::int64_t from, std::int64_t length, int frame_bytes) {
  const auto offset = static_cast<gsize>((from - piece.at) * frame_bytes);
  return {from, length,
          BufferPtr(gst_buffer_copy_region(piece.sound.get(), GST_BUFFER_COPY_MEMORY, offset,
                                           static_cast<gsize>(length * frame_bytes))),
          share(piece.caps.get())};
}

}  // namespace

Track::Track(std::uint32_t uid, const Options &options, const Folder &folder, CueBook &cues)
    : uid_(uid),
      options_(options),
      folder_(folder),
      cues_(cues),
      channels_(uid ? options.channels : kMixChannels),
      frame_bytes_(options.coded() ? 0 : channels_ * options.depth / 8),
      per_second_(options.coded() ? GST_SECOND : kRate),
      segment_length_(options.rotate_s * per_second_),
      lane_(std::make_shared<Lane>(frame_bytes_ ? kWaitingSeconds *
                                                      static_cast<std::size_t>(kRate * frame_bytes_)
                                                : kCodedBytes)) {
}

std::int64_t Track::from_ns(std::int64_t ns) const {
  return static_cast<std::int64_t>(
      gst_util_uint64_scale(static_cast<guint64>(std::max<std::int64_t>(ns, 0)),
                            static_cast<guint64>(per_second_), GST_SECOND));
}

void Track::lose(std::int64_t at, std::int64_t length) {
  if (length <= 0)
    return;
  lost_any_ = true;
  at = std::max<std::int64_t>(at, 0);
  const std::int64_t segment = segment_of(at);
  cues_.lost(segment, uid_, seconds(at), seconds(at + length));
  if (open_ && open_->segment == segment) {
    open_->cue.lost += seconds(length);
  } else if (!open_ && !last_.name.empty() && last_segment_ == segment) {
    last_.lost += seconds(length);
    cues_.file(segment, uid_, last_);
  }
}

void Track::settle(std::int64_t at) {
  if (const std::int64_t lost = open_->file->take_lost())
    lose(at - lost, lost);
}

void Track::hear(std::int64_t at, std::int64_t length) {
  if (at > heard_to_ + per_second_ / 10)
    tell_heard();
  if (heard_to_ == heard_from_)
    heard_from_ = heard_to_ = at;
  heard_to_ = std::max(heard_to_, at + length);
}

void Track::tell_heard() {
  if (uid_ && heard_to_ > heard_from_)
    cues_.heard(uid_, seconds(heard_from_), seconds(heard_to_));
  heard_from_ = heard_to_;
}

void Track::measure(const Piece &piece) {
  if (!frame_bytes_)
    return;
  GstMapInfo map;
  if (!gst_buffer_map(piece.sound.get(), &map, GST_MAP_READ))
    return;
  const int width = options_.depth / 8;
  const gsize count = map.size / static_cast<gsize>(width);
  const auto [peak, squares] =
      width == 2 ? level_of<2>(map.data, count) : level_of<3>(map.data, count);
  gst_buffer_unmap(piece.sound.get(), &map);
  peak_ = std::max(peak_.value_or(0), peak);
  open_->cue.peak = std::max(open_->cue.peak.value_or(0), peak);
  open_->square_sum += squares;
  open_->samples += count;
}

void Track::tell(Open &open) {
  open.cue.seconds = seconds(open.file->end());
  open.cue.rms = open.samples ? std::sqrt(open.square_sum / static_cast<double>(open.samples)) : 0;
  cues_.file(open.segment, uid_, open.cue);
}

bool Track::open(std::int64_t segment, GstCaps *caps) {
  if (segment != last_segment_) {
    last_segment_ = segment;
    last_ = {};
    parts_ = 0;
  }
  if (parts_ >= kMostParts) {
    problem_ = "too many files of one track";
    return false;
  }
  const std::string name =
      file_name(uid_, segment, parts_ + 1, segment_length_ > 0, options_.extension());
  Descriptor fd(folder_.create(name));
  if (!fd) {
    problem_ = name + ": " + g_strerror(errno);
    return false;
  }
  std::unique_ptr<SoundFile> file;
  std::string reason;
  if (options_.format == Format::wav)
    file =
        std::make_unique<WavFile>(std::move(fd), WavFile::Shape{channels_, options_.depth, kRate});
  else
    file = CodedFile::make(options_.format, std::move(fd), caps, frame_bytes_, reason);
  if (!file) {
    problem_ = name + ": " + reason;
    folder_.remove(name);
    return false;
  }
  parts_++;
  open_.emplace();
  open_->file = std::move(file);
  open_->segment = segment;
  open_->cue.name = name;
  tell(*open_);
  return true;
}

// The file goes on closing by itself.
void Track::end(std::int64_t at) {
  if (!open_)
    return;
  open_->file->close(at - begin_of(open_->segment));
  settle(std::min(at, until_));
  if (!open_->file->problem().empty())
    problem_ = open_->cue.name + ": " + open_->file->problem();
  if (open_->file->holds()) {
    tell(*open_);
    last_ = open_->cue;
    closing_.push_back(std::move(*open_));
  } else {
    drop(*open_);
    // The next one has its name, and the one before tells what this one lost.
    if (!last_.name.empty()) {
      last_.lost += open_->cue.lost;
      cues_.file(open_->segment, uid_, last_);
    }
    parts_--;
  }
  open_.reset();
}

void Track::drop(const Open &open) {
  folder_.remove(open.cue.name);
  cues_.forget(open.segment, uid_, open.cue.name);
}

// Whether the format has this codec; what it hasn't is told of.
bool Track::fits(const GstCaps *caps) {
  if (options_.format != Format::ogg && options_.format != Format::adts)
    return true;
  const bool opus = is_opus(caps);
  if (opus == (options_.format == Format::ogg)) {
    refusing_ = false;
    return true;
  }
  if (!std::exchange(refusing_, true) &&
      (refused_at_ < 0 || until_ > refused_at_ + kTellRefused * per_second_)) {
    refused_ = opus ? "Opus" : "AAC";
    refused_at_ = until_;
  }
  return false;
}

void Track::write_within(std::int64_t segment, Piece piece) {
  if (open_ && open_->segment != segment)
    end(begin_of(open_->segment + 1));
  // The file stays: it may come again.
  if (!fits(piece.caps.get())) {
    lost_any_ = true;
    return;
  }
  if (!room_) {
    lose(piece.at, piece.length);
    return;
  }
  // Another format, or a file that a failure has ended: what follows is in a part of its own.
  if (open_ && !open_->file->takes(piece.caps.get()))
    end(until_);
  if (open_ && !open_->file->goes_on()) {
    end(until_);
    not_before_ = until_ + kRetry * per_second_;
  }
  if (!open_ && piece.at >= not_before_ && !open(segment, piece.caps.get()))
    not_before_ = piece.at + kRetry * per_second_;
  if (!open_) {
    lose(piece.at, piece.length);
    return;
  }
  measure(piece);
  const std::int64_t at = piece.at;
  piece.at -= begin_of(segment);
  const std::int64_t length = piece.length;
  if (!open_->file->write(piece)) {
    problem_ = open_->cue.name + ": " + open_->file->problem();
    settle(at);
    lose(at, length);
  }
}

void Track::write_piece(Piece piece, std::int64_t limit) {
  const bool heard = !GST_BUFFER_FLAG_IS_SET(piece.sound.get(), GST_BUFFER_FLAG_GAP);
  // Raw sound is counted by its samples: what overlaps was there already. As it was sent each frame
  // is whole.
  if (frame_bytes_ && piece.at < until_) {
    const std::int64_t told = until_ - piece.at;
    if (told >= piece.length)
      return;
    piece = cut(piece, until_, piece.length - told, frame_bytes_);
  }
  if (piece.at < 0 || piece.at >= limit)
    return;
  if (heard)
    hear(piece.at, std::min(piece.length, limit - piece.at));
  if (frame_bytes_ && piece.length > limit - piece.at)
    piece = cut(piece, piece.at, limit - piece.at, frame_bytes_);
  while (frame_bytes_ && segment_length_) {
    const std::int64_t border = begin_of(segment_of(piece.at) + 1);
    const std::int64_t before = border - piece.at;
    if (before >= piece.length)
      break;
    write_within(segment_of(piece.at), cut(piece, piece.at, before, frame_bytes_));
    until_ = border;
    piece = cut(piece, border, piece.length - before, frame_bytes_);
  }
  const std::int64_t end = piece.at + piece.length;
  const std::int64_t segment = segment_of(piece.at);
  write_within(segment, std::move(piece));
  until_ = std::max(until_, end);
}

void Track::write(bool room, std::int64_t limit) {
  const std::int64_t until = limit == INT64_MAX ? limit : from_ns(limit);
  room_ = room;
  Lane::Taken taken = lane_->take();
  for (Piece &piece : taken.pieces)
    write_piece(std::move(piece), until);
  if (taken.lost) {
    problem_ = "the disk is too slow";
    lose(taken.lost_at, taken.lost);
    hear(taken.lost_at, taken.lost);
  }
  tell_heard();
  if (open_) {
    if (!open_->file->sync()) {
      problem_ = open_->cue.name + ": " + open_->file->problem();
      settle(until_);
    }
    tell(*open_);
  }
  closed();
}

void Track::follow(std::int64_t ns, bool room) {
  if (!open_)
    return;
  const std::int64_t at = from_ns(ns);
  if (segment_of(at) > open_->segment) {
    end(begin_of(open_->segment + 1));
    return;
  }
  const std::int64_t there = at - begin_of(open_->segment);
  if (room && there - open_->file->end() > 2 * kFillStep * per_second_)
    open_->file->fill(there - kFillStep * per_second_);
}

void Track::close(std::int64_t ns) {
  end(from_ns(ns));
}

bool Track::closed() {
  std::erase_if(closing_, [this] (Open &each) {
    if (!each.file->closed())
      return false;
    if (each.file->goes_on())
      return true;
    problem_ = each.cue.name + ": " + each.file->problem();
    const std::int64_t lost = each.file->take_lost();
    const std::int64_t end = begin_of(each.segment) + each.file->end() + lost;
    each.cue.lost += seconds(lost);
    cues_.lost(each.segment, uid_, seconds(end - lost), seconds(end));
    if (each.file->holds())
      tell(each);
    else
      drop(each);
    lost_any_ = true;
    return true;
  });
  return closing_.empty() && !open_;
}

}  // namespace agora::recorder

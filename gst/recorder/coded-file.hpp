// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// A file that elements write: flacenc for raw sound, a muxer for sound as it was sent. A pipeline
// of its own: what goes wrong there ends this file and nothing else. Its sink writes to a
// descriptor, each round at once, so that nothing waits in a buffer of this process.
#pragma once

#include <memory>

#include "gst/recorder/batched-sink.hpp"
#include "gst/recorder/feed.hpp"
#include "gst/recorder/options.hpp"
#include "gst/recorder/sound-file.hpp"
#include "signaling/support/descriptor.hpp"

namespace agora::recorder {

class CodedFile final : public SoundFile {
 public:
  // Never for Format::wav. `caps`: of the sound that comes. `frame_bytes`: of raw sound, else 0.
  static std::unique_ptr<CodedFile> make (Format format, Descriptor fd, GstCaps *caps,
                                          int frame_bytes, std::string &reason);
  ~CodedFile() override;

  bool write (const Piece &piece) override;
  bool sync () override;
  void fill (std::int64_t to) override;
  void close (std::int64_t end) override;
  bool closed () override;
  bool goes_on () const override { return !failed_; }
  bool holds () const override { return holds_ || !failed_; }
  bool takes (const GstCaps *caps) const override;

 private:
  CodedFile(Format format, Descriptor fd, GstCaps *caps, int frame_bytes);
  bool start (std::string &reason);
  std::int64_t time_of (std::int64_t at) const;
  void fill_frames (std::int64_t to);
  // Whether the format has no stamps.
  bool counts () const { return format_ == Format::ogg || format_ == Format::adts; }
  // What the pipeline has said.
  void look ();
  void fail (const std::string &problem);

  const Format format_;
  Descriptor fd_;
  CapsPtr caps_;
  const int frame_bytes_;
  ObjectPtr<GstElement> pipeline_;
  ObjectPtr<GstElement> source_;
  ObjectPtr<GstBus> bus_;
  std::unique_ptr<BatchedSink> sink_;
  std::unique_ptr<Feed> feed_;
  std::int64_t frame_duration_ = 0;  // of what is sent
  std::int64_t counted_ = 0;         // how long all frames are; stamps may say otherwise
  // Sound that may be written, and that surely is when the next round finds no failure.
  std::int64_t pending_ = 0;
  std::int64_t earlier_ = 0;
  std::uint64_t mark_ = 0;  // of what was put in: earlier_
  bool holds_ = false;
  bool failed_ = false;
  bool ended_ = false;
  std::uint64_t given_ = 0;  // when it last moved
  std::int64_t moved_at_ = 0;
};

}  // namespace agora::recorder

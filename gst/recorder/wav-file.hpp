// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// A WAV file that is whole at each moment. wavenc writes its sizes at the end alone, and none above
// 4 GiB: here they are written anew with each sync(), and a file that outgrows 32 bits becomes RF64
// in place (EBU Tech 3306). Silence is a hole, which takes no room on a disk.
#pragma once

#include <vector>

#include "gst/recorder/sound-file.hpp"
#include "signaling/support/descriptor.hpp"

namespace agora::recorder {

class WavFile final : public SoundFile {
 public:
  struct Shape {
    int channels;
    int depth;  // bits a sample
    int rate;
    int frame_bytes () const { return channels * depth / 8; }
  };
  static constexpr std::int64_t kHeader = 80;

  WavFile(Descriptor fd, Shape shape);

  bool write (const Piece &piece) override;
  bool sync () override;
  // A hole takes no time.
  void fill (std::int64_t) override {}
  void close (std::int64_t end) override;
  bool closed () override { return true; }
  // A disk that was full takes up what comes later, where it belongs.
  bool goes_on () const override { return true; }
  bool holds () const override { return told_ >= 0; }
  bool takes (const GstCaps *) const override { return true; }

 private:
  bool flush ();
  bool write_header ();
  bool put_at (std::int64_t offset, const std::uint8_t *data, std::size_t size);

  Descriptor fd_;
  const Shape shape_;
  std::vector<std::uint8_t> run_;  // what follows each other, to be written in one go
  std::int64_t run_at_ = 0;
  std::int64_t told_ = -1;  // frames that the header tells of
};

}  // namespace agora::recorder

// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// A file that sound goes into. Places are counted as those of pieces, but from the file's
// beginning. What is left out becomes silence. For the disk's thread.
#pragma once

#include <cstdint>
#include <string>
#include <utility>

#include "gst/recorder/lane.hpp"

namespace agora::recorder {

class SoundFile {
 public:
  SoundFile() = default;
  SoundFile(const SoundFile &) = delete;
  SoundFile &operator=(const SoundFile &) = delete;
  virtual ~SoundFile() = default;

  // After sync() whoever reads the file hears what was written, whatever becomes of this program.
  // False: `problem` tells why this piece isn't in it.
  virtual bool write (const Piece &piece) = 0;
  virtual bool sync () = 0;
  // A long silence so far: what takes its time to be written is begun.
  virtual void fill (std::int64_t to) = 0;
  // Silence up to `end`, then the end of the file, which needs a while.
  virtual void close (std::int64_t end) = 0;
  // Whether that has come; also where it failed.
  virtual bool closed () = 0;
  // False: after a failure nothing more can be written to it, and it ends where it ended.
  virtual bool goes_on () const = 0;
  // False: there is nothing in it that anybody could hear, nor will there be.
  virtual bool holds () const = 0;
  // Whether sound of these caps may follow.
  virtual bool takes (const GstCaps *caps) const = 0;
  // What is in it.
  std::int64_t end () const { return end_; }
  // How much of what it took wasn't written after all, since it was last asked.
  std::int64_t take_lost () { return std::exchange(lost_, 0); }
  // Empty: none.
  const std::string &problem () const { return problem_; }

 protected:
  std::int64_t end_ = 0;
  std::int64_t lost_ = 0;
  std::string problem_;
};

}  // namespace agora::recorder

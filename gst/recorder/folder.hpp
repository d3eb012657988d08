// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// The folder of one recording. Files are reached through its descriptor alone, by names that are
// made here out of numbers: nothing that a member says becomes part of a path.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "signaling/support/descriptor.hpp"

namespace agora::recorder {

class Folder {
 public:
  // A new folder in `parent`, which is made too if need be, named by the time; false: `reason`.
  bool make (const std::string &parent, std::string &reason);
  const std::string &path () const { return path_; }

  // A new file, never one that is there; -1 and errno where that fails.
  int create (const std::string &name) const;
  void remove (const std::string &name) const;
  // Puts a whole file in place of the old one of this name, so that readers find either.
  bool replace (const std::string &name, std::string_view text) const;
  // Bytes that may still be written.
  std::uint64_t free () const;

 private:
  std::string path_;
  Descriptor fd_;
};

// `speaker-8.wav`; with a segment `speaker-8-000001.wav`; the second of one segment
// `speaker-8-part2.wav`. Speaker 0 is the mix.
std::string file_name (std::uint32_t uid, std::int64_t segment, unsigned part, bool rotates,
                       std::string_view extension);
// `cues.json`, with a segment `cues-000001.json`.
std::string cue_name (std::int64_t segment, bool rotates);

}  // namespace agora::recorder

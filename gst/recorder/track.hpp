// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// One speaker's sound, or the mix, on its way from a lane into files: cut at the segments' borders,
// to the sample where it is raw. For the disk's thread.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "gst/recorder/cue-book.hpp"
#include "gst/recorder/folder.hpp"
#include "gst/recorder/lane.hpp"
#include "gst/recorder/options.hpp"
#include "gst/recorder/sound-file.hpp"

namespace agora::recorder {

// A file of a track that is written, or is ending.
struct OpenFile {
  std::unique_ptr<SoundFile> file;
  std::int64_t segment = 0;
  FileCue cue;
  double square_sum = 0;
  std::uint64_t samples = 0;
};

class Track {
 public:
  // Uid 0 is the mix.
  Track(std::uint32_t uid, const Options &options, const Folder &folder, CueBook &cues);

  std::uint32_t uid () const { return uid_; }
  Lane &lane () { return *lane_; }
  std::shared_ptr<Lane> share_lane () { return lane_; }

  // What the lane has of before `limit` ns. Without `room` nothing is written: that is lost, and
  // the files stay.
  void write (bool room, std::int64_t limit);
  // All has come up to `ns` of the recording: files of segments before end, and with `room` what is
  // silent for long is filled.
  void follow (std::int64_t ns, bool room);
  // The recording is over at `ns`.
  void close (std::int64_t ns);
  // Whether no file is open any more.
  bool closed ();

  // Since it was last asked, linear; raw sound alone.
  std::optional<double> take_peak () { return std::exchange(peak_, std::nullopt); }
  bool lost_any () const { return lost_any_; }
  // The codec of sound that has begun to come and that the format doesn't take, since it was last
  // asked; empty: there is none.
  std::string take_refused () { return std::exchange(refused_, {}); }
  // What became wrong since it was last asked; empty: nothing.
  std::string take_problem () { return std::exchange(problem_, {}); }

 private:
  using Open = OpenFile;

  void write_piece (Piece piece, std::int64_t limit);
  // `piece` lies in one segment.
  void write_within (std::int64_t segment, Piece piece);
  bool fits (const GstCaps *caps);
  bool open (std::int64_t segment, GstCaps *caps);
  void end (std::int64_t at);
  // What is in no file. The last one that was begun tells of it, too.
  void lose (std::int64_t at, std::int64_t length);
  // What the open file took up to `at` and couldn't write.
  void settle (std::int64_t at);
  // Sound lies there; it is told a stretch at a time.
  void hear (std::int64_t at, std::int64_t length);
  void tell_heard ();
  void drop (const Open &open);
  void measure (const Piece &piece);
  void tell (Open &open);
  std::int64_t begin_of (std::int64_t segment) const { return segment * segment_length_; }
  std::int64_t segment_of (std::int64_t at) const {
    return segment_length_ ? at / segment_length_ : 0;
  }
  double seconds (std::int64_t length) const {
    return static_cast<double>(length) / static_cast<double>(per_second_);
  }
  std::int64_t from_ns (std::int64_t ns) const;

  const std::uint32_t uid_;
  const Options &options_;
  const Folder &folder_;
  CueBook &cues_;
  const int channels_;
  const int frame_bytes_;              // 0: as it was sent
  const std::int64_t per_second_;      // what places are counted in
  const std::int64_t segment_length_;  // 0: there is only one
  const std::shared_ptr<Lane> lane_;

  bool room_ = true;
  std::optional<Open> open_;
  FileCue last_;  // of the file before that, in last_segment_
  std::vector<Open> closing_;
  std::int64_t last_segment_ = -1;  // that had a file
  unsigned parts_ = 0;              // files of it
  std::int64_t until_ = 0;          // what was taken
  std::int64_t not_before_ = 0;     // no new file
  std::optional<double> peak_;
  bool lost_any_ = false;
  bool refusing_ = false;
  std::string refused_;
  std::int64_t refused_at_ = -1;
  std::int64_t heard_from_ = 0;
  std::int64_t heard_to_ = 0;
  std::string problem_;
};

}  // namespace agora::recorder

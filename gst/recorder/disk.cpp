// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/recorder/disk.hpp"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <utility>

namespace agora::recorder {

namespace {

using namespace std::chrono_literals;

// What is lost if this program is killed; each round wakes all files.
constexpr auto kRound = 500ms;
constexpr unsigned kRoundsASecond = 2;
// By so much the sound of all tracks may come later than now.
constexpr std::int64_t kBehind = 3 * GST_SECOND;
// A segment's sheet is closed so much after its end.
constexpr std::int64_t kSheetBehind = 10 * GST_SECOND;
// A full disk must have so much more before it is written to again.
constexpr double kAgain = 1.25;
// Trouble is told once in so long.
constexpr std::int64_t kQuiet = 5 * GST_SECOND;
// Files that end are looked at so often.
constexpr auto kEnding = 10ms;

double in_seconds (std::int64_t ns) {
  return static_cast<double>(ns) / GST_SECOND;
}

}  // namespace

Disk::Disk(const Options &options, const Folder &folder, CueBook &cues, Hooks hooks)
    : options_(options), folder_(folder), cues_(cues), hooks_(std::move(hooks)) {
}

Disk::~Disk() {
  if (!thread_.joinable())
    return;
  {
    std::lock_guard lock(mutex_);
    over_ = true;
    changed_.notify_all();
  }
  thread_.join();
}

void Disk::start() {
  thread_ = std::thread([this] { run(); });
}

std::shared_ptr<Lane> Disk::lane(std::uint32_t uid) {
  std::lock_guard lock(mutex_);
  for (const auto &track : tracks_)
    if (track->uid() == uid)
      return track->share_lane();
  const std::size_t most = options_.max_speakers + (options_.mix ? 1 : 0);
  if (tracks_.size() >= most)
    return nullptr;
  tracks_.push_back(std::make_shared<Track>(uid, options_, folder_, cues_));
  return tracks_.back()->share_lane();
}

void Disk::run() {
  std::unique_lock lock(mutex_);
  auto next = std::chrono::steady_clock::now() + kRound;
  while (!changed_.wait_until(lock, next, [this] { return over_; })) {
    lock.unlock();
    write_all(false);
    next = std::max(next + kRound, std::chrono::steady_clock::now() + kRound / 2);
    lock.lock();
  }
}

void Disk::trouble(std::uint32_t uid, const std::string &text, std::int64_t now) {
  if (told_at_ >= 0 && now - told_at_ < kQuiet)
    return;
  told_at_ = now;
  cues_.note("trouble", in_seconds(now), uid, text);
  hooks_.problem(text);
}

void Disk::refused(std::uint32_t uid, const std::string &codec, std::int64_t now) {
  const std::string why = "sends " + codec + ", which " +
                          (options_.format == Format::ogg ? "ogg" : "adts") + " doesn't take";
  cues_.note("not-recorded", in_seconds(now), uid, why);
  hooks_.problem(std::to_string(uid) + " " + why + ": --format=mka takes both");
}

// Stops before the disk is full: so the files can be ended, and the sheet be written.
void Disk::look_at_room(std::int64_t now) {
  const std::uint64_t free = folder_.free();
  const auto needed =
      room_ ? options_.min_free
            : static_cast<std::uint64_t>(static_cast<double>(options_.min_free) * kAgain);
  if ((free >= needed) == room_)
    return;
  room_ = !room_;
  const std::string text = room_ ? "there is room on the disk again: recording goes on"
                                 : "less than " + std::to_string(options_.min_free >> 20) +
                                       " MiB are free (--min-free): nothing is written until there "
                                       "is a quarter more";
  cues_.note(room_ ? "room-again" : "disk-full", in_seconds(now));
  hooks_.problem(text);
}

void Disk::write_all(bool last) {
  const std::int64_t now = hooks_.now();
  std::vector<std::shared_ptr<Track>> tracks;
  {
    std::lock_guard lock(mutex_);
    tracks = tracks_;
  }
  look_at_room(now);
  for (const auto &track : tracks) {
    track->write(room_, limit_);
    if (!last && now > kBehind)
      track->follow(now - kBehind, room_);
    if (const std::string codec = track->take_refused(); !codec.empty())
      refused(track->uid(), codec, now);
    const std::string problem = track->take_problem();
    if (!problem.empty())
      trouble(track->uid(), problem, now);
    if (track->lost_any())
      whole_ = false;
  }
  // The first time, too: there is a sheet from the beginning.
  if (!last && rounds_++ % kRoundsASecond == 0) {
    write_sheets(now, false);
    show(now);
  }
}

void Disk::write_sheets(std::int64_t now, bool last) {
  const bool progress = pace_.due(sheet_size_);
  const std::int64_t segment = options_.rotate_s * GST_SECOND;
  const std::int64_t done = segment && now > kSheetBehind ? (now - kSheetBehind) / segment : 0;
  for (const CueBook::Sheet &sheet : cues_.take(in_seconds(now), done, progress, last)) {
    sheet_size_ = sheet.text.size();
    const bool written = folder_.replace(cue_name(sheet.segment, segment > 0), sheet.text);
    if (!written && !std::exchange(sheet_failed_, true))
      hooks_.problem(std::string("the cue sheet can't be written: ") + g_strerror(errno));
    if (written)
      sheet_failed_ = false;
  }
}

void Disk::show(std::int64_t now) {
  Progress progress;
  progress.at = now;
  progress.free = folder_.free();
  progress.full = !room_;
  std::lock_guard lock(mutex_);
  for (const auto &track : tracks_)
    progress.tracks.push_back({track->uid(), track->take_peak()});
  hooks_.progress(progress);
}

void Disk::finish(std::int64_t end) {
  {
    std::lock_guard lock(mutex_);
    over_ = true;
    changed_.notify_all();
  }
  if (thread_.joinable())
    thread_.join();
  write_all(true);
  for (const auto &track : tracks_)
    track->close(end);
  std::unique_lock lock(mutex_);
  while (!std::all_of(tracks_.begin(), tracks_.end(),
                      [] (const auto &track) { return track->closed(); }))
    changed_.wait_for(lock, kEnding);
  for (const auto &track : tracks_) {
    const std::string problem = track->take_problem();
    if (!problem.empty()) {
      cues_.note("trouble", in_seconds(end), track->uid(), problem);
      hooks_.problem(problem);
      whole_ = false;
    }
  }
  lock.unlock();
  write_sheets(end, true);
}

}  // namespace agora::recorder

// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/recorder/wav-file.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace agora::recorder {

namespace {

constexpr std::uint64_t kMost32 = 0xFFFFFFFFu;
// What stands behind the size field of RIFF, but for the sound.
constexpr std::uint64_t kBeforeSound = static_cast<std::uint64_t>(WavFile::kHeader) - 8;

class Header {
 public:
  void name (const char *four) {
    std::memcpy(bytes_ + size_, four, 4);
    size_ += 4;
  }
  void number (std::uint64_t value, int bytes) {
    for (int i = 0; i < bytes; i++)
      bytes_[size_++] = static_cast<std::uint8_t>(value >> (8 * i));
  }
  const std::uint8_t *data () const { return bytes_; }
  std::size_t size () const { return size_; }

 private:
  std::uint8_t bytes_[WavFile::kHeader] = {};
  std::size_t size_ = 0;
};

}  // namespace

WavFile::WavFile(Descriptor fd, Shape shape) : fd_(std::move(fd)), shape_(shape) {
}

bool WavFile::put_at(std::int64_t offset, const std::uint8_t *data, std::size_t size) {
  while (size > 0) {
    const ssize_t done = pwrite(fd_.get(), data, size, offset);
    if (done < 0 && errno == EINTR)
      continue;
    if (done <= 0) {
      problem_ = g_strerror(done < 0 ? errno : ENOSPC);
      return false;
    }
    data += done;
    offset += done;
    size -= static_cast<std::size_t>(done);
  }
  return true;
}

// `JUNK` keeps the room of `ds64`, which RF64 wants there.
bool WavFile::write_header() {
  if (told_ == end_)
    return true;
  const auto frame_bytes = static_cast<std::uint64_t>(shape_.frame_bytes());
  const std::uint64_t data = static_cast<std::uint64_t>(end_) * frame_bytes;
  const std::uint64_t riff = kBeforeSound + data + data % 2;
  const bool big = riff > kMost32;
  Header header;
  header.name(big ? "RF64" : "RIFF");
  header.number(big ? kMost32 : riff, 4);
  header.name("WAVE");
  header.name(big ? "ds64" : "JUNK");
  header.number(28, 4);
  header.number(big ? riff : 0, 8);
  header.number(big ? data : 0, 8);
  header.number(big ? static_cast<std::uint64_t>(end_) : 0, 8);
  header.number(0, 4);
  header.name("fmt ");
  header.number(16, 4);
  header.number(1, 2);  // PCM
  header.number(static_cast<std::uint64_t>(shape_.channels), 2);
  header.number(static_cast<std::uint64_t>(shape_.rate), 4);
  header.number(static_cast<std::uint64_t>(shape_.rate) * frame_bytes, 4);
  header.number(frame_bytes, 2);
  header.number(static_cast<std::uint64_t>(shape_.depth), 2);
  header.name("data");
  header.number(big ? kMost32 : data, 4);
  if (!put_at(0, header.data(), header.size()))
    return false;
  told_ = end_;
  return true;
}

// What the disk doesn't take is lost; what was written stays, and what comes goes to its own place.
bool WavFile::flush() {
  if (run_.empty())
    return true;
  const auto frame_bytes = static_cast<std::int64_t>(shape_.frame_bytes());
  const bool done = put_at(kHeader + run_at_ * frame_bytes, run_.data(), run_.size());
  const std::int64_t frames = static_cast<std::int64_t>(run_.size()) / frame_bytes;
  if (done)
    end_ = run_at_ + frames;
  else
    lost_ += frames;
  run_.clear();
  return done;
}

bool WavFile::write(const Piece &piece) {
  const auto pending =
      static_cast<std::int64_t>(run_.size()) / static_cast<std::int64_t>(shape_.frame_bytes());
  // What this one is about is another piece.
  if (!run_.empty() && piece.at != run_at_ + pending)
    flush();
  if (run_.empty())
    run_at_ = piece.at;
  GstMapInfo map;
  if (!gst_buffer_map(piece.sound.get(), &map, GST_MAP_READ)) {
    problem_ = "sound that can't be read";
    return false;
  }
  run_.insert(run_.end(), map.data, map.data + map.size);
  gst_buffer_unmap(piece.sound.get(), &map);
  return true;
}

bool WavFile::sync() {
  // The header even where the sound found no room: it is in a place that is the file's already.
  const bool done = flush();
  return write_header() && done;
}

void WavFile::close(std::int64_t end) {
  flush();
  const auto frame_bytes = static_cast<std::int64_t>(shape_.frame_bytes());
  const std::int64_t whole = std::max(end, end_);
  const std::int64_t bytes = whole * frame_bytes;
  // The rest is a hole; chunks of an odd length have a byte more. What failed half-way goes.
  if (ftruncate(fd_.get(), kHeader + bytes + bytes % 2) == 0)
    end_ = whole;
  else
    problem_ = g_strerror(errno);
  write_header();
}

}  // namespace agora::recorder

// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/recorder/coded-file.hpp"

#include <algorithm>
#include <utility>

#include "gst/recorder/silent-frames.hpp"

namespace agora::recorder {

namespace {

// What waits for a disk, or behind a long silence, beyond that is lost: minutes.
constexpr std::size_t kMostWaiting = 16 << 20;
// A disk that takes nothing for so long doesn't get the file's end.
constexpr gint64 kPatience = 10 * G_USEC_PER_SEC;
constexpr std::int64_t kSilentSecond = GST_SECOND;
// Less between two packets is the correction of a clock.
constexpr std::int64_t kLeastHole = 5 * GST_MSECOND;

const char *chain_of (Format format) {
  switch (format) {
    case Format::flac:
      return "flacenc quality=5 ! fdsink name=sink";
    case Format::mka:
      // Readers find the sound of clusters that are closed, and of one that isn't; a tenth of a
      // millisecond keeps tracks where they belong.
      return "mux.audio_0 matroskamux name=mux timecodescale=100000 "
             "min-cluster-duration=500000000 max-cluster-duration=1000000000 "
             "writing-app=agora-recorder ! fdsink name=sink";
    case Format::ogg:
      return "audio/x-opus ! oggmux max-delay=0 max-page-delay=200000000 ! fdsink name=sink";
    case Format::adts:
      return "aacparse ! audio/mpeg,stream-format=adts ! fdsink name=sink";
    case Format::wav:
      break;
  }
  return nullptr;
}

void stamp (GstBuffer *buffer, std::int64_t from, std::int64_t to) {
  GST_BUFFER_PTS(buffer) = static_cast<GstClockTime>(from);
  GST_BUFFER_DTS(buffer) = GST_CLOCK_TIME_NONE;
  GST_BUFFER_DURATION(buffer) = static_cast<GstClockTime>(to - from);
  GST_BUFFER_OFFSET(buffer) = GST_BUFFER_OFFSET_NONE;
  GST_BUFFER_OFFSET_END(buffer) = GST_BUFFER_OFFSET_NONE;
  GST_BUFFER_FLAG_UNSET(buffer, GST_BUFFER_FLAG_DISCONT);
}

std::int64_t frames_in (std::int64_t time) {
  return static_cast<std::int64_t>(
      gst_util_uint64_scale_round(static_cast<guint64>(time), kRate, GST_SECOND));
}

std::int64_t time_of_frames (std::int64_t frames) {
  return static_cast<std::int64_t>(
      gst_util_uint64_scale(static_cast<guint64>(frames), GST_SECOND, kRate));
}

// Whole frames, so that the encoder counts what is meant.
BufferPtr raw_silence (int frame_bytes, std::int64_t at, std::int64_t room) {
  const std::int64_t first = frames_in(at);
  const std::int64_t count = frames_in(at + std::min(room, kSilentSecond)) - first;
  if (count <= 0)
    return nullptr;
  const auto size = static_cast<gsize>(count * frame_bytes);
  BufferPtr silence(gst_buffer_new_allocate(nullptr, size, nullptr));
  gst_buffer_memset(silence.get(), 0, 0, size);
  stamp(silence.get(), time_of_frames(first), time_of_frames(first + count));
  return silence;
}

BufferPtr coded_silence (const SilentFrame &frame, std::int64_t at) {
  BufferPtr silence(gst_buffer_new_memdup(frame.bytes.data(), frame.bytes.size()));
  stamp(silence.get(), at, at + frame.duration);
  return silence;
}

}  // namespace

CodedFile::CodedFile(Format format, Descriptor fd, GstCaps *caps, int frame_bytes)
    : format_(format), fd_(std::move(fd)), caps_(share(caps)), frame_bytes_(frame_bytes) {
}

std::unique_ptr<CodedFile> CodedFile::make(Format format, Descriptor fd, GstCaps *caps,
                                           int frame_bytes, std::string &reason) {
  std::unique_ptr<CodedFile> file(new CodedFile(format, std::move(fd), caps, frame_bytes));
  return file->start(reason) ? std::move(file) : nullptr;
}

CodedFile::~CodedFile() {
  if (pipeline_)
    gst_element_set_state(pipeline_.get(), GST_STATE_NULL);
}

bool CodedFile::start(std::string &reason) {
  const std::string text =
      std::string("appsrc name=source format=time block=false max-bytes=0 ! ") + chain_of(format_);
  GError *error = nullptr;
  pipeline_ =
      sink_ref(gst_parse_launch_full(text.c_str(), nullptr, GST_PARSE_FLAG_FATAL_ERRORS, &error));
  if (!pipeline_) {
    const ErrorPtr owned(error);
    reason = error->message;
    return false;
  }
  source_.reset(gst_bin_get_by_name(GST_BIN(pipeline_.get()), "source"));
  bus_.reset(gst_element_get_bus(pipeline_.get()));
  g_object_set(source_.get(), "caps", caps_.get(), nullptr);
  const ObjectPtr<GstElement> sink(gst_bin_get_by_name(GST_BIN(pipeline_.get()), "sink"));
  g_object_set(sink.get(), "fd", fd_.get(), "sync", FALSE, "async", FALSE, nullptr);
  sink_ = std::make_unique<BatchedSink>(sink.get());
  Feed::MakeSilence make_silence;
  if (frame_bytes_)
    make_silence = [bytes = frame_bytes_] (std::int64_t at, std::int64_t room) {
      return raw_silence(bytes, at, room);
    };
  else
    // The duration is known before the first silence is asked for.
    make_silence = [this] (std::int64_t at, std::int64_t room) -> BufferPtr {
      const SilentFrame frame = silent_frame(caps_.get(), frame_duration_, room);
      return frame.bytes.empty() ? nullptr : coded_silence(frame, at);
    };
  feed_ = std::make_unique<Feed>(GST_APP_SRC(source_.get()), kMostWaiting, std::move(make_silence),
                                 [this] { sink_->flush(); });
  if (gst_element_set_state(pipeline_.get(), GST_STATE_PLAYING) != GST_STATE_CHANGE_FAILURE)
    return true;
  look();
  reason = problem_.empty() ? "the file's pipeline doesn't start" : problem_;
  return false;
}

bool CodedFile::takes(const GstCaps *caps) const {
  return gst_caps_is_equal(caps, caps_.get());
}

std::int64_t CodedFile::time_of(std::int64_t at) const {
  return frame_bytes_ ? time_of_frames(at) : at;
}

void CodedFile::fill(std::int64_t to) {
  if (failed_ || to <= end_)
    return;
  if (frame_bytes_) {
    feed_->silence(time_of(end_), time_of(to));
    end_ = to;
    return;
  }
  fill_frames(to);
}

// A silence of whole frames. Some readers, and some formats, know nothing but their number: it is
// what brings sound by count nearest to its place, wherever it was before. What is said by stamps
// is exact: the last frame ends where the sound begins, so that the part of a frame that is left
// out, or is there twice, is at the silence's other end, and nothing of the sound is cut for it.
void CodedFile::fill_frames(std::int64_t to) {
  const std::int64_t unit = shortest_silence(caps_.get(), frame_duration_);
  if (unit <= 0 || to - end_ < std::max(unit, kLeastHole))
    return;
  // No stamp is before that of the frame before it.
  const std::int64_t room = (to - end_ + unit / 2) / unit;
  const std::int64_t count = std::min((to - counted_ + unit / 2) / unit, room);
  if (count <= 0)
    return;
  counted_ += count * unit;
  if (counts()) {
    feed_->silence(end_, end_ + count * unit);
    end_ += count * unit;
    return;
  }
  std::int64_t from = to - count * unit;
  // The file's own beginning is the recording's.
  if (end_ == 0 && from != 0) {
    feed_->silence(0, unit);
    from += unit;
  }
  if (from < to)
    feed_->silence(from, to);
  end_ = to;
}

bool CodedFile::write(const Piece &piece) {
  look();
  if (failed_)
    return false;
  if (!frame_bytes_ && frame_duration_ == 0)
    frame_duration_ = piece.length;
  fill(piece.at);
  // By its own time what came is a little early or late, as clocks differ. Matroska tells that;
  // what only counts its frames is put right by a whole one.
  if (counts() && piece.at + piece.length <= end_)
    return true;
  const std::int64_t at = counts() ? end_ : piece.at;
  BufferPtr sound(gst_buffer_copy(piece.sound.get()));
  stamp(sound.get(), time_of(at), time_of(at + piece.length));
  if (!feed_->put(std::move(sound))) {
    problem_ = "the disk is too slow";
    return false;
  }
  end_ = at + piece.length;
  counted_ += piece.length;
  pending_ += piece.length;
  return true;
}

// What was given before the last time is written, once it is through.
bool CodedFile::sync() {
  look();
  if (!failed_ && feed_->through() >= mark_) {
    holds_ = holds_ || earlier_ > 0;
    earlier_ = std::exchange(pending_, 0);
    mark_ = feed_->added();
  }
  feed_->serve();
  return !failed_;
}

void CodedFile::fail(const std::string &problem) {
  problem_ = problem;
  failed_ = true;
  const std::int64_t lost = std::exchange(pending_, 0) + std::exchange(earlier_, 0);
  lost_ += lost;
  end_ = std::max<std::int64_t>(end_ - lost, 0);
}

void CodedFile::look() {
  while (!failed_ && !ended_) {
    GstMessage *message = gst_bus_pop_filtered(
        bus_.get(), static_cast<GstMessageType>(GST_MESSAGE_ERROR | GST_MESSAGE_EOS));
    if (!message)
      break;
    if (GST_MESSAGE_TYPE(message) == GST_MESSAGE_EOS) {
      ended_ = true;
    } else {
      GError *error = nullptr;
      gst_message_parse_error(message, &error, nullptr);
      const ErrorPtr owned(error);
      fail(error->message);
    }
    gst_message_unref(message);
  }
}

void CodedFile::close(std::int64_t end) {
  look();
  fill(end);
  moved_at_ = g_get_monotonic_time();
  if (!failed_)
    feed_->end();
}

bool CodedFile::closed() {
  look();
  const gint64 now = g_get_monotonic_time();
  const std::uint64_t given = feed_->given();
  if (std::exchange(given_, given) != given)
    moved_at_ = now;
  if (!failed_ && !ended_ && now - moved_at_ > kPatience)
    fail("the disk took no end of it");
  return failed_ || ended_;
}

}  // namespace agora::recorder

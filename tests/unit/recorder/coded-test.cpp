// SPDX-License-Identifier: LGPL-2.1-or-later
// Sound as it was sent, in a file of Matroska: its stamps are exact, its count of frames is as near
// as whole frames allow, and no pause makes it worse.
#include <fcntl.h>
#include <glib/gstdio.h>
#include <gst/app/gstappsink.h>
#include <gst/gst.h>

#include <cstdlib>
#include <string>
#include <vector>

#include "gst/recorder/coded-file.hpp"
#include "gst/recorder/silent-frames.hpp"
#include "tests/suite.hpp"

namespace coded_test {

using namespace agora;
using namespace agora::recorder;

namespace {

constexpr std::int64_t kMs = GST_MSECOND;
constexpr std::int64_t kAacFrame = 1024 * GST_SECOND / kRate;
// Matroska's ticks.
constexpr std::int64_t kTick = 100 * GST_USECOND;

CapsPtr aac () {
  return CapsPtr(gst_caps_from_string(
      "audio/mpeg,mpegversion=4,stream-format=raw,rate=48000,channels=1,codec_data=(buffer)1188"));
}

CapsPtr opus () {
  return CapsPtr(gst_caps_from_string(
      "audio/"
      "x-opus,rate=48000,channels=1,channel-mapping-family=0,stream-count=1,coupled-count=0"));
}

struct Written {
  std::vector<std::int64_t> stamps, lengths;
  std::vector<bool> sound;  // or silence that the file made
};

class Rig {
 public:
  Rig(CapsPtr caps, std::int64_t duration) : caps_(std::move(caps)), duration_(duration) {
    GError *error = nullptr;
    const int fd = g_file_open_tmp("agora-test-XXXXXX.mka", &name_, &error);
    g_assert_no_error(error);
    std::string reason;
    file_ = CodedFile::make(Format::mka, Descriptor(fd), caps_.get(), 0, reason);
    g_assert_nonnull(file_.get());
  }
  ~Rig() {
    g_unlink(name_);
    g_free(name_);
  }
  Rig(const Rig &) = delete;
  Rig &operator=(const Rig &) = delete;

  // `count` frames from `at` on, each with a mark.
  void say (std::int64_t at, int count) {
    const SilentFrame frame = silent_frame(caps_.get(), duration_, duration_);
    std::vector<std::uint8_t> bytes(frame.bytes.begin(), frame.bytes.end());
    bytes.push_back(kMark);
    for (int i = 0; i < count; i++)
      g_assert_true(file_->write({at + i * duration_, duration_,
                                  BufferPtr(gst_buffer_new_memdup(bytes.data(), bytes.size())),
                                  share(caps_.get())}));
  }

  Written close (std::int64_t end) {
    file_->close(end);
    // It tells nobody when its pipeline is through.
    const guint looks = g_timeout_add(
        10, [] (gpointer) -> gboolean { return G_SOURCE_CONTINUE; }, nullptr);
    while (!file_->closed())
      g_main_context_iteration(nullptr, TRUE);
    g_source_remove(looks);
    g_assert_cmpstr(file_->problem().c_str(), ==, "");
    const CharPtr line(g_strdup_printf(
        "filesrc location=%s ! matroskademux ! appsink name=sink sync=false", name_));
    const ObjectPtr<GstElement> pipeline = sink_ref(gst_parse_launch(line.get(), nullptr));
    const ObjectPtr<GstElement> sink(gst_bin_get_by_name(GST_BIN(pipeline.get()), "sink"));
    gst_element_set_state(pipeline.get(), GST_STATE_PLAYING);
    Written written;
    while (GstSample *sample = gst_app_sink_pull_sample(GST_APP_SINK(sink.get()))) {
      take(written, gst_sample_get_buffer(sample));
      gst_sample_unref(sample);
    }
    gst_element_set_state(pipeline.get(), GST_STATE_NULL);
    return written;
  }

 private:
  static constexpr std::uint8_t kMark = 0xA5;

  void take (Written &written, GstBuffer *buffer) const {
    std::uint8_t last = 0;
    gst_buffer_extract(buffer, gst_buffer_get_size(buffer) - 1, &last, 1);
    written.sound.push_back(last == kMark);
    written.stamps.push_back(static_cast<std::int64_t>(GST_BUFFER_PTS(buffer)));
    std::int64_t length = duration_;
    if (last != kMark &&
        gst_structure_has_name(gst_caps_get_structure(caps_.get(), 0), "audio/x-opus")) {
      std::uint8_t config = 0;
      gst_buffer_extract(buffer, 0, &config, 1);
      length = 5 * kMs / 2 << ((config >> 3) - 28);
    }
    written.lengths.push_back(length);
  }

  CapsPtr caps_;
  const std::int64_t duration_;
  gchar *name_ = nullptr;
  std::unique_ptr<CodedFile> file_;
};

// Where the frames of sound are, by stamps and by count, against `places`.
void check (const Written &written, const std::vector<std::int64_t> &places, std::int64_t unit) {
  g_assert_cmpint(written.stamps.front(), ==, 0);
  std::int64_t count = 0;
  std::size_t next = 0;
  for (std::size_t i = 0; i < written.stamps.size(); i++) {
    if (i > 0)
      g_assert_cmpint(written.stamps[i], >, written.stamps[i - 1]);
    if (written.sound[i]) {
      g_assert_cmpuint(next, <, places.size());
      g_assert_cmpint(std::abs(written.stamps[i] - places[next]), <=, kTick);
      g_assert_cmpint(std::abs(count - places[next]), <=, unit / 2 + kTick);
      // What isn't whole is away from the sound.
      if (i > 0 && !written.sound[i - 1])
        g_assert_cmpint(std::abs(written.stamps[i - 1] + written.lengths[i - 1] - places[next]), <=,
                        2 * kTick);
      next++;
    }
    count += written.lengths[i];
  }
  g_assert_cmpuint(next, ==, places.size());
}

void say_and_check (CapsPtr caps, std::int64_t duration, std::int64_t unit) {
  Rig rig(std::move(caps), duration);
  std::vector<std::int64_t> places;
  // Pauses that whole frames don't fill: most of a frame is left each time.
  std::int64_t at = 107 * kMs;
  for (int words = 0; words < 12; words++) {
    rig.say(at, 5);
    for (int i = 0; i < 5; i++)
      places.push_back(at + i * duration);
    at += 5 * duration + 4 * unit + unit * 9 / 10;
  }
  check(rig.close(at), places, unit);
}

void test_aac () {
  say_and_check(aac(), kAacFrame, kAacFrame);
}

void test_opus () {
  say_and_check(opus(), 20 * kMs, 5 * kMs / 2);
}

// A clock is put right by stamps alone, without silence within a word.
void test_no_silence_within_words () {
  Rig rig(opus(), 20 * kMs);
  for (int i = 0; i < 50; i++)
    rig.say(i * 21 * kMs, 1);
  const Written written = rig.close(50 * 21 * kMs);
  g_assert_cmpuint(written.stamps.size(), >=, 50);
  for (int i = 0; i < 50; i++)
    g_assert_true(written.sound[static_cast<std::size_t>(i)]);
}

}  // namespace

static const agora::Suite suite("coded", [] {
  gst_init(nullptr, nullptr);
  g_test_add_func("/recorder/aac-by-stamps-and-by-count", test_aac);
  g_test_add_func("/recorder/opus-by-stamps-and-by-count", test_opus);
  g_test_add_func("/recorder/no-silence-within-words", test_no_silence_within_words);
});

}  // namespace coded_test

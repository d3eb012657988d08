// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/common/flv-silence.hpp"
#include "tests/suite.hpp"

#include <glib.h>

namespace flv_silence_test {

namespace {

using agora::FlvAudioFilter;

constexpr FlvAudioFilter::Codec aac = {10, {}};
constexpr FlvAudioFilter::Codec mp3 = {2, {}};

void test_reasons () {
  const struct {
    FlvAudioFilter::Counts counts;
    FlvAudioFilter::Codec left_out;
    const char *text;
  } rows[] = {
      {{}, {}, "nothing that comes of it can hold sound"},
      {{.video = 50}, {}, "there is only video in it. Tags that came: 50 of video"},
      {{.video = 50, .no_sound = 9},
       {},
       "there is only video in it, and audio of other tracks. Tags that came: 9 audio tags left "
       "out, 50 of video"},
      {{.script = 5},
       {},
       "nothing that comes of it can hold sound. Tags that came: 5 of script data"},
      {{.configs = 9, .video = 50},
       {},
       "the configuration of its sound comes, and no sound. Tags that came: 9 configurations, 50 "
       "of video"},
      {{.passed = 90, .configs = 1},
       {},
       "no sound was found in its audio (AAC). Tags that came: 90 frames of audio, 1 "
       "configurations"},
      {{.without_config = 90, .refused = 3},
       {},
       "it sends AAC without the configuration (sequence header) that a decoder needs. Tags that "
       "came: 93 audio tags left out"},
      {{.unknown_codec = 90},
       {12, {}},
       "its audio is SoundFormat 12, which nothing here takes out of FLV. Tags that came: 90 audio "
       "tags left out"},
      {{.unknown_codec = 90},
       {9, {'f', 'L', 'a', 'C'}},
       "its audio is codec fLaC, which nothing here takes out of FLV. Tags that came: 90 audio "
       "tags left out"},
      {{.unknown_codec = 90},
       {9, {'%', 's', 0, 1}},
       "its audio is SoundFormat 9, which nothing here takes out of FLV. Tags that came: 90 audio "
       "tags left out"},
      // What is still on its way into the decoder is no sign of its own.
      {{.passed = 2, .other_codec = 90},
       mp3,
       "its audio is MP3, but began as AAC, and one stream is played in one codec. Tags that came: "
       "2 frames of audio, 90 audio tags left out"},
      // A second track is no reason.
      {{.passed = 90, .other_codec = 95},
       mp3,
       "no sound was found in its audio (AAC). Tags that came: 90 frames of audio, 95 audio tags "
       "left out"},
      {{.too_long = 9},
       {},
       "its audio tags have up to 300000 bytes, where 262144 are the most. Tags that came: 9 audio "
       "tags left out"},
      {{.encrypted = 9}, {}, "it is encrypted. Tags that came: 9 audio tags left out"},
      {{.refused = 9},
       {},
       "its audio tags are empty, cut off or of no known kind. Tags that came: 9 audio tags left "
       "out"},
  };
  for (const auto &row : rows) {
    const std::string text = agora::why_silent({row.counts, aac, row.left_out, 300'000});
    if (text != row.text)
      g_test_message("%s", text.c_str());
    g_assert_true(text == row.text);
  }
}

}  // namespace

static const agora::Suite suite("flv-silence",
                                [] { g_test_add_func("/flv-silence/reasons", test_reasons); });

}  // namespace flv_silence_test

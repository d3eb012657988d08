// SPDX-License-Identifier: LGPL-2.1-or-later
// What a track makes of sound that comes in pieces, and what the cue sheets tell of it.
#include <gst/gst.h>
#include <json-glib/json-glib.h>

#include <string>
#include <vector>

#include "gst/recorder/cue-book.hpp"
#include "gst/recorder/terminal.hpp"
#include "gst/recorder/track.hpp"
#include "tests/suite.hpp"

namespace track_test {

using namespace agora;
using namespace agora::recorder;

namespace {

// The macro of GLib keeps pointers into what is gone by then.
void assert_text (const std::string &text, const char *expected) {
  g_assert_cmpstr(text.c_str(), ==, expected);
}

constexpr std::int64_t kSecond = GST_SECOND;

struct Rig {
  explicit Rig(std::int64_t rotate_s = 0) : scratch(g_dir_make_tmp("agora-test-XXXXXX", nullptr)) {
    options.rotate_s = rotate_s;
    std::string reason;
    g_assert_true(folder.make(scratch.get(), reason));
    cues = std::make_unique<CueBook>(
        CueBook::Head{"demo", "room", "wav", 1'000'000, static_cast<double>(rotate_s)});
    track = std::make_unique<Track>(8, options, folder, *cues);
  }
  ~Rig() {
    track.reset();
    const CharPtr line(g_strdup_printf("rm -rf '%s'", scratch.get()));
    g_assert_true(g_spawn_command_line_sync(line.get(), nullptr, nullptr, nullptr, nullptr));
  }
  Rig(const Rig &) = delete;
  Rig &operator=(const Rig &) = delete;

  // Frames whose values are their own places, by 1000 to the frame: in the lane.
  void put (std::int64_t at, std::int64_t length) {
    std::vector<std::int16_t> samples;
    for (std::int64_t i = at; i < at + length; i++)
      samples.push_back(value(i));
    track->lane().put({at, length,
                       BufferPtr(gst_buffer_new_memdup(samples.data(), samples.size() * 2)),
                       nullptr});
  }
  static std::int16_t value (std::int64_t at) { return static_cast<std::int16_t>(1 + at % 30011); }
  void write () { track->write(true, INT64_MAX); }
  std::vector<std::int16_t> read (const std::string &name) const {
    gchar *text = nullptr;
    gsize size = 0;
    g_assert_true(g_file_get_contents((folder.path() + "/" + name).c_str(), &text, &size, nullptr));
    const CharPtr owned(text);
    const auto *samples = reinterpret_cast<const std::int16_t *>(text + 80);
    return {samples, samples + (size - 80) / 2};
  }
  bool has (const std::string &name) const {
    return g_file_test((folder.path() + "/" + name).c_str(), G_FILE_TEST_EXISTS);
  }
  void close (std::int64_t ns) {
    track->close(ns);
    g_assert_true(track->closed());
  }

  CharPtr scratch;
  Options options;
  Folder folder;
  std::unique_ptr<CueBook> cues;
  std::unique_ptr<Track> track;
};

// What begins before the zero, overlaps, or comes twice is there once; what is missing is silent.
void test_each_sample_has_its_place () {
  Rig rig;
  rig.put(-100, 50);
  rig.put(-50, 100);
  rig.put(50, 100);
  rig.put(120, 100);
  rig.put(60, 30);
  rig.put(kRate, 100);
  rig.write();
  rig.close(2 * kSecond);
  const auto sound = rig.read("speaker-8.wav");
  g_assert_cmpuint(sound.size(), ==, 2 * kRate);
  for (std::size_t i = 0; i < sound.size(); i++) {
    const bool is_there = i < 220 || (i >= kRate && i < kRate + 100);
    // Before the zero its places count down: those values are of -50 to -1.
    g_assert_cmpint(sound[i], ==, is_there ? Rig::value(static_cast<std::int64_t>(i)) : 0);
  }
  g_assert_false(rig.track->lost_any());
}

// Files of whole segments, put together, are the whole; who is silent in one has no file of it.
void test_segments_end_to_the_sample () {
  Rig rig(2);
  const std::int64_t border = 2 * kRate;
  for (std::int64_t at = kRate; at < 3 * kRate; at += 1000)
    rig.put(at, 1000);
  rig.write();
  rig.put(8 * kRate + 7, 100);
  rig.write();
  rig.close(9 * kSecond);
  std::vector<std::int16_t> whole;
  for (const int segment : {0, 1, 4}) {
    const auto sound = rig.read("speaker-8-00000" + std::to_string(segment) + ".wav");
    g_assert_cmpint(static_cast<std::int64_t>(sound.size()), ==, segment == 4 ? kRate : border);
    whole.insert(whole.end(), sound.begin(), sound.end());
  }
  g_assert_false(rig.has("speaker-8-000002.wav"));
  for (std::int64_t i = 0; i < 2 * border; i++) {
    const bool is_there = i >= kRate && i < 3 * kRate;
    g_assert_cmpint(whole[static_cast<std::size_t>(i)], ==, is_there ? Rig::value(i) : 0);
  }
  g_assert_cmpint(whole[static_cast<std::size_t>(2 * border) + 7], ==, Rig::value(8 * kRate + 7));
}

// Nothing comes for long: the file of a segment that is over ends all the same.
void test_segments_end_without_sound () {
  Rig rig(2);
  rig.put(0, 100);
  rig.write();
  rig.track->follow(kSecond, true);
  g_assert_false(rig.track->closed());
  rig.track->follow(5 * kSecond, true);
  g_assert_true(rig.track->closed());
  g_assert_cmpuint(rig.read("speaker-8-000000.wav").size(), ==, 2 * kRate);
}

void test_the_end_is_kept_to_the_sample () {
  Rig rig;
  rig.put(0, kRate);
  rig.put(kRate, kRate);
  rig.track->write(true, kSecond + kSecond / 2);
  rig.close(kSecond + kSecond / 2);
  const auto sound = rig.read("speaker-8.wav");
  g_assert_cmpuint(sound.size(), ==, kRate * 3 / 2);
  g_assert_cmpint(sound.back(), ==, Rig::value(kRate * 3 / 2 - 1));
}

// No room on the disk, and a disk that stands still: both are bounded, and told.
void test_what_is_lost_is_told () {
  Rig rig;
  rig.put(0, 1000);
  rig.write();
  rig.put(1000, 1000);
  rig.track->write(false, INT64_MAX);
  rig.put(2000, 1000);
  rig.write();
  g_assert_true(rig.track->lost_any());
  const auto sound = rig.read("speaker-8.wav");
  g_assert_cmpuint(sound.size(), ==, 3000);
  g_assert_cmpint(sound[999], ==, Rig::value(999));
  g_assert_cmpint(sound[1500], ==, 0);
  g_assert_cmpint(sound[2000], ==, Rig::value(2000));
  for (int i = 0; i < 30; i++)
    rig.put(3000 + std::int64_t{i} * kRate, kRate);
  rig.write();
  assert_text(rig.track->take_problem(), "the disk is too slow");
  const auto after = rig.read("speaker-8.wav");
  g_assert_cmpuint(after.size(), ==, 3000 + 20 * kRate);
}

JsonObject *parse (JsonParser *parser, const std::string &text) {
  g_assert_true(json_parser_load_from_data(parser, text.c_str(), -1, nullptr));
  return json_node_get_object(json_parser_get_root(parser));
}

JsonObject *track_of (JsonObject *sheet, unsigned at) {
  return json_array_get_object_element(json_object_get_array_member(sheet, "tracks"), at);
}

double stay (JsonObject *track, unsigned which, unsigned end) {
  JsonArray *stays = json_object_get_array_member(track, "speaks");
  return json_array_get_double_element(json_array_get_array_element(stays, which), end);
}

void test_sheets_tell_who_and_when () {
  CueBook cues({"demo", "ro\"om", "wav", 1'000'000'000'500'000, 0});
  cues.speaks(8, 1.5);
  cues.stops(8, 3);
  cues.speaks(8, 4);
  cues.speaks(8, 4.5);  // told twice
  cues.stops(9, 4.5);   // never came
  cues.note("reconnecting", 5, 8, "gone");
  cues.file(0, 8, {"speaker-8.wav", 6, 0.5, 0.5, 0.1});
  const auto sheets = cues.take(6, 0, false, false);
  g_assert_cmpuint(sheets.size(), ==, 1);
  g_assert_cmpuint(cues.take(6, 0, false, false).size(), ==, 0);
  g_assert_cmpuint(cues.take(7, 0, true, false).size(), ==, 1);
  // The length of a file alone is no news.
  cues.file(0, 8, {"speaker-8.wav", 7, 0.5, 0.5, 0.1});
  g_assert_cmpuint(cues.take(7, 0, false, false).size(), ==, 0);

  g_autoptr(JsonParser) parser = json_parser_new();
  JsonObject *sheet = parse(parser, sheets[0].text);
  g_assert_cmpstr(json_object_get_string_member(sheet, "channel"), ==, "ro\"om");
  g_assert_cmpstr(json_object_get_string_member(sheet, "zero"), ==, "2001-09-09T01:46:40.500000Z");
  g_assert_false(json_object_get_boolean_member(sheet, "finished"));
  JsonObject *track = track_of(sheet, 0);
  g_assert_cmpint(json_object_get_int_member(track, "uid"), ==, 8);
  g_assert_cmpuint(json_array_get_length(json_object_get_array_member(track, "speaks")), ==, 2);
  g_assert_cmpfloat(stay(track, 0, 0), ==, 1.5);
  g_assert_cmpfloat(stay(track, 0, 1), ==, 3);
  g_assert_cmpfloat(stay(track, 1, 0), ==, 4);
  g_assert_cmpfloat(stay(track, 1, 1), ==, 6);
  g_assert_cmpint(json_object_get_int_member(track, "reconnects"), ==, 1);
  JsonObject *file = json_array_get_object_element(json_object_get_array_member(track, "files"), 0);
  g_assert_cmpstr(json_object_get_string_member(file, "name"), ==, "speaker-8.wav");
  g_assert_cmpfloat(json_object_get_double_member(file, "peak-db"), ==, -6.02);
  g_assert_cmpfloat(json_object_get_double_member(file, "rms-db"), ==, -20);
}

// Each segment has a sheet; who goes on speaking is in each of them, in its own time.
void test_sheets_of_segments () {
  CueBook cues({"demo", "room", "wav", 0, 10});
  cues.speaks(8, 7);
  cues.note("begins", 12);
  cues.stops(8, 13);
  const auto sheets = cues.take(14, 1, false, false);
  g_assert_cmpuint(sheets.size(), ==, 2);
  g_assert_true(sheets[0].last);
  g_assert_false(sheets[1].last);
  g_autoptr(JsonParser) parser = json_parser_new();
  JsonObject *first = parse(parser, sheets[0].text);
  g_assert_cmpfloat(json_object_get_double_member(first, "seconds"), ==, 10);
  g_assert_cmpfloat(stay(track_of(first, 0), 0, 0), ==, 7);
  g_assert_cmpfloat(stay(track_of(first, 0), 0, 1), ==, 10);
  JsonObject *second = parse(parser, sheets[1].text);
  g_assert_cmpfloat(json_object_get_double_member(second, "offset"), ==, 10);
  g_assert_cmpfloat(stay(track_of(second, 0), 0, 0), ==, 0);
  g_assert_cmpfloat(stay(track_of(second, 0), 0, 1), ==, 3);
  // The first one was told for the last time.
  g_assert_cmpuint(cues.take(15, 1, true, false).size(), ==, 1);
}

// Whoever comes and goes all day makes no sheet grow without an end.
void test_sheets_are_bounded () {
  CueBook cues({"demo", "room", "wav", 0, 0});
  for (int i = 0; i < 6000; i++) {
    cues.speaks(8, i);
    cues.stops(8, i + 0.5);
    cues.note("muted", i, 8);
  }
  const auto sheets = cues.take(6000, 0, true, true);
  g_assert_cmpuint(sheets[0].text.size(), <, 1 << 20);
  g_autoptr(JsonParser) parser = json_parser_new();
  JsonObject *sheet = parse(parser, sheets[0].text);
  g_assert_cmpint(json_object_get_int_member(sheet, "events-left-out"), ==, 1000);
}

void test_the_line_of_progress () {
  Progress progress;
  progress.at = 3723 * kSecond;
  progress.free = 12'340'000'000;
  progress.tracks = {{0, 1.0}, {8, 0.001}, {9, std::nullopt}};
  assert_text(progress_text(progress, 100),
              "01:02:03  12.3 GB free  mix ######    0  8 ......  -60  9");
  assert_text(progress_text(progress, 45), "01:02:03  12.3 GB free  mix ######    0");
  progress.full = true;
  assert_text(progress_text(progress, 19), "01:02:03  DISK FULL");
}

}  // namespace

static const agora::Suite suite("track", [] {
  gst_init(nullptr, nullptr);
  g_test_add_func("/recorder/each-sample-has-its-place", test_each_sample_has_its_place);
  g_test_add_func("/recorder/segments-end-to-the-sample", test_segments_end_to_the_sample);
  g_test_add_func("/recorder/segments-end-without-sound", test_segments_end_without_sound);
  g_test_add_func("/recorder/end-is-kept", test_the_end_is_kept_to_the_sample);
  g_test_add_func("/recorder/what-is-lost-is-told", test_what_is_lost_is_told);
  g_test_add_func("/recorder/sheets-tell-who-and-when", test_sheets_tell_who_and_when);
  g_test_add_func("/recorder/sheets-of-segments", test_sheets_of_segments);
  g_test_add_func("/recorder/sheets-are-bounded", test_sheets_are_bounded);
  g_test_add_func("/recorder/line-of-progress", test_the_line_of_progress);
});

}  // namespace track_test

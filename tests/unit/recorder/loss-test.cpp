// SPDX-License-Identifier: LGPL-2.1-or-later
// What isn't recorded, and what the cue sheets tell of it.
#include <glib/gstdio.h>
#include <gst/gst.h>
#include <json-glib/json-glib.h>
#include <sys/resource.h>

#include <csignal>
#include <string>
#include <utility>
#include <vector>

#include "gst/common/voice-codec.hpp"
#include "gst/recorder/cue-book.hpp"
#include "gst/recorder/silent-frames.hpp"
#include "gst/recorder/track.hpp"
#include "tests/suite.hpp"

namespace loss_test {

using namespace agora;
using namespace agora::recorder;

namespace {

constexpr std::int64_t kSecond = GST_SECOND;
constexpr std::int64_t kOpusFrame = 20 * GST_MSECOND;
constexpr std::int64_t kAacFrame = 1024 * GST_SECOND / kRate;
constexpr const char *kAac =
    "audio/mpeg,mpegversion=4,stream-format=raw,rate=48000,channels=1,codec_data=(buffer)1188";
constexpr const char *kOpus =
    "audio/x-opus,rate=48000,channels=1,channel-mapping-family=0,stream-count=1,coupled-count=0,"
    "streamheader=(buffer)<4f707573486561640101380180bb0000000000,"
    "4f707573546167730000000000000000>";
constexpr const char *kRaw = "audio/x-raw,format=S16LE,rate=48000,channels=1,layout=interleaved";

void assert_text (const std::string &text, const char *expected) {
  g_assert_cmpstr(text.c_str(), ==, expected);
}

// Files' pipelines tell nobody what has become of them.
void look_later () {
  bool over = false;
  g_timeout_add(
      2,
      [] (gpointer waits) -> gboolean {
        *static_cast<bool *>(waits) = true;
        return G_SOURCE_REMOVE;
      },
      &over);
  while (!over)
    g_main_context_iteration(nullptr, TRUE);
}

// A sheet, as who reads it has it.
class Sheet {
 public:
  explicit Sheet(const std::string &text) {
    g_assert_true(json_parser_load_from_data(parser_, text.c_str(), -1, nullptr));
  }
  ~Sheet() { g_object_unref(parser_); }
  Sheet(const Sheet &) = delete;
  Sheet &operator=(const Sheet &) = delete;

  JsonObject *top () const { return json_node_get_object(json_parser_get_root(parser_)); }
  JsonArray *tracks () const { return json_object_get_array_member(top(), "tracks"); }
  JsonObject *track (unsigned at = 0) const { return json_array_get_object_element(tracks(), at); }
  unsigned files (unsigned at = 0) const {
    return json_array_get_length(json_object_get_array_member(track(at), "files"));
  }
  double number (JsonObject *of, const char *key) const {
    return json_object_get_double_member(of, key);
  }
  std::int64_t integer (JsonObject *of, const char *key) const {
    return json_object_get_int_member(of, key);
  }
  // `[[1,2],[3,4]]`
  std::string spans (JsonObject *of, const char *key) const {
    std::string text;
    JsonArray *array = json_object_get_array_member(of, key);
    for (unsigned i = 0; i < json_array_get_length(array); i++) {
      JsonArray *span = json_array_get_array_element(array, i);
      const CharPtr one(g_strdup_printf("[%g,%g]", json_array_get_double_element(span, 0),
                                        json_array_get_double_element(span, 1)));
      text += one.get();
    }
    return text;
  }
  // What happened, and of whom.
  std::string events () const {
    std::string text;
    JsonArray *array = json_object_get_array_member(top(), "events");
    for (unsigned i = 0; i < json_array_get_length(array); i++) {
      JsonObject *event = json_array_get_object_element(array, i);
      const CharPtr one(g_strdup_printf("%g %s %s;", json_object_get_double_member(event, "at"),
                                        json_object_get_string_member(event, "what"),
                                        json_object_has_member(event, "text")
                                            ? json_object_get_string_member(event, "text")
                                            : "-"));
      text += one.get();
    }
    return text;
  }

 private:
  JsonParser *parser_ = json_parser_new();
};

struct Rig {
  explicit Rig(Format format, std::int64_t rotate_s = 0)
      : scratch(g_dir_make_tmp("agora-test-XXXXXX", nullptr)) {
    options.format = format;
    options.rotate_s = rotate_s;
    std::string reason;
    g_assert_true(folder.make(scratch.get(), reason));
    cues = std::make_unique<CueBook>(
        CueBook::Head{"demo", "room", "wav", 0, static_cast<double>(rotate_s), 0});
    track = std::make_unique<Track>(8, options, folder, *cues);
  }
  ~Rig() {
    track.reset();
    const CharPtr line(g_strdup_printf("rm -rf '%s'", scratch.get()));
    g_assert_true(g_spawn_command_line_sync(line.get(), nullptr, nullptr, nullptr, nullptr));
  }
  Rig(const Rig &) = delete;
  Rig &operator=(const Rig &) = delete;

  void say (const char *caps_text, std::int64_t from, std::int64_t to) {
    const CapsPtr caps(gst_caps_from_string(caps_text));
    const std::int64_t length = is_opus(caps.get()) ? kOpusFrame : kAacFrame;
    for (std::int64_t at = from; at < to; at += length) {
      const SilentFrame frame = silent_frame(caps.get(), length, length);
      track->lane().put({at, length,
                         BufferPtr(gst_buffer_new_memdup(frame.bytes.data(), frame.bytes.size())),
                         share(caps.get())});
    }
  }
  void say_raw (std::int64_t from, std::int64_t to, bool gap = false) {
    const CapsPtr caps(gst_caps_from_string(kRaw));
    constexpr std::int64_t kBlock = kRate / 50;
    for (std::int64_t at = from * kRate / kSecond; at < to * kRate / kSecond; at += kBlock) {
      BufferPtr block(gst_buffer_new_allocate(nullptr, kBlock * 2, nullptr));
      gst_buffer_memset(block.get(), 0, gap ? 0 : 1, kBlock * 2);
      if (gap)
        GST_BUFFER_FLAG_SET(block.get(), GST_BUFFER_FLAG_GAP);
      track->lane().put({at, kBlock, std::move(block), share(caps.get())});
    }
  }
  void write (bool room = true) { track->write(room, INT64_MAX); }
  std::uint64_t size (const char *name) const {
    GStatBuf status{};
    g_assert_cmpint(g_stat((folder.path() + "/" + name).c_str(), &status), ==, 0);
    return static_cast<std::uint64_t>(status.st_size);
  }
  bool has (const char *name) const {
    return g_file_test((folder.path() + "/" + name).c_str(), G_FILE_TEST_EXISTS);
  }
  void close (std::int64_t at) {
    track->close(at);
    const gint64 until = g_get_monotonic_time() + 20 * G_USEC_PER_SEC;
    while (!track->closed()) {
      g_assert_cmpint(g_get_monotonic_time(), <, until);
      look_later();
    }
  }
  std::string sheet (double at) const { return cues->take(at, 0, true, true).at(0).text; }

  CharPtr scratch;
  Options options;
  Folder folder;
  std::unique_ptr<CueBook> cues;
  std::unique_ptr<Track> track;
};

// A codec that the format hasn't makes no file, and is told of once; what fits is recorded, and its
// file goes on when that comes again.
void test_a_codec_that_isnt_taken () {
  for (const auto &[format, good, bad, codec, name] :
       {std::tuple{Format::ogg, kOpus, kAac, "AAC", "speaker-8.ogg"},
        std::tuple{Format::adts, kAac, kOpus, "Opus", "speaker-8.aac"}}) {
    Rig rig(format);
    rig.say(bad, 0, kSecond);
    rig.write();
    g_assert_false(rig.has(name));
    assert_text(rig.track->take_refused(), codec);
    rig.say(bad, kSecond, 2 * kSecond);
    rig.write();
    assert_text(rig.track->take_refused(), "");
    g_assert_true(rig.track->lost_any());
    rig.say(good, 2 * kSecond, 3 * kSecond);
    rig.say(bad, 3 * kSecond, 4 * kSecond);
    rig.say(good, 4 * kSecond, 5 * kSecond);
    rig.write();
    rig.close(5 * kSecond);
    assert_text(rig.track->take_problem(), "");
    g_assert_true(rig.has(name));
    const Sheet sheet(rig.sheet(5));
    g_assert_cmpuint(sheet.files(), ==, 1);
    // The disk isn't the cause of it.
    g_assert_cmpfloat(sheet.number(sheet.track(), "lost-seconds"), ==, 0);
  }
}

// No room from the beginning: there is no file, but what is lost is told.
void test_lost_without_a_file () {
  Rig rig(Format::wav);
  rig.say_raw(kSecond, 3 * kSecond);
  rig.write(false);
  // What is after the end isn't lost.
  rig.say_raw(3 * kSecond, 5 * kSecond);
  rig.track->write(false, 4 * kSecond);
  rig.close(4 * kSecond);
  const Sheet sheet(rig.sheet(4));
  g_assert_cmpuint(sheet.files(), ==, 0);
  g_assert_cmpfloat(sheet.number(sheet.track(), "lost-seconds"), ==, 3);
  assert_text(sheet.spans(sheet.track(), "lost"), "[1,4]");
}

// Files that can't be written: none stays that holds nothing, and all that is in none is counted,
// the pause before the next try too.
void test_files_that_fail () {
  constexpr std::int64_t kBatch = 12 * kAacFrame;
  std::signal(SIGXFSZ, SIG_IGN);
  Rig rig(Format::adts);
  rlimit before{};
  getrlimit(RLIMIT_FSIZE, &before);
  rlimit tight = before;
  tight.rlim_cur = 0;
  setrlimit(RLIMIT_FSIZE, &tight);
  std::int64_t at = 0;
  int failures = 0;
  const gint64 until = g_get_monotonic_time() + 20 * G_USEC_PER_SEC;
  while (failures < 2 && g_get_monotonic_time() < until) {
    rig.say(kAac, at, at + kBatch);
    at += kBatch;
    rig.write();
    if (!rig.track->take_problem().empty())
      failures++;
    look_later();
  }
  setrlimit(RLIMIT_FSIZE, &before);
  g_assert_cmpint(failures, ==, 2);
  // Past the next try.
  const std::int64_t good = at + 6 * kSecond;
  for (; at < good; at += kBatch) {
    rig.say(kAac, at, at + kBatch);
    rig.write();
    look_later();
  }
  rig.close(at);
  const Sheet sheet(rig.sheet(static_cast<double>(at) / kSecond));
  g_assert_cmpuint(sheet.files(), ==, 1);
  g_assert_true(rig.has("speaker-8.aac"));
  g_assert_false(rig.has("speaker-8-part2.aac"));
  JsonObject *file =
      json_array_get_object_element(json_object_get_array_member(sheet.track(), "files"), 0);
  const double lost = sheet.number(sheet.track(), "lost-seconds");
  // All up to where the file that is there begins; it is tried each five seconds.
  g_assert_cmpfloat(lost, >, 5);
  g_assert_cmpfloat(lost, <, static_cast<double>(at) / kSecond);
  g_assert_cmpfloat(sheet.number(file, "seconds"), >=, static_cast<double>(at) / kSecond - 0.1);
  const CharPtr span(g_strdup_printf("[0,%g]", lost));
  assert_text(sheet.spans(sheet.track(), "lost"), span.get());
}

// One that held something when the disk was full stays, and tells how much of it there is.
void test_a_file_that_fails_later_stays () {
  std::signal(SIGXFSZ, SIG_IGN);
  for (const auto &[format, caps, length, name] :
       {std::tuple{Format::adts, kAac, kAacFrame, "speaker-8.aac"},
        std::tuple{Format::mka, kAac, kAacFrame, "speaker-8.mka"},
        std::tuple{Format::ogg, kOpus, kOpusFrame, "speaker-8.ogg"}}) {
    Rig rig(format);
    const std::int64_t batch = 12 * length;
    std::int64_t at = 0;
    const auto go_on = [&, caps = caps] {
      rig.say(caps, at, at + batch);
      at += batch;
      rig.write();
      look_later();
    };
    // Another thread writes them, maybe later: more than any header is there.
    const gint64 until = g_get_monotonic_time() + 20 * G_USEC_PER_SEC;
    while ((!rig.has(name) || rig.size(name) < 4096) && g_get_monotonic_time() < until)
      go_on();
    rlimit before{};
    getrlimit(RLIMIT_FSIZE, &before);
    rlimit tight = before;
    tight.rlim_cur = rig.size(name) + 200;
    setrlimit(RLIMIT_FSIZE, &tight);
    std::string problem;
    while ((problem = rig.track->take_problem()).empty() && g_get_monotonic_time() < until)
      go_on();
    setrlimit(RLIMIT_FSIZE, &before);
    g_assert_cmpstr(problem.c_str(), !=, "");
    rig.close(at);
    g_assert_true(rig.has(name));
    const Sheet sheet(rig.sheet(static_cast<double>(at) / kSecond));
    g_assert_cmpuint(sheet.files(), ==, 1);
    JsonObject *file =
        json_array_get_object_element(json_object_get_array_member(sheet.track(), "files"), 0);
    const double lost = sheet.number(sheet.track(), "lost-seconds");
    g_assert_cmpfloat(lost, >, 0);
    g_assert_cmpfloat(sheet.number(file, "seconds"), >, 0.5);
    g_assert_cmpfloat_with_epsilon(sheet.number(file, "seconds") + lost,
                                   static_cast<double>(at) / kSecond, 0.01);
  }
}

// A disk without room beyond a segment's end: its file ends, and its sheet isn't begun anew.
void test_no_room_over_a_border () {
  Rig rig(Format::wav, 2);
  rig.say_raw(0, kSecond);
  rig.write();
  rig.track->follow(5 * kSecond, false);
  g_assert_true(rig.track->closed());
  g_assert_cmpuint(rig.cues->take(20, 1, true, false).size(), ==, 1);
  rig.say_raw(14 * kSecond, 15 * kSecond);
  rig.write(false);
  for (const CueBook::Sheet &sheet : rig.cues->take(21, 1, true, false))
    g_assert_cmpint(sheet.segment, >, 0);
}

// `speaks` breaks where nothing came, raw or as it was sent.
void test_speaks_breaks_where_nothing_is_heard () {
  for (const Format format : {Format::wav, Format::mka}) {
    Rig rig(format);
    const auto say = [&] (std::int64_t from, std::int64_t to) {
      format == Format::wav ? rig.say_raw(from, to) : rig.say(kOpus, from, to);
      rig.write();
    };
    rig.cues->speaks(8, 1);
    say(kSecond, 3 * kSecond);
    if (format == Format::wav)
      rig.say_raw(3 * kSecond, 9 * kSecond, true);
    say(9 * kSecond, 10 * kSecond);
    // Short of a pause.
    say(10 * kSecond + kSecond / 2, 12 * kSecond);
    rig.close(20 * kSecond);
    const Sheet sheet(rig.sheet(20));
    assert_text(sheet.spans(sheet.track(), "speaks"), "[1,3][9,12]");
    // Nobody was told that it is lost.
    g_assert_cmpint(sheet.integer(sheet.track(), "reconnects"), ==, 0);
  }
}

// The channel itself is lost: once for the whole, and for each whose sound it took.
void test_the_channel_is_lost () {
  CueBook cues({"demo", "room", "wav", 0, 0, 1});
  for (const std::uint32_t uid : {8u, 9u, 10u})
    cues.speaks(uid, 0);
  // 9 is heard by another way; 10 was told of on its own.
  cues.heard(8, 0, 5);
  cues.heard(9, 0, 20);
  cues.heard(10, 0, 5);
  cues.note("reconnecting", 5.4, 10);
  cues.note("reconnecting", 6, 0, "gone");
  const Sheet during(cues.take(9, 0, true, false).at(0).text);
  assert_text(during.spans(during.track(0), "speaks"), "[0,5]");
  assert_text(during.spans(during.top(), "away"), "[6,9]");
  g_assert_cmpint(during.integer(during.track(0), "reconnects"), ==, 1);
  cues.note("reconnected", 12);
  cues.heard(8, 12, 20);
  cues.heard(10, 12, 20);
  // A pause of another kind.
  cues.heard(8, 23, 30);
  const Sheet after(cues.take(30, 0, true, true).at(0).text);
  assert_text(after.spans(after.top(), "away"), "[6,12]");
  g_assert_cmpint(after.integer(after.top(), "reconnects"), ==, 1);
  assert_text(after.spans(after.track(0), "speaks"), "[0,5][12,20][23,30]");
  assert_text(after.spans(after.track(1), "speaks"), "[0,20]");
  const std::int64_t expected[] = {1, 0, 1};
  for (unsigned i = 0; i < 3; i++)
    g_assert_cmpint(after.integer(after.track(i), "reconnects"), ==, expected[i]);
}

// With the channel its speakers are told to have gone and come, whose sound was there already.
void test_sound_is_back_before_its_speaker () {
  CueBook cues({"demo", "room", "wav", 0, 0, 1});
  cues.speaks(8, 0);
  cues.heard(8, 0, 5);
  cues.note("reconnecting", 5.5, 0, "gone");
  cues.note("reconnected", 9);
  cues.stops(8, 9);
  cues.speaks(8, 9.3);
  cues.heard(8, 8.9, 15);
  // Gone for as short, and not heard meanwhile.
  cues.stops(8, 15);
  cues.speaks(8, 15.4);
  cues.heard(8, 15.5, 20);
  const Sheet sheet(cues.take(20, 0, true, true).at(0).text);
  assert_text(sheet.spans(sheet.track(), "speaks"), "[0,5][8.9,15][15.4,20]");
}

// A pause over a segment's border is in both sheets, and lost once.
void test_a_pause_over_a_border () {
  CueBook cues({"demo", "room", "wav", 0, 10, 1});
  cues.speaks(8, 0);
  cues.heard(8, 0, 7);
  cues.note("reconnecting", 7.5, 0, "gone");
  cues.note("reconnected", 13);
  cues.heard(8, 13, 18);
  const auto sheets = cues.take(18, 1, true, true);
  g_assert_cmpuint(sheets.size(), ==, 2);
  const Sheet first(sheets[0].text), second(sheets[1].text);
  assert_text(first.spans(first.track(), "speaks"), "[0,7]");
  assert_text(second.spans(second.track(), "speaks"), "[3,8]");
  g_assert_cmpint(first.integer(first.track(), "reconnects"), ==, 1);
  g_assert_cmpint(second.integer(second.track(), "reconnects"), ==, 0);
}

// A name comes before the one who has it, lasts into other segments, and may change.
void test_names () {
  CueBook cues({"demo", "room", "wav", 0, 10, 0});
  cues.named(8, 1, "Anna");
  cues.speaks(8, 1);
  cues.named(8, 2, "Anna");
  cues.note("begins", 12);
  cues.named(8, 13, "Berta");
  cues.note("begins", 22);
  cues.named(8, 23, "");
  const auto sheets = cues.take(25, 0, true, true);
  g_assert_cmpuint(sheets.size(), ==, 3);
  const Sheet first(sheets[0].text), second(sheets[1].text), third(sheets[2].text);
  g_assert_cmpstr(json_object_get_string_member(first.track(), "name"), ==, "Anna");
  g_assert_cmpstr(json_object_get_string_member(second.track(), "name"), ==, "Berta");
  g_assert_false(json_object_has_member(third.track(), "name"));
  assert_text(first.events(), "1 named Anna;");
  assert_text(second.events(), "2 begins -;3 named Berta;");
  assert_text(third.events(), "2 begins -;3 named -;");
}

// Who comes as the recording ends has no place in it; who has just come while it goes on is told.
void test_no_stay_is_empty () {
  CueBook cues({"demo", "room", "wav", 0, 0, 0});
  cues.speaks(8, 1);
  cues.heard(8, 1, 18);
  cues.speaks(9, 18.1);
  const Sheet going(cues.take(18, 0, false, false).at(0).text);
  g_assert_cmpuint(json_array_get_length(going.tracks()), ==, 2);
  const Sheet sheet(cues.take(18, 0, true, true).at(0).text);
  g_assert_cmpuint(json_array_get_length(sheet.tracks()), ==, 1);
  assert_text(sheet.spans(sheet.track(), "speaks"), "[1,18]");
}

}  // namespace

static const agora::Suite suite("loss", [] {
  gst_init(nullptr, nullptr);
  g_test_add_func("/recorder/codec-that-isnt-taken", test_a_codec_that_isnt_taken);
  g_test_add_func("/recorder/lost-without-a-file", test_lost_without_a_file);
  g_test_add_func("/recorder/files-that-fail", test_files_that_fail);
  g_test_add_func("/recorder/file-that-fails-later", test_a_file_that_fails_later_stays);
  g_test_add_func("/recorder/no-room-over-a-border", test_no_room_over_a_border);
  g_test_add_func("/recorder/speaks-breaks", test_speaks_breaks_where_nothing_is_heard);
  g_test_add_func("/recorder/channel-is-lost", test_the_channel_is_lost);
  g_test_add_func("/recorder/sound-before-its-speaker", test_sound_is_back_before_its_speaker);
  g_test_add_func("/recorder/pause-over-a-border", test_a_pause_over_a_border);
  g_test_add_func("/recorder/names-of-speakers", test_names);
  g_test_add_func("/recorder/no-stay-is-empty", test_no_stay_is_empty);
});

}  // namespace loss_test

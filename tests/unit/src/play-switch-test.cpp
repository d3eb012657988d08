// SPDX-License-Identifier: LGPL-2.1-or-later
// Make before break between a speaker's sessions, with sessions that do what the test says.
#include "gst/src/play-switch.hpp"

#include <atomic>
#include <functional>
#include <thread>
#include <utility>
#include <vector>

namespace {

using namespace agora;

// A session with a streaming thread of its own, which close() waits for as an element's does.
class FakeConnection final : public PlayConnection {
 public:
  FakeConnection(std::string url, Watcher *watcher)
      : PlayConnection(std::move(url)), watcher_(watcher) {}
  ~FakeConnection() override { close(told_by()); }

  // Has the streaming thread bring a frame; returns what became of it.
  bool bring_frame () {
    bool decoded = false;
    call([&] {
      GstBuffer *frame = gst_buffer_new();
      GstCaps *caps = gst_caps_new_empty_simple("audio/mpeg");
      decoded = watcher_->frame(*this, frame, caps);
      gst_caps_unref(caps);
      gst_buffer_unref(frame);
    });
    return decoded;
  }
  // A frame that begins at `media`, and what a decoder makes of it.
  void bring_talk (const char *codec, GstClockTime media, const std::vector<float> &samples) {
    call([&] {
      GstBuffer *frame = gst_buffer_new();
      GST_BUFFER_PTS(frame) = media;
      GstCaps *caps = gst_caps_new_empty_simple(codec);
      if (watcher_->frame(*this, frame, caps))
        watcher_->sound(*this, {media, samples.data(), samples.size(), 48000, 1});
      gst_caps_unref(caps);
      gst_buffer_unref(frame);
    });
  }
  void bring_sound () {
    call([&] {
      const float sample = 0;
      watcher_->sound(*this, {0, &sample, 1, 48000, 1});
    });
  }
  void end () {
    call([&] { watcher_->ended(*this); });
  }
  // Brings frames as fast as it can from here on.
  void run () {
    thread_ = std::thread([this] {
      while (!closing_)
        watcher_->frame(*this, nullptr, nullptr);
    });
  }
  bool closed () const { return closed_; }
  bool is_open () const { return opened_; }

  std::function<void()> before_open;

  void open () override {
    if (before_open)
      std::exchange(before_open, nullptr)();
    opened_ = true;
  }
  void cut () override { ending_ = true; }
  bool ending () const override { return ending_; }
  // As an element's: what isn't open yet stays as it is.
  void close (Deadline) override {
    ending_ = closing_ = true;
    if (thread_.joinable())
      thread_.join();
    closed_ = true;
    opened_ = false;
  }
  std::uint64_t came () const override { return 0; }
  std::string why_mute () const override { return {}; }

 private:
  template <typename What>
  void call (What what) {
    std::thread(what).join();
  }

  Watcher *const watcher_;
  std::thread thread_;
  std::atomic<bool> ending_ = false, closing_ = false, closed_ = false, opened_ = false;
};

class Output final : public PlaySwitch::Output {
 public:
  bool frame (GstBuffer *frame, GstCaps *) override {
    frames++;
    last_stamp = frame ? GST_BUFFER_PTS(frame) : 0;
    return decodes;
  }
  void sound (const DecodedSound &sound) override {
    sounds++;
    if (samples.empty())
      began = sound.media;
    samples.insert(samples.end(), sound.samples, sound.samples + sound.frames);
  }
  void unplayable (const Unplayable &) override {}
  void moved () override { moves++; }
  bool brace (GstClockTimeDiff) override { return true; }
  void crossed (GstClockTimeDiff) override { crossings++; }
  void heard () override {}
  void broke (const std::string &url, GstClockTime) override {
    breaks++;
    broken_url = url;
  }

  std::atomic<unsigned> frames = 0, sounds = 0, moves = 0, breaks = 0, crossings = 0;
  std::string broken_url;
  bool decodes = true;
  std::vector<float> samples;
  GstClockTime began = 0, last_stamp = 0;
};

struct Rig {
  Output output;
  std::vector<std::shared_ptr<FakeConnection>> made;
  std::function<void()> before_make, before_open;
  PlaySwitch player{&output, [this] (const std::string &url, PlayConnection::Watcher *watcher) {
                      if (before_make)
                        std::exchange(before_make, nullptr)();
                      made.push_back(std::make_shared<FakeConnection>(url, watcher));
                      made.back()->before_open = std::exchange(before_open, nullptr);
                      return made.back();
                    }};
  ~Rig() { player.stop(told_by()); }
};

void test_move () {
  Rig rig;
  g_assert_false(rig.player.busy());
  rig.player.play("one");
  g_assert_true(rig.player.busy());
  // The first session is heard at once.
  g_assert_true(rig.made[0]->bring_frame());
  g_assert_cmpuint(rig.output.frames, ==, 1);
  rig.player.play("two");
  // The second one after its decoder has settled; until then the first one is.
  g_assert_true(rig.made[1]->bring_frame());
  rig.made[1]->bring_sound();
  rig.made[0]->bring_frame();
  rig.made[0]->bring_sound();
  g_assert_cmpuint(rig.output.frames, ==, 2);
  g_assert_cmpuint(rig.output.sounds, ==, 1);
  rig.made[1]->bring_frame();
  g_assert_cmpuint(rig.output.moves, ==, 1);
  rig.made[1]->bring_frame();
  g_assert_cmpuint(rig.output.moves, ==, 2);
  rig.made[1]->bring_sound();
  g_assert_cmpuint(rig.output.sounds, ==, 2);
  // What is left of the first one isn't heard twice, and its end is no news.
  rig.made[0]->bring_sound();
  rig.made[0]->end();
  g_assert_cmpuint(rig.output.sounds, ==, 2);
  g_assert_cmpuint(rig.output.breaks, ==, 0);
  g_assert_false(rig.made[0]->closed());
  rig.player.tidy();
  g_assert_true(rig.made[0]->closed());
}

void test_break () {
  Rig rig;
  rig.player.play("one");
  // One that never came to play.
  rig.made[0]->end();
  g_assert_cmpuint(rig.output.breaks, ==, 1);
  g_assert_false(rig.player.busy());
  rig.player.play("two");
  rig.made[1]->bring_frame();
  // The next one fails: it is to be asked for another, and the sound goes on.
  rig.player.play("three");
  rig.made[2]->end();
  g_assert_cmpuint(rig.output.breaks, ==, 2);
  g_assert_cmpstr(rig.output.broken_url.c_str(), ==, "three");
  g_assert_true(rig.player.busy());
  rig.made[1]->bring_frame();
  g_assert_cmpuint(rig.output.frames, ==, 2);
  // The one that plays ends while another is on its way: that isn't waited for to settle.
  rig.player.play("four");
  rig.made[1]->end();
  g_assert_cmpuint(rig.output.breaks, ==, 2);
  rig.made[3]->bring_frame();
  g_assert_cmpuint(rig.output.frames, ==, 3);
  rig.made[3]->end();
  g_assert_cmpuint(rig.output.breaks, ==, 3);
  g_assert_cmpstr(rig.output.broken_url.c_str(), ==, "four");
  // What is stopped stays so.
  rig.player.stop(told_by());
  rig.player.play("five");
  g_assert_false(rig.player.busy());
}

// Two moves that nobody could tidy in between. A session that is let go of under the lock, while
// its thread waits for that lock, would wait for ever.
void test_two_moves () {
  Rig rig;
  rig.player.play("0");
  rig.made[0]->run();
  while (rig.output.moves < 1)
    std::this_thread::yield();
  rig.player.play("1");
  // play() has tidied when it makes a session, and knows nothing of this one yet.
  rig.before_make = [&] {
    for (int i = 0; i < 3; i++)
      rig.made[1]->bring_frame();
    g_assert_cmpuint(rig.output.moves, ==, 2);
    rig.made[0].reset();  // the switch alone holds it
  };
  rig.player.play("2");
  for (int i = 0; i < 3; i++)
    rig.made[2]->bring_frame();
  g_assert_cmpuint(rig.output.moves, ==, 3);
  g_assert_false(rig.made[1]->closed());
  rig.player.tidy();
  g_assert_true(rig.made[1]->closed());
}

// A listener that is stopped while the signalling thread opens a session for it.
void test_stop_while_opening () {
  Rig rig;
  rig.before_open = [&] { rig.player.stop(told_by()); };
  rig.player.play("one");
  g_assert_cmpuint(rig.made.size(), ==, 1);
  g_assert_true(rig.made[0]->closed());
  g_assert_false(rig.made[0]->is_open());
}

constexpr std::size_t kBlock = 960;
constexpr GstClockTime kBlockTime = 20 * GST_MSECOND;

std::vector<float> noise (std::size_t blocks) {
  std::vector<float> samples(blocks * kBlock);
  guint32 seed = 1;
  for (float &each : samples) {
    seed = seed * 1'664'525 + 1'013'904'223;
    each = static_cast<float>(seed >> 8) / (1 << 24) - 0.5F;
  }
  return samples;
}

// To a session of another codec, which has the same sound two blocks later and by its own time:
// what is heard goes on as if there were one.
void test_other_codec () {
  Rig rig;
  const std::vector<float> talk = noise(100);
  const auto block = [&] (std::size_t i) {
    return std::vector<float>(&talk[i * kBlock], &talk[i * kBlock] + kBlock);
  };
  rig.player.play("one");
  for (std::size_t i = 0; i < 20; i++)
    rig.made[0]->bring_talk("audio/x-opus", GST_SECOND + i * kBlockTime, block(i));
  rig.player.play("two");
  std::size_t i = 20;
  for (; i < 100 && rig.output.crossings == 0; i++) {
    rig.made[1]->bring_talk("audio/mpeg", 7 * GST_SECOND + (i - 2) * kBlockTime, block(i - 2));
    rig.made[0]->bring_talk("audio/x-opus", GST_SECOND + i * kBlockTime, block(i));
  }
  g_assert_cmpuint(i, <, 50);
  // What the first one brings now is not heard.
  rig.made[0]->bring_talk("audio/x-opus", GST_SECOND + i * kBlockTime, block(i));
  for (; i < 60; i++)
    rig.made[1]->bring_talk("audio/mpeg", 7 * GST_SECOND + (i - 2) * kBlockTime, block(i - 2));
  g_assert_cmpuint(rig.output.moves, ==, 1);
  g_assert_cmpuint(rig.output.crossings, ==, 1);
  g_assert_cmpuint(rig.output.began, ==, GST_SECOND);
  g_assert_cmpuint(rig.output.last_stamp, ==, GST_SECOND + (i - 3) * kBlockTime);
  g_assert_cmpuint(rig.output.samples.size(), ==, (i - 2) * kBlock);
  for (std::size_t at = 0; at < rig.output.samples.size(); at++)
    g_assert_cmpfloat_with_epsilon(rig.output.samples[at], talk[at], 1e-4);
  rig.player.tidy();
  g_assert_true(rig.made[0]->closed());
}

// Where nothing is decoded there is nothing to compare; where what plays stands still, nothing to
// wait for; and a session that another one replaces is not crossed to.
void test_other_codec_unheard () {
  Rig rig;
  rig.output.decodes = false;
  rig.player.play("one");
  rig.made[0]->bring_talk("audio/x-opus", 0, noise(1));
  rig.player.play("two");
  for (int i = 0; i < 3; i++)
    rig.made[1]->bring_talk("audio/mpeg", i * kBlockTime, noise(1));
  g_assert_cmpuint(rig.output.moves, ==, 2);
  rig.output.decodes = true;
  rig.made[1]->bring_talk("audio/mpeg", 3 * kBlockTime, noise(1));
  const std::size_t before = rig.output.samples.size();
  rig.player.play("three");
  rig.made[2]->bring_talk("audio/x-opus", 0, noise(1));
  rig.player.play("four");
  rig.made[1]->bring_talk("audio/mpeg", 4 * kBlockTime, noise(1));
  g_assert_cmpuint(rig.output.samples.size(), ==, before + kBlock);
  rig.made[3]->bring_talk("audio/x-opus", 0, noise(1));
  rig.made[1]->end();
  rig.made[3]->bring_talk("audio/x-opus", kBlockTime, noise(1));
  g_assert_cmpuint(rig.output.moves, ==, 3);
  g_assert_cmpuint(rig.output.crossings, ==, 0);
}

}  // namespace

int main (int argc, char **argv) {
  gst_init(&argc, &argv);
  g_test_init(&argc, &argv, nullptr);
  g_test_add_func("/play-switch/move", test_move);
  g_test_add_func("/play-switch/break", test_break);
  g_test_add_func("/play-switch/other-codec", test_other_codec);
  g_test_add_func("/play-switch/other-codec-unheard", test_other_codec_unheard);
  g_test_add_func("/play-switch/two-moves", test_two_moves);
  g_test_add_func("/play-switch/stop-while-opening", test_stop_while_opening);
  return g_test_run();
}

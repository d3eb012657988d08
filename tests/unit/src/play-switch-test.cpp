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
  Mute mute () const override { return Mute::no; }

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
  bool frame (GstBuffer *, GstCaps *) override {
    frames++;
    return true;
  }
  void sound (const DecodedSound &) override { sounds++; }
  void unplayable (const Unplayable &) override {}
  void moved () override { moves++; }
  void heard () override {}
  void broke (const std::string &url, GstClockTime) override {
    breaks++;
    broken_url = url;
  }

  std::atomic<unsigned> frames = 0, sounds = 0, moves = 0, breaks = 0;
  std::string broken_url;
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

}  // namespace

int main (int argc, char **argv) {
  gst_init(&argc, &argv);
  g_test_init(&argc, &argv, nullptr);
  g_test_add_func("/play-switch/move", test_move);
  g_test_add_func("/play-switch/break", test_break);
  g_test_add_func("/play-switch/two-moves", test_two_moves);
  g_test_add_func("/play-switch/stop-while-opening", test_stop_while_opening);
  return g_test_run();
}

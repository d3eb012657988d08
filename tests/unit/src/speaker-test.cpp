// SPDX-License-Identifier: LGPL-2.1-or-later
// Listeners of a speaker come and go while he is being told of.
#include "gst/src/speaker.hpp"

#include <vector>

namespace {

using namespace agora;

// A session that says what the test says.
class SaidConnection final : public PlayConnection {
 public:
  SaidConnection(const std::string &url, Watcher *watcher)
      : PlayConnection(url), watcher_(watcher) {}
  void say_unplayable () {
    const CapsPtr caps(gst_caps_new_empty_simple("audio/mpeg"));
    watcher_->unplayable(*this, {Unplayable::no_decoder, caps.get()});
  }
  void open () override {}
  void cut () override {}
  bool ending () const override { return false; }
  void close (Deadline) override {}
  std::uint64_t came () const override { return 0; }
  std::string why_mute () const override { return {}; }

 private:
  Watcher *const watcher_;
};

// What is walked along is held: whoever is told takes all of them away, and another one comes, so
// that nothing but the walk keeps what it walks along. Those who are there at its beginning are
// told; seen by the sanitizer where they aren't held.
void test_all_leave_meanwhile () {
  std::shared_ptr<SaidConnection> session;
  Speaker speaker({}, [&] (const std::string &url, PlayConnection::Watcher *watcher) {
    session = std::make_shared<SaidConnection>(url, watcher);
    return session;
  });
  const ObjectPtr<GstElement> element(GST_ELEMENT(gst_object_ref_sink(gst_bin_new(nullptr))));
  const ObjectPtr<GstPad> mix(GST_PAD(gst_object_ref_sink(gst_pad_new("src", GST_PAD_SRC))));
  std::vector<std::weak_ptr<SpeakerBranch>> branches;
  unsigned told = 0;
  const auto make = [&] (SpeakerBranch::OnUnplayable unplayable) {
    return std::make_shared<SpeakerBranch>(element.get(), mix.get(), false,
                                           std::make_shared<PlayoutTimeline>(48'000, 0),
                                           std::move(unplayable));
  };
  for (unsigned i = 0; i < 3; i++) {
    const auto branch = make([&] (const Unplayable &) {
      told++;
      for (const auto &each : branches)
        if (const auto there = each.lock())
          speaker.remove(there);
      speaker.add(make([] (const Unplayable &) { g_assert_not_reached(); }));
    });
    branches.push_back(branch);
    speaker.add(branch);
  }
  speaker.play("rtmp://127.0.0.1/live/1");
  session->say_unplayable();
  g_assert_cmpuint(told, ==, 3);
  // Nobody holds them any more.
  for (const auto &each : branches)
    g_assert_true(each.expired());
  speaker.stop(told_by());
}

}  // namespace

int main (int argc, char **argv) {
  gst_init(&argc, &argv);
  g_test_init(&argc, &argv, nullptr);
  g_test_add_func("/speaker/all-leave-meanwhile", test_all_leave_meanwhile);
  return g_test_run();
}

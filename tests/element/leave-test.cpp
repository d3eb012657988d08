// SPDX-License-Identifier: LGPL-2.1-or-later
// Who leaves a membership waits for its goodbye, and for nothing else.
#include <gst/gst.h>

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "gst/common/gst-ptr.hpp"
#include "gst/common/signal-thread.hpp"
#include "gst/membership/shared-membership.hpp"

namespace {

using agora::ObjectPtr;
using agora::Part;
using agora::SharedMembership;

class Nobody final : public agora::Member {
 public:
  void joined (std::uint32_t) override {}
  void failed (const GError &) override {}
};

// Another one comes after the last one has gone, and before the goodbye has been said: there is
// none to wait for.
void test_another_comes () {
  const ObjectPtr<GstElement> element =
      agora::sink_ref(gst_element_factory_make("fakesink", nullptr));
  const auto membership = std::make_shared<SharedMembership>(agora::ChannelSettings());
  Nobody first;
  Nobody second;
  g_assert_true(membership->add(element.get(), &first, Part::listener, false, nullptr));
  std::mutex mutex;
  std::condition_variable changed;
  bool go_on = false;
  // The signalling thread has something else to do.
  agora::post(agora::signal_context(), [&] {
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return go_on; });
  });
  constexpr GstClockTime budget = 20 * GST_SECOND;
  std::thread leaving([&] { g_assert_true(membership->leave(&first, budget)); });
  // Until the first one has gone.
  while (membership->fits(agora::ChannelSettings()))
    std::this_thread::yield();
  g_assert_true(membership->add(element.get(), &second, Part::listener, false, nullptr));
  const gint64 begin = g_get_monotonic_time();
  {
    std::lock_guard lock(mutex);
    go_on = true;
    changed.notify_all();
  }
  leaving.join();
  g_assert_cmpint(g_get_monotonic_time() - begin, <, 5 * G_USEC_PER_SEC);
  g_assert_true(membership->leave(&second, budget));
}

}  // namespace

int main (int argc, char **argv) {
  gst_init(&argc, &argv);
  g_test_init(&argc, &argv, nullptr);
  g_test_add_func("/membership/leave/another-comes", test_another_comes);
  return g_test_run();
}

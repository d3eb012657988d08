// SPDX-License-Identifier: LGPL-2.1-or-later
// What --store says in a build without hiredis, of which this test has the part that says it.
#include <glib.h>

#include <cstring>

#include "signaling/gateway/cluster/store.hpp"

using namespace agora::gateway::cluster;

namespace {

void test_says_so () {
  const auto made = make_redis_store({.url = "redis://127.0.0.1:6379"});
  const auto *problem = std::get_if<std::string>(&made);
  g_assert_nonnull(problem);
  g_assert_nonnull(strstr(problem->c_str(), "built without hiredis"));
}

}  // namespace

int main (int argc, char **argv) {
  g_test_init(&argc, &argv, nullptr);
  g_test_add_func("/no-store/says-so", test_says_so);
  return g_test_run();
}

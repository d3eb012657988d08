// SPDX-License-Identifier: LGPL-2.1-or-later
// Random schedules of faults. `--seeds FROM TO` runs so many, `--seed N` one of them with its log;
// both take `--mutant NAME`, a fault of the code itself (signaling/gateway/cluster/mutants.hpp).
#include <glib.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "tests/unit/cluster/mutant-names.hpp"
#include "tests/unit/cluster/world.hpp"

namespace {

#ifdef __SANITIZE_ADDRESS__
constexpr std::uint64_t usual_seeds = 200;  // each takes many times as long
#else
constexpr std::uint64_t usual_seeds = 2'000;
#endif

// How many are bad. Says which, up to `most_said`, and stops at `enough`.
std::uint64_t run_seeds (std::uint64_t from, std::uint64_t to, std::uint64_t enough) {
  constexpr std::uint64_t most_said = 12;
  std::uint64_t bad = 0;
  for (std::uint64_t seed = from; seed <= to && bad < enough; seed++) {
    const auto wrong = sim::World(seed, false).run();
    if (wrong.empty())
      continue;
    if (++bad <= most_said)
      std::printf("# seed %" G_GUINT64_FORMAT
                  ": %s (%zu in all; repeat it: --seed %" G_GUINT64_FORMAT ")\n",
                  seed, wrong[0].c_str(), wrong.size(), seed);
  }
  return bad;
}

void seeds () {
  g_assert_cmpuint(run_seeds(1, usual_seeds, usual_seeds), ==, 0);
}

// The same seed is the same schedule: else none could be repeated.
void repeats () {
  for (const std::uint64_t seed : {3, 4}) {
    sim::World first(seed, true), second(seed, true);
    first.run();
    second.run();
    g_assert_cmpuint(first.log.size(), >, 20);
    g_assert_true(first.log == second.log);
  }
}

int by_hand (int argc, char **argv) {
  std::uint64_t from = 1, to = 100;
  bool log = false;
  for (int at = 1; at < argc; at++) {
    const auto number = [&] { return at + 1 < argc ? std::strtoull(argv[++at], nullptr, 10) : 0; };
    if (!std::strcmp(argv[at], "--seeds")) {
      from = number();
      to = number();
    } else if (!std::strcmp(argv[at], "--seed")) {
      from = to = number();
      log = true;
    } else if (!std::strcmp(argv[at], "--mutant") && at + 1 < argc) {
      const auto mutant = sim::mutant_named(argv[++at]);
      if (!mutant) {
        std::fprintf(stderr, "mutant \"%s\": expected one of mutants.hpp\n", argv[at]);
        return 2;
      }
      agora::gateway::cluster::current_mutant = *mutant;
    } else {
      std::fprintf(stderr, "usage: %s [--seeds FROM TO | --seed N] [--mutant NAME]\n", argv[0]);
      return 2;
    }
  }
  const auto begun = std::chrono::steady_clock::now();
  std::uint64_t bad = 0;
  if (log) {
    sim::World world(from, true);
    const auto wrong = world.run();
    for (const std::string &line : world.log)
      std::printf("%s\n", line.c_str());
    bad = !wrong.empty();
  } else {
    bad = run_seeds(from, to, to);
  }
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begun;
  std::printf("%" G_GUINT64_FORMAT " schedules, %" G_GUINT64_FORMAT " bad, %.1f s\n", to - from + 1,
              bad, took.count());
  return bad ? 1 : 0;
}

}  // namespace

int main (int argc, char **argv) {
  if (argc > 1 && (!std::strncmp(argv[1], "--seed", 6) || !std::strcmp(argv[1], "--mutant")))
    return by_hand(argc, argv);
  g_test_init(&argc, &argv, nullptr);
  g_test_add_func("/cluster/simulation/repeats", repeats);
  g_test_add_func("/cluster/simulation/seeds", seeds);
  return g_test_run();
}

// SPDX-License-Identifier: LGPL-2.1-or-later
// The schedules pass, and each mutant of the code fails one of them, by name.
#include <glib.h>

#include <set>

#include "tests/unit/cluster/mutant-names.hpp"
#include "tests/unit/cluster/schedules.hpp"

using agora::gateway::cluster::current_mutant;

namespace {

std::vector<sim::Schedule> all_schedules () {
  std::vector<sim::Schedule> all = sim::schedules_of_holes();
  const auto &more = sim::schedules_beside();
  all.insert(all.end(), more.begin(), more.end());
  return all;
}

void runs (gconstpointer data) {
  const auto &schedule = *static_cast<const sim::Schedule *>(data);
  current_mutant = sim::Mutant::none;
  const std::string wrong = schedule.run();
  g_assert_cmpstr(wrong.c_str(), ==, "");
}

// By which one of them; "": by none.
std::string killer (sim::Mutant mutant) {
  current_mutant = mutant;
  std::string by;
  for (const sim::Schedule &schedule : all_schedules())
    if (by.empty() && !schedule.run().empty())
      by = schedule.name;
  current_mutant = sim::Mutant::none;
  return by;
}

void mutants () {
  g_assert_cmpuint(sim::mutants().size(), >, 20);
  unsigned alive = 0;
  for (const auto &[mutant, name] : sim::mutants()) {
    const std::string by = killer(mutant);
    const std::string line(name);
    if (by.empty())
      alive++;
    g_test_message("mutant %s: %s%s", line.c_str(), by.empty() ? "ALIVE" : "killed by ",
                   by.c_str());
  }
  g_assert_cmpuint(alive, ==, 0);
}

}  // namespace

int main (int argc, char **argv) {
  g_test_init(&argc, &argv, nullptr);
  static const std::vector<sim::Schedule> all = all_schedules();
  for (const sim::Schedule &schedule : all)
    g_test_add_data_func((std::string("/cluster/schedules/") + schedule.name).c_str(), &schedule,
                         runs);
  g_test_add_func("/cluster/mutants", mutants);
  return g_test_run();
}

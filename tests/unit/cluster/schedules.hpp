// SPDX-License-Identifier: LGPL-2.1-or-later
// Schedules that were thought out, each for one fault that a cluster like this can have.
#pragma once

#include <string>
#include <vector>

namespace sim {

struct Schedule {
  const char *name;
  std::string (*run)();  // "": as it should be, else what wasn't
};
// For the holes that were found in the first model of this, and for what else can go wrong.
const std::vector<Schedule> &schedules_of_holes ();
const std::vector<Schedule> &schedules_beside ();

}  // namespace sim

// SPDX-License-Identifier: LGPL-2.1-or-later
// What the schedules have in common.
#pragma once

#include <string>

#include "tests/unit/cluster/rig.hpp"
#include "tests/unit/cluster/schedules.hpp"

// As text, so that a mutant's test can look for it.
#define EXPECT_TEXT(is, should)                                                                  \
  do                                                                                             \
    if (const std::string seen = (is), want = (should); seen != want)                            \
      return "line " + std::to_string(__LINE__) + ": " #is " is \"" + seen + "\", expected \"" + \
             want + "\"";                                                                        \
  while (false)
#define EXPECT(what)                                                   \
  do                                                                   \
    if (!(what))                                                       \
      return "line " + std::to_string(__LINE__) + ": expected " #what; \
  while (false)

#define ENTRY(name) \
  { #name, name }

namespace sim {

inline const std::string room = "a/room";

// What a channel's members at three gateways see: a listener at g1, a speaker 5 at g2.
struct Trio {
  Trio() : g1(rig.add("g1")), g2(rig.add("g2")), g3(rig.add("g3")) {
    listener = &g1.join(1);
    speaker = &g2.join(5);
    rig.settle();
    g2.push(*speaker, "st1");
    rig.settle();
    g1.told(*listener);
    g2.told(*speaker);
  }
  Rig rig;
  Station &g1, &g2, &g3;
  Socket *listener = nullptr, *speaker = nullptr;
};

}  // namespace sim

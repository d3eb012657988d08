// SPDX-License-Identifier: LGPL-2.1-or-later
// Who may connect, and who makes room.
#include <glib.h>

#include <memory>
#include <vector>

#include "signaling/relay/admission.hpp"
#include "tests/suite.hpp"

namespace admission_test {

using namespace agora::relay;

namespace {

using Verdict = Admission::Verdict;

Network network (std::uint8_t number) {
  Network one;
  one.bytes[15] = number;
  return one;
}

struct House {
  House() { door.set_limits({10, 6, 5, 3, 5000}); }
  ~House() {
    for (auto &place : places)
      if (place)
        door.go(*place);
    g_assert_cmpuint(door.connections(), ==, 0);
    g_assert_cmpuint(door.strangers(), ==, 0);
  }
  // As the server does it: who has to make room goes. Its index, or -1 if nobody had to.
  int come (std::uint8_t from, std::int64_t now) {
    const auto verdict = door.ask(network(from));
    g_assert_true(verdict.verdict != Verdict::refused);
    int gone = -1;
    for (std::size_t i = 0; i < places.size(); i++)
      if (verdict.instead != nullptr && places[i].get() == verdict.instead) {
        gone = static_cast<int>(i);
        leave(i);
      }
    places.push_back(std::make_unique<Admission::Place>());
    door.come(*places.back(), network(from), now);
    return gone;
  }
  void leave (std::size_t index) {
    door.go(*places[index]);
    places[index].reset();
  }
  Admission door;
  std::vector<std::unique_ptr<Admission::Place>> places;
};

void test_of_one () {
  House house;
  for (int i = 0; i < 3; i++)
    g_assert_cmpint(house.come(1, i), ==, -1);
  // The oldest of the same address goes, whoever else waits.
  house.come(2, 3);
  g_assert_true(house.door.ask(network(1)).of_address);
  g_assert_cmpint(house.come(1, 4), ==, 0);
  g_assert_cmpint(house.come(1, 5), ==, 1);
  // One that was admitted is no stranger.
  house.door.admitted(*house.places[2]);
  g_assert_cmpint(house.come(1, 6), ==, -1);
  // Until it does nothing again.
  house.door.idle(*house.places[2], 7);
  g_assert_cmpint(house.come(1, 8), ==, 4);
  // All of one address, admitted ones too.
  for (const std::size_t i : {2, 5, 6, 7})
    if (house.places[i])
      house.door.admitted(*house.places[i]);
  g_assert_cmpint(house.come(1, 9), ==, -1);
  g_assert_cmpint(house.come(1, 10), ==, 8);
  house.door.admitted(*house.places[9]);
  const auto verdict = house.door.ask(network(1));
  g_assert_true(verdict.verdict == Verdict::refused && verdict.of_address);
  g_assert_cmpint(house.come(2, 11), ==, -1);
}

void test_in_all () {
  House house;
  for (std::uint8_t i = 0; i < 6; i++)
    g_assert_cmpint(house.come(i, i), ==, -1);
  g_assert_false(house.door.ask(network(9)).of_address);
  g_assert_cmpint(house.come(9, 9), ==, 0);
  g_assert_cmpint(house.come(10, 9), ==, 1);
  g_assert_cmpuint(house.door.strangers(), ==, 6);
}

void test_full () {
  House house;
  for (std::uint8_t i = 0; i < 10; i++) {
    house.come(i, i);
    if (i < 9)
      house.door.admitted(*house.places[i]);
  }
  g_assert_cmpuint(house.door.connections(), ==, 10);
  // Admitted ones stay; the stranger goes.
  g_assert_cmpint(house.come(77, 20), ==, 9);
  house.door.admitted(*house.places[10]);
  g_assert_true(house.door.ask(network(78)).verdict == Verdict::refused);
  house.leave(3);
  g_assert_cmpint(house.come(78, 21), ==, -1);
}

void test_asking () {
  House house;
  for (int i = 0; i < 3; i++)
    house.come(1, 0);
  for (int i = 0; i < 3; i++)
    house.door.asks(*house.places[static_cast<std::size_t>(i)], 1000);
  g_assert_cmpuint(house.door.asking(), ==, 3);
  // It makes no room, and takes none of the strangers'.
  g_assert_cmpint(house.come(1, 1001), ==, -1);
  g_assert_cmpint(house.come(1, 1002), ==, -1);
  g_assert_cmpint(house.come(1, 1003), ==, 3);
  // Whoever asks for one more is still admitted.
  house.door.admitted(*house.places[0]);
  house.door.asks(*house.places[0], 1500);
  g_assert_cmpuint(house.door.asking(), ==, 2);
  // A refused one is a stranger again.
  house.door.idle(*house.places[1], 2000);
  g_assert_cmpuint(house.door.strangers(), ==, 3);
  // An answer that doesn't come is no reason to stay.
  house.leave(4);
  house.leave(5);
  g_assert_null(house.door.overdue(5999));
  g_assert_true(house.door.overdue(6000) == house.places[2].get());
}

void test_overdue () {
  House house;
  house.come(1, 1000);
  house.come(2, 2000);
  house.come(3, 3000);
  g_assert_null(house.door.overdue(5999));
  house.door.admitted(*house.places[0]);
  g_assert_null(house.door.overdue(6000));
  g_assert_true(house.door.overdue(7000) == house.places[1].get());
  house.leave(1);
  g_assert_null(house.door.overdue(7000));
  // Its time begins anew when it ends what it did.
  house.door.idle(*house.places[0], 8000);
  house.leave(2);
  g_assert_null(house.door.overdue(12'999));
  g_assert_true(house.door.overdue(13'000) == house.places[0].get());
}

}  // namespace

static const agora::Suite suite("admission", [] {
  g_test_add_func("/admission/of-one", test_of_one);
  g_test_add_func("/admission/in-all", test_in_all);
  g_test_add_func("/admission/full", test_full);
  g_test_add_func("/admission/asking", test_asking);
  g_test_add_func("/admission/overdue", test_overdue);
});

}  // namespace admission_test

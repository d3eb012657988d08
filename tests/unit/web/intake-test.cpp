// SPDX-License-Identifier: LGPL-2.1-or-later
// What of a peer's packets is let in.
#include "gst/web/intake.hpp"

#include <glib.h>

using namespace agora::web;

namespace {

using Packet = std::vector<std::uint8_t>;

Packet rtp (std::uint32_t ssrc, std::size_t size = 100, unsigned others = 0) {
  Packet packet(size);
  packet[0] = static_cast<std::uint8_t>(0x80 | others);
  packet[1] = 111;
  for (int i = 0; i < 4; i++)
    packet[8 + static_cast<std::size_t>(i)] = static_cast<std::uint8_t>(ssrc >> (24 - 8 * i));
  return packet;
}

Packet rtcp (std::size_t size = 100) {
  Packet packet(size);
  packet[0] = 0x81;
  packet[1] = 200;
  return packet;
}

bool takes (Intake &intake, const Packet &packet, std::int64_t ms) {
  return intake.takes(packet.data(), packet.size(), ms);
}

void test_voices () {
  // Packets a second, bytes each: of Opus all that there is, and its reports.
  const std::pair<unsigned, std::size_t> voices[] = {{50, 120}, {400, 60}, {50, 1300}, {17, 700}};
  for (const auto &[rate, size] : voices) {
    Intake intake;
    for (unsigned i = 0; i < 60 * rate; i++) {
      g_assert_true(takes(intake, rtp(1, size), 1000 * i / rate));
      if (i % rate == 0)
        g_assert_true(takes(intake, rtcp(), 1000 * i / rate));
    }
    g_assert_false(intake.is_flooded());
  }
}

void test_too_much () {
  Intake intake;
  unsigned taken = 0, large = 0;
  for (unsigned i = 0; i < 10'000; i++)
    taken += takes(intake, rtp(1), i / 10) ? 1 : 0;
  g_assert_cmpuint(taken, <, 1400);
  g_assert_true(intake.is_flooded());
  Intake other;
  for (unsigned i = 0; i < 900; i++)
    large += takes(other, rtp(1, 1400), i) ? 1400 : 0;
  g_assert_cmpuint(large, <, 300'000);
  g_assert_false(other.is_flooded());
}

void test_sources () {
  Intake intake;
  for (std::uint32_t ssrc = 0; ssrc < 100; ssrc++)
    g_assert_cmpint(takes(intake, rtp(ssrc), 1000), ==, ssrc < Intake::most_sources);
  g_assert_true(takes(intake, rtp(3), 1000));
  g_assert_false(takes(intake, rtp(3, 100, 1), 1000));
}

void test_others () {
  Intake intake;
  g_assert_false(takes(intake, {}, 1000));
  for (unsigned first = 0; first < 256; first++) {
    Packet packet = rtp(1);
    packet[0] = static_cast<std::uint8_t>(first & 0xf0);
    const bool known =
        (packet[0] >= 20 && packet[0] <= 63) || (packet[0] >= 128 && packet[0] < 192);
    g_assert_cmpint(takes(intake, packet, 1000), ==, known);
  }
  Packet cut = rtp(1);
  cut.resize(11);
  g_assert_false(takes(intake, cut, 1000));
  g_assert_false(takes(intake, rtcp(7), 1000));
  g_assert_false(takes(intake, rtcp(1000), 1000));
  unsigned handshake = 0;
  for (int i = 0; i < 1000; i++)
    handshake += takes(intake, Packet(100, 22), 3000) ? 1 : 0;
  g_assert_cmpuint(handshake, ==, 200);
}

void test_opus () {
  // TOC and count of frames, and tenths of a millisecond.
  const struct {
    Packet packet;
    unsigned tenths;
  } cases[] = {{{}, 0},          {{0xf8}, 200},     {{0xe0}, 25},       {{0x00}, 100},
               {{0x18}, 600},    {{0x19}, 1200},    {{0x1a}, 1200},     {{0x60}, 100},
               {{0x78}, 200},    {{0xfb}, 0},       {{0xfb, 6}, 1200},  {{0xfb, 0x83}, 600},
               {{0xf8, 1}, 200}, {{0xfb, 0x40}, 0}, {{0x1b, 63}, 37800}};
  for (const auto &[packet, tenths] : cases)
    g_assert_cmpuint(opus_tenths(packet.data(), packet.size()), ==, tenths);
}

void test_sound () {
  SoundBudget budget;
  const std::uint8_t packet[] = {0xfb, 6}, quiet[] = {0xf8};
  std::int64_t heard = 0;
  for (int i = 0; i < 500; i++)
    heard += budget.takes(packet, 2, 20 * i) ? 120 : 0;
  g_assert_cmpint(heard, >, 10'000);
  g_assert_cmpint(heard, <, 14'200);
  // A voice, and two seconds of it at once.
  SoundBudget other;
  for (int i = 0; i < 5000; i++)
    g_assert_true(other.takes(quiet, 1, i < 100 ? 2000 : 20 * i));
  const std::uint8_t long_one[] = {0x1b, 63};
  g_assert_false(other.takes(long_one, 2, 1'000'000));
}

}  // namespace

int main (int argc, char **argv) {
  g_test_init(&argc, &argv, nullptr);
  g_test_add_func("/web/intake/voices", test_voices);
  g_test_add_func("/web/intake/too-much", test_too_much);
  g_test_add_func("/web/intake/sources", test_sources);
  g_test_add_func("/web/intake/others", test_others);
  g_test_add_func("/web/intake/opus", test_opus);
  g_test_add_func("/web/intake/sound", test_sound);
  return g_test_run();
}

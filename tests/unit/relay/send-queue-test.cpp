// SPDX-License-Identifier: LGPL-2.1-or-later
// What a listener that falls behind loses.
#include <glib.h>

#include <array>
#include <string>

#include "signaling/relay/send-queue.hpp"
#include "tests/suite.hpp"

namespace send_queue_test {

using namespace agora::relay;

namespace {

constexpr SendLimits limits{1000, 100'000, 200'000};

// A letter a message: a audio, A its header, v video, k key frame, V its header, m metadata,
// d data, c control. The bytes are the letter and the time.
PacketRef packet (char letter, std::uint32_t ms, std::uint32_t stream = 1, std::size_t size = 0) {
  const MediaKind kind = letter == 'a'   ? MediaKind::audio
                         : letter == 'A' ? MediaKind::audio_header
                         : letter == 'v' ? MediaKind::video
                         : letter == 'k' ? MediaKind::video_key
                         : letter == 'V' ? MediaKind::video_header
                         : letter == 'm' ? MediaKind::metadata
                         : letter == 'd' ? MediaKind::data
                                         : MediaKind::control;
  std::string bytes = letter + std::to_string(ms) + ' ';
  bytes.resize(std::max(bytes.size(), size), '.');
  return PacketRef::make(bytes, kind, ms, stream);
}

std::string drain (SendQueue &queue) {
  std::string all;
  std::array<const Packet *, 3> some;
  std::size_t from = 0;
  while (const std::size_t count = queue.peek(some, from)) {
    std::size_t size = 0;
    for (std::size_t i = 0; i < count; i++) {
      all += some[i]->bytes.substr(from);
      size += some[i]->bytes.size() - from;
      from = 0;
    }
    queue.advance(size);
  }
  g_assert_true(queue.empty());
  g_assert_cmpuint(queue.bytes(), ==, 0);
  return all;
}

struct Row {
  const char *messages;  // pushed one after the other; each is followed by trim()
  unsigned sent;         // bytes of the first one that had gone
  const char *left;
  unsigned frames;
  bool waits_for_key;
};

// Times are tenths of a second.
const Row rows[] = {
    {"a0 a5 a10", 0, "a0 a500 a1000 ", 0, false},
    {"a0 a5 a11", 0, "a500 a1100 ", 1, false},
    {"a0 a5 a30", 0, "a3000 ", 2, false},
    // What has gone in part goes on.
    {"a0 a5 a30", 1, "0 a3000 ", 1, false},
    {"A0 a0 m1 a5 c0 V6 a30", 0, "A0 m100 c0 V600 a3000 ", 2, false},
    {"d0 a30", 0, "a3000 ", 1, false},
    // Frames that need a lost one go, too; and the next ones until a key frame.
    {"k0 v5 v9 v11", 0, "", 4, true},
    {"k0 a5 v9 a11", 0, "a500 a1100 ", 2, true},
    {"k0 v5 k9 v11", 0, "k900 v1100 ", 2, false},
    {"k0 v1 k5 v6 v9 a16", 0, "a1600 ", 5, true},
    {"k0 v1 k6 v7 v9 a16", 0, "k600 v700 v900 a1600 ", 2, false},
    {"k0 v1 a16", 0, "a1600 ", 2, true},
    // Time that goes back is late as well: a push that begins anew.
    {"a90 a91 a0 a1", 0, "a0 a100 ", 2, false},
    // Headers alone are kept.
    {"A0 A30 A60", 0, "A0 A3000 A6000 ", 0, false},
};

void test_table () {
  for (const Row &row : rows) {
    SendQueue queue;
    unsigned frames = 0;
    bool waits = false;
    g_auto(GStrv) words = g_strsplit(row.messages, " ", 0);
    unsigned sent = row.sent;
    for (char **word = words; *word != nullptr; word++) {
      const auto tenths = static_cast<std::uint32_t>(g_ascii_strtoull(*word + 1, nullptr, 10));
      // As the hub has it: one that waits gets none that needs others.
      if (waits && **word == 'v') {
        frames++;
        continue;
      }
      if (**word == 'k')
        waits = false;
      queue.push(packet(**word, 100 * tenths), sent);
      sent = 0;
      const auto loss = queue.trim(limits);
      frames += loss.frames;
      waits |= loss.video_streams != 0;
    }
    const std::string left = drain(queue);
    if (left != row.left || frames != row.frames || waits != row.waits_for_key)
      g_error("%s: left \"%s\", %u frames, waits: %d", row.messages, left.c_str(), frames, waits);
  }
}

void test_wrap () {
  SendQueue queue;
  for (const std::uint32_t ms : {0xffffff00U, 0xfffffff0U, 0x40U, 0x80U})
    queue.push(packet('a', ms));
  g_assert_cmpuint(queue.trim(limits).frames, ==, 0);
  queue.push(packet('a', 0x3f0));
  g_assert_cmpuint(queue.trim(limits).frames, ==, 2);
  drain(queue);
}

void test_bytes () {
  SendQueue queue;
  unsigned frames = 0;
  // Time that stands still: the bytes bound it.
  for (int i = 0; i < 1000; i++) {
    queue.push(packet('a', 5, 1, 1000));
    frames += queue.trim(limits).frames;
    g_assert_cmpuint(queue.bytes(), <=, limits.media_bytes);
  }
  g_assert_cmpuint(frames, >=, 900);
  // Tiny ones cost more than they are.
  drain(queue);
  for (int i = 0; i < 100'000; i++) {
    queue.push(PacketRef::make("x", MediaKind::audio, 5, 1));
    queue.trim(limits);
  }
  g_assert_cmpuint(queue.bytes(), <, 2000);
  drain(queue);
}

void test_kept () {
  // What can't be left out is counted by what it takes, until it has gone.
  SendQueue queue;
  for (int i = 0; i < 100; i++) {
    queue.push(packet('c', 0));
    queue.push(packet('a', 0));
    queue.trim(limits);
  }
  g_assert_cmpuint(queue.kept(), >, 100 * 500);
  queue.clear_media(1);
  g_assert_cmpuint(queue.kept(), >, 100 * 500);
  drain(queue);
  g_assert_cmpuint(queue.kept(), ==, 0);
}

void test_streams () {
  // The time of one stream says nothing about another's.
  SendQueue queue;
  queue.push(packet('a', 0, 1));
  queue.push(packet('a', 50'000, 2));
  queue.push(packet('a', 100, 1));
  g_assert_cmpuint(queue.trim(limits).frames, ==, 0);
  queue.push(packet('k', 200, 1));
  g_assert_cmpuint(queue.trim(limits).frames, ==, 0);
  const auto loss = queue.clear_media(1);
  g_assert_cmpuint(loss.frames, ==, 3);
  g_assert_cmpuint(loss.video_streams, ==, 1U << 1U);
  g_assert_true(drain(queue) == "a50000 ");
}

void test_pieces () {
  // However the kernel takes it, the same bytes go.
  for (std::size_t step = 1; step < 20; step++) {
    SendQueue queue;
    std::string expected;
    for (std::uint32_t i = 0; i < 200; i++) {
      queue.push(packet('A', i));
      expected += packet('A', i)->bytes;
    }
    std::string all;
    std::array<const Packet *, 8> some;
    std::size_t from = 0;
    while (const std::size_t count = queue.peek(some, from)) {
      std::string chunk;
      for (std::size_t i = 0; i < count; i++)
        chunk += i == 0 ? some[i]->bytes.substr(from) : some[i]->bytes;
      chunk.resize(std::min(chunk.size(), step));
      std::array<std::uint8_t, 20> copied{};
      const std::size_t size = queue.copy({copied.data(), step});
      g_assert_true(size == chunk.size() && std::equal(chunk.begin(), chunk.end(), copied.begin()));
      all += chunk;
      queue.advance(chunk.size());
      g_assert_cmpuint(queue.bytes(), ==, expected.size() - all.size());
    }
    g_assert_true(all == expected);
  }
}

}  // namespace

static const agora::Suite suite("send-queue", [] {
  g_test_add_func("/send-queue/table", test_table);
  g_test_add_func("/send-queue/wrap", test_wrap);
  g_test_add_func("/send-queue/bytes", test_bytes);
  g_test_add_func("/send-queue/kept", test_kept);
  g_test_add_func("/send-queue/streams", test_streams);
  g_test_add_func("/send-queue/pieces", test_pieces);
});

}  // namespace send_queue_test

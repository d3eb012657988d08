// SPDX-License-Identifier: LGPL-2.1-or-later
#include <memory>

#include "rtmp-text.hpp"
#include "signaling/relay/rtmp/chunk-reader.hpp"
#include "signaling/relay/rtmp/chunk-writer.hpp"
#include "tests/suite.hpp"

namespace chunks_test {

using namespace agora::relay::rtmp;

namespace {

struct Read {
  std::string text;  // each message: type/stream@time size:bytes
  bool broken = false;
  std::string reason;
  std::size_t memory = 0;
};

// In pieces of `piece` bytes. As a session does, what concerns the chunk stream is done.
Read read (const std::string &bytes, std::size_t piece, const Limits &limits, bool admitted) {
  ChunkReader reader(limits);
  if (admitted)
    reader.admit();
  Read result;
  for (std::size_t at = 0; at < bytes.size(); at += piece) {
    // In memory of its own, so that a byte too far is seen by the sanitiser.
    const std::string_view part = std::string_view(bytes).substr(at, piece);
    const std::vector<std::uint8_t> own(part.begin(), part.end());
    Bytes input = own;
    for (;;) {
      Message message;
      const auto step = reader.next(input, message);
      if (step == ChunkReader::Step::broken) {
        result.broken = true;
        result.reason = reader.reason();
        return result;
      }
      if (step == ChunkReader::Step::more)
        break;
      result.text += (result.text.empty() ? "" : " ") +
                     std::to_string(static_cast<int>(message.type)) + "/" +
                     std::to_string(message.stream) + "@" + std::to_string(message.timestamp) +
                     " " + std::to_string(message.payload.size()) + ":" + hex(message.payload, 4);
      if (message.type == Type::set_chunk_size && message.payload.size() >= 4)
        reader.set_chunk_size(read_u32(message.payload.data()));
      if (message.type == Type::abort && message.payload.size() >= 4)
        reader.abort(read_u32(message.payload.data()));
    }
    g_assert_true(input.empty());
  }
  result.memory = reader.memory();
  return result;
}

struct Case {
  const char *what;
  const char *bytes;
  const char *text;  // "!" and the reason, if a rule is broken after these
};

const Case cases[] = {
    // Basic headers, 5.3.1.1.
    {"id of one byte", "03 000001 000002 08 01000000 af01", "8/1@1 2:af01"},
    {"the largest of one byte", "3f 000001 000001 08 01000000 af", "8/1@1 1:af"},
    {"id of two bytes, the least", "00 00 000001 000001 08 01000000 af", "8/1@1 1:af"},
    {"id of two bytes, the largest", "00 ff 000001 000001 08 01000000 af c0ff bf",
     "8/1@1 1:af 8/1@2 1:bf"},
    {"id of three bytes, the largest", "01 ffff 000001 000001 08 01000000 af c1ffff bf",
     "8/1@1 1:af 8/1@2 1:bf"},
    {"one id, told in two ways", "00 00 000001 000001 08 01000000 af c10000 bf",
     "8/1@1 1:af 8/1@2 1:bf"},
    // Message headers, 5.3.1.2.
    {"type 0: all of it", "04 0003e8 000001 09 04030201 17", "9/16909060@1000 1:17"},
    {"type 1: the stream goes on", "04 000064 000001 08 01000000 af 44 000017 000002 09 b1b2",
     "8/1@100 1:af 9/1@123 2:b1b2"},
    {"type 2: length and type go on", "04 000064 000001 08 01000000 af 84 000017 bf",
     "8/1@100 1:af 8/1@123 1:bf"},
    {"type 3: the difference goes on", "04 000064 000001 08 01000000 af 84 000017 bf c4 cf c4 df",
     "8/1@100 1:af 8/1@123 1:bf 8/1@146 1:cf 8/1@169 1:df"},
    // 5.3.1.2.4: "the timestamp delta is the same as the timestamp of the Type 0 chunk".
    {"type 3 after type 0: its timestamp is the difference",
     "04 000017 000001 08 01000000 af c4 bf c4 cf", "8/1@23 1:af 8/1@46 1:bf 8/1@69 1:cf"},
    {"a time that restarts, by type 0",
     "04 000064 000001 08 01000000 af 04 000000 000001 08 01000000 bf", "8/1@100 1:af 8/1@0 1:bf"},
    {"streams interleaved: each has its own differences",
     "04 000064 000001 08 01000000 af 06 000032 000001 09 01000000 17 84 000001 bf 86 000002 27",
     "8/1@100 1:af 9/1@50 1:17 8/1@101 1:bf 9/1@52 1:27"},
    {"type 1 begins a stream, as librtmp's pings do", "42 000000 000006 04 000300000000",
     "4/0@0 6:00030000…"},
    {"type 2 begins a stream", "84 000017 bf",
     "! a chunk stream begins with a chunk of type 2 or 3"},
    {"type 3 begins a stream", "c4 bf", "! a chunk stream begins with a chunk of type 2 or 3"},
    {"a message without payload", "04 000001 000000 08 01000000 c4 c4",
     "8/1@1 0: 8/1@2 0: 8/1@3 0:"},
    // Chunks, 5.3.2.
    {"128 bytes are one chunk", "04 000001 000080 08 01000000 61*128", "8/1@1 128:61616161…"},
    {"129 are two", "04 000001 000081 08 01000000 61*128 c4 62", "8/1@1 129:61616161…"},
    {"307 bytes, the example of 5.3.2.2", "04 0003e8 000133 09 52030000 61*128 c4 61*128 c4 61*51",
     "9/850@1000 307:61616161…"},
    {"two messages in turns",
     "04 000001 000081 08 01000000 61*128 06 000002 000082 09 01000000 62*128 c4 61 c6 62*2",
     "8/1@1 129:61616161… 9/1@2 130:62626262…"},
    {"the whole header again within a message",
     "04 000001 000081 08 01000000 61*128 04 000001 000081 08 01000000 61", "8/1@1 129:61616161…"},
    {"type 2 within a message", "04 000001 000081 08 01000000 61*128 84 000000 61",
     "8/1@1 129:61616161…"},
    {"another message within a message",
     "04 000001 000081 08 01000000 61*128 04 000001 000082 08 01000000 61",
     "! a message begins within another one of the same chunk stream"},
    {"another type within a message", "04 000001 000081 08 01000000 61*128 44 000001 000081 09 61",
     "! a message begins within another one of the same chunk stream"},
    // Set chunk size, 5.4.1.
    {"chunk size 1",
     "02 000000 000004 01 00000000 00000001 04 000001 000003 08 01000000 61 c4 62 c4 63",
     "1/0@0 4:00000001 8/1@1 3:616263"},
    {"chunk size 65536",
     "02 000000 000004 01 00000000 00010000 04 000001 000400 08 01000000 61*1024",
     "1/0@0 4:00010000 8/1@1 1024:61616161…"},
    {"a chunk size in the middle of a message",
     "04 000001 000102 08 01000000 61*128 02 000000 000004 01 00000000 00000080 "
     "02 000000 000004 01 00000000 00000100 c4 62*130",
     "1/0@0 4:00000080 1/0@0 4:00000100 8/1@1 258:61616161…"},
    // Abort, 5.4.2.
    {"abort: the rest doesn't come",
     "04 000001 000081 08 01000000 61*128 02 000000 000004 02 00000000 00000004 c4 62*128 c4 63",
     "2/0@0 4:00000004 8/1@2 129:62626262…"},
    {"abort of a stream that has nothing under way",
     "04 000001 000001 08 01000000 61 02 000000 000004 02 00000000 00000004 c4 62",
     "8/1@1 1:61 2/0@0 4:00000004 8/1@2 1:62"},
    {"abort of a stream that isn't", "02 000000 000004 02 00000000 00000009", "2/0@0 4:00000009"},
    // Extended timestamps, 5.3.1.3.
    {"the largest that needs none", "04 fffffe 000001 08 01000000 af", "8/1@16777214 1:af"},
    {"the least that needs one", "04 ffffff 000001 08 01000000 00ffffff af", "8/1@16777215 1:af"},
    {"the largest, and it wraps", "04 ffffff 000001 08 01000000 ffffffff af 84 000002 bf",
     "8/1@4294967295 1:af 8/1@1 1:bf"},
    {"a difference of that kind", "04 000001 000001 08 01000000 af 84 ffffff 01000000 bf",
     "8/1@1 1:af 8/1@16777217 1:bf"},
    {"type 3 within a message repeats it",
     "04 ffffff 000081 08 01000000 01000000 61*128 c4 01000000 62 06 000001 000001 09 01000000 17",
     "8/1@16777216 129:61616161… 9/1@1 1:17"},
    {"type 3 within a message leaves it out, as some peers do",
     "04 ffffff 000085 08 01000000 01000000 61*128 c4 62*5", "8/1@16777216 133:61616161…"},
    {"left out, with less than four bytes to come",
     "04 ffffff 000081 08 01000000 01000000 61*128 c4 62 04 ffffff 000001 08 01000000 01000017 63",
     "8/1@16777216 129:61616161… 8/1@16777239 1:63"},
    {"left out, and the next header is short",
     "06 000001 000001 08 01000000 60 "
     "04 ffffff 000081 08 01000000 01000000 61*128 c4 62 86 000017 63",
     "8/1@1 1:60 8/1@16777216 129:61616161… 8/1@24 1:63"},
    {"type 3 within a message has the message's time, not the difference",
     "04 ffffff 000001 08 01000000 01000000 60 44 ffffff 000081 08 02000000 61*128 c4 03000000 62 "
     "06 000001 000001 09 01000000 17",
     "8/1@16777216 1:60 8/1@50331648 129:61616161… 9/1@1 1:17"},
    {"type 3 begins a message and repeats it",
     "04 000001 000001 08 01000000 af 84 ffffff 01000000 bf c4 01000000 cf",
     "8/1@1 1:af 8/1@16777217 1:bf 8/1@33554433 1:cf"},
    // Bounds. These are of Limits: 16 KiB before a push is accepted.
    {"longer than allowed", "04 000001 004001 08 01000000", "! a message is longer than allowed"},
    {"as long as allowed", "04 000001 004000 08 01000000", ""},
    {"by type 1", "04 000001 000000 08 01000000 44 000001 ffffff 08",
     "8/1@1 0: ! a message is longer than allowed"},
};

std::string shown (const Read &result) {
  if (!result.broken)
    return result.text;
  return result.text + (result.text.empty() ? "! " : " ! ") + result.reason;
}

void table () {
  const Limits limits;
  for (const Case &each : cases) {
    const std::string bytes = unhex(each.bytes);
    for (std::size_t piece : {bytes.size(), std::size_t{1}, std::size_t{2}, std::size_t{3},
                              std::size_t{5}, std::size_t{11}, std::size_t{100}}) {
      const std::string text = shown(read(bytes, piece, limits, false));
      if (text != each.text)
        g_error("%s, in pieces of %zu: %s, not %s", each.what, piece, text.c_str(), each.text);
    }
  }
}

void bounds () {
  const Limits limits;
  // One chunk stream too many.
  std::string bytes;
  for (unsigned i = 0; i <= limits.chunk_streams; ++i)
    bytes += std::string(1, static_cast<char>(3 + i)) + unhex("000000 000000 08 01000000");
  assert_same(read(bytes, bytes.size(), limits, false).reason, "too many chunk streams");
  bytes.resize(bytes.size() - 12);
  g_assert_false(read(bytes, bytes.size(), limits, false).broken);

  // What is claimed is not reserved; what came is counted over all chunk streams.
  bytes.clear();
  for (unsigned i = 0; i < limits.chunk_streams; ++i)
    bytes += std::string(1, static_cast<char>(3 + i)) + unhex("000000 004000 08 01000000 61*128");
  const Read claimed = read(bytes, bytes.size(), limits, false);
  g_assert_false(claimed.broken);
  g_assert_cmpuint(claimed.memory, <, 32 * 1024);
  std::string more;
  for (unsigned round = 0; round < 8; ++round) {
    for (unsigned i = 0; i < limits.chunk_streams; ++i)
      more += std::string(1, static_cast<char>(0xc0 | (3 + i))) + std::string(128, 'a');
  }
  assert_same(read(bytes + more, 1000, limits, false).reason,
              "too many bytes of unfinished messages");
  g_assert_false(read(bytes + more, 1000, limits, true).broken);

  // What was whole, or was given up, counts no more.
  bytes.clear();
  for (int i = 0; i < 600; ++i)
    bytes += unhex("04 000000 000081 08 01000000 61*128 c4 62");
  g_assert_false(read(bytes, 1000, limits, false).broken);
  bytes.clear();
  for (int i = 0; i < 600; ++i)
    bytes += unhex("04 000000 000081 08 01000000 61*128 02 000000 000004 02 00000000 00000004");
  g_assert_false(read(bytes, 1000, limits, false).broken);

  // After a push was accepted, each kind has its own.
  const struct {
    const char *bytes;
    bool good;
  } lengths[] = {
      {"04 000000 100000 08 01000000", true}, {"04 000000 100001 08 01000000", false},
      {"04 000000 100000 09 01000000", true}, {"04 000000 100001 09 01000000", false},
      {"04 000000 100000 16 01000000", true}, {"04 000000 100001 16 01000000", false},
      {"04 000000 010000 12 01000000", true}, {"04 000000 010001 12 01000000", false},
      {"04 000000 010000 0f 01000000", true}, {"04 000000 010001 0f 01000000", false},
      {"04 000000 004000 14 01000000", true}, {"04 000000 004001 14 01000000", false},
      {"04 000000 004000 11 01000000", true}, {"04 000000 004001 11 01000000", false},
      {"04 000000 004000 01 01000000", true}, {"04 000000 004001 01 01000000", false},
      {"04 000000 004000 63 01000000", true}, {"04 000000 004001 63 01000000", false},
  };
  for (const auto &each : lengths)
    g_assert_true(read(unhex(each.bytes), 100, limits, true).broken != each.good);
}

void chunk_sizes () {
  const Limits limits;
  ChunkReader reader(limits);
  g_assert_false(reader.set_chunk_size(0));
  g_assert_true(reader.set_chunk_size(1));
  g_assert_true(reader.set_chunk_size(0x7fffffff));
  g_assert_false(reader.set_chunk_size(0x80000000));
}

// What is handed out is not copied where that can be helped, and given back at once.
void memory () {
  const Limits limits;
  ChunkReader reader(limits);
  const std::string bytes = unhex("04 000001 000080 08 01000000 61*128");
  Bytes input = as_bytes(bytes);
  Message message;
  g_assert_true(reader.next(input, message) == ChunkReader::Step::message);
  g_assert_true(message.payload.data() == as_bytes(bytes).data() + 12);
  g_assert_true(reader.next(input, message) == ChunkReader::Step::more);
  const std::size_t before = reader.memory();
  g_assert_cmpuint(before, <, 512);
  const std::string split = unhex("04 000001 001000 08 01000000") + std::string(128, 'a');
  std::string rest;
  for (int i = 1; i < 32; ++i)
    rest += '\xc4' + std::string(128, 'a');
  const std::string all = split + rest;
  input = as_bytes(all);
  g_assert_true(reader.next(input, message) == ChunkReader::Step::message);
  g_assert_cmpuint(message.payload.size(), ==, 4096);
  g_assert_true(reader.next(input, message) == ChunkReader::Step::more);
  g_assert_cmpuint(reader.memory(), ==, before);
}

struct Written {
  const char *what;
  Type type;
  std::uint32_t stream;
  std::uint32_t timestamp;
  std::size_t size;
  std::uint32_t chunk_size;
  const char *bytes;
};

void written () {
  const Written table[] = {
      {"audio", Type::audio, 1, 23, 2, 128, "04 000017 000002 08 01000000 61*2"},
      {"video", Type::video, 0x01020304, 0xfffffe, 1, 128, "06 fffffe 000001 09 04030201 61"},
      {"data", Type::data, 1, 0, 128, 128, "05 000000 000080 12 01000000 61*128"},
      {"command", Type::command, 0, 0, 129, 128, "03 000000 000081 14 00000000 61*128 c3 61"},
      {"control", Type::set_chunk_size, 0, 0, 4, 128, "02 000000 000004 01 00000000 61*4"},
      {"extended", Type::audio, 1, 0xffffff, 1, 128, "04 ffffff 000001 08 01000000 00ffffff 61"},
      {"extended, in each chunk", Type::audio, 1, 0xffffffff, 3, 1,
       "04 ffffff 000003 08 01000000 ffffffff 61 c4 ffffffff 61 c4 ffffffff 61"},
      {"nothing", Type::audio, 1, 0, 0, 128, "04 000000 000000 08 01000000"},
  };
  for (const Written &each : table) {
    const std::string payload(each.size, 'a');
    std::string out;
    append_message(out, each.type, each.stream, each.timestamp, as_bytes(payload), each.chunk_size);
    if (out != unhex(each.bytes))
      g_error("%s: %s", each.what, hex(as_bytes(out), 500).c_str());
  }
  // The same for each player but for the stream's id, which can be written over.
  const std::string payload(70'000, 'x');
  const MediaMessage message{Type::video, 0x01020304, as_bytes(payload)};
  std::string one = encode_media(message, 1);
  const std::string other = encode_media(message, 0x0a0b0c0d);
  one.replace(kStreamIdOffset, 4, "\x0d\x0c\x0b\x0a", 4);
  g_assert_true(one == other);
  g_assert_cmpuint(one.size(), ==, 70'000 + 16 + 5);
}

// Whatever was written is read again.
void there_and_back () {
  Limits limits;
  limits.message_bytes = limits.unfinished_bytes = 1 << 20;
  g_autoptr(GRand) random = g_rand_new_with_seed(7);
  for (int round = 0; round < 300; ++round) {
    const auto chunk_size = static_cast<std::uint32_t>(g_rand_int_range(random, 1, 3000));
    std::string bytes;
    std::string expected;
    std::string payload;
    append_u32(payload, chunk_size);
    append_message(bytes, Type::set_chunk_size, 0, 0, as_bytes(payload), 128);
    expected = "1/0@0 4:" + hex(as_bytes(payload), 4);
    for (int i = 0; i < 5; ++i) {
      const auto size = static_cast<std::size_t>(g_rand_int_range(random, 0, 5000));
      const std::uint32_t time = g_rand_int(random) >> g_rand_int_range(random, 0, 20);
      const Type types[] = {Type::audio, Type::video, Type::data, Type::command};
      const Type type = types[g_rand_int_range(random, 0, 4)];
      payload.assign(size, static_cast<char>(g_rand_int_range(random, 0, 256)));
      append_message(bytes, type, 1, time, as_bytes(payload), chunk_size);
      expected += " " + std::to_string(static_cast<int>(type)) + "/1@" + std::to_string(time) +
                  " " + std::to_string(size) + ":" + hex(as_bytes(payload), 4);
    }
    const auto piece = static_cast<std::size_t>(g_rand_int_range(random, 1, 4000));
    assert_same(shown(read(bytes, piece, limits, true)), expected);
  }
}

}  // namespace

static const agora::Suite suite("chunks", [] {
  g_test_add_func("/relay/chunks/table", table);
  g_test_add_func("/relay/chunks/bounds", bounds);
  g_test_add_func("/relay/chunks/chunk-sizes", chunk_sizes);
  g_test_add_func("/relay/chunks/memory", memory);
  g_test_add_func("/relay/chunks/written", written);
  g_test_add_func("/relay/chunks/there-and-back", there_and_back);
});

}  // namespace chunks_test

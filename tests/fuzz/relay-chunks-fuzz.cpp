// SPDX-License-Identifier: LGPL-2.1-or-later
// Any bytes as a chunk stream. The first byte says how the rest is cut, the second whether a push
// was accepted.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "signaling/relay/rtmp/bytes.hpp"
#include "signaling/relay/rtmp/chunk-reader.hpp"
#include "signaling/relay/rtmp/chunk-writer.hpp"
#include "tests/fuzz/rtmp-check.hpp"

namespace {

using namespace agora::relay::rtmp;
using namespace agora::relay::rtmp::fuzz;

struct Kept {
  Type type;
  std::uint32_t stream;
  std::uint32_t timestamp;
  std::vector<std::uint8_t> payload;
  bool operator==(const Kept &) const = default;
};

struct Result {
  std::vector<Kept> messages;
  bool broken = false;
};

// As a session does, what concerns the chunk stream is done.
Result read (Bytes bytes, std::size_t piece, const Limits &limits, bool admitted) {
  ChunkReader reader(limits);
  if (admitted)
    reader.admit();
  Result result;
  std::size_t came = 0;
  while (!bytes.empty()) {
    // In memory of its own, so that a byte too far is seen.
    const std::vector<std::uint8_t> own(
        bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(std::min(piece, bytes.size())));
    bytes = bytes.subspan(own.size());
    came += own.size();
    Bytes input = own;
    for (;;) {
      Message message;
      const auto step = reader.next(input, message);
      // Twice what came, as vectors grow; and the table of chunk streams.
      require(reader.memory() <= 2 * came + 512 + 128 * 2 * limits.chunk_streams,
              "more memory than what came");
      const std::size_t most = limits.unfinished_bytes + (admitted ? limits.media_bytes : 0);
      require(reader.memory() <= 2 * most + 128 * 2 * limits.chunk_streams + 1024 * 32,
              "more memory than the limit");
      if (step == ChunkReader::Step::broken) {
        require(*reader.reason() != '\0', "broken without a reason");
        result.broken = true;
        return result;
      }
      if (step == ChunkReader::Step::more) {
        require(input.empty(), "something was left");
        break;
      }
      const std::size_t longest =
          std::max({limits.message_bytes, limits.data_bytes, limits.media_bytes});
      require(message.payload.size() <= (admitted ? longest : limits.message_bytes),
              "longer than allowed");
      result.messages.push_back({message.type,
                                 message.stream,
                                 message.timestamp,
                                 {message.payload.begin(), message.payload.end()}});
      if (message.payload.size() >= 4) {
        const std::uint32_t value = read_u32(message.payload.data());
        if (message.type == Type::set_chunk_size)
          reader.set_chunk_size(value);
        if (message.type == Type::abort)
          reader.abort(value);
      }
    }
  }
  return result;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput (const std::uint8_t *data, std::size_t size) {
  if (size < 2)
    return 0;
  const std::size_t piece = data[0] % 64 + 1;
  const bool admitted = data[1] & 1;
  const Bytes bytes(data + 2, size - 2);
  // How TCP cuts it makes no difference, where the bound of all unfinished messages is far away.
  Limits limits;
  limits.unfinished_bytes = 1 << 20;
  const Result whole = read(bytes, bytes.size(), limits, admitted);
  const Result cut = read(bytes, piece, limits, admitted);
  require(whole.broken == cut.broken, "another end when it is cut");
  require(whole.messages == cut.messages, "other messages when it is cut");
  // Close to its bounds.
  limits.media_bytes = 700;
  limits.data_bytes = 300;
  limits.message_bytes = 200;
  limits.unfinished_bytes = 400;
  limits.chunk_streams = 4;
  read(bytes, piece, limits, admitted);
  // What is written is read again.
  std::string written;
  for (const Kept &each : whole.messages) {
    if (each.type != Type::set_chunk_size && each.type != Type::abort)
      append_message(written, each.type, each.stream, each.timestamp, each.payload, 128);
  }
  const Result again = read(as_bytes(written), piece, Limits(), admitted);
  require(!again.broken, "what was written can't be read");
  std::size_t at = 0;
  for (const Kept &each : whole.messages) {
    if (each.type != Type::set_chunk_size && each.type != Type::abort)
      require(again.messages[at++] == each, "what was written is read as something else");
  }
  require(at == again.messages.size(), "more is read than was written");
  return 0;
}

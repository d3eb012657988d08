// SPDX-License-Identifier: LGPL-2.1-or-later
#include "signaling/relay/rtmp/chunk-reader.hpp"

#include <algorithm>

#include "signaling/relay/rtmp/bytes.hpp"

namespace agora::relay::rtmp {

namespace {

constexpr std::uint32_t kLargestChunkSize = 0x7fffffff;
constexpr unsigned kContinues = 3;
// Message headers of the four formats, without the basic header (5.3.1.2).
constexpr std::size_t kHeaderSizes[] = {11, 7, 3, 0};
// A push keeps this much per chunk stream from one message to the next: a voice's are shorter.
constexpr std::size_t kKept = 1024;

}  // namespace

ChunkReader::Step ChunkReader::broken(const char *reason) {
  reason_ = reason;
  return Step::broken;
}

std::size_t ChunkReader::find(std::uint32_t id) const {
  for (std::size_t i = 0; i < streams_.size(); ++i) {
    if (streams_[i].id == id)
      return i;
  }
  return kNone;
}

std::size_t ChunkReader::longest(Type type) const {
  if (admitted_) {
    switch (type) {
      case Type::audio:
      case Type::video:
      case Type::aggregate:
        return limits_.media_bytes;
      case Type::data:
      case Type::data_amf3:
        return limits_.data_bytes;
      default:
        break;
    }
  }
  return limits_.message_bytes;
}

ChunkReader::Header ChunkReader::parse(Bytes bytes) const {
  Header header;
  if (bytes.empty())
    return header;
  header.format = bytes[0] >> 6;
  header.id = bytes[0] & 0x3f;
  std::size_t at = 1;
  // 0 and 1 say that the id stands in the next byte or two (5.3.1.1).
  if (header.id < 2) {
    const std::size_t more = header.id + 1;
    if (bytes.size() < at + more)
      return header;
    header.id = 64 + bytes[1] + (more == 2 ? bytes[2] * 256U : 0U);
    at += more;
  }
  const std::size_t size = kHeaderSizes[header.format];
  if (bytes.size() < at + size)
    return header;
  if (header.format < kContinues)
    header.field = read_u24(&bytes[at]);
  if (header.format < 2) {
    header.length = read_u24(&bytes[at + 3]);
    header.type = bytes[at + 6];
  }
  if (header.format == 0)
    header.stream = read_u32_little(&bytes[at + 7]);
  at += size;
  if (header.format < kContinues) {
    header.extended = header.field == kExtended;
    if (header.extended) {
      if (bytes.size() < at + 4)
        return header;
      header.field = read_u32(&bytes[at]);
      at += 4;
    }
  } else if (const std::size_t index = find(header.id);
             index != kNone && streams_[index].extended) {
    // The specification has the extended timestamp here again (5.3.1.3), and some peers leave it
    // out: what isn't the value from before, or the message's own time, is payload.
    if (bytes.size() < at + 4)
      return header;
    const std::uint32_t again = read_u32(&bytes[at]);
    if (again == streams_[index].field || again == streams_[index].timestamp)
      at += 4;
  }
  header.size = at;
  return header;
}

// True unless the peer broke a rule; `whole` says whether there was a header to be read.
bool ChunkReader::read_header(Bytes &input, bool &whole) {
  Header header;
  if (carried_ == 0) {
    header = parse(input);
    if (header.size > 0) {
      input = input.subspan(header.size);
    } else {
      std::ranges::copy(input, carry_.begin());
      carried_ = static_cast<std::uint8_t>(input.size());
      input = {};
    }
  } else {
    while ((header = parse(Bytes(carry_).first(carried_))).size == 0 && !input.empty()) {
      carry_[carried_++] = input[0];
      input = input.subspan(1);
    }
    // Where there was no extended timestamp, some of it is payload, or the next header.
    if (header.size > 0) {
      std::copy(carry_.begin() + static_cast<std::ptrdiff_t>(header.size),
                carry_.begin() + carried_, carry_.begin());
      carried_ = static_cast<std::uint8_t>(carried_ - header.size);
    }
  }
  whole = header.size > 0;
  return !whole || begin_chunk(header);
}

bool ChunkReader::begin_chunk(const Header &header) {
  current_ = find(header.id);
  if (current_ == kNone) {
    // librtmp begins a chunk stream with format 1, where it means stream 0 and a time from 0.
    if (header.format > 1)
      return broken("a chunk stream begins with a chunk of type 2 or 3"), false;
    if (streams_.size() >= limits_.chunk_streams)
      return broken("too many chunk streams"), false;
    current_ = streams_.size();
    streams_.emplace_back().id = header.id;
  }
  ChunkStream &stream = streams_[current_];
  if (stream.open) {
    // The next part of a message that has begun. Its header may be there again (5.3.1.2.4).
    if (header.format < 2 &&
        (header.length != stream.length || header.type != static_cast<std::uint8_t>(stream.type)))
      return broken("a message begins within another one of the same chunk stream"), false;
  } else {
    if (header.format < 2) {
      stream.length = header.length;
      stream.type = static_cast<Type>(header.type);
    }
    if (header.format == 0)
      stream.stream = header.stream;
    if (header.format < kContinues) {
      stream.field = header.field;
      stream.extended = header.extended;
    }
    // Of type 3: the field from before, even if it was an absolute time (5.3.1.2.4).
    stream.timestamp = header.format == 0 ? stream.field : stream.timestamp + stream.field;
    if (stream.length > longest(stream.type))
      return broken("a message is longer than allowed"), false;
    stream.open = true;
  }
  left_ = std::min<std::size_t>(chunk_size_, stream.length - stream.partial.size());
  return true;
}

// True unless the peer broke a rule; `whole` says whether `message` is one.
bool ChunkReader::take_payload(Bytes &input, Message &message, bool &whole) {
  ChunkStream &stream = streams_[current_];
  message = {stream.type, stream.stream, stream.timestamp, {}};
  if (stream.partial.empty() && carried_ == 0 && left_ == stream.length && input.size() >= left_) {
    message.payload = input.first(left_);
    input = input.subspan(left_);
    left_ = 0;
    whole = true;
  } else {
    const Bytes carried = Bytes(carry_).first(std::min<std::size_t>(carried_, left_));
    const Bytes rest = input.first(std::min(input.size(), left_ - carried.size()));
    const std::size_t taken = carried.size() + rest.size();
    const std::size_t most = limits_.unfinished_bytes + (admitted_ ? limits_.media_bytes : 0);
    if (taken > most || unfinished_ > most - taken)
      return broken("too many bytes of unfinished messages"), false;
    stream.partial.insert(stream.partial.end(), carried.begin(), carried.end());
    stream.partial.insert(stream.partial.end(), rest.begin(), rest.end());
    std::copy(carry_.begin() + static_cast<std::ptrdiff_t>(carried.size()),
              carry_.begin() + carried_, carry_.begin());
    carried_ = static_cast<std::uint8_t>(carried_ - carried.size());
    input = input.subspan(rest.size());
    unfinished_ += taken;
    left_ -= taken;
    whole = stream.partial.size() == stream.length;
    if (whole) {
      message.payload = stream.partial;
      finished_ = current_;
    }
  }
  if (whole)
    stream.open = false;
  if (left_ == 0)
    current_ = kNone;
  return true;
}

void ChunkReader::release_finished() {
  if (finished_ == kNone)
    return;
  std::vector<std::uint8_t> &partial = streams_[finished_].partial;
  unfinished_ -= partial.size();
  partial.clear();
  if (!admitted_ || partial.capacity() > kKept)
    partial = std::vector<std::uint8_t>();
  finished_ = kNone;
}

ChunkReader::Step ChunkReader::next(Bytes &input, Message &message) {
  release_finished();
  for (;;) {
    bool whole = false;
    if (current_ == kNone) {
      if (input.empty() && carried_ == 0)
        return Step::more;
      if (!read_header(input, whole))
        return Step::broken;
      if (!whole)
        return Step::more;
      whole = false;
    }
    if (!take_payload(input, message, whole))
      return Step::broken;
    if (whole)
      return Step::message;
    // The chunk goes on in what comes.
    if (current_ != kNone)
      return Step::more;
  }
}

bool ChunkReader::set_chunk_size(std::uint32_t size) {
  if (size == 0 || size > kLargestChunkSize)
    return false;
  chunk_size_ = size;
  return true;
}

void ChunkReader::abort(std::uint32_t chunk_stream) {
  const std::size_t index = find(chunk_stream);
  if (index == kNone || index == finished_)
    return;
  ChunkStream &stream = streams_[index];
  unfinished_ -= stream.partial.size();
  stream.partial = std::vector<std::uint8_t>();
  stream.open = false;
}

std::size_t ChunkReader::memory() const {
  std::size_t sum = streams_.capacity() * sizeof(ChunkStream);
  for (const ChunkStream &stream : streams_)
    sum += stream.partial.capacity();
  return sum;
}

}  // namespace agora::relay::rtmp

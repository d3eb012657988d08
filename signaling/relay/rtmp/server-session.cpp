// SPDX-License-Identifier: LGPL-2.1-or-later
#include "signaling/relay/rtmp/server-session.hpp"

#include <optional>
#include <utility>

#include "signaling/relay/rtmp/aggregate.hpp"
#include "signaling/relay/rtmp/bytes.hpp"
#include "signaling/relay/rtmp/data-message.hpp"
#include "signaling/relay/rtmp/server-session-state.hpp"

namespace agora::relay::rtmp {

bool ServerSession::State::fail(const char *why) {
  broken = true;
  reason = why;
  return false;
}

ServerSession::State::MessageStream *ServerSession::State::find(std::uint32_t id) {
  for (MessageStream &stream : streams) {
    if (stream.id == id)
      return &stream;
  }
  return nullptr;
}

void ServerSession::State::send(Type type, std::uint32_t stream, std::string_view payload) {
  append_message(output, type, stream, 0, as_bytes(payload), out_chunk_size);
}

void ServerSession::State::send_u32(Type type, std::uint32_t value) {
  std::string payload;
  append_u32(payload, value);
  send(type, 0, payload);
}

bool ServerSession::State::feed(Bytes bytes, Events &events) {
  if (broken)
    return false;
  control.came(bytes.size());
  if (held.empty() && !waiting())
    return read(bytes, events);
  if (bytes.size() > limits.held_bytes || held.size() > limits.held_bytes - bytes.size())
    return fail("too many bytes before a publish or play was answered");
  held.insert(held.end(), bytes.begin(), bytes.end());
  if (waiting())
    return true;
  const std::vector<std::uint8_t> all = std::exchange(held, {});
  return read(all, events);
}

bool ServerSession::State::read(Bytes bytes, Events &events) {
  if (!read_all(bytes, events))
    return false;
  if (bytes.size() > limits.held_bytes)
    return fail("too many bytes before a publish or play was answered");
  held.assign(bytes.begin(), bytes.end());
  control.acknowledge(output);
  return true;
}

// Until nothing is left, or what is left has to wait for an answer.
bool ServerSession::State::read_all(Bytes &bytes, Events &events) {
  if (handshake) {
    switch (handshake->feed(bytes, output, seed, ms)) {
      case Handshake::Step::broken:
        return fail(handshake->reason());
      case Handshake::Step::more:
        return true;
      case Handshake::Step::done:
        handshake.reset();
        break;
    }
  }
  while (!waiting()) {
    Message message;
    switch (reader.next(bytes, message)) {
      case ChunkReader::Step::broken:
        return fail(reader.reason());
      case ChunkReader::Step::more:
        return true;
      case ChunkReader::Step::message:
        break;
    }
    if (!take(message, events))
      return false;
    if (output.size() > limits.output_bytes)
      return fail("asks for more answers than it takes");
  }
  return true;
}

bool ServerSession::State::take(const Message &message, Events &events) {
  if (Control::is_of(message.type))
    return take_control(message, events);
  switch (message.type) {
    case Type::command:
    case Type::command_amf3:
      return take_command(message, events);
    default:
      break;
  }
  if (!connected)
    return fail("a message that is neither protocol control nor a command comes before connect");
  switch (message.type) {
    case Type::audio:
    case Type::video:
    case Type::data:
    case Type::data_amf3:
    case Type::aggregate:
      return take_media(message, events);
    default:
      // Shared objects are no business of a relay; what is unknown may be news to us only.
      return true;
  }
}

bool ServerSession::State::take_control(const Message &message, Events &events) {
  std::optional<UserEvent> event;
  if (const char *wrong = control.take(message, reader, output, event))
    return fail(wrong);
  if (event && event->kind == UserControl::ping_response)
    events.on_pong(event->value);
  return true;
}

bool ServerSession::State::take_media(const Message &message, Events &events) {
  const MessageStream *stream = find(message.stream);
  if (!stream || stream->use == Use::ended) {
    // What was under way when the stream ended does no harm.
    if (message.stream == 0 || message.stream > last_stream)
      return fail("media of a message stream that createStream did not make");
    return true;
  }
  if (stream->use != Use::publishing)
    return fail("media of a message stream that doesn't publish");
  if (message.type == Type::aggregate)
    return take_aggregate(message, events);
  if (message.type == Type::audio || message.type == Type::video) {
    events.on_media(message.stream, {message.type, message.timestamp, message.payload});
    return true;
  }
  // What can't be read is left out: the push sounds without it.
  if (const auto data = read_data(message.payload, message.type == Type::data_amf3))
    events.on_media(message.stream, {Type::data, message.timestamp, *data});
  return true;
}

bool ServerSession::State::take_aggregate(const Message &message, Events &events) {
  if (for_each_part(message, [&] (const Message &part) { return take_media(part, events); }))
    return true;
  return broken ? false : fail("an aggregate message is cut off");
}

ServerSession::ServerSession(const Limits &limits, std::uint64_t seed, std::uint32_t ms)
    : state_(std::make_unique<State>(limits, seed, ms)) {
}

ServerSession::~ServerSession() = default;

bool ServerSession::feed(Bytes bytes, Events &events) {
  return state_->feed(bytes, events);
}

bool ServerSession::waiting() const {
  return state_->waiting();
}

const std::string &ServerSession::reason() const {
  return state_->reason;
}

std::string ServerSession::take_output() {
  return std::exchange(state_->output, {});
}

bool ServerSession::has_output() const {
  return !state_->output.empty();
}

void ServerSession::accept(std::uint32_t stream) {
  state_->accept(stream);
}

void ServerSession::refuse(std::uint32_t stream, std::string_view code, std::string_view text) {
  state_->refuse(stream, code, text);
}

void ServerSession::push_began(std::uint32_t stream) {
  const State::MessageStream *found = state_->find(stream);
  if (found && found->use == State::Use::playing)
    append_user_control(state_->output, UserControl::stream_begin, stream);
}

void ServerSession::push_ended(std::uint32_t stream) {
  const State::MessageStream *found = state_->find(stream);
  if (found && found->use == State::Use::playing)
    append_user_control(state_->output, UserControl::stream_eof, stream);
}

void ServerSession::ping(std::uint32_t ms) {
  if (state_->connected)
    append_user_control(state_->output, UserControl::ping_request, ms);
}

bool ServerSession::connected() const {
  return state_->connected;
}

std::uint64_t ServerSession::bytes_in() const {
  return state_->control.bytes_in();
}

std::size_t ServerSession::held_memory() const {
  const State &state = *state_;
  std::size_t sum = sizeof state + state.reader.memory() + state.held.capacity();
  sum += state.output.capacity() + state.app.capacity() + state.args.capacity();
  sum += state.streams.capacity() * sizeof(State::MessageStream);
  if (state.handshake)
    sum += sizeof *state.handshake + state.handshake->memory();
  return sum;
}

}  // namespace agora::relay::rtmp

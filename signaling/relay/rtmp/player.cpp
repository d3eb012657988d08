// SPDX-License-Identifier: LGPL-2.1-or-later
#include "signaling/relay/rtmp/player.hpp"

#include <optional>
#include <utility>

#include "signaling/relay/rtmp/aggregate.hpp"
#include "signaling/relay/rtmp/amf.hpp"
#include "signaling/relay/rtmp/bytes.hpp"
#include "signaling/relay/rtmp/chunk-reader.hpp"
#include "signaling/relay/rtmp/chunk-writer.hpp"
#include "signaling/relay/rtmp/command-values.hpp"
#include "signaling/relay/rtmp/control.hpp"
#include "signaling/relay/rtmp/data-message.hpp"
#include "signaling/relay/rtmp/player-handshake.hpp"
#include "signaling/relay/rtmp/server-session.hpp"

namespace agora::relay::rtmp {

namespace {

// Transaction ids of our commands.
constexpr double kConnect = 1;
constexpr double kCreateStream = 2;
constexpr double kPlay = 3;
// The server may write in chunks of its own size; ours stay at the first one, since all that we
// write are a few commands.
constexpr std::uint32_t kChunkSize = 128;

// What is said to this player alone. Players of ours are told it by their own relay.
bool is_for_us (Bytes data) {
  const std::string_view name = data_name(data);
  return name == "|RtmpSampleAccess" || name == "onStatus";
}

}  // namespace

struct Player::State {
  enum class Step : std::uint8_t { connecting, creating, asking, playing };

  State(const Limits &bounds, Target what)
      : limits(bounds),
        target(std::move(what)),
        handshake(std::make_unique<PlayerHandshake>()),
        reader(bounds) {}

  bool fail (const char *why);
  bool feed (Bytes bytes, Events &events);
  bool take (const Message &message, Events &events);
  bool take_control (const Message &message, Events &events);
  bool take_command (const Message &message, Events &events);
  bool take_result (double transaction, AmfReader arguments);
  bool take_status (AmfReader arguments, Events &events);
  bool take_media (const Message &message, Events &events);
  void connect ();
  void play ();
  void send (Type type, std::uint32_t on, std::string_view payload) {
    append_message(output, type, on, 0, as_bytes(payload), kChunkSize);
  }

  const Limits &limits;
  const Target target;
  std::unique_ptr<PlayerHandshake> handshake;  // none once it is done
  ChunkReader reader;
  Control control;
  Step step = Step::connecting;
  std::uint32_t stream = 0;  // message stream id; 0: not made yet
  bool began = false;        // the server said so before it accepted the play
  bool broken = false;
  std::string output;
  std::string reason;
};

bool Player::State::fail(const char *why) {
  broken = true;
  reason = why;
  return false;
}

// Both at once: the second needs nothing of the first one's answer.
void Player::State::connect() {
  std::string payload = begin_command("connect", kConnect);
  AmfWriter(payload)
      .begin_object()
      .property("app")
      .string(target.app)
      .property("tcUrl")
      .string(target.url)
      .end_object();
  send(Type::command, 0, payload);
  payload = begin_command("createStream", kCreateStream);
  AmfWriter(payload).null();
  send(Type::command, 0, payload);
}

void Player::State::play() {
  std::string payload = begin_command("play", kPlay);
  AmfWriter(payload).null().string(target.name);
  send(Type::command, stream, payload);
}

bool Player::State::feed(Bytes bytes, Events &events) {
  if (broken)
    return false;
  control.came(bytes.size());
  if (handshake) {
    switch (handshake->feed(bytes, output)) {
      case Handshake::Step::broken:
        return fail(handshake->reason());
      case Handshake::Step::more:
        return true;
      case Handshake::Step::done:
        handshake.reset();
        connect();
        break;
    }
  }
  Message message;
  for (;;) {
    const auto got = reader.next(bytes, message);
    if (got == ChunkReader::Step::broken)
      return fail(reader.reason());
    if (got == ChunkReader::Step::more)
      break;
    if (!take(message, events))
      return false;
    if (output.size() > limits.output_bytes)
      return fail("the server asks for more answers than it takes");
  }
  control.acknowledge(output);
  return true;
}

bool Player::State::take(const Message &message, Events &events) {
  if (Control::is_of(message.type))
    return take_control(message, events);
  switch (message.type) {
    case Type::command:
    case Type::command_amf3:
      return take_command(message, events);
    case Type::audio:
    case Type::video:
    case Type::data:
    case Type::data_amf3:
    case Type::aggregate:
      return take_media(message, events);
    default:
      return true;
  }
}

bool Player::State::take_control(const Message &message, Events &events) {
  std::optional<UserEvent> event;
  if (const char *wrong = control.take(message, reader, output, event))
    return fail(wrong);
  if (!event || event->value != stream)
    return true;
  if (event->kind == UserControl::stream_begin) {
    if (step == Step::playing)
      events.on_begin();
    else
      began = step == Step::asking;
  } else if (event->kind == UserControl::stream_eof) {
    began = false;
    if (step == Step::playing)
      events.on_end();
  }
  return true;
}

bool Player::State::take_command(const Message &message, Events &events) {
  AmfReader values(values_of(message));
  const auto name = values.string();
  if (!name)
    return fail("a command without a name");
  const double transaction = values.number().value_or(0);
  if (!values.at_end() && !values.skip())
    return fail("a command is cut off, or nested too deep");
  if (*name == "_result")
    return take_result(transaction, values);
  if (*name == "_error" && (transaction == kConnect || transaction == kCreateStream))
    return fail("the server refuses the connection");
  if (*name == "_error" && transaction == kPlay)
    return fail("the server refuses the play");
  if (*name == "onStatus" && stream != 0 && message.stream == stream)
    return take_status(values, events);
  return true;
}

bool Player::State::take_result(double transaction, AmfReader arguments) {
  if (transaction == kConnect && step == Step::connecting) {
    step = Step::creating;
  } else if (transaction == kCreateStream && step == Step::creating) {
    stream = as_u32(arguments.number()).value_or(0);
    if (stream == 0)
      return fail("createStream is answered without an id");
    step = Step::asking;
    play();
  }
  return true;
}

bool Player::State::take_status(AmfReader arguments, Events &events) {
  std::string_view level;
  std::string_view code;
  arguments.object([&] (std::string_view name, AmfReader value) {
    if (name == "level")
      level = value.string().value_or(std::string_view());
    else if (name == "code")
      code = value.string().value_or(std::string_view());
  });
  if (level == "error" || code == "NetStream.Play.Failed" ||
      code == "NetStream.Play.StreamNotFound")
    return fail("the server refuses the play");
  if (code == "NetStream.Play.Stop")
    return fail("the server has ended the play");
  if (code == "NetStream.Play.Start" && step == Step::asking) {
    step = Step::playing;
    reader.admit();
    events.on_playing();
    if (std::exchange(began, false))
      events.on_begin();
  } else if (code == "NetStream.Play.UnpublishNotify" && step == Step::playing) {
    events.on_end();
  }
  return true;
}

bool Player::State::take_media(const Message &message, Events &events) {
  if (step != Step::playing) {
    // nginx and others tell players what they may do before they say that the play begins.
    if (step == Step::asking && message.type == Type::data)
      return true;
    return fail("media come before the play is accepted");
  }
  if (message.stream != stream)
    return fail("media of another message stream than the play's");
  if (message.type == Type::aggregate) {
    if (for_each_part(message, [&] (const Message &part) { return take_media(part, events); }))
      return true;
    return broken ? false : fail("an aggregate message is cut off");
  }
  if (message.type == Type::audio || message.type == Type::video) {
    events.on_media({message.type, message.timestamp, message.payload});
    return true;
  }
  const auto data = read_data(message.payload, message.type == Type::data_amf3);
  if (data && !is_for_us(*data))
    events.on_media({Type::data, message.timestamp, *data});
  return true;
}

Player::Player(const Limits &limits, Target target, std::uint64_t seed, std::uint32_t ms)
    : state_(std::make_unique<State>(limits, std::move(target))) {
  PlayerHandshake::begin(state_->output, seed, ms);
}

Player::~Player() = default;

bool Player::feed(Bytes bytes, Events &events) {
  return state_->feed(bytes, events);
}

const std::string &Player::reason() const {
  return state_->reason;
}

std::string Player::take_output() {
  return std::exchange(state_->output, {});
}

bool Player::has_output() const {
  return !state_->output.empty();
}

void Player::ping(std::uint32_t ms) {
  if (playing())
    append_user_control(state_->output, UserControl::ping_request, ms);
}

bool Player::playing() const {
  return state_->step == State::Step::playing;
}

std::size_t Player::held_memory() const {
  const State &state = *state_;
  std::size_t sum = sizeof state + state.reader.memory() + state.output.capacity();
  if (state.handshake)
    sum += sizeof *state.handshake + state.handshake->memory();
  return sum;
}

}  // namespace agora::relay::rtmp

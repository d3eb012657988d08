// SPDX-License-Identifier: LGPL-2.1-or-later
// Commands of the peer (7.2), and those that the specification doesn't have but encoders send.
#include <string>
#include <utility>
#include <vector>

#include "signaling/relay/rtmp/command-values.hpp"
#include "signaling/relay/rtmp/server-session-state.hpp"

namespace agora::relay::rtmp {

bool ServerSession::State::take_command(const Message &message, Events &events) {
  static constexpr struct {
    std::string_view name;
    bool (State::*take)(const Command &command, Events &events);
  } commands[] = {
      {"createStream", &State::create_stream},
      {"deleteStream", &State::delete_stream},
      {"closeStream", &State::close_stream},
      {"publish", &State::publish},
      {"play", &State::play},
      {"play2", &State::play2},
      {"pause", &State::pause},
      {"pauseRaw", &State::pause},
      {"seek", &State::seek},
      {"receiveAudio", &State::receive_audio},
      {"receiveVideo", &State::receive_video},
      {"releaseStream", &State::acknowledge},
      {"FCPublish", &State::fc_publish},
      {"FCUnpublish", &State::fc_unpublish},
      {"FCSubscribe", &State::fc_subscribe},
      {"FCUnsubscribe", &State::acknowledge},
      {"getStreamLength", &State::stream_length},
      {"_checkbw", &State::acknowledge},
      {"checkBandwidth", &State::acknowledge},
      // Answers to what we never ask, and to onStatus.
      {"_result", &State::ignore},
      {"_error", &State::ignore},
      {"onStatus", &State::ignore},
  };

  AmfReader reader(values_of(message));
  const auto name = reader.string();
  if (!name)
    return fail("a command without a name");
  const double transaction = reader.number().value_or(0);
  if (*name == "connect")
    return connect(message, transaction, reader);
  if (!connected)
    return fail("a command other than connect comes before it");
  // The command object: null, with all of these.
  if (!reader.at_end() && !reader.skip())
    return fail("a command is cut off, or nested too deep");
  const Command command{*name, transaction, message.stream, reader};
  for (const auto &each : commands) {
    if (each.name == *name)
      return (this->*each.take)(command, events);
  }
  if (transaction != 0)
    answer_error(transaction, "NetConnection.Call.Failed", "there is no such command");
  return true;
}

bool ServerSession::State::create_stream(const Command &command, Events & /*events*/) {
  if (streams.size() >= limits.streams) {
    answer_error(command.transaction, "NetConnection.Call.Failed", "too many streams");
    return true;
  }
  streams.push_back({++last_stream, Use::created, {}});
  std::string payload = begin_command("_result", command.transaction);
  AmfWriter(payload).null().number(last_stream);
  send(Type::command, 0, payload);
  return true;
}

// What the owner was told of is ended; the message stream itself remains.
void ServerSession::State::end(MessageStream &stream, Events &events) {
  const Use use = std::exchange(stream.use, Use::ended);
  stream.name = {};
  if (use == Use::publishing)
    send_status(stream.id, "status", "NetStream.Unpublish.Success", "The push has ended.");
  else if (use == Use::playing)
    send_status(stream.id, "status", "NetStream.Play.Stop", "The play has ended.");
  else
    return;
  events.on_closed(stream.id);
}

bool ServerSession::State::delete_stream(const Command &command, Events &events) {
  AmfReader arguments = command.arguments;
  const auto id = as_u32(arguments.number());
  if (MessageStream *stream = id ? find(*id) : nullptr) {
    end(*stream, events);
    std::erase_if(streams, [&] (const MessageStream &each) { return each.id == *id; });
  }
  answer(command);
  return true;
}

bool ServerSession::State::close_stream(const Command &command, Events &events) {
  if (MessageStream *stream = find(command.stream))
    end(*stream, events);
  return true;
}

bool ServerSession::State::ask(MessageStream &stream, const Command &command, Use use,
                               Events &events) {
  const bool publishes = use == Use::asks_publish;
  AmfReader arguments = command.arguments;
  const auto [name, query] = split_args(arguments.string().value_or(std::string_view()));
  if (name.empty() || !is_text(name, limits.name_bytes) || !is_text(query, limits.args_bytes)) {
    stream.use = Use::ended;
    send_status(stream.id, "error",
                publishes ? "NetStream.Publish.BadName" : "NetStream.Play.StreamNotFound",
                "The stream's name is empty, too long, or has control characters.");
    return true;
  }
  stream.use = use;
  if (publishes)
    stream.name = name;
  asks = stream.id;
  const Opened opened{stream.id, app, std::string(name), query.empty() ? args : std::string(query)};
  if (publishes)
    events.on_publish(opened);
  else
    events.on_play(opened);
  return true;
}

bool ServerSession::State::publish(const Command &command, Events &events) {
  MessageStream *stream = find(command.stream);
  if (!stream)
    return fail("publish on a message stream that createStream did not make");
  // publish(false) ends it (ActionScript's NetStream).
  AmfReader arguments = command.arguments;
  if (arguments.type() == Amf::boolean) {
    end(*stream, events);
    return true;
  }
  if (stream->use == Use::publishing || stream->use == Use::playing) {
    send_status(stream->id, "error", "NetStream.Publish.BadName",
                "This stream publishes or plays already.");
    return true;
  }
  return ask(*stream, command, Use::asks_publish, events);
}

bool ServerSession::State::play(const Command &command, Events &events) {
  MessageStream *stream = find(command.stream);
  if (!stream)
    return fail("play on a message stream that createStream did not make");
  if (stream->use == Use::publishing) {
    send_status(stream->id, "error", "NetStream.Play.Failed", "This stream publishes.");
    return true;
  }
  // play(false) ends it, and another play takes the place of the one before.
  end(*stream, events);
  if (command.arguments.type() == Amf::boolean)
    return true;
  return ask(*stream, command, Use::asks_play, events);
}

bool ServerSession::State::play2(const Command &command, Events & /*events*/) {
  // A switch between recordings of several bit rates, which a relay doesn't have.
  if (find(command.stream))
    send_status(command.stream, "error", "NetStream.Play.Failed", "There is no other bit rate.");
  return true;
}

bool ServerSession::State::pause(const Command &command, Events &events) {
  AmfReader arguments = command.arguments;
  const auto paused = arguments.boolean();
  const MessageStream *stream = find(command.stream);
  if (!paused || !stream || stream->use != Use::playing)
    return true;
  if (*paused)
    send_status(command.stream, "status", "NetStream.Pause.Notify", "Paused.");
  else
    send_status(command.stream, "status", "NetStream.Unpause.Notify", "Goes on.");
  events.on_pause(command.stream, *paused);
  return true;
}

bool ServerSession::State::seek(const Command &command, Events & /*events*/) {
  if (find(command.stream))
    send_status(command.stream, "error", "NetStream.Seek.Failed", "This is live.");
  return true;
}

bool ServerSession::State::receive_audio(const Command &command, Events &events) {
  AmfReader arguments = command.arguments;
  const auto wanted = arguments.boolean();
  const MessageStream *stream = find(command.stream);
  if (wanted && stream && stream->use == Use::playing)
    events.on_receive_audio(command.stream, *wanted);
  return true;
}

bool ServerSession::State::receive_video(const Command &command, Events &events) {
  AmfReader arguments = command.arguments;
  const auto wanted = arguments.boolean();
  const MessageStream *stream = find(command.stream);
  if (wanted && stream && stream->use == Use::playing)
    events.on_receive_video(command.stream, *wanted);
  return true;
}

bool ServerSession::State::fc_publish(const Command &command, Events & /*events*/) {
  answer(command);
  // Adobe's encoder waits for it. Whether the push is accepted is said to publish.
  send_info("onFCPublish", 0, "status", "NetStream.Publish.Start", "");
  return true;
}

bool ServerSession::State::fc_unpublish(const Command &command, Events &events) {
  AmfReader arguments = command.arguments;
  const std::string_view name = split_args(arguments.string().value_or(std::string_view())).path;
  for (MessageStream &stream : streams) {
    if (stream.use == Use::publishing && stream.name == name) {
      end(stream, events);
      break;
    }
  }
  answer(command);
  return true;
}

bool ServerSession::State::fc_subscribe(const Command &command, Events & /*events*/) {
  answer(command);
  send_info("onFCSubscribe", 0, "status", "NetStream.Play.Start", "");
  return true;
}

bool ServerSession::State::stream_length(const Command &command, Events & /*events*/) {
  if (command.transaction == 0)
    return true;
  std::string payload = begin_command("_result", command.transaction);
  AmfWriter(payload).null().number(0);
  send(Type::command, 0, payload);
  return true;
}

bool ServerSession::State::acknowledge(const Command &command, Events & /*events*/) {
  answer(command);
  return true;
}

bool ServerSession::State::ignore(const Command & /*command*/, Events & /*events*/) {
  return true;
}

void ServerSession::State::accept(std::uint32_t id) {
  MessageStream *stream = find(id);
  if (!stream || id != asks)
    return;
  asks = 0;
  if (stream->use == Use::asks_publish) {
    stream->use = Use::publishing;
    reader.admit();
    send_status(id, "status", "NetStream.Publish.Start", "The push may begin.");
    return;
  }
  stream->use = Use::playing;
  send_status(id, "status", "NetStream.Play.Start", "The play begins.");
  // Flash lets a page look at the sound only if the server allows it.
  std::string payload;
  AmfWriter(payload).string("|RtmpSampleAccess").boolean(true).boolean(true);
  send(Type::data, id, payload);
}

void ServerSession::State::refuse(std::uint32_t id, std::string_view code, std::string_view text) {
  MessageStream *stream = find(id);
  if (!stream || id != asks)
    return;
  asks = 0;
  stream->use = Use::ended;
  stream->name = {};
  send_status(id, "error", code, text);
}

}  // namespace agora::relay::rtmp

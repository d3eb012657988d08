// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// The inside of ServerSession, which server-session.cpp and commands.cpp share.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "signaling/relay/rtmp/amf.hpp"
#include "signaling/relay/rtmp/chunk-reader.hpp"
#include "signaling/relay/rtmp/control.hpp"
#include "signaling/relay/rtmp/handshake.hpp"
#include "signaling/relay/rtmp/server-session.hpp"

namespace agora::relay::rtmp {

struct ServerSession::State {
  enum class Use : std::uint8_t { created, asks_publish, asks_play, publishing, playing, ended };

  struct MessageStream {
    std::uint32_t id = 0;
    Use use = Use::created;
    std::string name;  // of a push, for FCUnpublish
  };

  struct Command {
    std::string_view name;
    double transaction = 0;    // 0: no answer is waited for
    std::uint32_t stream = 0;  // the message's
    AmfReader arguments;       // behind the command object
  };

  State(const Limits &bounds, std::uint64_t seed_, std::uint32_t ms_)
      : limits(bounds),
        seed(seed_),
        ms(ms_),
        handshake(std::make_unique<Handshake>()),
        reader(bounds) {}

  // server-session.cpp
  bool fail (const char *why);
  bool feed (Bytes bytes, Events &events);
  bool read (Bytes bytes, Events &events);
  bool read_all (Bytes &bytes, Events &events);
  bool take (const Message &message, Events &events);
  bool take_control (const Message &message, Events &events);
  bool take_media (const Message &message, Events &events);
  bool take_aggregate (const Message &message, Events &events);
  void send (Type type, std::uint32_t stream, std::string_view payload);
  void send_u32 (Type type, std::uint32_t value);
  MessageStream *find (std::uint32_t id);
  bool waiting () const { return asks != 0; }

  // commands.cpp
  bool take_command (const Message &message, Events &events);
  bool connect (const Message &message, double transaction, AmfReader arguments);
  bool refuse_connect (double transaction, const char *why);
  bool create_stream (const Command &command, Events &events);
  bool delete_stream (const Command &command, Events &events);
  bool close_stream (const Command &command, Events &events);
  bool publish (const Command &command, Events &events);
  bool play (const Command &command, Events &events);
  bool play2 (const Command &command, Events &events);
  bool pause (const Command &command, Events &events);
  bool seek (const Command &command, Events &events);
  bool receive_audio (const Command &command, Events &events);
  bool receive_video (const Command &command, Events &events);
  bool fc_publish (const Command &command, Events &events);
  bool fc_unpublish (const Command &command, Events &events);
  bool fc_subscribe (const Command &command, Events &events);
  bool stream_length (const Command &command, Events &events);
  bool acknowledge (const Command &command, Events &events);
  bool ignore (const Command &command, Events &events);
  bool ask (MessageStream &stream, const Command &command, Use use, Events &events);
  void end (MessageStream &stream, Events &events);
  void answer (const Command &command);
  void answer_error (double transaction, std::string_view code, std::string_view text);
  void send_info (std::string_view command, std::uint32_t stream, std::string_view level,
                  std::string_view code, std::string_view text);
  void send_status (std::uint32_t stream, std::string_view level, std::string_view code,
                    std::string_view text);
  void accept (std::uint32_t id);
  void refuse (std::uint32_t id, std::string_view code, std::string_view text);

  const Limits &limits;
  const std::uint64_t seed;
  const std::uint32_t ms;
  std::unique_ptr<Handshake> handshake;  // none once it is done
  ChunkReader reader;
  Control control;
  std::string output;
  std::string reason;
  std::vector<std::uint8_t> held;  // what came after a publish or play that waits for its answer
  std::string app;
  std::string args;
  std::vector<MessageStream> streams;
  std::uint32_t last_stream = 0;
  std::uint32_t asks = 0;  // the stream that waits for an answer; 0: none
  std::uint32_t out_chunk_size = 128;
  bool connected = false;
  bool broken = false;
};

}  // namespace agora::relay::rtmp

// SPDX-License-Identifier: LGPL-2.1-or-later
// One session and its peer, in words. What the peer says:
//   "0: createStream 2 null"       a command on message stream 0: name, transaction, arguments
//   "1/18@5: '@setDataFrame' {a=1}"  another type, and a timestamp
//   "1/8@23 hex: af01 21"          a payload as it is
// What the session says is told likewise, and what happens as "publish 1 live name args".
#pragma once

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "rtmp-text.hpp"
#include "signaling/relay/rtmp/chunk-reader.hpp"
#include "signaling/relay/rtmp/server-session.hpp"

namespace agora::relay::rtmp {

// "'text' 1 true null undefined {a='b' c={}}" as AMF.
class AmfWords {
 public:
  explicit AmfWords(std::string_view text) : text_(text) {}

  std::string bytes () {
    std::string out;
    while (skip_blanks())
      value(out);
    return out;
  }

 private:
  bool skip_blanks () {
    while (!text_.empty() && text_[0] == ' ')
      text_.remove_prefix(1);
    return !text_.empty();
  }

  std::string_view word (std::string_view ends) {
    const std::string_view taken = text_.substr(0, text_.find_first_of(ends));
    text_.remove_prefix(taken.size());
    return taken;
  }

  void value (std::string &out) {
    AmfWriter writer(out);
    if (text_[0] == '\'') {
      text_.remove_prefix(1);
      writer.string(word("'"));
      text_.remove_prefix(1);
    } else if (text_[0] == '{') {
      text_.remove_prefix(1);
      writer.begin_object();
      while (skip_blanks() && text_[0] != '}') {
        writer.property(word("="));
        text_.remove_prefix(1);
        value(out);
      }
      text_.remove_prefix(1);
      writer.end_object();
    } else {
      const std::string taken(word(" }"));
      if (taken == "null")
        writer.null();
      else if (taken == "undefined")
        writer.undefined();
      else if (taken == "true" || taken == "false")
        writer.boolean(taken == "true");
      else if (g_ascii_isdigit(taken[0]) || taken[0] == '-')
        writer.number(g_ascii_strtod(taken.c_str(), nullptr));
      else
        writer.string(taken);
    }
  }

  std::string_view text_;
};

inline std::string words_to_bytes (std::string_view words, std::uint32_t chunk_size) {
  const std::size_t colon = words.find(':');
  g_assert_true(colon != std::string_view::npos);
  const std::string head(words.substr(0, colon));
  const std::string_view rest = words.substr(colon + 1);
  const char *at = head.c_str();
  const auto number = [&] (char mark, std::uint64_t otherwise) {
    if (*at != mark)
      return otherwise;
    return g_ascii_strtoull(at + 1, const_cast<char **>(&at), 10);
  };
  const auto stream =
      static_cast<std::uint32_t>(g_ascii_strtoull(at, const_cast<char **>(&at), 10));
  const auto type = static_cast<Type>(number('/', 20));
  const auto time = static_cast<std::uint32_t>(number('@', 0));
  const std::string payload = head.ends_with("hex") ? unhex(rest) : AmfWords(rest).bytes();
  std::string out;
  append_message(out, type, stream, time, as_bytes(payload), chunk_size);
  return out;
}

inline std::string message_text (const Message &message) {
  std::string text =
      std::to_string(message.stream) + "/" + std::to_string(static_cast<int>(message.type));
  const std::uint32_t value = message.payload.size() >= 4 ? read_u32(message.payload.data()) : 0;
  switch (message.type) {
    case Type::command:
    case Type::data:
      return text + ": " + amf_text(message.payload);
    case Type::set_chunk_size:
      return "chunk size " + std::to_string(value);
    case Type::acknowledgement:
      return "acknowledgement " + std::to_string(value);
    case Type::window_acknowledgement_size:
      return "window " + std::to_string(value);
    case Type::set_peer_bandwidth:
      return "bandwidth " + std::to_string(value);
    case Type::user_control:
      return "event " + std::to_string(read_u16(message.payload.data())) + " " +
             std::to_string(read_u32(&message.payload[2]));
    default:
      return text + "@" + std::to_string(message.timestamp) + ": " + hex(message.payload);
  }
}

class Scene final : public ServerSession::Events {
 public:
  enum class Policy { accept, refuse, wait };

  explicit Scene(Policy policy = Policy::accept, const Limits &limits = Limits())
      : limits_(limits), session(limits_, 1, 2), policy_(policy) {}

  static std::string hello () { return '\3' + std::string(2 * kHandshake, '\0'); }

  // The handshake, connect and createStream of a usual peer.
  Scene &shake () {
    send(hello());
    return *this;
  }
  Scene &connect () {
    shake();
    say("0: connect 1 {app='live' tcUrl='rtmp://127.0.0.1/live'}");
    answers();
    return *this;
  }
  Scene &create () {
    connect();
    say("0: createStream 2 null");
    answers();
    return *this;
  }

  bool send (std::string_view bytes, std::size_t piece = 100'000) {
    bool good = true;
    for (std::size_t at = 0; good && at < bytes.size(); at += piece) {
      // In memory of its own, so that a byte too far is seen by the sanitiser.
      const std::string_view part = bytes.substr(at, piece);
      const std::vector<std::uint8_t> own(part.begin(), part.end());
      good = session.feed(own, *this);
      output_ += session.take_output();
    }
    if (!good)
      happened("broken: " + session.reason());
    return good;
  }
  bool say (std::string_view words) { return send(words_to_bytes(words, chunk_size)); }
  // After an answer that came late.
  bool resume () {
    const bool good = session.feed({}, *this);
    output_ += session.take_output();
    if (!good)
      happened("broken: " + session.reason());
    return good;
  }

  // What the session has said since the last call, a line each.
  std::string answers () {
    output_ += session.take_output();
    if (!shaken_) {
      if (output_.size() < 1 + 2 * kHandshake)
        return "";
      output_.erase(0, 1 + 2 * kHandshake);
      shaken_ = true;
    }
    std::string text;
    Bytes input = as_bytes(output_);
    Message message;
    while (reader_.next(input, message) == ChunkReader::Step::message) {
      text += message_text(message) + "\n";
      if (message.type == Type::set_chunk_size)
        reader_.set_chunk_size(read_u32(message.payload.data()));
    }
    output_.clear();
    return text;
  }
  // What has happened since the last call, a line each.
  std::string events () { return std::exchange(events_, {}); }

  void on_publish (const Opened &opened) override { asked("publish", opened); }
  void on_play (const Opened &opened) override { asked("play", opened); }
  void on_media (std::uint32_t stream, const MediaMessage &message) override {
    std::string text = "media " + std::to_string(stream) + "/" +
                       std::to_string(static_cast<int>(message.type)) + "@" +
                       std::to_string(message.timestamp) + ": ";
    text += message.type == Type::data ? amf_text(message.payload) : hex(message.payload);
    happened(text);
  }
  void on_closed (std::uint32_t stream) override { happened("closed " + std::to_string(stream)); }
  void on_pause (std::uint32_t stream, bool paused) override {
    happened((paused ? "pause " : "unpause ") + std::to_string(stream));
  }
  void on_receive_audio (std::uint32_t stream, bool wanted) override {
    happened((wanted ? "audio " : "no audio ") + std::to_string(stream));
  }
  void on_receive_video (std::uint32_t stream, bool wanted) override {
    happened((wanted ? "video " : "no video ") + std::to_string(stream));
  }
  void on_pong (std::uint32_t ms) override { happened("pong " + std::to_string(ms)); }

 private:
  static constexpr std::size_t kHandshake = 1536;

  void happened (const std::string &what) { events_ += what + "\n"; }
  void asked (const char *what, const Opened &opened) {
    happened(std::string(what) + " " + std::to_string(opened.stream) + " " + opened.app + " " +
             opened.name + " " + opened.args);
    if (policy_ == Policy::accept)
      session.accept(opened.stream);
    else if (policy_ == Policy::refuse)
      session.refuse(opened.stream, "NetStream.Publish.BadName", "no");
  }

  const Limits limits_;

 public:
  ServerSession session;
  std::uint32_t chunk_size = 128;  // the peer's

 private:
  const Policy policy_;
  std::string events_;
  std::string output_;
  ChunkReader reader_{limits_};
  bool shaken_ = false;
};

}  // namespace agora::relay::rtmp

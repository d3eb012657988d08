// SPDX-License-Identifier: LGPL-2.1-or-later
// Any bytes as one whole connection, from the handshake to media. A first byte of 3 begins a
// handshake, as recorded connections do; after any other one, a usual handshake is sent before what
// follows. That byte says what publish and play are answered, and when.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>

#include "signaling/relay/rtmp/server-session.hpp"
#include "tests/fuzz/rtmp-check.hpp"

namespace {

using namespace agora::relay::rtmp;
using namespace agora::relay::rtmp::fuzz;

bool plain (const std::string &text, std::size_t most) {
  return text.size() <= most && std::ranges::none_of(text, [] (char c) {
           return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
         });
}

struct Options {
  bool accepts = true;
  bool at_once = true;
  std::size_t piece = 1;
};

class Peer final : public ServerSession::Events {
 public:
  Peer(const Limits &limits, const Options &options)
      : limits_(limits), options_(options), session_(limits, 5, 6) {}

  // What happened, as text.
  std::string run (Bytes bytes) {
    const bool good = in_pieces(bytes, options_.piece, [this] (Bytes piece) {
      bool wants = session_.feed(piece, *this);
      while (wants && session_.waiting()) {
        answer(asks_);
        wants = session_.feed({}, *this);
      }
      take();
      return wants;
    });
    if (!good) {
      require(!session_.reason().empty(), "broken without a reason");
      require(!session_.feed({}, *this), "a broken rule is forgotten");
      events_ += "broken: " + session_.reason() + "\n";
    }
    check_output();
    return events_;
  }

  void on_publish (const Opened &opened) override { asked(opened, Use::push); }
  void on_play (const Opened &opened) override { asked(opened, Use::play); }
  void on_media (std::uint32_t stream, const MediaMessage &message) override {
    require(uses_[stream] == Use::push && !session_.waiting(), "media of nobody's push");
    events_ += "media " + std::to_string(stream) + " " + check_media(message, limits_);
  }
  void on_closed (std::uint32_t stream) override {
    require(uses_[stream] == Use::push || uses_[stream] == Use::play, "closed without an opening");
    uses_[stream] = Use::none;
    events_ += "closed " + std::to_string(stream) + "\n";
  }
  void on_pause (std::uint32_t stream, bool /*paused*/) override { of_play(stream); }
  void on_receive_audio (std::uint32_t stream, bool /*wanted*/) override { of_play(stream); }
  void on_receive_video (std::uint32_t stream, bool /*wanted*/) override { of_play(stream); }

 private:
  enum class Use { none, push, play };

  void of_play (std::uint32_t stream) {
    require(uses_[stream] == Use::play, "a pause of what doesn't play");
    session_.push_began(stream);
    session_.push_ended(stream);
  }

  void asked (const Opened &opened, Use use) {
    require(session_.waiting() && session_.connected(), "asked before it is connected");
    require(opened.stream > 0 && uses_[opened.stream] == Use::none, "asked twice");
    require(plain(opened.app, limits_.app_bytes), "a bad app");
    require(plain(opened.name, limits_.name_bytes) && !opened.name.empty(), "a bad name");
    require(plain(opened.args, limits_.args_bytes), "bad arguments");
    require(opened.name.find('?') == std::string::npos, "arguments in the name");
    events_ += "asked " + std::to_string(opened.stream) + " " + opened.app + " " + opened.name +
               " " + opened.args + "\n";
    asks_ = opened.stream;
    wanted_ = use;
    if (options_.at_once)
      answer(asks_);
  }

  void answer (std::uint32_t stream) {
    if (options_.accepts) {
      uses_[stream] = wanted_;
      session_.accept(stream);
    } else {
      session_.refuse(stream, "NetStream.Publish.BadName", "no");
    }
    require(!session_.waiting(), "waits for an answer that it has");
  }

  void take () {
    output_ += session_.take_output();
    const std::size_t most = 2 * limits_.unfinished_bytes + limits_.held_bytes;
    require(session_.held_memory() < 2 * most + limits_.media_bytes, "more memory than the limits");
  }

  // What the peer hears are whole messages, readable ones, and nothing before the handshake.
  void check_output () {
    take();
    if (output_.empty())
      return;
    require(output_.size() >= 1 + 2 * kHandshake && output_[0] == 3, "half an answer");
    check_words(as_bytes(output_).subspan(1 + 2 * kHandshake));
  }

  const Limits &limits_;
  const Options options_;
  ServerSession session_;
  std::map<std::uint32_t, Use> uses_;
  std::uint32_t asks_ = 0;
  Use wanted_ = Use::none;
  std::string events_;
  std::string output_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput (const std::uint8_t *data, std::size_t size) {
  if (size < 2)
    return 0;
  Options options;
  std::string bytes;
  if (data[0] == 3) {
    options.piece = size % 61 + 1;
  } else {
    options.accepts = data[0] & 1;
    options.at_once = data[0] & 4;
    options.piece = data[1] % 64 + 1;
    bytes = '\3' + std::string(2 * kHandshake, 'h');
    data += 2;
    size -= 2;
  }
  append_bytes(bytes, {data, size});
  // How TCP cuts it, and how long an answer takes, make no difference. Where they do, the bounds
  // are far away.
  Limits limits;
  limits.output_bytes = limits.unfinished_bytes = limits.held_bytes = 8 << 20;
  const std::string cut = Peer(limits, options).run(as_bytes(bytes));
  options.piece = bytes.size();
  options.at_once = !options.at_once;
  require(Peer(limits, options).run(as_bytes(bytes)) == cut, "other events when it is cut");
  // Close to its bounds.
  const Limits usual;
  options.piece = 1460;
  Peer(usual, options).run(as_bytes(bytes));
  return 0;
}

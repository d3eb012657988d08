// SPDX-License-Identifier: LGPL-2.1-or-later
// Any bytes as what an origin sends to a relay that pulls from it. A first byte of 3 begins a
// handshake; after any other one, a usual handshake and the answers up to the play's are sent
// before what follows.
#include <cstddef>
#include <cstdint>
#include <string>

#include "signaling/relay/rtmp/chunk-writer.hpp"
#include "signaling/relay/rtmp/player.hpp"
#include "tests/fuzz/rtmp-check.hpp"

namespace {

using namespace agora::relay::rtmp;
using namespace agora::relay::rtmp::fuzz;

std::string answer (const char *name, double transaction, bool with_id) {
  std::string payload;
  AmfWriter writer(payload);
  writer.string(name).number(transaction).null();
  if (with_id)
    writer.number(1);
  std::string out;
  append_message(out, Type::command, 0, 0, as_bytes(payload), 128);
  return out;
}

std::string opening () {
  std::string bytes = '\3' + std::string(2 * kHandshake, 'h');
  bytes += answer("_result", 1, false) + answer("_result", 2, true);
  std::string payload;
  AmfWriter(payload)
      .string("onStatus")
      .number(0)
      .null()
      .begin_object()
      .property("code")
      .string("NetStream.Play.Start")
      .end_object();
  append_message(bytes, Type::command, 1, 0, as_bytes(payload), 128);
  return bytes;
}

class Origin final : public Player::Events {
 public:
  explicit Origin(const Limits &limits)
      : limits_(limits), player_(limits, {"rtmp://127.0.0.1:1/live", "live", "one?a=1"}, 5, 6) {}

  // What happened, as text.
  std::string run (Bytes bytes, std::size_t piece) {
    take();
    const bool good = in_pieces(bytes, piece, [this] (Bytes some) {
      const bool wants = player_.feed(some, *this);
      take();
      return wants;
    });
    if (!good) {
      require(!player_.reason().empty(), "broken without a reason");
      require(!player_.feed({}, *this), "a broken rule is forgotten");
      events_ += "broken: " + player_.reason() + "\n";
    }
    check_output();
    return events_;
  }

  void on_playing () override {
    require(!playing_, "accepted twice");
    playing_ = true;
    events_ += "playing\n";
  }
  void on_begin () override {
    require(playing_, "begins before it plays");
    events_ += "begin\n";
  }
  void on_end () override {
    require(playing_, "ends before it plays");
    events_ += "end\n";
  }
  void on_media (const MediaMessage &message) override {
    require(playing_, "media before it plays");
    events_ += "media " + check_media(message, limits_);
  }

 private:
  void take () {
    output_ += player_.take_output();
    require(player_.held_memory() < 4 * limits_.unfinished_bytes + 2 * limits_.media_bytes,
            "more memory than the limits");
  }

  // What it says are whole messages, readable ones.
  void check_output () {
    require(output_.size() >= 1 + kHandshake && output_[0] == 3, "no handshake");
    if (output_.size() == 1 + kHandshake)
      return;
    require(output_.size() >= 1 + 2 * kHandshake, "half an answer");
    check_words(as_bytes(output_).subspan(1 + 2 * kHandshake));
  }

  const Limits &limits_;
  Player player_;
  bool playing_ = false;
  std::string events_;
  std::string output_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput (const std::uint8_t *data, std::size_t size) {
  if (size < 2)
    return 0;
  std::string bytes;
  const std::size_t piece = data[1] % 64 + 1;
  if (data[0] != 3) {
    bytes = opening();
    data += 2;
    size -= 2;
  }
  append_bytes(bytes, {data, size});
  // How TCP cuts it makes no difference, where the bounds are far away.
  Limits limits;
  limits.output_bytes = limits.unfinished_bytes = 8 << 20;
  const std::string cut = Origin(limits).run(as_bytes(bytes), piece);
  const std::string whole = Origin(limits).run(as_bytes(bytes), bytes.size());
  require(whole == cut, "other events when it is cut");
  // Close to its bounds.
  const Limits usual;
  Origin(usual).run(as_bytes(bytes), 1460);
  return 0;
}

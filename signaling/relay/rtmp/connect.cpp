// SPDX-License-Identifier: LGPL-2.1-or-later
// The command connect, and how commands are answered.
#include <string>

#include "signaling/relay/rtmp/bytes.hpp"
#include "signaling/relay/rtmp/command-values.hpp"
#include "signaling/relay/rtmp/server-session-state.hpp"

namespace agora::relay::rtmp {

namespace {

// Peers acknowledge each time that they got as much. Nothing waits for it.
constexpr std::uint32_t kWindow = 5'000'000;
constexpr std::uint8_t kDynamic = 2;
constexpr double kCapabilities = 31;
constexpr double kAmf3 = 3;

}  // namespace

void ServerSession::State::answer(const Command &command) {
  if (command.transaction == 0)
    return;
  std::string payload = begin_command("_result", command.transaction);
  AmfWriter(payload).null().undefined();
  send(Type::command, 0, payload);
}

void ServerSession::State::answer_error(double transaction, std::string_view code,
                                        std::string_view text) {
  std::string payload = begin_command("_error", transaction);
  AmfWriter(payload).null();
  begin_info(payload, "error", code, text).end_object();
  send(Type::command, 0, payload);
}

void ServerSession::State::send_info(std::string_view command, std::uint32_t stream,
                                     std::string_view level, std::string_view code,
                                     std::string_view text) {
  std::string payload = begin_command(command, 0);
  AmfWriter(payload).null();
  begin_info(payload, level, code, text).end_object();
  send(Type::command, stream, payload);
}

void ServerSession::State::send_status(std::uint32_t stream, std::string_view level,
                                       std::string_view code, std::string_view text) {
  send_info("onStatus", stream, level, code, text);
}

bool ServerSession::State::refuse_connect(double transaction, const char *why) {
  answer_error(transaction, "NetConnection.Connect.Rejected", why);
  return fail(why);
}

bool ServerSession::State::connect(const Message &message, double transaction,
                                   AmfReader arguments) {
  if (connected)
    return fail("connect comes a second time");
  if (message.stream != 0)
    return fail("connect comes on a message stream");
  std::string_view whole_app;
  std::string_view url;
  double encoding = 0;
  const bool read = arguments.object([&] (std::string_view name, AmfReader value) {
    if (name == "app")
      whole_app = value.string().value_or(std::string_view());
    else if (name == "tcUrl")
      url = value.string().value_or(std::string_view());
    else if (name == "objectEncoding")
      encoding = value.number().value_or(0);
  });
  if (!read)
    return fail("connect is cut off, nested too deep, or has no command object");
  auto [name, query] = split_args(whole_app);
  while (name.ends_with('/'))
    name.remove_suffix(1);
  if (query.empty())
    query = split_args(url).args;
  if (!is_text(name, limits.app_bytes))
    return refuse_connect(transaction, "connect: its app is too long, or has control characters");
  if (!is_text(query, limits.args_bytes))
    return refuse_connect(transaction,
                          "connect: its arguments are too long, or have control characters");
  app = name;
  args = query;
  connected = true;

  send_u32(Type::window_acknowledgement_size, kWindow);
  std::string bandwidth;
  append_u32(bandwidth, kWindow);
  append_u8(bandwidth, kDynamic);
  send(Type::set_peer_bandwidth, 0, bandwidth);
  send_u32(Type::set_chunk_size, kOutChunkSize);
  out_chunk_size = kOutChunkSize;
  std::string payload = begin_command("_result", transaction);
  AmfWriter(payload)
      .begin_object()
      .property("fmsVer")
      .string("FMS/3,0,1,123")
      .property("capabilities")
      .number(kCapabilities)
      .end_object();
  begin_info(payload, "status", "NetConnection.Connect.Success", "Connection succeeded.")
      .property("objectEncoding")
      .number(encoding == kAmf3 ? kAmf3 : 0)
      .end_object();
  send(Type::command, 0, payload);
  return true;
}

}  // namespace agora::relay::rtmp

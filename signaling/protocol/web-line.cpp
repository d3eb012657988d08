// SPDX-License-Identifier: LGPL-2.1-or-later
#include "signaling/protocol/web-line.hpp"

#include <algorithm>
#include <limits>
#include <utility>

#include "signaling/protocol/argument-checks.hpp"

namespace agora::web_line {

namespace {

using line::Reader;
using line::Writer;
using protocol::Fields;
using protocol::JsonKind;
using protocol::Need;

constexpr unsigned max_depth = 3;
constexpr std::uint64_t max_port = 65'535;
constexpr std::uint64_t max_status = 599;
constexpr std::int32_t max_code = 9999;

// Each limit: its name, and from where to where it goes.
struct Limit {
  const char *name;
  std::uint32_t Limits::*value;
  std::uint32_t min;
  std::uint32_t max;
};
constexpr Limit limit_table[] = {
    {"sessions", &Limits::sessions, 1, 1'000'000},
    {"opening_ms", &Limits::opening_ms, 1, 3'600'000},
    {"silence_ms", &Limits::silence_ms, 1, 3'600'000},
};

void write_sdp (Writer &to, const char *name, std::string_view value, std::size_t max) {
  if (!is_sdp_text(value, max))
    to.spoil();
  to.text(name, value, max);
}

void write_reason (Writer &to, std::string_view value) {
  to.text("reason", line::fitting(value, max_text), max_text);
}

void write_status (Writer &to, std::uint64_t status) {
  to.number("status", std::min(status, max_status));
}

void write_code (Writer &to, std::int32_t code) {
  to.number("code", static_cast<std::uint64_t>(std::clamp(code, 0, max_code)));
}

void fill (Writer &to, const Configure &message) {
  to.op("configure");
  to.text("gateway", message.gateway, max_url);
  to.json().begin_list("ice_servers");
  if (message.ice_servers.size() > max_ice_servers)
    to.spoil();
  for (const IceServer &server : message.ice_servers) {
    to.json().item();
    to.text("url", server.url, max_url);
    to.text("username", server.username, max_text);
    to.text("credential", server.credential, max_text);
    to.json().end();
  }
  to.json().end_list();
  to.number("rtp_low", message.rtp_low).number("rtp_high", message.rtp_high);
  to.text("public_ip", message.public_ip, max_address);
  to.json().begin("limits");
  for (const Limit &limit : limit_table)
    to.number(limit.name, message.limits.*limit.value);
  to.json().end();
}

void fill (Writer &to, const Offer &message) {
  to.op("offer");
  to.number("session", message.session);
  to.text("kind", message.kind == Kind::speak ? "speak" : "hear", max_text);
  to.number("member", message.member).text("app", message.app, max_app);
  to.text("channel", message.channel, max_channel).text("token", message.token, max_token);
  to.number("uid", message.uid).text("account", message.account, max_account);
  to.text("name", message.name, max_display_name);
  to.number("latency_ms", std::min(message.latency_ms, max_latency_ms));
  to.text("address", message.address, max_address);
  write_sdp(to, "sdp", message.sdp, max_sdp);
}

void fill (Writer &to, const Trickle &message) {
  to.op("trickle");
  to.number("session", message.session).number("number", message.number);
  write_sdp(to, "fragment", message.fragment, max_fragment);
}

void fill (Writer &to, const Call &message) {
  to.op("call");
  to.number("session", message.session).number("number", message.number);
  to.text("text", message.text, max_call);
}

void fill (Writer &to, const End &message) {
  to.op("end").number("session", message.session);
}

void fill (Writer &to, const Listen &message) {
  to.op("listen").number("session", message.session).boolean("on", message.on);
}

void fill (Writer &to, const Feed &message) {
  to.op("feed");
  to.number("feed", message.feed).text("app", message.app, max_app);
  to.text("channel", message.channel, max_channel).text("url", message.url, max_url);
}

void fill (Writer &to, const Ping &message) {
  to.op("ping").number("n", message.n);
}

void fill (Writer &to, const Ready &message) {
  to.op("ready");
  to.text("version", line::fitting(message.version, max_text), max_text);
}

void fill (Writer &to, const Unable &message) {
  to.op("unable");
  write_reason(to, message.reason);
}

void fill (Writer &to, const Answer &message) {
  to.op("answer");
  to.number("session", message.session).number("uid", message.uid);
  write_sdp(to, "sdp", message.sdp, max_sdp);
}

void fill (Writer &to, const Refuse &message) {
  to.op("refuse");
  to.number("session", message.session);
  write_status(to, message.status);
  write_code(to, message.code);
  write_reason(to, message.reason);
}

void fill (Writer &to, const Trickled &message) {
  to.op("trickled");
  to.number("session", message.session).number("number", message.number);
  write_status(to, message.status);
  write_reason(to, message.reason);
}

void fill (Writer &to, const Called &message) {
  to.op("called");
  to.number("session", message.session).number("number", message.number);
  write_status(to, message.status);
  to.text("text", message.text, max_called);
}

void fill (Writer &to, const Event &message) {
  to.op("event");
  to.number("session", message.session).text("name", message.name, max_name);
  to.text("text", message.text, max_event);
}

void fill (Writer &to, const Ended &message) {
  to.op("ended");
  to.number("session", message.session);
  write_code(to, message.code);
  write_reason(to, message.reason);
}

void fill (Writer &to, const Pong &message) {
  to.op("pong");
  to.number("n", message.n).number("members", message.members);
  to.number("sessions", message.sessions).number("threads", message.threads);
  to.number("fds", message.fds);
}

std::vector<IceServer> read_ice_servers (Reader &from) {
  std::vector<IceServer> all;
  const auto *list = from.fields().array("ice_servers", Need::required);
  if (list == nullptr)
    return all;
  for (const auto *item = list->begin(); item != list->end() && from.good(); item = item->next()) {
    if (item->kind != JsonKind::object || all.size() == max_ice_servers) {
      from.fail("ice_servers", "at most " + std::to_string(max_ice_servers) + " objects");
      break;
    }
    Fields fields(item, "ice_servers.", from.fields().failure());
    all.push_back({Reader::text_of(fields, "url", max_url),
                   Reader::text_of(fields, "username", max_text),
                   Reader::text_of(fields, "credential", max_text)});
  }
  return all;
}

Limits read_limits (Reader &from) {
  Limits limits;
  auto object = from.fields().object("limits", Need::required);
  for (const Limit &limit : limit_table)
    if (object)
      limits.*limit.value =
          static_cast<std::uint32_t>(Reader::number_of(*object, limit.name, limit.min, limit.max));
  return limits;
}

Kind read_kind (Reader &from) {
  const std::string word = from.text("kind", max_text);
  if (word != "speak" && word != "hear")
    from.fail("kind", "speak or hear");
  return word == "speak" ? Kind::speak : Kind::hear;
}

std::uint32_t read_small (Reader &from, const char *name, std::uint64_t max) {
  return static_cast<std::uint32_t>(from.number(name, 0, max));
}

Uid read_uid (Reader &from) {
  return read_small(from, "uid", std::numeric_limits<Uid>::max());
}

std::int32_t read_code (Reader &from) {
  return static_cast<std::int32_t>(from.number("code", 0, max_code));
}

std::string read_sdp (Reader &from, const char *name, std::size_t max) {
  std::string text = from.text(name, max);
  if (!is_sdp_text(text, max))
    from.fail(name, "no control characters but CR, LF and TAB");
  return text;
}

// Names of events go into a stream of lines.
std::string read_name (Reader &from) {
  std::string name = from.text("name", max_name);
  const bool good = !name.empty() && std::all_of(name.begin(), name.end(), [] (char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
  });
  if (!good)
    from.fail("name", "small letters, digits and -");
  return name;
}

// Braces give the order of the calls.
std::optional<ToWorker> to_worker (Reader &from, const std::string &op) {
  if (op == "configure") {
    Configure message{from.text("gateway", max_url),         read_ice_servers(from),
                      read_small(from, "rtp_low", max_port), read_small(from, "rtp_high", max_port),
                      from.text("public_ip", max_address),   read_limits(from)};
    if (message.rtp_low > message.rtp_high || (message.rtp_low == 0 && message.rtp_high != 0))
      from.fail("rtp_high", "a port from rtp_low, or 0 both");
    return message;
  }
  if (op == "offer")
    return Offer{from.number("session", 1),
                 read_kind(from),
                 from.number("member"),
                 from.text("app", max_app),
                 from.text("channel", max_channel),
                 from.text("token", max_token),
                 read_uid(from),
                 from.text("account", max_account),
                 from.text("name", max_display_name),
                 read_small(from, "latency_ms", max_latency_ms),
                 from.text("address", max_address),
                 read_sdp(from, "sdp", max_sdp)};
  if (op == "trickle")
    return Trickle{from.number("session", 1), from.number("number"),
                   read_sdp(from, "fragment", max_fragment)};
  if (op == "call")
    return Call{from.number("session", 1), from.number("number"), from.text("text", max_call)};
  if (op == "end")
    return End{from.number("session", 1)};
  if (op == "listen")
    return Listen{from.number("session", 1), from.boolean("on")};
  if (op == "feed")
    return Feed{from.number("feed", 1), from.text("app", max_app),
                from.text("channel", max_channel), from.text("url", max_url)};
  if (op == "ping")
    return Ping{from.number("n")};
  return {};
}

std::optional<ToGateway> to_gateway (Reader &from, const std::string &op) {
  if (op == "ready")
    return Ready{from.text("version", max_text)};
  if (op == "unable")
    return Unable{from.text("reason", max_text)};
  if (op == "answer")
    return Answer{from.number("session", 1), read_uid(from), read_sdp(from, "sdp", max_sdp)};
  if (op == "refuse")
    return Refuse{from.number("session", 1), read_small(from, "status", max_status),
                  read_code(from), from.text("reason", max_text)};
  if (op == "trickled")
    return Trickled{from.number("session", 1), from.number("number"),
                    read_small(from, "status", max_status), from.text("reason", max_text)};
  if (op == "called")
    return Called{from.number("session", 1), from.number("number"),
                  read_small(from, "status", max_status), from.text("text", max_called)};
  if (op == "event")
    return Event{from.number("session", 1), read_name(from), from.text("text", max_event)};
  if (op == "ended")
    return Ended{from.number("session", 1), read_code(from), from.text("reason", max_text)};
  if (op == "pong")
    return Pong{from.number("n"), from.number("members"), from.number("sessions"),
                from.number("threads"), from.number("fds")};
  return {};
}

}  // namespace

bool is_sdp_text (std::string_view text, std::size_t max) {
  constexpr unsigned char first_printable = 0x20;
  constexpr unsigned char del = 0x7f;
  return line::is_text(text, max) && std::all_of(text.begin(), text.end(), [] (unsigned char c) {
           return (c >= first_printable && c != del) || c == '\r' || c == '\n' || c == '\t';
         });
}

std::optional<std::string> encode (const ToWorker &message) {
  Writer to;
  std::visit([&to] (const auto &each) { fill(to, each); }, message);
  return to.finish(max_packet);
}

std::optional<std::string> encode (const ToGateway &message) {
  Writer to;
  std::visit([&to] (const auto &each) { fill(to, each); }, message);
  return to.finish(max_packet);
}

std::variant<ToWorker, std::string> decode_to_worker (std::string_view packet) {
  return line::decode<ToWorker>(packet, max_packet, max_depth, to_worker);
}

std::variant<ToGateway, std::string> decode_to_gateway (std::string_view packet) {
  return line::decode<ToGateway>(packet, max_packet, max_depth, to_gateway);
}

}  // namespace agora::web_line

// SPDX-License-Identifier: LGPL-2.1-or-later
#include "signaling/protocol/relay-line.hpp"

#include <algorithm>
#include <utility>

namespace agora::relay_line {

namespace {

using line::Reader;
using line::Writer;
using protocol::JsonKind;
using protocol::Need;

constexpr unsigned max_depth = 3;
constexpr std::uint64_t max_report_ms = 3'600'000;
constexpr std::size_t max_pem = 48 * 1024;  // certificate and key each

// In Refusal's order.
constexpr std::array<const char *, refusals> refusal_names = {
    "full", "address", "deadline", "protocol", "denied", "rate", "tls"};

// Each limit: its name, and from where to where it goes.
struct Limit {
  const char *name;
  std::uint32_t Limits::*value;
  std::int64_t min;
  std::int64_t max;
};
constexpr Limit limit_table[] = {
    {"listener_lag_ms", &Limits::listener_lag_ms, 1, 3'600'000},
    {"push_kbps", &Limits::push_kbps, 1, 1'000'000},
    {"sessions", &Limits::sessions, 1, 1'000'000},
    {"sessions_per_address", &Limits::sessions_per_address, 1, 1'000'000},
    {"strangers_per_address", &Limits::strangers_per_address, 1, 1'000'000},
    {"opening_ms", &Limits::opening_ms, 1, 3'600'000},
    {"idle_push_ms", &Limits::idle_push_ms, 1, 3'600'000},
    {"opening_pulls", &Limits::opening_pulls, 1, 1'000'000},
};
struct Counter {
  const char *name;
  std::uint64_t Counters::*value;
};
constexpr Counter counter_table[] = {
    {"connections", &Counters::connections},
    {"pushes", &Counters::pushes},
    {"listeners", &Counters::listeners},
    {"bytes_in", &Counters::bytes_in},
    {"bytes_out", &Counters::bytes_out},
    {"lag_ms", &Counters::lag_ms},
    {"dropped_frames", &Counters::dropped_frames},
    {"fds", &Counters::fds},
    {"pulls", &Counters::pulls},
    {"pulls_ended", &Counters::pulls_ended},
    {"pulls_failed", &Counters::pulls_failed},
};

// Those that are 0 aren't told.
struct Figure {
  const char *name;
  std::uint64_t StreamTraffic::*value;
};
constexpr Figure figure_table[] = {
    {"received", &StreamTraffic::received_bytes}, {"sent", &StreamTraffic::sent_bytes},
    {"dropped", &StreamTraffic::dropped_frames},  {"cut", &StreamTraffic::cut_listeners},
    {"lag_ms", &StreamTraffic::lag_ms},
};

const char *word_of (Side side) {
  return side == Side::push ? "push" : "play";
}

void fill (Writer &to, const Configure &message) {
  to.op("configure");
  to.text("app", message.app, max_app);
  to.json().begin("limits");
  for (const Limit &limit : limit_table)
    to.json().integer(limit.name, message.limits.*limit.value);
  to.json().end();
  to.text("certificate", message.certificate, max_pem).text("key", message.key, max_pem);
  if (message.report_ms != 0)
    to.number("report_ms", message.report_ms);
}

void fill (Writer &to, const Trust &message) {
  to.op("trust").text("authorities", message.authorities, max_pem);
}

void fill (Writer &to, const Answer &message) {
  to.op("answer");
  to.number("id", message.id).boolean("allow", message.allow);
  to.text("reason", message.reason, max_text);
  if (!message.relay_from.empty())
    to.text("relay_from", message.relay_from, max_url);
  if (!message.stream.empty())
    to.text("stream", message.stream, max_stream);
}

void fill (Writer &to, const Drop &message) {
  to.op("drop");
  to.number("ticket", message.ticket).text("side", word_of(message.side), max_text);
  to.text("stream", message.stream, max_stream).number("id", message.id);
}

void fill (Writer &to, const Move &message) {
  to.op("move").number("id", message.id).text("stream", message.stream, max_stream);
}

void fill (Writer &to, const Ping &message) {
  to.op("ping").number("n", message.n);
}

void fill (Writer &to, const ListSessions &message) {
  to.op("sessions").number("n", message.n);
}

void fill (Writer &to, const Link &message) {
  to.op("link").number("n", message.n).text("stream", message.stream, max_stream);
  to.text("reason", message.reason, max_text);
}

void fill (Writer &to, const Guest &) {
  to.op("guest");
}

void fill (Writer &to, const Ready &message) {
  to.op("ready").text("version", message.version, max_text);
}

void fill (Writer &to, const Ask &message) {
  to.op("ask");
  to.number("id", message.id).text("side", word_of(message.side), max_text);
  to.text("app", message.app, max_app).text("stream", message.stream, max_stream);
  to.text("args", message.args, max_args).text("address", message.address, max_address);
}

void fill (Writer &to, const Done &message) {
  to.op("done");
  to.number("id", message.id).text("side", word_of(message.side), max_text);
  to.text("stream", message.stream, max_stream);
}

void fill (Writer &to, const Pong &message) {
  to.op("pong");
  to.number("n", message.n);
  for (const Counter &counter : counter_table)
    to.number(counter.name, message.counters.*counter.value);
  to.json().begin("refused");
  for (std::size_t i = 0; i < refusals; i++)
    to.number(refusal_names[i], message.counters.refused[i]);
  to.json().end();
}

void fill (Writer &to, const Sessions &message) {
  to.op("sessions");
  to.number("n", message.n).boolean("last", message.last);
  if (message.ids.size() > max_ids)
    to.spoil();
  to.json().begin_list("ids");
  for (const std::uint64_t id : message.ids)
    to.json().item(static_cast<std::int64_t>(std::min(id, max_number)));
  to.json().end_list();
}

void fill (Writer &to, const Dropped &message) {
  to.op("dropped").number("ticket", message.ticket);
}

void fill (Writer &to, const Dial &message) {
  to.op("dial").number("n", message.n).text("stream", message.stream, max_stream);
  to.text("address", message.address, max_address);
}

void fill (Writer &to, const Pulled &message) {
  to.op("pulled").text("stream", message.stream, max_stream);
}

void fill (Writer &to, const PullFailed &message) {
  to.op("pull-failed").text("stream", message.stream, max_stream);
  to.text("reason", message.reason, max_text);
}

void fill (Writer &to, const Traffic &message) {
  to.op("traffic");
  if (message.streams.size() > max_traffic)
    to.spoil();
  to.json().begin_list("streams");
  for (const StreamTraffic &each : message.streams) {
    to.json().item();
    to.text("stream", each.stream, max_stream);
    for (const Figure &figure : figure_table)
      if (each.*figure.value != 0)
        to.number(figure.name, each.*figure.value);
    to.json().end();
  }
  to.json().end_list();
}

void fill (Writer &to, const Log &message) {
  to.op("log").text("level", message.level == Level::info ? "info" : "warning", max_text);
  to.text("text", line::fitting(message.text, max_text), max_text);
}

Side read_side (Reader &from) {
  const std::string word = from.text("side", max_text);
  if (word != "push" && word != "play")
    from.fail("side", "push or play");
  return word == "push" ? Side::push : Side::play;
}

// "" where it is absent.
std::string optional_text (Reader &from, const char *name, std::size_t max) {
  return from.fields().has(name) ? from.text(name, max) : "";
}

std::vector<std::uint64_t> read_ids (Reader &from) {
  std::vector<std::uint64_t> all;
  const auto *list = from.fields().array("ids", Need::required);
  if (list == nullptr)
    return all;
  for (const auto *item = list->begin(); item != list->end(); item = item->next()) {
    if (item->kind != JsonKind::integer || item->integer < 1 || all.size() == max_ids) {
      from.fail("ids", "at most " + std::to_string(max_ids) + " whole numbers from 1");
      return all;
    }
    all.push_back(static_cast<std::uint64_t>(item->integer));
  }
  return all;
}

std::vector<StreamTraffic> read_traffic (Reader &from) {
  std::vector<StreamTraffic> all;
  const auto *list = from.fields().array("streams", Need::required);
  if (list == nullptr)
    return all;
  for (const auto *item = list->begin(); item != list->end(); item = item->next()) {
    if (item->kind != JsonKind::object || all.size() == max_traffic) {
      from.fail("streams", "at most " + std::to_string(max_traffic) + " objects");
      return all;
    }
    protocol::Fields fields(item, "streams.", from.fields().failure());
    StreamTraffic &each = all.emplace_back();
    each.stream = Reader::text_of(fields, "stream", max_stream);
    for (const Figure &figure : figure_table)
      if (fields.has(figure.name))
        each.*figure.value = Reader::number_of(fields, figure.name);
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

// An older gateway doesn't say it, and knows nothing of Traffic.
std::uint32_t read_report_ms (Reader &from) {
  return from.fields().has("report_ms")
             ? static_cast<std::uint32_t>(from.number("report_ms", 0, max_report_ms))
             : 0;
}

Counters read_counters (Reader &from) {
  Counters counters;
  for (const Counter &counter : counter_table)
    counters.*counter.value = from.number(counter.name);
  auto object = from.fields().object("refused", Need::required);
  for (std::size_t i = 0; object && i < refusals; i++)
    counters.refused[i] = Reader::number_of(*object, refusal_names[i]);
  return counters;
}

// Braces give the order of the calls.
std::optional<ToRelay> to_relay (Reader &from, const std::string &op) {
  if (op == "configure")
    return Configure{from.text("app", max_app), read_limits(from),
                     from.text("certificate", max_pem), from.text("key", max_pem),
                     read_report_ms(from)};
  if (op == "trust")
    return Trust{from.text("authorities", max_pem)};
  if (op == "answer")
    return Answer{from.number("id", 1), from.boolean("allow"), from.text("reason", max_text),
                  optional_text(from, "relay_from", max_url),
                  optional_text(from, "stream", max_stream)};
  if (op == "drop")
    return Drop{from.number("ticket"), read_side(from), from.text("stream", max_stream),
                from.number("id")};
  if (op == "move")
    return Move{from.number("id", 1), from.text("stream", max_stream)};
  if (op == "ping")
    return Ping{from.number("n")};
  if (op == "sessions")
    return ListSessions{from.number("n")};
  if (op == "link")
    return Link{from.number("n"), from.text("stream", max_stream), from.text("reason", max_text)};
  if (op == "guest")
    return Guest{};
  return {};
}

std::optional<ToGateway> to_gateway (Reader &from, const std::string &op) {
  if (op == "ready")
    return Ready{from.text("version", max_text)};
  if (op == "ask")
    return Ask{from.number("id", 1),        read_side(from),
               from.text("app", max_app),   from.text("stream", max_stream),
               from.text("args", max_args), from.text("address", max_address)};
  if (op == "done")
    return Done{from.number("id", 1), read_side(from), from.text("stream", max_stream)};
  if (op == "pong")
    return Pong{from.number("n"), read_counters(from)};
  if (op == "sessions")
    return Sessions{from.number("n"), read_ids(from), from.boolean("last")};
  if (op == "dropped")
    return Dropped{from.number("ticket")};
  if (op == "dial")
    return Dial{from.number("n", 1), from.text("stream", max_stream),
                from.text("address", max_address)};
  if (op == "pulled")
    return Pulled{from.text("stream", max_stream)};
  if (op == "pull-failed")
    return PullFailed{from.text("stream", max_stream), from.text("reason", max_text)};
  if (op == "traffic")
    return Traffic{read_traffic(from)};
  if (op == "log") {
    const std::string level = from.text("level", max_text);
    if (level != "info" && level != "warning")
      from.fail("level", "info or warning");
    return Log{level == "info" ? Level::info : Level::warning, from.text("text", max_text)};
  }
  return {};
}

}  // namespace

std::string_view to_string (Refusal why) {
  return refusal_names[static_cast<std::size_t>(why)];
}

// Each byte of a text takes two at most: control characters are in no name that was allowed.
std::size_t traffic_size (std::string_view stream) {
  constexpr std::size_t names = 80;
  constexpr std::size_t digits = 18;
  return 2 * stream.size() + names + std::size(figure_table) * digits;
}

std::optional<std::string> encode (const ToRelay &message) {
  Writer to;
  std::visit([&to] (const auto &each) { fill(to, each); }, message);
  return to.finish(max_to_relay);
}

std::optional<std::string> encode (const ToGateway &message) {
  Writer to;
  std::visit([&to] (const auto &each) { fill(to, each); }, message);
  return to.finish(max_to_gateway);
}

std::variant<ToRelay, std::string> decode_to_relay (std::string_view packet) {
  return line::decode<ToRelay>(packet, max_to_relay, max_depth, to_relay);
}

std::variant<ToGateway, std::string> decode_to_gateway (std::string_view packet) {
  return line::decode<ToGateway>(packet, max_to_gateway, max_depth, to_gateway);
}

}  // namespace agora::relay_line

// SPDX-License-Identifier: LGPL-2.1-or-later
#include "signaling/protocol/relay-line.hpp"

#include <glib.h>

#include <algorithm>
#include <limits>
#include <utility>

#include "signaling/protocol/argument-checks.hpp"
#include "signaling/protocol/json-writer.hpp"
#include "signaling/protocol/json.hpp"

namespace agora::relay_line {

namespace {

using protocol::Failure;
using protocol::Fields;
using protocol::JsonDocumentPtr;
using protocol::JsonKind;
using protocol::JsonWriter;
using protocol::Need;

constexpr unsigned max_depth = 2;
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
};
struct Counter {
  const char *name;
  std::uint64_t Counters::*value;
};
constexpr Counter counter_table[] = {
    {"connections", &Counters::connections},       {"pushes", &Counters::pushes},
    {"listeners", &Counters::listeners},           {"bytes_in", &Counters::bytes_in},
    {"bytes_out", &Counters::bytes_out},           {"lag_ms", &Counters::lag_ms},
    {"dropped_frames", &Counters::dropped_frames}, {"fds", &Counters::fds},
};

// A packet under way. It remembers that a text can't travel.
class Writer {
 public:
  Writer &op (const char *name) {
    json_.text("op", name);
    return *this;
  }
  Writer &text (const char *name, std::string_view value, std::size_t max) {
    // g_utf8_validate() with a length refuses NUL, too.
    good_ = good_ && value.size() <= max &&
            g_utf8_validate(value.data(), static_cast<gssize>(value.size()), nullptr);
    if (good_)
      json_.text(name, value);
    return *this;
  }
  Writer &number (const char *name, std::uint64_t value) {
    json_.integer(name, static_cast<std::int64_t>(std::min(value, max_number)));
    return *this;
  }
  Writer &boolean (const char *name, bool value) {
    json_.boolean(name, value);
    return *this;
  }
  JsonWriter &json () { return json_; }
  void spoil () { good_ = false; }

  std::optional<std::string> finish (std::size_t max) {
    std::string text = json_.finish();
    if (!good_ || text.size() > max)
      return {};
    return text;
  }

 private:
  JsonWriter json_;
  bool good_ = true;
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
}

void fill (Writer &to, const Answer &message) {
  to.op("answer");
  to.number("id", message.id).boolean("allow", message.allow);
  to.text("reason", message.reason, max_text);
}

void fill (Writer &to, const Drop &message) {
  to.op("drop");
  to.number("ticket", message.ticket).text("side", word_of(message.side), max_text);
  to.text("stream", message.stream, max_stream).number("id", message.id);
}

void fill (Writer &to, const Ping &message) {
  to.op("ping").number("n", message.n);
}

void fill (Writer &to, const ListSessions &message) {
  to.op("sessions").number("n", message.n);
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

void fill (Writer &to, const Log &message) {
  const std::string_view start = std::string_view(message.text).substr(0, max_text);
  g_autofree char *text = g_utf8_make_valid(start.data(), static_cast<gssize>(start.size()));
  // What is made valid may be longer: three bytes for each that is none.
  std::string_view cut = text;
  if (cut.size() > max_text) {
    const char *end = g_utf8_find_prev_char(text, text + max_text);
    cut = cut.substr(0, static_cast<std::size_t>(end - text));
  }
  to.op("log").text("level", message.level == Level::info ? "info" : "warning", max_text);
  to.text("text", cut, max_text);
}

// A packet that was read.
class Reader {
 public:
  Reader(std::string_view packet, std::size_t max) {
    std::string reason;
    document_ = protocol::parse_object(packet, max, max_depth, reason);
    if (document_ == nullptr)
      failure_.set(protocol::Code::bad_request, std::move(reason));
    else
      fields_.emplace(document_->root(), "", failure_);
  }

  bool good () const { return !failure_; }
  const std::string &reason () const { return failure_.reason; }
  void fail (const char *name, const std::string &expected) { fields_->fail(name, expected); }

  std::string text (const char *name, std::size_t max) {
    std::string value = fields_->text(name, Need::required);
    if (value.size() > max)
      fail(name, "at most " + std::to_string(max) + " bytes");
    return value;
  }
  std::uint64_t number (const char *name, std::uint64_t min = 0) {
    return number_of(*fields_, name, min);
  }
  bool boolean (const char *name) {
    if (!fields_->has(name))
      fail(name, "true or false, but it is absent");
    return fields_->boolean(name, Need::required, false);
  }
  Side side () {
    const std::string word = text("side", max_text);
    if (word != "push" && word != "play")
      fail("side", "push or play");
    return word == "push" ? Side::push : Side::play;
  }
  std::vector<std::uint64_t> ids () {
    std::vector<std::uint64_t> all;
    const auto *list = fields_->array("ids", Need::required);
    if (list == nullptr)
      return all;
    for (const auto *item = list->begin(); item != list->end(); item = item->next()) {
      if (item->kind != JsonKind::integer || item->integer < 1 || all.size() == max_ids) {
        fail("ids", "at most " + std::to_string(max_ids) + " whole numbers from 1");
        return all;
      }
      all.push_back(static_cast<std::uint64_t>(item->integer));
    }
    return all;
  }
  Limits limits () {
    Limits limits;
    auto object = fields_->object("limits", Need::required);
    for (const Limit &limit : limit_table)
      if (object)
        limits.*limit.value = static_cast<std::uint32_t>(
            object->integer(limit.name, Need::required, limit.min, limit.max));
    return limits;
  }
  Counters counters () {
    Counters counters;
    for (const Counter &counter : counter_table)
      counters.*counter.value = number(counter.name);
    auto object = fields_->object("refused", Need::required);
    for (std::size_t i = 0; object && i < refusals; i++)
      counters.refused[i] = number_of(*object, refusal_names[i], 0);
    return counters;
  }

 private:
  static std::uint64_t number_of (Fields &fields, const char *name, std::uint64_t min) {
    return static_cast<std::uint64_t>(fields.integer(name, Need::required,
                                                     static_cast<std::int64_t>(min),
                                                     static_cast<std::int64_t>(max_number)));
  }

  JsonDocumentPtr document_;
  Failure failure_;
  std::optional<Fields> fields_;
};

// Braces give the order of the calls.
std::optional<ToRelay> to_relay (Reader &from, const std::string &op) {
  if (op == "configure")
    return Configure{from.text("app", max_app), from.limits(), from.text("certificate", max_pem),
                     from.text("key", max_pem)};
  if (op == "answer")
    return Answer{from.number("id", 1), from.boolean("allow"), from.text("reason", max_text)};
  if (op == "drop")
    return Drop{from.number("ticket"), from.side(), from.text("stream", max_stream),
                from.number("id")};
  if (op == "ping")
    return Ping{from.number("n")};
  if (op == "sessions")
    return ListSessions{from.number("n")};
  return {};
}

std::optional<ToGateway> to_gateway (Reader &from, const std::string &op) {
  if (op == "ready")
    return Ready{from.text("version", max_text)};
  if (op == "ask")
    return Ask{from.number("id", 1),        from.side(),
               from.text("app", max_app),   from.text("stream", max_stream),
               from.text("args", max_args), from.text("address", max_address)};
  if (op == "done")
    return Done{from.number("id", 1), from.side(), from.text("stream", max_stream)};
  if (op == "pong")
    return Pong{from.number("n"), from.counters()};
  if (op == "sessions")
    return Sessions{from.number("n"), from.ids(), from.boolean("last")};
  if (op == "dropped")
    return Dropped{from.number("ticket")};
  if (op == "log") {
    const std::string level = from.text("level", max_text);
    if (level != "info" && level != "warning")
      from.fail("level", "info or warning");
    return Log{level == "info" ? Level::info : Level::warning, from.text("text", max_text)};
  }
  return {};
}

template <typename Message>
std::variant<Message, std::string> decode (std::string_view packet, std::size_t max,
                                           std::optional<Message> (*read)(Reader &from,
                                                                          const std::string &op)) {
  Reader from(packet, max);
  if (!from.good())
    return from.reason();
  const std::string op = from.text("op", max_text);
  if (!from.good())
    return from.reason();
  std::optional<Message> message = read(from, op);
  if (!message)
    return "op: " + protocol::quoted(op) + " is none of this side's";
  if (!from.good())
    return op + ": " + from.reason();
  return std::move(*message);
}

}  // namespace

std::string_view to_string (Refusal why) {
  return refusal_names[static_cast<std::size_t>(why)];
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
  return decode<ToRelay>(packet, max_to_relay, to_relay);
}

std::variant<ToGateway, std::string> decode_to_gateway (std::string_view packet) {
  return decode<ToGateway>(packet, max_to_gateway, to_gateway);
}

}  // namespace agora::relay_line

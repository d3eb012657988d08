// SPDX-License-Identifier: LGPL-2.1-or-later
#define G_LOG_DOMAIN "agora-gateway"
#include "signaling/gateway/web/web-sessions.hpp"

#include <glib.h>

#include <algorithm>

#include "signaling/gateway/web/web-answers.hpp"
#include "signaling/protocol/argument-checks.hpp"
#include "signaling/protocol/json-writer.hpp"
#include "signaling/support/glib-ptr.hpp"

namespace agora::gateway {

using protocol::Code;
using protocol::quoted;
using web_line::Kind;

namespace {

constexpr char stream_wait = 's';
constexpr unsigned session_again_s = 1;

// In one line of an event stream, whatever the worker wrote.
bool is_one_line (std::string_view text) {
  return text.find_first_of("\r\n") == std::string_view::npos;
}

const char *word_of (Kind kind) {
  return kind == Kind::speak ? "speaks" : "hears";
}

}  // namespace

std::string WebSessions::hash_of(std::string_view id) {
  return CharPtr(g_compute_checksum_for_string(G_CHECKSUM_SHA256, id.data(),
                                               static_cast<gssize>(id.size())))
      .get();
}

WebSessions::Session *WebSessions::find(std::uint64_t number) {
  const auto found = sessions_.find(number);
  return found == sessions_.end() ? nullptr : &found->second;
}

// Only sessions that were answered: before, nobody knows the id.
WebSessions::Session *WebSessions::find(std::string_view id) {
  const auto found = by_id_.find(hash_of(id));
  auto *session = found == by_id_.end() ? nullptr : find(found->second);
  return session != nullptr && session->offer == 0 ? session : nullptr;
}

WebSessions::Ticket WebSessions::wait(Session &session, const Reply &reply, std::int64_t until) {
  const auto ticket = ++last_ticket_;
  waiting_[ticket] = {session.number, reply};
  deadlines_.set(ticket, until);
  return ticket;
}

void WebSessions::reply(Ticket ticket, WebAnswer answer) {
  const auto found = waiting_.find(ticket);
  if (found == waiting_.end())
    return;
  const auto waiting = std::move(found->second);
  waiting_.erase(found);
  deadlines_.cancel(ticket);
  if (auto *session = find(waiting.session); session != nullptr && session->offer == ticket) {
    session->offer = 0;
    offering_--;
    offers_[answer.status]++;
  }
  waiting.reply(std::move(answer));
}

void WebSessions::gone(Ticket ticket) {
  const auto found = waiting_.find(ticket);
  if (found == waiting_.end())
    return;
  found->second.reply = [] (const WebAnswer &) noexcept {};
  auto *session = find(found->second.session);
  if (session != nullptr && session->offer == ticket)
    end(session->number, 0, "its client went away before the answer", true);
  else
    reply(ticket, {});
}

void WebSessions::told(const web_line::Answer &message) {
  auto *session = find(message.session);
  if (session == nullptr || session->offer == 0)
    return;
  session->uid = message.uid;
  const auto uid = std::to_string(session->uid);
  g_log_structured(G_LOG_DOMAIN, G_LOG_LEVEL_INFO, "AGORA_APP", session->app.c_str(),
                   "AGORA_CHANNEL", session->channel.c_str(), "AGORA_UID", uid.c_str(), "MESSAGE",
                   "web session %" G_GUINT64_FORMAT " begins: uid %s %s, channel %s, from %s",
                   session->number, uid.c_str(), word_of(session->kind), session->channel.c_str(),
                   session->address.c_str());
  reply(session->offer, created(*session, message.sdp));
}

void WebSessions::told(const web_line::Refuse &message) {
  auto *session = find(message.session);
  if (session == nullptr || session->offer == 0)
    return;
  unanswered(*session, message.status, message.code, message.reason);
}

// The session ends without an answer.
void WebSessions::unanswered(Session &session, unsigned status, int code, const std::string &why) {
  const auto number = session.number;
  g_info("web session %" G_GUINT64_FORMAT " refused, from %s: %s", number, session.address.c_str(),
         quoted(why).c_str());
  reply(session.offer, refusal(status, code, why, session.token_shown, around_.pause_ms()));
  end(number, code, why, false);
}

void WebSessions::told(const web_line::Trickled &message) {
  const auto found = waiting_.find(message.number);
  // A worker may answer only for sessions of its own.
  if (found == waiting_.end() || found->second.session != message.session)
    return;
  constexpr unsigned lowest_failure = 300;
  WebAnswer answer;
  answer.status = status::no_content;
  if (message.status >= lowest_failure)
    answer = refusal(message.status, 0, message.reason, false);
  reply(message.number, std::move(answer));
}

void WebSessions::told(const web_line::Called &message) {
  const auto found = waiting_.find(message.number);
  if (found == waiting_.end() || found->second.session != message.session)
    return;
  constexpr unsigned lowest = 200;
  constexpr unsigned highest = 599;
  WebAnswer answer;
  answer.status =
      message.status < lowest || message.status > highest ? status::internal : message.status;
  answer.type = web_json_type;
  answer.body = message.text + "\n";
  answer.with("Cache-Control", "no-store");
  if (answer.status == status::unavailable)
    answer.with("Retry-After", std::to_string(session_again_s));
  if (answer.status == status::unauthorized)
    answer.with("WWW-Authenticate", "Bearer realm=\"agora\", error=\"invalid_token\"");
  reply(message.number, std::move(answer));
}

void WebSessions::told(const web_line::Event &message) {
  auto *session = find(message.session);
  if (session == nullptr)
    return;
  if (!is_one_line(message.name) || !is_one_line(message.text) || message.name.empty()) {
    g_message("agora-web told an event that has no name, or more than one line: %s",
              quoted(message.name).c_str());
    return;
  }
  const StreamEvent event{message.name, message.text};
  session->state.took_place(event);
  tell(*session, event);
}

void WebSessions::told(const web_line::Ended &message) {
  auto *session = find(message.session);
  if (session == nullptr)
    return;
  if (session->offer != 0)
    unanswered(*session, 0, message.code, message.reason);
  else
    end(session->number, message.code, message.reason, false);
}

void WebSessions::tell(Session &session, const StreamEvent &event) {
  for (auto &[number, stream] : session.streams)
    if (stream.sink != nullptr && (stream.names.empty() || stream.names.contains(event.name)))
      stream.sink->tell(event);
}

void WebSessions::end_stream(Stream &stream) {
  if (stream.sink == nullptr)
    return;
  sinks_.erase(stream.sink);
  std::exchange(stream.sink, nullptr)->end();
}

// Levels come ten times a second, and cost the worker something.
void WebSessions::say_who_listens(Session &session) {
  const bool listens =
      std::any_of(session.streams.begin(), session.streams.end(), [] (const auto &each) {
        const auto &[names, sink] = each.second;
        return sink != nullptr && (names.empty() || names.contains("levels"));
      });
  if (std::exchange(session.listens, listens) != listens)
    around_.listen({session.number, listens});
}

void WebSessions::end(std::uint64_t number, int code, const std::string &why, bool at_worker) {
  const auto found = sessions_.find(number);
  if (found == sessions_.end())
    return;
  auto &session = found->second;
  // What belongs to it, first.
  if (const auto speak = std::exchange(session.speak, 0))
    end(speak, code, why, true);
  if (auto *owner = session.member != 0 ? find(session.member) : nullptr;
      owner != nullptr && owner->speak == number)
    owner->speak = 0;
  if (at_worker)
    around_.end(number);
  const auto valid = CharPtr(g_utf8_make_valid(why.data(), static_cast<gssize>(why.size())));
  const StreamEvent last{
      "ended", protocol::JsonWriter().integer("code", code).text("reason", valid.get()).finish()};
  tell(session, last);
  for (auto &[name, stream] : session.streams)
    end_stream(stream);
  std::vector<Ticket> tickets;
  for (const auto &[ticket, waiting] : waiting_)
    if (waiting.session == number)
      tickets.push_back(ticket);
  for (const auto ticket : tickets)
    reply(ticket, ticket == session.offer ? refusal(0, static_cast<int>(Code::service_lost), why,
                                                    false, around_.pause_ms())
                                          : not_found());
  const auto uid = std::to_string(session.uid);
  g_log_structured(G_LOG_DOMAIN, G_LOG_LEVEL_INFO, "AGORA_APP", session.app.c_str(),
                   "AGORA_CHANNEL", session.channel.c_str(), "AGORA_UID", uid.c_str(), "MESSAGE",
                   "web session %" G_GUINT64_FORMAT " ends: uid %s, channel %s: %s (code %d)",
                   number, uid.c_str(), session.channel.c_str(), quoted(why).c_str(), code);
  deadlines_.cancel(std::pair(stream_wait, number));
  by_id_.erase(hash_of(session.id));
  sessions_.erase(found);
}

void WebSessions::stop() {
  while (!sessions_.empty())
    end(sessions_.begin()->first, static_cast<int>(Code::drain), "the gateway stops", true);
}

std::optional<WebSessions::StreamPlace> WebSessions::wants_stream(const WebRequest &request) {
  const auto target = read_target(request.path);
  if (request.method != "GET" || !target ||
      (target->what != WebTarget::What::stream && target->what != WebTarget::What::events))
    return {};
  auto *session = find(target->id);
  if (session == nullptr || session->kind != target->kind)
    return {};
  if (target->what == WebTarget::What::stream) {
    if (!session->streams.contains(target->stream))
      return {};
    return StreamPlace{session->number, target->stream};
  }
  // Without a POST before it: all events. One number for all such, which comes back.
  session->streams.try_emplace(0);
  return StreamPlace{session->number, 0};
}

void WebSessions::stream_opened(const StreamPlace &place, EventSink &sink) {
  auto *session = find(place.session);
  const auto found = session != nullptr ? session->streams.find(place.stream)
                                        : std::map<unsigned, Stream>::iterator();
  if (session == nullptr || found == session->streams.end()) {
    sink.end();
    return;
  }
  auto &stream = found->second;
  // A reader that comes back may do so before the end of its old connection was noticed.
  end_stream(stream);
  stream.sink = &sink;
  sinks_[&sink] = session->number;
  say_who_listens(*session);
  deadlines_.cancel(std::pair(stream_wait, session->number));
  auto events = session->state.events();
  if (!stream.names.empty())
    std::erase_if(events, [&] (const auto &event) { return !stream.names.contains(event.name); });
  sink.begin(events);
}

void WebSessions::stream_closed(EventSink &sink, std::int64_t mono_ms) {
  const auto found = sinks_.find(&sink);
  if (found == sinks_.end())
    return;
  auto &session = sessions_.at(found->second);
  sinks_.erase(found);
  bool open = false;
  for (auto &[number, stream] : session.streams) {
    if (stream.sink == &sink)
      stream.sink = nullptr;
    open = open || stream.sink != nullptr;
  }
  say_who_listens(session);
  if (!open)
    deadlines_.set(std::pair(stream_wait, session.number), mono_ms + rules_.stream_back_ms);
}

void WebSessions::tick(std::int64_t mono_ms) {
  while (const auto due = deadlines_.pop(mono_ms)) {
    if (const auto *ticket = std::get_if<Ticket>(&*due)) {
      const auto found = waiting_.find(*ticket);
      if (found == waiting_.end())
        continue;
      auto *session = find(found->second.session);
      const int code = static_cast<int>(Code::timeout);
      const char *why = "agora-web did not answer in time";
      const auto number = found->second.session;
      const bool offered = session != nullptr && session->offer == *ticket;
      if (offered)
        g_message("web session %" G_GUINT64_FORMAT ": %s", number, why);
      reply(*ticket, problem(status::timed_out, why, code));
      if (offered)
        end(number, code, why, true);
    } else {
      end(std::get<1>(*due).second, 0, "its event stream ended and did not come back", true);
    }
  }
}

WebSessions::Counts WebSessions::counts() const {
  Counts counts;
  counts.offers = offers_;
  counts.streams = sinks_.size();
  for (const auto &[number, session] : sessions_)
    (session.kind == Kind::speak ? counts.speak : counts.hear)++;
  return counts;
}

}  // namespace agora::gateway

// SPDX-License-Identifier: LGPL-2.1-or-later
// What is asked of the sessions, and what is answered at once.
#define G_LOG_DOMAIN "agora-gateway"
#include <glib.h>

#include <algorithm>
#include <array>

#include "signaling/gateway/web/cors.hpp"
#include "signaling/gateway/web/web-answers.hpp"
#include "signaling/gateway/web/web-sessions.hpp"
#include "signaling/protocol/argument-checks.hpp"
#include "signaling/protocol/json.hpp"
#include "signaling/support/glib-ptr.hpp"
#include "signaling/support/hex.hpp"
#include "signaling/support/secret.hpp"

namespace agora::gateway {

using protocol::Code;
using web_line::Kind;
using What = WebTarget::What;

namespace {

// Of one session.
constexpr std::size_t most_streams = 4;
constexpr std::size_t most_networks = 4096;
// Calls and the like are cheaper than offers.
constexpr unsigned requests_per_offer = 10;
constexpr unsigned try_again_s = 1;
constexpr unsigned call_depth = 8;

const char *methods_of (What what) {
  switch (what) {
    case What::endpoint:
      return "GET, HEAD, OPTIONS, POST";
    case What::session:
      return "DELETE, GET, HEAD, OPTIONS, PATCH";
    case What::events:
      return "GET, OPTIONS, POST";
    case What::stream:
      return "DELETE, GET, OPTIONS";
    case What::call:
      return "OPTIONS, POST";
  }
  return "";
}

// What a POST to it carries.
const char *post_type (What what) {
  return what == What::endpoint ? sdp_type : web_json_type;
}

template <std::size_t bytes>
std::string draw_hex () {
  std::array<std::uint8_t, bytes> random{};
  kernel_random(random);
  return to_hex(random);
}

std::string url_of (Kind kind, const std::string &id) {
  return std::string(kind == Kind::speak ? "/whip" : "/whep") + "/session/" + id;
}

WebAnswer nothing (unsigned status) {
  WebAnswer answer;
  answer.status = status;
  return answer;
}

// Of what agora-web was asked.
WebAnswer not_taken (unsigned status) {
  if (status == status::not_found)
    return not_found();
  if (status == status::too_many || status == status::unavailable)
    return busy(status, try_again_s, "too many requests of this session wait");
  return problem(status, "the body can't be passed on");
}

WebAnswer options (const WebTarget &target, const WebRequest &request) {
  auto answer = nothing(status::ok);
  const std::string methods = methods_of(target.what);
  answer.with("Allow", methods);
  if (target.what != What::stream && target.what != What::session)
    answer.with("Accept-Post", post_type(target.what));
  if (target.what == What::session)
    answer.with("Accept-Patch", fragment_type);
  add_preflight(answer, request, methods);
  return answer;
}

}  // namespace

bool WebSessions::may_ask(const WebRequest &request) const {
  return page_may_ask(request, rules_.allow_origins);
}

WebSessions::Ticket WebSessions::ask(const WebRequest &request, const Reply &reply) {
  Ticket ticket = 0;
  const bool allowed = may_ask(request);
  const Reply with_cors = [reply, allowed, origin = request.origin] (WebAnswer answer) {
    if (allowed)
      add_cors(answer, origin);
    reply(std::move(answer));
  };
  if (!allowed) {
    g_info("A page of %s asked for %s: see --allow-origin",
           protocol::quoted(request.origin).c_str(), request.method.c_str());
    with_cors(problem(status::forbidden, "pages of this origin may not ask: see --allow-origin"));
    return 0;
  }
  if (auto at_once = answer(request, with_cors, ticket))
    with_cors(std::move(*at_once));
  return ticket;
}

std::optional<WebAnswer> WebSessions::answer(const WebRequest &request, const Reply &reply,
                                             Ticket &ticket) {
  const auto target = read_target(request.path);
  if (!target)
    return not_found();
  const auto &method = request.method;
  const bool reads = method == "GET" || method == "HEAD";
  if (method == "OPTIONS")
    return options(*target, request);
  if (target->what == What::endpoint) {
    if (method == "POST") {
      auto refused = offer(*target, request, reply, ticket);
      if (refused)
        offers_[refused->status]++;
      return refused;
    }
    // RFC 9725, 4.1: it has no representation.
    return reads ? nothing(status::no_content) : not_allowed(methods_of(target->what));
  }
  auto *session = find(target->id);
  if (session == nullptr || session->kind != target->kind)
    return not_found();
  if ((method == "POST" || method == "PATCH") &&
      !allowance(session->network, request.mono_ms).requests.take(request.mono_ms))
    return busy(status::too_many, try_again_s, "too many requests from this address");
  switch (target->what) {
    case What::session:
      if (method == "PATCH")
        return patch(*session, request, reply, ticket);
      if (method == "DELETE") {
        end(session->number, 0, "its client has left", true);
        return nothing(status::ok);
      }
      if (reads)
        return nothing(status::no_content);
      break;
    case What::events:
      if (method == "POST")
        return subscribe(*target, *session, request);
      break;
    case What::stream: {
      const auto found = session->streams.find(target->stream);
      if (found == session->streams.end())
        return not_found();
      if (method == "DELETE") {
        end_stream(found->second);
        session->streams.erase(found);
        say_who_listens(*session);
        return nothing(status::ok);
      }
      break;
    }
    case What::call:
      if (method == "POST")
        return call(*session, request, reply, ticket);
      break;
    case What::endpoint:
      break;
  }
  return not_allowed(methods_of(target->what));
}

// Made for whoever asks; those that are as good as new make room.
WebSessions::Allowance &WebSessions::allowance(const std::string &network, std::int64_t mono_ms) {
  if (allowances_.size() >= most_networks && !allowances_.contains(network)) {
    for (auto each = allowances_.begin(); each != allowances_.end();) {
      auto &[offers, requests] = each->second;
      each = offers.is_full(mono_ms) && requests.is_full(mono_ms) ? allowances_.erase(each)
                                                                  : std::next(each);
    }
    if (allowances_.size() >= most_networks)
      allowances_.erase(allowances_.begin());
  }
  const unsigned offers = rules_.offers_per_second;
  const unsigned requests = offers * requests_per_offer;
  return allowances_
      .try_emplace(network,
                   Allowance{TokenBucket(offers, 2 * offers), TokenBucket(requests, 2 * requests)})
      .first->second;
}

std::optional<WebAnswer> WebSessions::offer(const WebTarget &target, const WebRequest &request,
                                            const Reply &reply, Ticket &ticket) {
  const auto &network = request.network;
  if (!allowance(network, request.mono_ms).offers.take(request.mono_ms))
    return busy(status::too_many, try_again_s, "too many offers from this address");
  if (!says_type(request.content_type, sdp_type)) {
    auto answer = problem(status::unsupported_type, "Content-Type: expected application/sdp");
    return answer.with("Accept-Post", sdp_type);
  }
  if (auto problem_with = check_offer(request.body))
    return problem(status::bad_request, *problem_with);
  if (!around_.serves(target.app))
    return problem(status::not_found, "this gateway serves no such app",
                   static_cast<int>(Code::app_invalid));
  if (auto problem_with = protocol::check_channel(target.channel))
    return problem(status::bad_request, *problem_with);
  auto query = read_offer_query(request.query);
  if (const auto *problem_with = std::get_if<std::string>(&query))
    return problem(status::bad_request, *problem_with);
  const auto &asked = std::get<OfferQuery>(query);
  const auto bearer = read_bearer(request.authorization);
  if (!bearer || bearer->token.size() > web_line::max_token || protocol::check_token(bearer->token))
    return refusal(0, static_cast<int>(Code::token_invalid),
                   "Authorization: expected \"Bearer TOKEN\", or no such header", true);
  if (around_.draining())
    return busy(status::unavailable, try_again_s, "the gateway stops: go to another one",
                static_cast<int>(Code::drain));

  // A crowd is served one after another: whoever waited longer than a second or two would not be
  // answered in time, and those before it neither.
  if (offering_ >= rules_.offers_waiting)
    return busy(status::unavailable, try_again_s, "too many offers wait for agora-web",
                static_cast<int>(Code::overloaded));

  Session *owner = nullptr;
  if (!asked.member.empty()) {
    if (target.kind != Kind::speak || asked.uid != 0 || !asked.account.empty() ||
        !asked.name.empty())
      return problem(status::bad_request,
                     "member: expected to speak, and neither uid, account nor name: those are the "
                     "member's");
    owner = find(asked.member);
    if (owner == nullptr || owner->kind != Kind::hear || owner->app != target.app ||
        owner->channel != target.channel)
      return problem(status::conflict, "member: that session hears no longer in this channel");
  }
  // Whoever begins to speak anew replaces what it said before.
  if (owner != nullptr && owner->speak != 0)
    end(owner->speak, 0, "its member speaks by another session", true);

  web_line::Offer message;
  message.session = around_.next_session();
  message.kind = target.kind;
  message.member = owner != nullptr ? owner->number : 0;
  message.app = target.app;
  message.channel = target.channel;
  message.token = bearer->token;
  message.uid = asked.uid;
  message.account = asked.account;
  message.name = asked.name;
  message.latency_ms = asked.latency_ms;
  message.address = request.address;
  message.sdp = request.body;
  if (const auto refused = around_.offer(message))
    return refusal(refused->status, refused->code, refused->reason, bearer->shown,
                   around_.pause_ms());

  constexpr std::size_t id_bytes = web_id_digits / 2;
  constexpr std::size_t etag_bytes = 8;
  auto &session = sessions_[message.session];
  session.number = message.session;
  session.kind = target.kind;
  session.member = message.member;
  session.id = draw_hex<id_bytes>();
  session.app = target.app;
  session.channel = target.channel;
  session.uid = asked.uid;
  session.network = network;
  session.address = request.address;
  session.etag = "\"" + draw_hex<etag_bytes>() + "\"";
  session.ufrags = ice_ufrags(request.body);
  session.token_shown = bearer->shown;
  if (owner != nullptr)
    owner->speak = session.number;
  by_id_[hash_of(session.id)] = session.number;
  offering_++;
  session.offer = ticket = wait(session, reply, request.mono_ms + rules_.offer_ms);
  return {};
}

WebAnswer WebSessions::created(const Session &session, const std::string &sdp) const {
  WebAnswer answer;
  answer.status = status::created;
  answer.type = sdp_type;
  answer.body = sdp;
  const auto url = url_of(session.kind, session.id);
  answer.with("Location", url).with("ETag", session.etag).with("Cache-Control", "no-store");
  for (auto &link : ice_links(rules_.ice_servers))
    answer.with("Link", std::move(link));
  answer.with("Link", "<" + url +
                          "/events>; rel=\"urn:ietf:params:whep:ext:core:server-sent-events\"; "
                          "events=\"" +
                          event_names + "\"");
  return answer;
}

std::optional<WebAnswer> WebSessions::patch(Session &session, const WebRequest &request,
                                            const Reply &reply, Ticket &ticket) {
  if (!says_type(request.content_type, fragment_type)) {
    auto answer =
        problem(status::unsupported_type, std::string("Content-Type: expected ") + fragment_type);
    return answer.with("Accept-Patch", fragment_type);
  }
  if (request.if_match.empty())
    return problem(status::precondition_required, "If-Match: expected the session's ETag");
  if (!lists_etag(request.if_match, session.etag))
    return problem(status::precondition_failed, "If-Match: expected " + session.etag);
  if (request.body.empty() || !web_line::is_sdp_text(request.body, web_line::max_fragment))
    return problem(status::bad_request,
                   "the body is no SDP fragment: expected UTF-8 without control characters");
  for (const auto &ufrag : ice_ufrags(request.body))
    if (std::find(session.ufrags.begin(), session.ufrags.end(), ufrag) == session.ufrags.end())
      return problem(status::unprocessable,
                     "ICE restarts are not supported: DELETE the session and POST a new offer");
  web_line::Trickle message{session.number, last_ticket_ + 1, std::string(request.body)};
  if (const auto status = around_.trickle(message))
    return not_taken(status);
  ticket = wait(session, reply, request.mono_ms + rules_.call_ms);
  return {};
}

std::optional<WebAnswer> WebSessions::call(Session &session, const WebRequest &request,
                                           const Reply &reply, Ticket &ticket) {
  if (!says_type(request.content_type, web_json_type)) {
    auto answer = problem(status::unsupported_type, "Content-Type: expected application/json");
    return answer.with("Accept-Post", web_json_type);
  }
  std::string reason;
  if (!protocol::parse_object(request.body, web_line::max_call, call_depth, reason))
    return problem(status::bad_request, reason);
  web_line::Call message{session.number, last_ticket_ + 1, std::string(request.body)};
  if (const auto status = around_.call(message))
    return not_taken(status);
  ticket = wait(session, reply, request.mono_ms + rules_.call_ms);
  return {};
}

WebAnswer WebSessions::subscribe(const WebTarget &target, Session &session,
                                 const WebRequest &request) {
  if (!request.content_type.empty() && !says_type(request.content_type, web_json_type)) {
    auto answer = problem(status::unsupported_type, "Content-Type: expected application/json");
    return answer.with("Accept-Post", web_json_type);
  }
  const auto names = read_event_names(request.body);
  if (!names)
    return problem(status::bad_request, "the body: expected a list of names of events, in JSON");
  // The oldest makes room: its reader has probably forgotten it.
  if (session.streams.size() >= most_streams) {
    end_stream(session.streams.begin()->second);
    session.streams.erase(session.streams.begin());
  }
  auto &stream = session.streams[++session.last_stream];
  stream.names.insert(names->begin(), names->end());
  auto answer = nothing(status::created);
  return answer.with("Location", url_of(target.kind, session.id) + "/events/" +
                                     std::to_string(session.last_stream));
}

}  // namespace agora::gateway

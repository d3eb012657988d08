// SPDX-License-Identifier: LGPL-2.1-or-later
#include "signaling/gateway/operator/admin-routes.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

#include "signaling/gateway/operator/json-text.hpp"
#include "signaling/gateway/operator/platform.hpp"
#include "signaling/protocol/argument-checks.hpp"
#include "signaling/support/glib-ptr.hpp"
#include "signaling/support/network.hpp"

namespace agora::gateway {

using protocol::Need;
using protocol::quoted;
using protocol::Role;

namespace {

constexpr std::int64_t default_ban_s = 3600;
// The vendor's number for live broadcast; 1 would be communication, where all members are equal.
constexpr int live_mode = 2;

// How long a rule holds; 0: done once.
std::int64_t seconds_of (AdminFields &asked) {
  auto within = [] (double value, double low, double high) {
    return value == 0 ? 0 : std::llround(std::clamp(value, low, high));
  };
  if (asked.has("time_in_seconds"))
    return within(asked.amount("time_in_seconds"), 10, 86'430);
  if (asked.has("time"))
    return within(asked.amount("time") * 60, 60, 86'400);
  return default_ban_s;
}

void read_privileges (AdminFields &asked, Rule &rule) {
  if (!asked.has("privileges"))
    return;
  constexpr const char *expected =
      "a list of \"join_channel\", \"publish_audio\" and \"publish_video\", one at least";
  rule.join_channel = false;
  const auto *list = asked.list("privileges");
  if (list == nullptr)
    return;
  for (const auto *item = list->begin(); item != list->end(); item = item->next()) {
    const auto name = item->text;
    if (name == "join_channel")
      rule.join_channel = true;
    else if (name == "publish_audio")
      rule.publish_audio = true;
    else if (name == "publish_video")
      rule.publish_video = true;
    else
      asked.fail("privileges", expected);
  }
  if (list->size == 1)
    asked.fail("privileges", expected);
}

void read_whom (AdminFields &asked, Rule &rule) {
  if (asked.has("cname")) {
    rule.channel = asked.text("cname", Need::required);
    if (protocol::check_channel(rule.channel))
      asked.fail("cname", "a channel's name");
  }
  if (asked.has("uid"))
    rule.uid = static_cast<protocol::Uid>(asked.whole("uid", 1, G_MAXUINT32));
  if (asked.has("ip")) {
    auto text = asked.text("ip", Need::required);
    ObjectPtr<GInetAddress> address(g_inet_address_new_from_string(text.c_str()));
    // Normalised, so that it can be compared.
    if (address)
      rule.address = plain_address(CharPtr(g_inet_address_to_string(address.get())).get());
    else
      asked.fail("ip", "an IPv4 or IPv6 address");
  }
  if (rule.channel.empty() && !rule.uid && rule.address.empty())
    asked.fail("cname", "cname, uid or ip to say whom the rule is for; all are absent");
}

std::optional<Rule> find_rule (const std::vector<Rule> &rules, std::uint64_t id) {
  const auto found =
      std::find_if(rules.begin(), rules.end(), [&] (const Rule &rule) { return rule.id == id; });
  return found == rules.end() ? std::nullopt : std::optional(*found);
}

}  // namespace

AdminAnswer admin_not_allowed (const char *methods) {
  auto answer = admin_failure(405, std::string("method: expected one of ") + methods);
  answer.allow = methods;
  return answer;
}

AdminAnswer no_app (unsigned status, std::string_view app_id) {
  return admin_failure(status, "appid: expected an app of this gateway, not " + quoted(app_id),
                       "appid");
}

std::string iso_time (std::int64_t wall_s) {
  g_autoptr(GDateTime) time = g_date_time_new_from_unix_utc(wall_s);
  CharPtr text(time != nullptr ? g_date_time_format(time, "%Y-%m-%dT%H:%M:%S.000Z") : nullptr);
  return text ? text.get() : "";
}

AdminAnswer admin_success (std::string body) {
  AdminAnswer answer;
  answer.body = std::move(body);
  return answer;
}

AdminAnswer rules_are_full () {
  return admin_failure(429, "too many rules: lift some that are over");
}

AdminAnswer no_rule (std::uint64_t id) {
  return admin_failure(404, "id: expected the id of a rule that holds, not " + std::to_string(id),
                       "id");
}

AdminAnswer Admin::answer(const AdminRequest &request) {
  if (request.path == "/console" || request.path.starts_with("/console/"))
    return console(request);
  if (token_.empty())
    return admin_failure(403,
                         "administration is off: start the gateway with --admin-token-file=FILE");
  if (is_cross_site(request))
    return admin_failure(403, "Origin, Sec-Fetch-Site: expected no page of another site");
  if (!shows_token(request.authorization, token_) && !shows_cookie(request)) {
    auto answer =
        admin_failure(401,
                      "Authorization: expected the admin token, as \"Bearer TOKEN\", or as the "
                      "password of Basic");
    answer.guessed = !request.authorization.empty();
    return answer;
  }
  // After the token was checked, so that strangers can't use up the operator's allowance.
  if (!allowance_.take(request.now.mono_ms))
    return admin_failure(429, "too many requests: try again in a second");
  if (!request.body)
    return admin_failure(413, "the body is too long: expected at most " +
                                  std::to_string(kAdminBodyBytes) + " bytes");
  if (!request.body->empty() && !says_json(request.content_type))
    return admin_failure(415, "Content-Type: expected application/json");
  if (request.path == "/dev/v1/kicking-rule")
    return rule(request);
  if (request.path == "/dev/v1/stream-key")
    return stream_key(request, KeyUse::push);
  if (request.path == "/dev/v1/play-key")
    return stream_key(request, KeyUse::play);

  if (request.path == "/dev/v1/live" || request.path == "/dev/v1/live/events")
    return live(request);
  constexpr std::string_view base = "/dev/v1/channel/";
  if (!std::string_view(request.path).starts_with(base))
    return admin_failure(404, "no such path: see docs/openapi.yaml");
  auto parts = split_path(std::string_view(request.path).substr(base.size()));
  if (!parts)
    return admin_failure(400, "the path has a broken escape: expected %XX");
  const auto &words = *parts;
  bool list = words.size() == 1;
  bool of_channel = words.size() == 3 && words[0] == "user";
  bool hosts = words.size() == 4 && words[0] == "user" && words[3] == "hosts_only";
  bool of_user = words.size() == 5 && words[0] == "user" && words[1] == "property";
  if (!list && !of_channel && !hosts && !of_user)
    return admin_failure(404, "no such path: see docs/openapi.yaml");
  if (request.method != "GET")
    return admin_not_allowed("GET");
  const auto &app_id = words[list ? 0 : of_user ? 2 : 1];
  if (!book_.serves(app_id))
    return no_app(404, app_id);
  if (list)
    return channels(request, app_id);
  const auto &channel = words[of_user ? 4 : 2];
  if (auto problem = protocol::check_channel(channel))
    return admin_failure(400, *problem, "cname");
  return of_user ? property(app_id, words[3], channel, request.now) : users(app_id, channel, hosts);
}

AdminAnswer Admin::live(const AdminRequest &request) {
  if (request.method != "GET")
    return admin_not_allowed("GET");
  AdminAnswer answer;
  answer.streams = request.path.ends_with("/events");
  if (!answer.streams)
    answer.body = live_();
  answer.headers.emplace_back("Cache-Control", "no-store");
  return answer;
}

AdminAnswer Admin::rule(const AdminRequest &request) {
  if (request.method == "POST")
    return add_rule(request);
  if (request.method == "GET")
    return list_rules(request);
  if (request.method == "PUT")
    return change_rule(request);
  if (request.method == "DELETE")
    return lift_rule(request);
  return admin_not_allowed("GET, POST, PUT, DELETE");
}

AdminAnswer Admin::add_rule(const AdminRequest &request) {
  AdminFields asked(request, false);
  Rule rule;
  rule.app_id = asked.app();
  if (asked.good()) {
    read_whom(asked, rule);
    read_privileges(asked, rule);
    rule.ends_at = request.now.wall_s + seconds_of(asked);
  }
  if (!asked.good())
    return asked.refusal();
  if (!book_.serves(rule.app_id))
    return no_app(400, rule.app_id);
  if (book_.cluster())
    return add_shared_rule(rule, request.now);
  if (book_.rules_full(request.now))
    return rules_are_full();
  auto commands = book_.add_rule(rule, request.now);
  auto answer = admin_success(JsonText()
                                  .text("status", "success")
                                  .integer("id", static_cast<std::int64_t>(rule.id))
                                  .finish());
  answer.commands = std::move(commands);
  answer.deed = rule_deed("rule-add", rule);
  return answer;
}

AdminAnswer Admin::list_rules(const AdminRequest &request) {
  AdminFields asked(request, true);
  auto app_id = asked.app();
  if (!asked.good())
    return asked.refusal();
  if (!book_.serves(app_id))
    return no_app(400, app_id);
  JsonText text;
  text.text("status", "success").begin_list("rules");
  for (const auto &rule : book_.rules(app_id, request.now)) {
    text.item().integer("id", static_cast<std::int64_t>(rule.id)).text("appid", rule.app_id);
    if (rule.channel.empty())
      text.null("cname");
    else
      text.text("cname", rule.channel);
    if (rule.uid)
      text.integer("uid", rule.uid);
    else
      text.null("uid");
    if (rule.address.empty())
      text.null("ip");
    else
      text.text("ip", rule.address);
    text.begin_list("privileges");
    const std::pair<bool, const char *> privileges[] = {{rule.join_channel, "join_channel"},
                                                        {rule.publish_audio, "publish_audio"},
                                                        {rule.publish_video, "publish_video"}};
    for (auto [taken, name] : privileges)
      if (taken)
        text.item(name);
    text.end_list().text("ts", iso_time(rule.ends_at)).end();
  }
  return admin_success(text.end_list().finish());
}

AdminAnswer Admin::change_rule(const AdminRequest &request) {
  AdminFields asked(request, false);
  auto app_id = asked.app();
  auto id = asked.whole("id", 1, G_MAXINT64);
  if (asked.good() && !asked.has("time") && !asked.has("time_in_seconds"))
    asked.fail("time", "minutes, or time_in_seconds, from now on; both are absent");
  auto ends_at = request.now.wall_s + (asked.good() ? seconds_of(asked) : 0);
  if (!asked.good())
    return asked.refusal();
  if (!book_.serves(app_id))
    return no_app(400, app_id);
  auto rule = find_rule(book_.rules(app_id, request.now), id);
  if (!rule)
    return no_rule(id);
  std::string text = JsonText()
                         .text("status", "success")
                         .begin("result")
                         .integer("id", static_cast<std::int64_t>(id))
                         .text("ts", iso_time(ends_at))
                         .end()
                         .finish();
  rule->ends_at = ends_at;
  if (book_.cluster())
    return write_shared_rule(*rule, rule_text(*rule), std::move(text), request.now);
  if (!book_.change_rule(id, ends_at, request.now))
    return no_rule(id);
  auto answer = admin_success(std::move(text));
  answer.deed = rule_deed("rule-change", *rule);
  return answer;
}

AdminAnswer Admin::lift_rule(const AdminRequest &request) {
  AdminFields asked(request, true);
  auto app_id = asked.app();
  auto id = asked.whole("id", 1, G_MAXINT64);
  if (!asked.good())
    return asked.refusal();
  if (!book_.serves(app_id))
    return no_app(400, app_id);
  const auto rule = find_rule(book_.rules(app_id, request.now), id);
  if (book_.cluster()) {
    // The store has it a moment before this gateway hears of it, even of one that was made here.
    Rule unheard;
    unheard.app_id = app_id;
    unheard.id = id;
    unheard.join_channel = false;
    return write_shared_rule(
        rule.value_or(unheard), "",
        JsonText().text("status", "success").integer("id", static_cast<std::int64_t>(id)).finish(),
        request.now);
  }
  if (!rule)
    return no_rule(id);
  auto commands = book_.lift_rule(id, request.now);
  if (!commands)
    return no_rule(id);
  auto answer = admin_success(
      JsonText().text("status", "success").integer("id", static_cast<std::int64_t>(id)).finish());
  answer.commands = std::move(*commands);
  answer.deed = rule_deed("rule-lift", *rule);
  return answer;
}

AdminAnswer Admin::channels(const AdminRequest &request, std::string_view app_id) {
  AdminFields asked(request, true);
  std::size_t page = asked.has("page_no") ? asked.whole("page_no", 0, G_MAXUINT32) : 0;
  std::size_t size = asked.has("page_size") ? asked.whole("page_size", 1, 500) : 100;
  if (!asked.good())
    return asked.refusal();
  const auto answer = [page, size] (const std::vector<ChannelInfo> &all, bool partial) {
    JsonText text;
    text.boolean("success", true).begin("data").begin_list("channels");
    for (auto at = page * size; at < std::min(all.size(), (page + 1) * size); at++)
      text.item()
          .text("channel_name", all[at].channel)
          .integer("user_count", static_cast<gint64>(all[at].broadcasters + all[at].audience))
          .end();
    text.end_list().integer("total_size", static_cast<gint64>(all.size())).end();
    if (partial)
      text.boolean("partial", true);
    return admin_success(text.finish());
  };
  if (book_.cluster())
    return all_channels(std::string(app_id), std::make_shared<Channels>(), "", answer);
  return answer(book_.channels(app_id), false);
}

AdminAnswer Admin::users(std::string_view app_id, std::string_view channel, bool hosts_only) {
  if (book_.cluster())
    return all_users(std::string(app_id), std::string(channel), hosts_only);
  return admin_success(users_text(book_.members(app_id, channel), hosts_only, false));
}

std::string users_text (const std::optional<std::vector<MemberInfo>> &members, bool hosts_only,
                        bool partial) {
  JsonText text;
  text.boolean("success", true).begin("data").boolean("channel_exist", members.has_value());
  if (members) {
    text.integer("mode", live_mode).begin_list("broadcasters");
    gint64 audience = 0;
    for (const auto &member : *members)
      if (member.role == Role::broadcaster)
        text.item(member.uid);
      else
        audience++;
    text.end_list();
    if (!hosts_only) {
      text.begin_list("audience");
      for (const auto &member : *members)
        if (member.role == Role::audience)
          text.item(member.uid);
      text.end_list().integer("audience_total", audience);
    }
  }
  text.end();
  if (partial)
    text.boolean("partial", true);
  return text.finish();
}

AdminAnswer Admin::property(std::string_view app_id, std::string_view uid, std::string_view channel,
                            Now now) {
  auto number = protocol::parse_uid(uid);
  if (!number || *number == 0)
    return admin_failure(
        400, "uid: expected a whole number from 1 to 4294967295, not " + quoted(uid), "uid");
  auto member = book_.member(app_id, channel, *number);
  if (!member && book_.cluster())
    return shared_property(std::string(app_id), *number, std::string(channel), now);
  return admin_success(property_text(*number, member, false));
}

std::string property_text (protocol::Uid uid, const std::optional<MemberInfo> &member,
                           bool partial) {
  JsonText text;
  text.boolean("success", true).begin("data");
  text.integer("uid", uid).boolean("in_channel", member.has_value());
  if (member) {
    text.integer("join", member->joined_at)
        .integer("role", member->role == Role::broadcaster ? 2 : 3)
        .integer("platform", platform_of(member->platform).platform)
        .text("client", member->platform)
        .text("ip", member->address)
        .boolean("publishing", member->publishing)
        .boolean("muted", member->silenced);
    if (!member->account.empty())
      text.text("account", member->account);
  }
  text.end();
  if (partial)
    text.boolean("partial", true);
  return text.finish();
}

}  // namespace agora::gateway

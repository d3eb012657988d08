// SPDX-License-Identifier: LGPL-2.1-or-later
#include "signaling/gateway/top/live-state.hpp"

#include <algorithm>

namespace agora::gateway {

namespace {

// Members report every 5 s.
constexpr std::int64_t fresh_report_ms = 15'000;

std::optional<ShownLevel> level_in (JsonView view) {
  const auto peak = view.number("peak");
  if (!peak)
    return std::nullopt;
  return ShownLevel{*peak, view.number("rms").value_or(*peak)};
}

ShownReport report_in (JsonView view) {
  ShownReport report;
  report.at_ms = view.count("at");
  report.reconnects = view.count("reconnects");
  if (const auto sent = view.object("sent")) {
    report.sends = true;
    report.level = level_in(sent);
    report.unsent_ms = sent.count("dropped");
    report.outages = sent.count("outages");
  }
  view.each("heard", [&] (JsonView each) {
    report.heard.push_back({each.count("uid"), level_in(each), each.number("latency"),
                            each.count("jitter"), each.count("dropped"), each.count("concealed")});
  });
  return report;
}

ShownMember member_in (JsonView view) {
  ShownMember member;
  member.uid = view.count("uid");
  member.account = view.text("account");
  member.name = view.text("name");
  member.role = view.text("role");
  member.joined = view.count("joined");
  member.in_grace = view.text("state") == "grace";
  member.on_air = view.flag("on_air");
  member.muted = view.flag("muted");
  member.silenced = view.flag("silenced");
  member.listeners = view.count("listeners");
  if (const auto report = view.object("report"))
    member.report = report_in(report);
  return member;
}

void raise_to (std::optional<std::int64_t> &most, std::int64_t value) {
  most = std::max(most.value_or(value), value);
}

std::pair<std::string, std::string> key_in (JsonView view) {
  return {view.text("channel"), view.text("app")};
}

}  // namespace

JsonView LiveState::gateway_of(const Told &told) {
  return told ? JsonView(json_node_get_object(told.get())).object("gateway") : JsonView();
}

bool LiveState::take(const std::string &name, const std::string &data) {
  if (name != "all" && name != "changes")
    return true;
  g_autoptr(GError) error = nullptr;
  Told told(json_from_string(data.c_str(), &error));
  if (!told || !JSON_NODE_HOLDS_OBJECT(told.get()))
    return false;
  const JsonView view(json_node_get_object(told.get()));
  if (!view.object("gateway"))
    return false;
  const bool all = name == "all";
  if (all) {
    channels_.clear();
    several_apps_ = view.length("apps") > 1;
    now_.reset();
  }
  before_ = std::move(now_);
  before_at_ms_ = at_ms_;
  at_ms_ = view.count("at");
  left_off_ = view.count("left_off");
  // First: somebody may be gone and there again in one second.
  view.each("gone", [this] (JsonView member) { drop(member); });
  view.each(all ? "members" : "changed", [this] (JsonView member) { put(member); });
  now_ = std::move(told);
  return true;
}

void LiveState::put(JsonView member) {
  auto &channel = channels_[key_in(member)];
  channel.app = member.text("app");
  channel.name = member.text("channel");
  auto read = member_in(member);
  const auto uid = read.uid;
  channel.members.insert_or_assign(uid, std::move(read));
}

void LiveState::drop(JsonView member) {
  const auto channel = channels_.find(key_in(member));
  if (channel == channels_.end())
    return;
  channel->second.members.erase(member.count("uid"));
  if (channel->second.members.empty())
    channels_.erase(channel);
}

const ShownReport *LiveState::report_of(const ShownMember &member) const {
  return member.report && at_ms_ - member.report->at_ms < fresh_report_ms ? &*member.report
                                                                          : nullptr;
}

ShownHearing LiveState::hearing_of(const ShownMember &member) const {
  ShownHearing hearing;
  const auto *report = report_of(member);
  if (report == nullptr)
    return hearing;
  for (const auto &heard : report->heard) {
    if (heard.latency_ms)
      raise_to(hearing.latency_ms, *heard.latency_ms);
    raise_to(hearing.jitter_ms, heard.jitter_ms);
    hearing.late_ms += heard.dropped_ms;
    hearing.concealed_ms += heard.concealed_ms;
  }
  return hearing;
}

std::map<std::int64_t, ShownLevel> LiveState::levels_of(const ShownChannel &channel) const {
  std::map<std::int64_t, ShownLevel> levels;
  for (const auto &[uid, member] : channel.members)
    if (const auto *report = report_of(member))
      for (const auto &heard : report->heard)
        if (heard.level) {
          const auto [there, first] = levels.try_emplace(heard.uid, *heard.level);
          if (!first && heard.level->peak > there->second.peak)
            there->second = *heard.level;
        }
  for (const auto &[uid, member] : channel.members) {
    const auto *report = report_of(member);
    if (!member.on_air)
      levels.erase(uid);
    else if (report != nullptr && report->level)
      levels[uid] = *report->level;
  }
  // Who has left may still be in a report.
  std::erase_if(levels, [&] (const auto &level) { return !channel.members.contains(level.first); });
  return levels;
}

}  // namespace agora::gateway

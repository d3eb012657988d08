// SPDX-License-Identifier: LGPL-2.1-or-later
#include "signaling/gateway/operator/live-view.hpp"

#include <cmath>
#include <functional>

#include "agora-config.h"
#include "signaling/protocol/argument-checks.hpp"
#include "signaling/protocol/json-writer.hpp"

namespace agora::gateway {

namespace {

// Not by json-glib, as the other texts for operators: of a thousand who report, it needs three per
// cent of a core for a text each second, and this a tenth of that.
using protocol::JsonWriter;

std::int64_t number (std::uint64_t value) {
  return static_cast<std::int64_t>(value);
}

std::int64_t to_ms (double seconds) {
  return std::llround(seconds * 1000);
}

void write (JsonWriter &to, const std::optional<protocol::Loudness> &level) {
  if (level)
    to.integer("peak", level->peak).integer("rms", level->rms);
}

// As on the wire, with the time at which it came.
void write (JsonWriter &to, const Reported &reported, Now now, std::size_t &room) {
  const auto &report = reported.report;
  to.begin("report").integer("at", now.wall_s * 1000 - (now.mono_ms - reported.at_ms));
  to.integer("reconnects", report.reconnects);
  if (report.sent) {
    to.begin("sent");
    write(to, report.sent->level);
    to.integer("dropped", report.sent->dropped_ms).integer("outages", report.sent->outages).end();
  }
  to.begin_list("heard");
  for (const auto &heard : report.heard) {
    if (room == 0)
      break;
    room--;
    to.item().integer("uid", heard.uid);
    write(to, heard.level);
    to.integer("delay", heard.delay_ms);
    if (heard.latency_ms)
      to.integer("latency", *heard.latency_ms);
    to.integer("jitter", heard.jitter_ms).integer("dropped", heard.dropped_ms);
    to.integer("concealed", heard.concealed_ms).end();
  }
  to.end_list().end();
}

void write (JsonWriter &to, const LiveMember &member, Now now, std::size_t &room) {
  to.item().text("app", member.app_id).text("channel", member.channel);
  to.integer("uid", member.uid);
  if (!member.account.empty())
    to.text("account", member.account);
  if (!member.name.empty())
    to.text("name", member.name);
  to.text("role", protocol::to_string(member.role)).text("platform", member.platform);
  to.text("address", member.address).integer("joined", member.joined_at);
  to.text("state", member.in_grace ? "grace" : "connected");
  to.boolean("on_air", member.publishing).boolean("muted", member.audio_muted);
  to.boolean("silenced", member.silenced).boolean("talk", member.talk);
  to.integer("listeners", number(member.listeners));
  if (member.reported)
    write(to, *member.reported, now, room);
  to.end();
}

void write_relay (JsonWriter &to, const relay_line::Counters &relay) {
  std::uint64_t refused = 0;
  for (const auto count : relay.refused)
    refused += count;
  to.begin("relay").integer("connections", number(relay.connections));
  to.integer("pushes", number(relay.pushes)).integer("listeners", number(relay.listeners));
  to.integer("received_bytes", number(relay.bytes_in));
  to.integer("sent_bytes", number(relay.bytes_out));
  to.integer("dropped_frames", number(relay.dropped_frames));
  to.integer("refused", number(refused)).integer("lag_ms", number(relay.lag_ms)).end();
}

void write (JsonWriter &to, const LiveGateway &gateway, Now now, bool shared) {
  const auto &counts = gateway.counts;
  to.integer("at", now.wall_s * 1000).begin("gateway").text("version", AGORA_VERSION);
  to.integer("started", counts.process.started_at).boolean("draining", counts.draining);
  to.integer("members", number(counts.totals.members));
  to.integer("channels", number(counts.totals.channels));
  to.integer("streams", number(counts.totals.streams));
  to.integer("sockets", number(counts.sockets)).integer("loop_lag_ms", to_ms(gateway.lag_seconds));
  to.begin("media").boolean("up", counts.media_up).integer("restarts", counts.media_restarts);
  if (counts.relay)
    write_relay(to, *counts.relay);
  to.end();
  if (counts.web) {
    to.begin("web").integer("workers", number(counts.web->workers));
    to.integer("speak", number(counts.web->speak)).integer("hear", number(counts.web->hear));
    to.integer("restarts", number(counts.web->restarts)).end();
  }
  if (counts.store) {
    to.begin("store").boolean("up", counts.store->status.up);
    to.integer("waiting", number(counts.store->status.waiting));
    to.integer("gateways", number(counts.store->gateways)).end();
  }
  if (counts.certificate_ends)
    to.integer("certificate_ends", *counts.certificate_ends);
  to.begin("process").integer("cpu_ms", to_ms(counts.process.cpu_seconds));
  to.integer("resident_bytes", number(counts.process.resident_bytes));
  to.integer("descriptors", number(counts.process.descriptors));
  to.integer("most_descriptors", number(counts.process.most_descriptors)).end();
  // Whether there are members elsewhere.
  to.boolean("shared", shared).end();
}

void mix (std::uint64_t &print, std::uint64_t value) {
  // FNV-1a's, word by word: nobody gains by two that look alike.
  print = (print ^ value) * 1099511628211U;
}

std::uint64_t print_of (const LiveMember &member) {
  std::uint64_t print = 14695981039346656037U;
  mix(print, static_cast<std::uint64_t>(member.role));
  mix(print, std::hash<std::string_view>()(member.address));
  mix(print, std::hash<std::string_view>()(member.name));
  mix(print, std::uint64_t{member.in_grace} | std::uint64_t{member.publishing} << 1U |
                 std::uint64_t{member.audio_muted} << 2U | std::uint64_t{member.silenced} << 3U |
                 std::uint64_t{member.talk} << 4U);
  mix(print, member.listeners);
  mix(print, member.reported ? static_cast<std::uint64_t>(member.reported->at_ms) : 0);
  return print;
}

}  // namespace

template <typename Visit>
void LiveView::each(const Visit &visit) const {
  std::size_t left = most_members;
  for (const bool publishing : {true, false})
    if (left > 0)
      book_.each_member(publishing, [&] (const LiveMember &member) {
        visit(member);
        return --left > 0;
      });
}

bool LiveView::is_news(const LiveMember &member) {
  Seen &seen = seen_[member.id];
  const auto print = print_of(member);
  const bool news = seen.turn == 0 || seen.print != print;
  if (seen.turn == 0) {
    seen.app_id = member.app_id;
    seen.channel = member.channel;
    seen.uid = member.uid;
  }
  seen.print = print;
  seen.turn = turn_;
  return news;
}

std::string LiveView::all(const LiveGateway &gateway, Now now) const {
  JsonWriter text;
  text.text("status", "success");
  write(text, gateway, now, shared_);
  text.begin_list("apps");
  for (const auto &app : gateway.apps)
    text.item(app);
  text.end_list().begin_list("members");
  std::size_t shown = 0;
  std::size_t room = most_heard;
  each([&] (const LiveMember &member) {
    write(text, member, now, room);
    shown++;
  });
  const auto total = gateway.counts.totals.members;
  text.end_list().integer("left_off", number(total > shown ? total - shown : 0));
  return text.finish();
}

void LiveView::begin() {
  seen_.clear();
  turn_++;
  each([&] (const LiveMember &member) { is_news(member); });
}

std::string LiveView::changes(const LiveGateway &gateway, Now now) {
  turn_++;
  JsonWriter text;
  write(text, gateway, now, shared_);
  text.begin_list("changed");
  std::size_t shown = 0;
  std::size_t room = most_heard;
  each([&] (const LiveMember &member) {
    shown++;
    if (is_news(member))
      write(text, member, now, room);
  });
  text.end_list().begin_list("gone");
  for (auto each = seen_.begin(); each != seen_.end();) {
    const Seen &seen = each->second;
    if (seen.turn == turn_) {
      ++each;
      continue;
    }
    text.item().text("app", seen.app_id).text("channel", seen.channel).integer("uid", seen.uid);
    text.end();
    each = seen_.erase(each);
  }
  const auto total = gateway.counts.totals.members;
  text.end_list().integer("left_off", number(total > shown ? total - shown : 0));
  return text.finish();
}

}  // namespace agora::gateway

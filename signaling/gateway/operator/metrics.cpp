// SPDX-License-Identifier: LGPL-2.1-or-later
#include "signaling/gateway/operator/metrics.hpp"

#include <algorithm>
#include <locale>
#include <sstream>

#include "agora-config.h"

namespace agora::gateway {

namespace {

class Text {
 public:
  Text() { out_.imbue(std::locale::classic()); }

  void describe (const char *name, const char *type, const char *help) {
    name_ = name;
    out_ << "# HELP " << name << ' ' << help << "\n# TYPE " << name << ' ' << type << '\n';
  }
  template <typename Number>
  void value (Number number, const std::string &labels = "") {
    value_of(name_, number, labels);
  }
  // Of another name than what is described.
  template <typename Number>
  void value_of (const char *name, Number number, const std::string &labels = "") {
    out_ << name;
    if (!labels.empty())
      out_ << '{' << labels << '}';
    out_ << ' ' << number << '\n';
  }
  template <typename Number>
  void one (const char *name, const char *type, const char *help, Number number) {
    describe(name, type, help);
    value(number);
  }
  std::string take () { return out_.str(); }

 private:
  std::ostringstream out_;
  const char *name_ = "";
};

const char *call_name (HookCall call) {
  switch (call) {
    case HookCall::publish:
      return "publish";
    case HookCall::play:
      return "play";
    case HookCall::publish_done:
      return "publish_done";
    case HookCall::play_done:
      return "play_done";
  }
  return "";
}

void by_code (Text &text, const std::map<int, std::uint64_t> &counts) {
  for (auto [code, count] : counts)
    text.value(count, "code=\"" + std::to_string(code) + "\"");
}

void relay_counts (Text &text, const relay_line::Counters &relay) {
  text.one("agora_relay_connections", "gauge", "RTMP connections, strangers included.",
           relay.connections);
  text.one("agora_relay_pushes", "gauge", "RTMP sessions that push.", relay.pushes);
  text.one("agora_relay_listeners", "gauge", "RTMP sessions that play.", relay.listeners);
  text.one("agora_relay_pulls", "gauge", "Streams that are pulled from other gateways or workers.",
           relay.pulls);
  text.describe("agora_relay_pulls_total", "counter",
                "Pulls that are over; failed: their listeners were cut, or pulled from elsewhere.");
  text.value(relay.pulls_ended, "result=\"ended\"");
  text.value(relay.pulls_failed, "result=\"failed\"");
  text.one("agora_relay_received_bytes_total", "counter", "From RTMP connections.", relay.bytes_in);
  text.one("agora_relay_sent_bytes_total", "counter", "To RTMP connections.", relay.bytes_out);
  text.one("agora_relay_dropped_frames_total", "counter",
           "Left out for listeners that fell behind.", relay.dropped_frames);
  text.describe("agora_relay_refused_total", "counter", "RTMP connections turned away, by reason.");
  for (std::size_t i = 0; i < relay_line::refusals; i++)
    text.value(relay.refused[i],
               "reason=\"" + std::string(to_string(static_cast<relay_line::Refusal>(i))) + "\"");
  text.one("agora_relay_loop_lag_seconds", "gauge", "Longest turn of the relay's loop, lately.",
           static_cast<double>(relay.lag_ms) / 1000);
  text.one("agora_relay_descriptors", "gauge", "File descriptors that the relay uses.", relay.fds);
}

// Of times in ms, as Prometheus has them: in seconds, each bucket with those below it.
template <const auto &bounds>
void histogram (Text &text, const char *name, const char *help, const Histogram<bounds> &of) {
  const std::string bucket = std::string(name) + "_bucket";
  const std::string sum = std::string(name) + "_sum";
  const std::string count = std::string(name) + "_count";
  text.describe(name, "histogram", help);
  std::uint64_t below = 0;
  for (std::size_t i = 0; i < bounds.size(); i++) {
    below += of.counts[i];
    std::ostringstream limit;
    limit.imbue(std::locale::classic());
    limit << static_cast<double>(bounds[i]) / 1000;
    text.value_of(bucket.c_str(), below, "le=\"" + limit.str() + "\"");
  }
  below += of.counts.back();
  text.value_of(bucket.c_str(), below, "le=\"+Inf\"");
  text.value_of(sum.c_str(), static_cast<double>(of.sum_ms) / 1000);
  text.value_of(count.c_str(), below);
}

void quality_counts (Text &text, const Quality &quality) {
  text.one("agora_quality_reports_total", "counter", "Reports of members about their sound.",
           quality.reports);
  histogram(text, "agora_quality_mouth_to_ear_seconds",
            "Latency, one for each speaker in each report.", quality.latency);
  histogram(text, "agora_quality_jitter_seconds",
            "Spread of arrivals, one for each speaker in each report.", quality.jitter);
  text.describe("agora_quality_lost_seconds_total", "counter",
                "Sound that members lost: unsent, late, or concealed.");
  text.value(static_cast<double>(quality.sent_dropped_ms) / 1000, "how=\"unsent\"");
  text.value(static_cast<double>(quality.dropped_ms) / 1000, "how=\"late\"");
  text.value(static_cast<double>(quality.concealed_ms) / 1000, "how=\"concealed\"");
}

void process_figures (Text &text, const Metrics::Snapshot &now) {
  const ProcessFigures &process = now.process;
  text.one("process_cpu_seconds_total", "counter", "CPU time of the gateway's own process.",
           process.cpu_seconds);
  text.one("process_resident_memory_bytes", "gauge", "Memory of the gateway's own process.",
           process.resident_bytes);
  text.one("process_open_fds", "gauge", "File descriptors that the gateway uses.",
           process.descriptors);
  text.one("process_max_fds", "gauge", "File descriptors that it may use.",
           process.most_descriptors);
  text.one("process_start_time_seconds", "gauge", "When the gateway started, since the epoch.",
           process.started_at);
  text.one("agora_live_watchers", "gauge", "Readers of the operator's live view.", now.watchers);
  if (now.certificate_ends)
    text.one("agora_certificate_expiry_seconds", "gauge",
             "When the TLS certificate in use expires, since the epoch.", *now.certificate_ends);
}

// As Prometheus quotes them.
std::string label (const char *name, std::string_view value) {
  std::string text = std::string(name) + "=\"";
  for (const char c : value) {
    if (c == '\\' || c == '"')
      text += '\\';
    text += c == '\n' ? std::string("\\n") : std::string(1, c);
  }
  return text + '"';
}

std::string channel_labels (std::string_view app_id, std::string_view channel) {
  return label("app", app_id) + "," + label("channel", channel);
}

// No app has an empty id: it is no channel of that name.
const char *const other_channels = R"(app="",channel="other")";

void channel_sessions (Text &text, const ChannelsFigures &channels) {
  text.describe("agora_channel_rtmp_sessions", "gauge",
                "RTMP sessions, by channel; relay: those of other gateways, which play.");
  const auto values = [&text] (const ChannelFigures &each, const std::string &labels) {
    text.value(each.pushes, labels + ",side=\"push\"");
    text.value(each.plays, labels + ",side=\"play\"");
    text.value(each.relays, labels + ",side=\"relay\"");
  };
  for (const ChannelFigures &each : channels.named)
    values(each, channel_labels(each.app_id, each.channel));
  if (channels.others)
    values(channels.other, other_channels);
}

void channel_traffic (Text &text, const ChannelTraffic::Figures &traffic) {
  using Counts = ChannelTraffic::Counts;
  const auto each_of = [&] (const auto &value_of) {
    for (const auto &[name, counts] : traffic.named)
      text.value(value_of(counts), channel_labels(name.app_id, name.channel));
    text.value(value_of(traffic.other), other_channels);
  };
  const struct {
    const char *name;
    const char *help;
    std::uint64_t Counts::*count;
  } counters[] = {{"agora_channel_received_bytes_total", "Payload of RTMP that came, by channel.",
                   &Counts::received_bytes},
                  {"agora_channel_sent_bytes_total",
                   "Payload of RTMP to all who listen, by channel.", &Counts::sent_bytes},
                  {"agora_channel_dropped_frames_total",
                   "Left out for listeners that fell behind, by channel.", &Counts::dropped_frames},
                  {"agora_channel_cut_listeners_total",
                   "Listeners that read nothing any more, by channel.", &Counts::cut_listeners}};
  for (const auto &[name, help, count] : counters) {
    text.describe(name, "counter", help);
    each_of([member = count] (const Counts &counts) { return counts.*member; });
  }
  text.describe("agora_channel_lag_seconds", "gauge",
                "How far the slowest listener was behind, at worst in 15 s, by channel.");
  each_of([] (const Counts &counts) noexcept { return static_cast<double>(counts.lag_ms) / 1000; });
}

void channel_figures (Text &text, const ChannelsFigures &channels) {
  const auto labels = [] (const ChannelFigures &each) {
    return channel_labels(each.app_id, each.channel);
  };
  const struct {
    const char *name;
    const char *help;
    std::size_t ChannelFigures::*count;
  } counts[] = {
      {"agora_channel_members", "Members, by channel.", &ChannelFigures::members},
      {"agora_channel_streams", "Streams on the air, by channel.", &ChannelFigures::streams},
      {"agora_channel_listeners", "Streams that members play, by channel.",
       &ChannelFigures::listeners}};
  for (const auto &[name, help, count] : counts) {
    text.describe(name, "gauge", help);
    for (const ChannelFigures &each : channels.named)
      text.value(each.*count, labels(each));
    if (channels.others)
      text.value(channels.other.*count, other_channels);
  }
  const struct {
    const char *name;
    const char *help;
    std::optional<std::int64_t> ChannelFigures::*figure;
    double unit;
  } figures[] = {{"agora_channel_peak_db", "Loudest peak in a report of the last 15 s, in dB.",
                  &ChannelFigures::peak_db, 1},
                 {"agora_channel_mouth_to_ear_seconds", "Longest latency in those reports.",
                  &ChannelFigures::latency_ms, 1'000},
                 {"agora_channel_jitter_seconds", "Widest jitter in those reports.",
                  &ChannelFigures::jitter_ms, 1'000}};
  for (const auto &[name, help, figure, unit] : figures) {
    text.describe(name, "gauge", help);
    for (const ChannelFigures &each : channels.named)
      if (each.*figure)
        text.value(static_cast<double>(*(each.*figure)) / unit, labels(each));
  }
}

void web_counts (Text &text, const Metrics::Web &web) {
  text.describe("agora_web_sessions", "gauge", "Sessions of WHIP (speak) and WHEP (hear).");
  text.value(web.speak, "kind=\"speak\"");
  text.value(web.hear, "kind=\"hear\"");
  text.one("agora_web_workers", "gauge", "Workers of agora-web that serve.", web.workers);
  text.one("agora_web_restarts_total", "counter", "Restarts of workers.", web.restarts);
  text.one("agora_web_feeds", "gauge", "Mixes that are pushed for players.", web.feeds);
  text.one("agora_web_event_streams", "gauge", "Event streams that are open.", web.streams);
  text.describe("agora_web_offers_total", "counter", "Offers of WHIP and WHEP, by answer.");
  for (auto [status, count] : web.offers)
    text.value(count, "status=\"" + std::to_string(status) + "\"");
}

void store_counts (Text &text, const Metrics::Shared &shared) {
  text.one("agora_store_up", "gauge", "1 while the store answers.", shared.status.up ? 1 : 0);
  text.one("agora_store_losses_total", "counter", "How often the store went away.",
           shared.status.losses);
  text.one("agora_store_operations_total", "counter", "Asked of the store.", shared.status.sent);
  text.one("agora_store_waiting", "gauge", "Operations that aren't answered yet.",
           shared.status.waiting);
  text.one("agora_cluster_gateways", "gauge", "Gateways that live, this one included.",
           shared.gateways);
  text.one("agora_cluster_resyncs_total", "counter", "Times the store was told anew what is here.",
           shared.counts.resyncs);
  text.one("agora_cluster_gaps_total", "counter", "Messages of the store that got lost.",
           shared.counts.gaps);
  text.one("agora_cluster_local_joins_total", "counter", "Joins while the store was away.",
           shared.counts.local_claims);
  text.one("agora_cluster_reaped_total", "counter", "Members of gateways that died.",
           shared.counts.reaped);
}

}  // namespace

double Metrics::worst_lag() const {
  return *std::max_element(lags_.begin(), lags_.end());
}

std::string Metrics::text(const Snapshot &now) const {
  const auto &totals = now.totals;
  Text text;
  text.describe("agora_build_info", "gauge", "The version that runs.");
  text.value(1, "version=\"" AGORA_VERSION "\"");
  text.one("agora_sockets", "gauge", "Open WebSockets.", now.sockets);
  text.describe("agora_members", "gauge", "Members of all channels.");
  text.value(totals.members - totals.in_grace, "state=\"connected\"");
  text.value(totals.in_grace, "state=\"grace\"");
  text.one("agora_channels", "gauge", "Channels with a member.", totals.channels);
  text.one("agora_streams", "gauge", "Streams on the air.", totals.streams);
  text.describe("agora_joins_total", "counter", "Answers to join, by code; 200 is success.");
  by_code(text, totals.joins);
  text.describe("agora_answers_total", "counter", "Answers to all requests, by code.");
  by_code(text, totals.answers);
  text.one("agora_events_total", "counter", "Events sent, one for each receiver.", totals.events);
  text.one("agora_received_frames_total", "counter", "Frames from members.", received_frames_);
  text.one("agora_received_bytes_total", "counter", "Payload of frames from members.",
           received_bytes_);
  text.one("agora_sent_frames_total", "counter", "Frames to members.", sent_frames_);
  text.one("agora_sent_bytes_total", "counter", "Payload of frames to members.", sent_bytes_);
  text.one("agora_queue_bytes", "gauge", "What waits for members to read it.", now.queue_bytes);
  text.one("agora_queue_bytes_max", "gauge", "What waits for the member with most.",
           now.queue_bytes_max);
  text.describe("agora_hooks_total", "counter", "Hooks of the media server, by call and answer.");
  for (const auto &[which, count] : hooks_)
    text.value(count, std::string("call=\"") + call_name(which.first) + "\",answer=\"" +
                          (which.second ? "allow" : "refuse") + "\"");
  text.one("agora_loop_lag_seconds", "gauge", "How late the main loop was, at worst in 15 s.",
           worst_lag());
  process_figures(text, now);
  text.one("agora_media_up", "gauge", "Whether the media server serves.", now.media_up ? 1 : 0);
  text.one("agora_media_restarts_total", "counter", "Restarts of agora-relay.", now.media_restarts);
  quality_counts(text, totals.quality);
  if (now.channels) {
    channel_figures(text, *now.channels);
    channel_sessions(text, *now.channels);
  }
  if (now.traffic)
    channel_traffic(text, *now.traffic);
  if (now.relay)
    relay_counts(text, *now.relay);
  if (now.web)
    web_counts(text, *now.web);
  if (now.store)
    store_counts(text, *now.store);
  if (now.webhooks) {
    text.describe("agora_webhooks_total", "counter", "Events for the receiver, by how they fared.");
    text.value(now.webhooks->delivered, "result=\"delivered\"");
    text.value(now.webhooks->retried, "result=\"retried\"");
    text.value(now.webhooks->dropped, "result=\"dropped\"");
    text.one("agora_webhooks_queued", "gauge", "Events that wait for the receiver.",
             now.webhooks->queued);
  }
  return text.take();
}

}  // namespace agora::gateway

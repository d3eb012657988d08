// SPDX-License-Identifier: LGPL-2.1-or-later
// AgoraClient's call about how its member's sound fares.
#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

#include "signaling/client/calls.hpp"

using namespace agora::client;
namespace protocol = agora::protocol;

namespace {

struct VariantUnref {
  void operator()(GVariant *variant) const { g_variant_unref(variant); }
};
using VariantPtr = std::unique_ptr<GVariant, VariantUnref>;

VariantPtr member (GVariant *figures, const char *name, const char *type) {
  return VariantPtr(g_variant_lookup_value(figures, name, G_VARIANT_TYPE(type)));
}

// Of a double, which may be no number.
std::optional<std::int64_t> rounded (GVariant *figures, const char *name, std::int64_t low,
                                     std::int64_t high) {
  const VariantPtr value = member(figures, name, "d");
  const double number = value ? g_variant_get_double(value.get()) : NAN;
  if (std::isnan(number))
    return std::nullopt;
  return std::llround(std::clamp(number, static_cast<double>(low), static_cast<double>(high)));
}

std::optional<protocol::Loudness> loudness (GVariant *figures) {
  const auto level = [&] (const char *name) {
    return rounded(figures, name, protocol::min_report_level, protocol::max_report_level);
  };
  const auto peak = level("peak");
  const auto rms = level("rms");
  if (!peak || !rms)
    return std::nullopt;
  return protocol::Loudness{static_cast<std::int8_t>(*peak), static_cast<std::int8_t>(*rms)};
}

std::int64_t time_of (GVariant *figures, const char *name) {
  return rounded(figures, name, 0, protocol::max_report_ms).value_or(0);
}

std::int64_t count_of (GVariant *figures, const char *name) {
  const VariantPtr value = member(figures, name, "t");
  const guint64 count = value ? g_variant_get_uint64(value.get()) : 0;
  return static_cast<std::int64_t>(
      std::min(count, static_cast<guint64>(protocol::max_report_count)));
}

protocol::SentReport sent_of (GVariant *figures) {
  return {loudness(figures), count_of(figures, "dropped-ms"), count_of(figures, "outages")};
}

std::optional<protocol::HeardReport> heard_of (GVariant *figures) {
  const VariantPtr uid = member(figures, "uid", "u");
  if (!uid)
    return std::nullopt;
  protocol::HeardReport heard;
  heard.uid = g_variant_get_uint32(uid.get());
  heard.level = loudness(figures);
  heard.delay_ms = time_of(figures, "delay-ms");
  heard.latency_ms = rounded(figures, "mouth-to-ear-ms", 0, protocol::max_report_ms);
  heard.jitter_ms = time_of(figures, "jitter-ms");
  heard.dropped_ms = count_of(figures, "dropped-ms");
  heard.concealed_ms = count_of(figures, "concealed-ms");
  return heard;
}

Figures figures_of (GVariant *given) {
  Figures figures;
  if (const VariantPtr sent = member(given, "sent", "a{sv}"))
    figures.sent = sent_of(sent.get());
  const VariantPtr list = member(given, "heard", "aa{sv}");
  if (!list)
    return figures;
  figures.heard.emplace();
  const gsize count = g_variant_n_children(list.get());
  for (gsize i = 0; i < count && figures.heard->size() < protocol::max_report_speakers; i++) {
    const VariantPtr each(g_variant_get_child_value(list.get(), i));
    if (const auto heard = heard_of(each.get()))
      figures.heard->push_back(*heard);
  }
  return figures;
}

}  // namespace

/**
 * agora_client_report:
 * @self: a client.
 * @figures: a dictionary, of type `a{sv}`; a floating one is consumed.
 *
 * Tells the operator of the gateway how this member's sound fares. Nobody else is told, and nothing
 * depends on it. Calls cost little: the client sends what it was told last, every 5 s at most, and
 * adds by itself how often it has lost the gateway.
 *
 * Elements that share the client, agorasink and agorasrc, report by themselves. A program that
 * sends or plays by other means may fill in what it knows. What is absent, or of another type, is
 * left out; what has no name below is ignored.
 *
 * | in @figures | type | |
 * |---|---|---|
 * | `sent` | `a{sv}` | one's own voice |
 * | `heard` | `aa{sv}` | the speakers that are played, 16 at most |
 *
 * Of both, levels since the last report, in dB of full scale: `peak` and `rms`, of type `d`. In
 * `sent`, as counted since the voice began:
 *
 * | | type | |
 * |---|---|---|
 * | `dropped-ms` | `t` | sound that wasn't sent, since the network was too slow |
 * | `outages` | `t` | how often it was off the air |
 *
 * In each of `heard`, with times in milliseconds:
 *
 * | | type | |
 * |---|---|---|
 * | `uid` | `u` | the speaker; one without it is left out |
 * | `delay-ms` | `d` | for how long its sound is held back |
 * | `mouth-to-ear-ms` | `d` | latency from the speaker's mouth to this member's ear |
 * | `jitter-ms` | `d` | spread of its arrivals |
 * | `dropped-ms` | `t` | sound that came too late, in all |
 * | `concealed-ms` | `t` | sound that didn't come, in all |
 *
 * Returns: whether the gateway takes reports; %FALSE outside of a channel.
 *
 * Since: 0.2
 */
gboolean agora_client_report (AgoraClient *self, GVariant *figures) noexcept {
  g_return_val_if_fail(AGORA_IS_CLIENT(self), FALSE);
  g_return_val_if_fail(figures != nullptr, FALSE);
  const VariantPtr held(g_variant_ref_sink(figures));
  g_return_val_if_fail(g_variant_is_of_type(figures, G_VARIANT_TYPE_VARDICT), FALSE);
  gboolean taken = FALSE;
  agora::guarded("a report of AgoraClient", [&] {
    Core &core = core_of(self);
    taken = core.machine().takes_reports() ? TRUE : FALSE;
    if (taken)
      core.happen(CallReport{figures_of(figures)});
  });
  return taken;
}

// SPDX-License-Identifier: LGPL-2.1-or-later
// Tells the gateway's operator how the sound of this membership fares. The context's thread alone.
#include <algorithm>

#include "gst/membership/shared-membership.hpp"
#include "signaling/support/timer.hpp"

namespace agora {

namespace {

// The client sends no more than that either. The first one is soon, at a moment of its own: those
// of a process that came at once report at twenty moments of these five seconds.
constexpr unsigned kEvery = 5'000;
constexpr unsigned kFirst = 1'000;

void add (GVariantDict &to, const std::optional<VoiceLevel> &level) {
  if (!level)
    return;
  g_variant_dict_insert(&to, "peak", "d", level->peak_db);
  g_variant_dict_insert(&to, "rms", "d", level->rms_db);
}

void add (GVariantDict &to, const char *name, std::uint64_t count) {
  g_variant_dict_insert(&to, name, "t", static_cast<guint64>(count));
}

GVariant *variant_of (const SentFigures &sent) {
  GVariantDict dict;
  g_variant_dict_init(&dict, nullptr);
  add(dict, sent.level);
  add(dict, "dropped-ms", sent.dropped_ms);
  add(dict, "outages", sent.outages);
  return g_variant_dict_end(&dict);
}

GVariant *variant_of (const HeardFigures &heard) {
  GVariantDict dict;
  g_variant_dict_init(&dict, nullptr);
  g_variant_dict_insert(&dict, "uid", "u", heard.uid);
  add(dict, heard.level);
  g_variant_dict_insert(&dict, "delay-ms", "d", heard.delay_ms);
  g_variant_dict_insert(&dict, "jitter-ms", "d", heard.jitter_ms);
  if (heard.mouth_to_ear_ms)
    g_variant_dict_insert(&dict, "mouth-to-ear-ms", "d", *heard.mouth_to_ear_ms);
  add(dict, "dropped-ms", heard.dropped_ms);
  add(dict, "concealed-ms", heard.concealed_ms);
  return g_variant_dict_end(&dict);
}

GVariant *variant_of (const std::vector<HeardFigures> &heard) {
  GVariantBuilder list;
  g_variant_builder_init(&list, G_VARIANT_TYPE("aa{sv}"));
  for (const HeardFigures &each : heard)
    g_variant_builder_add_value(&list, variant_of(each));
  return g_variant_builder_end(&list);
}

}  // namespace

void SharedMembership::report_soon() {
  const auto first = static_cast<unsigned>(g_random_int_range(kFirst, kEvery));
  report_timer_ = after(context_, first, [this] { report(); });
}

void SharedMembership::report() {
  // A member that is asked may be the last one to go.
  const auto self = shared_from_this();
  const gint64 now = g_get_monotonic_time();
  const gint64 next = common_moment(now + gint64{kEvery} * 1000);
  report_timer_ =
      after(context_, static_cast<unsigned>((next - now + 999) / 1000), [this] { report(); });
  // Nobody is asked for what isn't wanted: an empty one only looks whether it is.
  if (!joined_ || !agora_client_report(client_, g_variant_new("a{sv}", nullptr)))
    return;
  MemberReport report;
  tell([&] (Member &m) { m.report(report); });
  if (!joined_ || !client_)
    return;
  GVariantDict figures;
  g_variant_dict_init(&figures, nullptr);
  if (report.sent)
    g_variant_dict_insert_value(&figures, "sent", variant_of(*report.sent));
  if (report.heard)
    g_variant_dict_insert_value(&figures, "heard", variant_of(*report.heard));
  agora_client_report(client_, g_variant_dict_end(&figures));
}

}  // namespace agora

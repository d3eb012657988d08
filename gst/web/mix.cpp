// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/web/mix.hpp"

#include <algorithm>
#include <utility>

#include "gst/web/opus-encoder.hpp"
#include "signaling/agora-client.h"

G_GNUC_BEGIN_IGNORE_DEPRECATIONS

namespace agora::web {

namespace {

constexpr GstClockTime level_interval = 100 * GST_MSECOND;

// Calls `what` with each structure of agorasrc's list of speakers.
template <typename What>
void each_speaker (const GstStructure &structure, const What &what) {
  const GValue *value = gst_structure_get_value(&structure, "speakers");
  const auto *speakers = value ? static_cast<GValueArray *>(g_value_get_boxed(value)) : nullptr;
  for (guint i = 0; speakers && i < speakers->n_values; i++)
    if (const GstStructure *speaker = gst_value_get_structure(&speakers->values[i]))
      what(*speaker);
}

}  // namespace

void Ear::open(Peer *peer) {
  std::lock_guard lock(mutex_);
  peer_ = peer;
}

void Ear::close() {
  std::lock_guard lock(mutex_);
  peer_ = nullptr;
  chosen_ = nullptr;
}

void Ear::choose(const Fan *mix) {
  std::lock_guard lock(mutex_);
  chosen_ = mix;
}

void Ear::take(const Fan *from, GstBuffer *packet) {
  std::lock_guard lock(mutex_);
  if (peer_ && chosen_ == from)
    peer_->push(share(packet));
}

template <typename Change>
void Fan::change(const Change &how) {
  std::shared_ptr<const Ears> old;  // ends after the lock
  std::lock_guard lock(mutex_);
  auto changed = std::make_shared<Ears>(*ears_);
  how(*changed);
  old = std::exchange(ears_, std::move(changed));
}

void Fan::add(std::shared_ptr<Ear> ear) {
  change([&] (Ears &ears) { ears.push_back(std::move(ear)); });
}

void Fan::remove(const Ear *ear) {
  change([&] (Ears &ears) { std::erase_if(ears, [&] (auto &e) { return e.get() == ear; }); });
}

void Fan::clear() {
  change([] (Ears &ears) { ears.clear(); });
}

std::size_t Fan::size() const {
  std::lock_guard lock(mutex_);
  return ears_->size();
}

void Fan::give(GstBuffer *packet) const {
  std::shared_ptr<const Ears> ears;
  {
    std::lock_guard lock(mutex_);
    ears = ears_;
  }
  for (const auto &ear : *ears)
    ear->take(this, packet);
}

Mix::Mix(const Settings &settings, Callbacks callbacks)
    : callbacks_(std::move(callbacks)),
      pipeline_({[failed = callbacks_.failed] (const GError &error) {
                   if (failed)
                     failed(error);
                 },
                 [this] (const GstStructure &message) { told(message); }}),
      source_(sink_ref(gst_element_factory_make("agorasrc", nullptr))) {
  g_object_set(source_.get(), "latency", default_latency_ms, "adaptive-latency", TRUE, nullptr);
  if (settings.client)
    g_object_set(source_.get(), "client", settings.client, nullptr);
  else
    g_object_set(source_.get(), "gateway", settings.gateway.c_str(), "app-id", settings.app.c_str(),
                 "channel", settings.channel.c_str(), "retry-first-join", TRUE, "reconnect-timeout",
                 -1, nullptr);
  ObjectPtr<GstElement> encoder = make_opus_encoder();
  GstElement *end = gst_element_factory_make("fakesink", nullptr);
  g_object_set(end, "sync", FALSE, "async", FALSE, "enable-last-sample", FALSE, nullptr);
  gst_bin_add_many(pipeline_.bin(), source_.get(), encoder.get(), end, nullptr);
  CapsPtr caps(gst_caps_new_simple("audio/x-raw", "format", G_TYPE_STRING, "S16LE", "rate",
                                   G_TYPE_INT, 48000, "channels", G_TYPE_INT, 1, "layout",
                                   G_TYPE_STRING, "interleaved", nullptr));
  gst_element_link_filtered(source_.get(), encoder.get(), caps.get());
  gst_element_link(encoder.get(), end);
  const ObjectPtr<GstPad> packets(gst_element_get_static_pad(end, "sink"));
  gst_pad_add_probe(
      packets.get(), GST_PAD_PROBE_TYPE_BUFFER,
      [] (GstPad *, GstPadProbeInfo *info, gpointer fan) noexcept {
        (*static_cast<std::shared_ptr<Fan> *>(fan))->give(GST_PAD_PROBE_INFO_BUFFER(info));
        return GST_PAD_PROBE_OK;
      },
      new std::shared_ptr<Fan>(fan_),
      [] (gpointer fan) noexcept { delete static_cast<std::shared_ptr<Fan> *>(fan); });
}

Mix::~Mix() {
  end();
}

bool Mix::play() {
  return pipeline_.play();
}

void Mix::end() {
  fan_->clear();
  pipeline_.end();
}

void Mix::set_latency(unsigned ms) {
  latency_ms_ = ms ? ms : default_latency_ms;
  g_object_set(source_.get(), "latency", latency_ms_, "adaptive-latency", ms == 0, nullptr);
}

void Mix::set_measuring(bool measuring) {
  g_object_set(source_.get(), "level-interval", measuring ? level_interval : 0, nullptr);
}

void Mix::set_fader(std::uint32_t uid, double volume, bool mute) {
  const std::string name = "speaker-" + std::to_string(uid);
  gst_child_proxy_set(GST_CHILD_PROXY(source_.get()), (name + "::volume").c_str(), volume,
                      (name + "::mute").c_str(), static_cast<gboolean>(mute), nullptr);
}

void Mix::set_speakers(const std::set<std::uint32_t> &uids) {
  std::string list;
  for (const std::uint32_t uid : uids)
    list += (list.empty() ? "" : ",") + std::to_string(uid);
  g_object_set(source_.get(), "speakers", list.c_str(), nullptr);
}

GstStructure *Mix::stats() const {
  GstStructure *stats = nullptr;
  g_object_get(source_.get(), "stats", &stats, nullptr);
  return stats;
}

bool Mix::hears(const std::set<std::uint32_t> &uids) const {
  std::set<std::uint32_t> missing = uids;
  g_autoptr(GstStructure) now = stats();
  each_speaker(*now, [&] (const GstStructure &speaker) {
    guint uid = 0;
    double queued = 0;
    gst_structure_get(&speaker, "uid", G_TYPE_UINT, &uid, "queued-ms", G_TYPE_DOUBLE, &queued,
                      nullptr);
    if (queued > 0)
      missing.erase(uid);
  });
  return missing.empty();
}

void Mix::told(const GstStructure &message) {
  if (!gst_structure_has_name(&message, "agora-level") || !callbacks_.levels)
    return;
  std::vector<events::Loudness> speakers;
  each_speaker(message, [&] (const GstStructure &speaker) {
    guint uid = 0;
    double rms = 0;
    gst_structure_get(&speaker, "uid", G_TYPE_UINT, &uid, "rms", G_TYPE_DOUBLE, &rms, nullptr);
    speakers.push_back({uid, rms});
  });
  callbacks_.levels(speakers);
}

}  // namespace agora::web

G_GNUC_END_IGNORE_DEPRECATIONS

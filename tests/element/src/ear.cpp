// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tests/element/src/ear.hpp"

#include <cmath>

namespace agora::test {

namespace {

// Stamps in nanoseconds are off by less.
constexpr double kRounding = 1e-6;

double seconds (GstClockTime time) {
  return static_cast<double>(time) / GST_SECOND;
}

}  // namespace

Ear::Ear(Pipeline &pipeline, const char *element) : element_(pipeline.get(element)) {
  pad_ = gst_element_get_static_pad(element_, "sink");
  probe_ = gst_pad_add_probe(
      pad_, GST_PAD_PROBE_TYPE_BUFFER, hear, new std::shared_ptr(heard_),
      [] (gpointer heard) { delete static_cast<std::shared_ptr<Heard> *>(heard); });
}

Ear::~Ear() {
  gst_pad_remove_probe(pad_, probe_);
  gst_object_unref(pad_);
  gst_object_unref(element_);
}

GstPadProbeReturn Ear::hear(GstPad *, GstPadProbeInfo *info, gpointer data) {
  Heard &heard = **static_cast<std::shared_ptr<Heard> *>(data);
  GstBuffer *buffer = GST_PAD_PROBE_INFO_BUFFER(info);
  GstMapInfo map;
  if (!GST_BUFFER_PTS_IS_VALID(buffer) || !gst_buffer_map(buffer, &map, GST_MAP_READ))
    return GST_PAD_PROBE_OK;
  const auto *samples = reinterpret_cast<const float *>(map.data);
  const gsize count = map.size / sizeof(float);
  std::lock_guard lock(heard.mutex);
  if (heard.begin < 0)
    heard.begin = seconds(GST_BUFFER_PTS(buffer));
  const double at = seconds(GST_BUFFER_PTS(buffer));
  if (heard.moves.empty() || std::fabs(at - heard.end) > kRounding)
    heard.moves.push_back({heard.sound.size() / 2, at});
  heard.sound.insert(heard.sound.end(), samples, samples + count);
  heard.end = at + static_cast<double>(count) / 2 / kRate;
  gst_buffer_unmap(buffer, &map);
  return GST_PAD_PROBE_OK;
}

double Ear::tone(double hertz, int channel, double ms, double from) const {
  std::lock_guard lock(heard_->mutex);
  const auto frames = static_cast<std::size_t>(ms * kRate / 1000);
  const std::size_t all = heard_->sound.size() / 2;
  if (all < frames)
    return 0;
  std::size_t first = all - frames;
  if (from >= 0) {
    const double at = (from - heard_->begin) * kRate;
    if (at < 0 || at > static_cast<double>(first))
      return 0;
    first = static_cast<std::size_t>(at);
  }
  // Its neighbours in the spectrum must not pass for it.
  double re = 0, im = 0, weights = 0;
  for (std::size_t i = 0; i < frames; i++) {
    const double part = static_cast<double>(i) / static_cast<double>(frames);
    const double weight = 0.5 - 0.5 * cos(2 * M_PI * part);
    const double angle = 2 * M_PI * hertz * static_cast<double>(i) / kRate;
    const double value =
        heard_->sound[2 * (first + i) + static_cast<std::size_t>(channel)] * weight;
    re += value * cos(angle);
    im += value * sin(angle);
    weights += weight;
  }
  return 2 * std::hypot(re, im) / weights;
}

double Ear::until(bool absolute) const {
  const double base = absolute ? seconds(gst_element_get_base_time(element_)) : 0;
  std::lock_guard lock(heard_->mutex);
  return base + heard_->end;
}

std::vector<double> Ear::bursts() const {
  constexpr double quiet = 0.02, apart = 0.1;
  const double base = seconds(gst_element_get_base_time(element_));
  std::lock_guard lock(heard_->mutex);
  std::vector<double> found;
  double power = 0, moment = 0, last = -1;
  const std::size_t frames = heard_->sound.size() / 2;
  auto move = heard_->moves.begin();
  for (std::size_t i = 0; i < frames; i++) {
    while (move + 1 != heard_->moves.end() && (move + 1)->frame <= i)
      ++move;
    const double at = move->at + static_cast<double>(i - move->frame) / kRate;
    // A burst that isn't over has no middle yet.
    if (power > 0 && at > last + apart) {
      found.push_back(base + moment / power);
      power = moment = 0;
    }
    const double value = heard_->sound[2 * i];
    if (std::fabs(value) < quiet)
      continue;
    power += value * value;
    moment += value * value * at;
    last = at;
  }
  return found;
}

double Ear::missing() const {
  std::lock_guard lock(heard_->mutex);
  const std::size_t frames = heard_->sound.size() / 2;
  return heard_->end - heard_->begin - static_cast<double>(frames) / kRate;
}

}  // namespace agora::test

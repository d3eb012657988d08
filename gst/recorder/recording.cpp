// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/recorder/recording.hpp"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "gst/common/channel-settings.hpp"
#include "gst/common/codec-delay.hpp"
#include "gst/common/voice-codec.hpp"

namespace agora::recorder {

namespace {

// A speaker who is back within that (beyond `latency`) has never left the pipeline.
constexpr guint kStaysMs = 3000;
// What was said before the end is in the lanes by then (beyond `latency`).
constexpr guint kTailMs = 300;
// Of those who aren't recorded so many are told.
constexpr std::size_t kMostLeftOut = 1000;
// No slower codec is waited for than one that is so much slower than the usual one.
constexpr std::int64_t kMostEarlier = 120 * GST_MSECOND;
constexpr const char *kSinkKey = "agora-recorder-sink";
constexpr const char *kPadPrefix = "speaker_";

double seconds (std::int64_t ns) {
  return static_cast<double>(ns) / GST_SECOND;
}

// What a sink does with its samples.
struct Taker {
  std::shared_ptr<Lane> lane;
  GstClockTime latency;
  int frame_bytes;               // 0: as it was sent
  ObjectPtr<GstElement> source;  // null: no one speaker's, or as it was sent
  // Of raw sound. Streaming thread alone.
  bool pauses = true;
  std::int64_t later = 0;  // by so many frames than it came
};

// What came by a quick codec was said as late as what comes by a slow one a moment later. All of it
// is put to where it had come by the usual one, so that whoever spoke together is together, and
// most stay where the mix has them.
std::int64_t later_by (GstClockTime delay) {
  return GST_CLOCK_DIFF(delay, kUsualCodecDelay);
}

std::int64_t frames_of (GstClockTime time) {
  return static_cast<std::int64_t>(gst_util_uint64_scale_round(time, kRate, GST_SECOND));
}

G_GNUC_BEGIN_IGNORE_DEPRECATIONS

// The codec's delay of the one speaker that `source` hears; 0: nothing came yet.
GstClockTime codec_delay_of (GstElement *source) {
  GstStructure *stats = nullptr;
  g_object_get(source, "stats", &stats, nullptr);
  double ms = 0;
  const GValue *list = stats ? gst_structure_get_value(stats, "speakers") : nullptr;
  if (const auto *speakers = list ? static_cast<GValueArray *>(g_value_get_boxed(list)) : nullptr;
      speakers && speakers->n_values > 0)
    gst_structure_get_double(gst_value_get_structure(speakers->values), "codec-delay-ms", &ms);
  if (stats)
    gst_structure_free(stats);
  return static_cast<GstClockTime>(ms * GST_MSECOND);
}

G_GNUC_END_IGNORE_DEPRECATIONS

std::int64_t frames_of_difference (std::int64_t ns) {
  const std::int64_t frames = frames_of(static_cast<GstClockTime>(std::abs(ns)));
  return ns < 0 ? -frames : frames;
}

// By how many frames later than it came a buffer has its place. Sound stays where it began,
// whatever codec follows, until there is a pause: what is heard goes on there, too. A pause leaves
// room for what is put before its end.
std::int64_t move (Taker &taker, GstBuffer *buffer) {
  if (!taker.source)
    return 0;
  const bool pauses = GST_BUFFER_FLAG_IS_SET(buffer, GST_BUFFER_FLAG_GAP);
  const bool begins = std::exchange(taker.pauses, pauses) && !pauses;
  if (pauses)
    return -frames_of_difference(kMostEarlier);
  if (const GstClockTime delay = begins ? codec_delay_of(taker.source.get()) : 0)
    taker.later = frames_of_difference(std::max(later_by(delay), -kMostEarlier));
  return taker.later;
}

// Streaming thread.
void take (Taker &taker, BufferPtr owned, GstCaps *caps) {
  GstBuffer *buffer = owned.get();
  if (!GST_BUFFER_PTS_IS_VALID(buffer))
    return;
  Piece piece;
  if (taker.frame_bytes) {
    piece.at = frames_of(GST_BUFFER_PTS(buffer)) - frames_of(taker.latency) + move(taker, buffer);
    piece.length = static_cast<std::int64_t>(gst_buffer_get_size(buffer)) / taker.frame_bytes;
  } else {
    piece.length = GST_BUFFER_DURATION_IS_VALID(buffer)
                       ? static_cast<std::int64_t>(GST_BUFFER_DURATION(buffer))
                       : 0;
    piece.at = GST_CLOCK_DIFF(taker.latency, GST_BUFFER_PTS(buffer)) +
               later_by(codec_delay(caps, static_cast<GstClockTime>(piece.length)));
  }
  if (piece.length <= 0)
    return;
  piece.sound = std::move(owned);
  piece.caps = share(caps);
  taker.lane->put(std::move(piece));
}

// Before the sink, which would make a sample of each block, and wake somebody for it.
GstPadProbeReturn on_buffer (GstPad *pad, GstPadProbeInfo *info, gpointer taker) noexcept {
  BufferPtr buffer(GST_PAD_PROBE_INFO_BUFFER(info));
  if (const CapsPtr caps(gst_pad_get_current_caps(pad)); caps)
    take(*static_cast<Taker *>(taker), std::move(buffer), caps.get());
  return GST_PAD_PROBE_HANDLED;
}

// Work of an element that its own threads can't do, done by the main loop.
struct Leaving {
  ObjectPtr<GstElement> pipeline;
  ObjectPtr<GstElement> sink;
};

void take_out (GstElement *pipeline, GstElement *element) {
  gst_element_set_locked_state(element, TRUE);
  gst_element_set_state(element, GST_STATE_NULL);
  gst_bin_remove(GST_BIN(pipeline), element);
}

}  // namespace

Recording::Recording(const Options &options, Terminal &terminal, GMainLoop *loop)
    : options_(options),
      terminal_(terminal),
      loop_(loop),
      pipeline_(sink_ref(gst_pipeline_new("recorder"))),
      clock_(gst_system_clock_obtain()) {
  first_ = sink_ref(make_source("first"));
  // The zero is known before anything comes.
  gst_pipeline_use_clock(GST_PIPELINE(pipeline_.get()), clock_.get());
  base_ = gst_clock_get_time(clock_.get());
  gst_element_set_start_time(pipeline_.get(), GST_CLOCK_TIME_NONE);
  gst_element_set_base_time(pipeline_.get(), base_);
}

Recording::~Recording() {
  close();
}

std::int64_t Recording::now() const {
  return GST_CLOCK_DIFF(base_, gst_clock_get_time(clock_.get()));
}

std::string Recording::text_of(const char *property) const {
  gchar *text = nullptr;
  if (first_)
    g_object_get(first_.get(), property, &text, nullptr);
  const CharPtr owned(text);
  return text ? text : "";
}

// Floating; null where agorasrc isn't there.
GstElement *Recording::make_source(const std::string &name) const {
  GstElement *source = gst_element_factory_make("agorasrc", name.c_str());
  if (!source)
    return nullptr;
  g_object_set(source, "latency", options_.latency_ms, "retry-first-join", TRUE,
               "reconnect-timeout", -1, nullptr);
  // Those after the first belong to its membership: the same channel, and nothing of their own.
  const bool others = first_ != nullptr;
  const auto set = [source] (const char *property, const std::string &value) {
    if (!value.empty())
      g_object_set(source, property, value.c_str(), nullptr);
  };
  set("gateway", others ? text_of("gateway") : options_.gateway);
  set("app-id", others ? text_of("app-id") : options_.app_id);
  set("channel", others ? text_of("channel") : options_.channel);
  set("ca-file", others ? text_of("ca-file") : options_.ca_file);
  if (!others) {
    set("token", options_.token);
    if (options_.uid)
      g_object_set(source, "uid", options_.uid, nullptr);
    g_object_set(source, "expose-speakers", options_.coded(), nullptr);
    if (options_.format == Format::adts)
      hear_in(G_OBJECT(source), VoiceCodec::aac);
  }
  return source;
}

// Floating. Never waits for a first sample: a speaker who says nothing holds up nobody.
GstElement *Recording::make_sink(const char *caps, std::shared_ptr<Lane> lane,
                                 GstElement *speaker) {
  GstElement *sink = gst_element_factory_make("appsink", nullptr);
  if (!sink)
    return nullptr;
  int channels = 0;
  if (caps) {
    const CapsPtr made(gst_caps_from_string(caps));
    gst_structure_get_int(gst_caps_get_structure(made.get(), 0), "channels", &channels);
    g_object_set(sink, "caps", made.get(), nullptr);
  }
  g_object_set(sink, "sync", FALSE, "async", FALSE, "enable-last-sample", FALSE, nullptr);
  g_autoptr(GstPad) pad = gst_element_get_static_pad(sink, "sink");
  gst_pad_add_probe(
      pad, GST_PAD_PROBE_TYPE_BUFFER, on_buffer,
      new Taker{std::move(lane), options_.latency_ms * static_cast<GstClockTime>(GST_MSECOND),
                channels * options_.depth / 8, speaker ? share(speaker) : nullptr},
      [] (gpointer taker) noexcept { delete static_cast<Taker *>(taker); });
  return sink;
}

// `source` is in the pipeline. False: it is one too many.
bool Recording::add(std::uint32_t uid, GstElement *source) {
  std::shared_ptr<Lane> lane = disk_->lane(uid);
  if (!lane)
    return false;
  const std::string caps =
      "audio/x-raw,format=" + std::string(options_.depth == 24 ? "S24LE" : "S16LE") +
      ",layout=interleaved,rate=" + std::to_string(kRate) +
      ",channels=" + std::to_string(uid ? options_.channels : kMixChannels);
  GstElement *sink = make_sink(caps.c_str(), std::move(lane), uid ? source : nullptr);
  if (!sink)
    return false;
  gst_bin_add(GST_BIN(pipeline_.get()), sink);
  if (!gst_element_link(source, sink)) {
    take_out(pipeline_.get(), sink);
    return false;
  }
  gst_element_sync_state_with_parent(sink);
  Branch &branch = branches_[uid];
  branch.sink = share(sink);
  if (uid)
    branch.source = share(source);
  return true;
}

bool Recording::prepare(std::string &reason) {
  if (!first_) {
    reason = "GStreamer has no agorasrc";
    return false;
  }
  if (!options_.uri.empty()) {
    GError *error = nullptr;
    if (!gst_uri_handler_set_uri(GST_URI_HANDLER(first_.get()), options_.uri.c_str(), &error)) {
      const ErrorPtr owned(error);
      reason = error->message;
      return false;
    }
    // A URI without one has cleared it.
    if (!options_.token.empty())
      g_object_set(first_.get(), "token", options_.token.c_str(), nullptr);
  }
  gst_bin_add(GST_BIN(pipeline_.get()), GST_ELEMENT(gst_object_ref(first_.get())));
  return true;
}

void Recording::start(CueBook &cues, Disk &disk) {
  cues_ = &cues;
  disk_ = &disk;
  if (options_.coded()) {
    g_signal_connect(first_.get(), "pad-added", G_CALLBACK(on_pad_added), this);
    g_signal_connect(first_.get(), "pad-removed", G_CALLBACK(on_pad_removed), this);
  } else if (options_.mix && !add(0, first_.get())) {
    fail("the mix has no sink");
    return;
  }
  if (options_.duration_s) {
    const std::int64_t end = options_.duration_s * static_cast<std::int64_t>(GST_SECOND);
    disk_->limit(end);
    timer_ = g_timeout_add_once(
        static_cast<guint>((end - now()) / static_cast<std::int64_t>(GST_MSECOND) + 1),
        [] (gpointer self) noexcept {
          static_cast<Recording *>(self)->timer_ = 0;
          static_cast<Recording *>(self)->stop();
        },
        this);
  }
  const ObjectPtr<GstBus> bus(gst_element_get_bus(pipeline_.get()));
  watch_ = gst_bus_add_watch(bus.get(), on_bus, this);
  gst_element_set_state(pipeline_.get(), GST_STATE_PLAYING);
}

void Recording::fail(const std::string &text) {
  failed_ = true;
  terminal_.complain(text);
  cues_->note("failed", seconds(now()), 0, text);
  if (end_ < 0)
    end_ = now();
  disk_->limit(end_);
  quit();
}

void Recording::run() {
  if (!over_)
    g_main_loop_run(loop_);
}

// Also before it runs.
void Recording::quit() {
  over_ = true;
  g_main_loop_quit(loop_);
}

void Recording::stop() {
  if (end_ >= 0) {
    quit();
    return;
  }
  end_ = now();
  if (options_.duration_s)
    end_ = std::min(end_, options_.duration_s * static_cast<std::int64_t>(GST_SECOND));
  disk_->limit(end_);
  if (timer_)
    g_source_remove(timer_);
  timer_ = g_timeout_add_once(
      options_.latency_ms + kTailMs,
      [] (gpointer self) noexcept {
        static_cast<Recording *>(self)->timer_ = 0;
        static_cast<Recording *>(self)->quit();
      },
      this);
}

void Recording::close() {
  if (!pipeline_)
    return;
  if (end_ < 0)
    end_ = now();
  if (timer_)
    g_source_remove(std::exchange(timer_, 0));
  if (watch_)
    g_source_remove(std::exchange(watch_, 0));
  for (auto &[uid, branch] : branches_)
    if (branch.leaving)
      g_source_remove(branch.leaving);
  gst_element_set_state(pipeline_.get(), GST_STATE_NULL);
  if (first_)
    g_signal_handlers_disconnect_by_data(first_.get(), this);
  // Sinks of pads that are gone.
  while (g_main_context_iteration(nullptr, FALSE)) {
  }
  branches_.clear();
  pipeline_.reset();
}

gboolean Recording::on_bus(GstBus *, GstMessage *message, gpointer self) noexcept {
  static_cast<Recording *>(self)->on_message(message);
  return G_SOURCE_CONTINUE;
}

void Recording::on_message(GstMessage *message) {
  GstObject *source = GST_MESSAGE_SRC(message);
  const bool ours = source == GST_OBJECT(first_.get()) ||
                    gst_object_has_as_ancestor(source, GST_OBJECT(first_.get()));
  switch (GST_MESSAGE_TYPE(message)) {
    case GST_MESSAGE_ERROR:
    case GST_MESSAGE_WARNING: {
      GError *error = nullptr;
      const bool fatal = GST_MESSAGE_TYPE(message) == GST_MESSAGE_ERROR;
      if (fatal)
        gst_message_parse_error(message, &error, nullptr);
      else
        gst_message_parse_warning(message, &error, nullptr);
      const ErrorPtr owned(error);
      // A membership that ends tells all of its elements: the first one is enough. What is wrong
      // with one speaker alone ends nothing else.
      if (end_ >= 0)
        break;
      if (ours && fatal) {
        fail(error->message);
      } else {
        terminal_.complain(error->message);
        cues_->note("trouble", seconds(now()), 0, error->message);
      }
      break;
    }
    case GST_MESSAGE_LATENCY:
      gst_bin_recalculate_latency(GST_BIN(pipeline_.get()));
      break;
    case GST_MESSAGE_ELEMENT:
      if (source == GST_OBJECT(first_.get()))
        on_news(*gst_message_get_structure(message));
      break;
    default:
      break;
  }
}

void Recording::on_news(const GstStructure &news) {
  const char *name = gst_structure_get_name(&news);
  guint uid = 0;
  gst_structure_get_uint(&news, "uid", &uid);
  if (std::strcmp(name, "agora-stream-added") == 0)
    return on_stream(uid, true);
  if (std::strcmp(name, "agora-stream-removed") == 0)
    return on_stream(uid, false);
  const std::string who = uid ? std::to_string(uid) + ": " : "";
  if (std::strcmp(name, "agora-reconnecting") == 0) {
    const char *cause = gst_structure_get_string(&news, "cause");
    cues_->note("reconnecting", seconds(now()), uid, cause ? cause : "");
    terminal_.complain(who + "reconnecting: " + (cause ? cause : "?"));
  } else if (std::strcmp(name, "agora-reconnected") == 0) {
    cues_->note("reconnected", seconds(now()), uid);
    terminal_.say(who + "reconnected");
  } else if (std::strcmp(name, "agora-mute-audio") == 0) {
    cues_->note("muted", seconds(now()), uid);
  } else if (std::strcmp(name, "agora-unmute-audio") == 0) {
    cues_->note("unmuted", seconds(now()), uid);
  } else if (std::strcmp(name, "agora-member-named") == 0) {
    const char *text = gst_structure_get_string(&news, "name");
    cues_->named(uid, seconds(now()), text ? text : "");
  } else if (std::strcmp(name, "agora-token-privilege-will-expire") == 0) {
    terminal_.complain("the token ends within 30 s");
  }
}

void Recording::on_stream(std::uint32_t uid, bool added) {
  const double at = seconds(now());
  // Who comes after the end isn't in the recording.
  if (added && end_ >= 0)
    return;
  if (added) {
    cues_->speaks(uid, at);
    terminal_.say(std::to_string(uid) + " speaks");
  } else {
    cues_->stops(uid, at);
    terminal_.say(std::to_string(uid) + " has stopped");
  }
  // Pads come and go by themselves.
  if (options_.coded() || end_ >= 0)
    return;
  const auto found = branches_.find(uid);
  if (found == branches_.end()) {
    if (added)
      add_speaker(uid);
  } else if (added && found->second.leaving) {
    g_source_remove(std::exchange(found->second.leaving, 0));
  } else if (!added && !found->second.leaving) {
    leave_soon(uid, found->second);
  }
}

void Recording::add_speaker(std::uint32_t uid) {
  const std::string name = std::to_string(uid);
  GstElement *source = make_source("speaker-" + name);
  g_object_set(source, "speakers", name.c_str(), nullptr);
  gst_bin_add(GST_BIN(pipeline_.get()), source);
  if (add(uid, source)) {
    gst_element_sync_state_with_parent(source);
  } else {
    take_out(pipeline_.get(), source);
    too_many(uid);
  }
}

// Any thread. Once for each, however often they come.
void Recording::too_many(std::uint32_t uid) {
  {
    std::lock_guard lock(mutex_);
    if (left_out_.size() >= kMostLeftOut || !left_out_.insert(uid).second)
      return;
  }
  cues_->note("not-recorded", seconds(now()), uid, "more than --max-speakers");
  terminal_.complain(std::to_string(uid) + " isn't recorded: there are --max-speakers already");
}

void Recording::leave_soon(std::uint32_t uid, Branch &branch) {
  struct Guest {
    Recording *self;
    std::uint32_t uid;
  };
  branch.leaving = g_timeout_add_full(
      G_PRIORITY_DEFAULT, options_.latency_ms + kStaysMs,
      [] (gpointer data) noexcept -> gboolean {
        const auto *guest = static_cast<Guest *>(data);
        guest->self->remove(guest->uid);
        return G_SOURCE_REMOVE;
      },
      new Guest{this, uid}, [] (gpointer guest) noexcept { delete static_cast<Guest *>(guest); });
}

void Recording::remove(std::uint32_t uid) {
  const auto found = branches_.find(uid);
  const Branch branch = std::move(found->second);
  branches_.erase(found);
  take_out(pipeline_.get(), branch.source.get());
  take_out(pipeline_.get(), branch.sink.get());
}

// The signalling thread.
void Recording::on_pad_added(GstElement *, GstPad *pad, gpointer self) noexcept {
  static_cast<Recording *>(self)->add_pad(pad);
}

void Recording::add_pad(GstPad *pad) {
  const CharPtr name(gst_pad_get_name(pad));
  if (!g_str_has_prefix(name.get(), kPadPrefix))
    return;
  const auto uid =
      static_cast<std::uint32_t>(std::strtoul(name.get() + std::strlen(kPadPrefix), nullptr, 10));
  std::shared_ptr<Lane> lane = disk_->lane(uid);
  if (!lane) {
    too_many(uid);
    return;
  }
  GstElement *sink = make_sink(nullptr, std::move(lane), nullptr);
  if (!sink)
    return;
  gst_bin_add(GST_BIN(pipeline_.get()), sink);
  gst_element_sync_state_with_parent(sink);
  g_object_set_data(G_OBJECT(pad), kSinkKey, sink);
  g_autoptr(GstPad) taken = gst_element_get_static_pad(sink, "sink");
  gst_pad_link(pad, taken);
}

void Recording::on_pad_removed(GstElement *, GstPad *pad, gpointer data) noexcept {
  auto *self = static_cast<Recording *>(data);
  auto *sink = static_cast<GstElement *>(g_object_steal_data(G_OBJECT(pad), kSinkKey));
  if (!sink)
    return;
  g_idle_add_full(
      G_PRIORITY_DEFAULT,
      [] (gpointer what) noexcept -> gboolean {
        const auto *leaving = static_cast<Leaving *>(what);
        take_out(leaving->pipeline.get(), leaving->sink.get());
        return G_SOURCE_REMOVE;
      },
      new Leaving{share(self->pipeline_.get()), share(sink)},
      [] (gpointer leaving) noexcept { delete static_cast<Leaving *>(leaving); });
}

}  // namespace agora::recorder

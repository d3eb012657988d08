// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
#include "gst/web/peer.hpp"

#define GST_USE_UNSTABLE_API
#include <gst/sdp/sdp.h>
#include <gst/webrtc/webrtc.h>

#include <atomic>
#include <utility>

#include "gst/common/signal-thread.hpp"
#include "gst/web/answer.hpp"
#include "gst/web/candidate.hpp"
#include "gst/web/certificate-check.hpp"
#include "gst/web/ice-agent.hpp"
#include "gst/web/intake.hpp"
#include "gst/web/listener-peer.hpp"
#include "gst/web/up-chain.hpp"

namespace agora::web {

namespace {

constexpr unsigned kWatchMs = 500;
// A browser whose microphone is gone sends no voice, but a report every 2.5 to 7.5 s, of which one
// may be lost. libnice lets through only what comes from the peer's own addresses.
constexpr std::int64_t kSilenceUs = 13 * G_USEC_PER_SEC;
constexpr std::int64_t kConnectUs = 20 * G_USEC_PER_SEC;
// What a STUN or TURN server hasn't said by then, the peer isn't told.
constexpr unsigned kGatherMs = 250;

class SpeakerPeer;

// What other threads have of a peer. Its owner is `peer`, for the peer's own thread alone.
struct Link {
  ContextPtr context;
  SpeakerPeer *peer = nullptr;
  std::atomic<std::uint64_t> packets = 0, bytes = 0;
  std::atomic<std::int64_t> last_us = 0;  // monotonic
  Intake intake;                          // of the thread that receives
  std::atomic<bool> flooded = false;
  std::atomic<int> pending = 0;  // of what webrtcbin was asked
};
using LinkPtr = std::shared_ptr<Link>;

struct Voice {
  LinkPtr link;
  std::shared_ptr<UpChain> chain;
};

// Calls `what` on the peer's thread, unless the peer is closed by then.
template <typename Function>
void tell (const LinkPtr &link, Function what) {
  post(link->context.get(), [link, what = std::move(what)] {
    if (link->peer)
      what(*link->peer);
  });
}

LinkPtr &link_of (gpointer data) {
  return *static_cast<LinkPtr *>(data);
}
void drop_link (gpointer data, GClosure *) noexcept {
  delete static_cast<LinkPtr *>(data);
}
void drop_link_alone (gpointer data) noexcept {
  drop_link(data, nullptr);
}

struct DescriptionFree {
  void operator()(GstWebRTCSessionDescription *description) const noexcept {
    gst_webrtc_session_description_free(description);
  }
};
using DescriptionPtr = std::unique_ptr<GstWebRTCSessionDescription, DescriptionFree>;

DescriptionPtr description (GstWebRTCSDPType type, const std::string &text) {
  GstSDPMessage *sdp = nullptr;
  gst_sdp_message_new_from_text(text.c_str(), &sdp);
  return DescriptionPtr(gst_webrtc_session_description_new(type, sdp));
}

// Of all that sent to webrtcbin: as many as its numbers say were sent, and didn't come.
std::uint64_t packets_lost (GstElement *webrtcbin) {
  const ObjectPtr<GstElement> rtpbin(gst_bin_get_by_name(GST_BIN(webrtcbin), "rtpbin"));
  GObject *session = nullptr;
  if (rtpbin)
    g_signal_emit_by_name(rtpbin.get(), "get-internal-session", 0U, &session);
  const ObjectPtr<GObject> owner(session);
  g_autoptr(GstStructure) stats = nullptr;
  if (session)
    g_object_get(session, "stats", &stats, nullptr);
  const GValue *value = stats ? gst_structure_get_value(stats, "source-stats") : nullptr;
  G_GNUC_BEGIN_IGNORE_DEPRECATIONS
  const auto *sources = value ? static_cast<GValueArray *>(g_value_get_boxed(value)) : nullptr;
  std::uint64_t lost = 0;
  for (guint i = 0; sources && i < sources->n_values; i++) {
    const auto *source = static_cast<GstStructure *>(g_value_get_boxed(&sources->values[i]));
    gboolean ours = FALSE;
    int its = 0;
    gst_structure_get(source, "internal", G_TYPE_BOOLEAN, &ours, "packets-lost", G_TYPE_INT, &its,
                      nullptr);
    // What came twice counts as less than none.
    if (!ours && its > 0)
      lost += static_cast<std::uint64_t>(its);
  }
  G_GNUC_END_IGNORE_DEPRECATIONS
  return lost;
}

class SpeakerPeer final : public Peer {
 public:
  SpeakerPeer(Offer offer, PeerConfig config, PeerCallbacks callbacks);
  ~SpeakerPeer() override { close(); }
  bool build (std::string &error);

  GstElement *bin () override { return bin_.get(); }
  void start () override;
  std::optional<Refusal> trickle (std::string_view fragment) override;
  void push (BufferPtr) override {}
  PeerStats stats () override;
  void close () override;
  bool is_settled () const override { return link_->pending <= 0; }

 private:
  void connect_signals ();
  void add_candidates (const std::vector<Candidate> &candidates);
  void described (const std::string &text);
  void gathered ();
  void answer_if_ready ();
  void state_changed ();
  void connected ();
  bool certificate_fits () const;
  void watch ();
  void fail (int status, std::string reason);
  void lose (std::string reason);
  std::int64_t silent_us () const;

  static void on_answer (GstPromise *promise, gpointer data) noexcept;
  static void on_described (GstPromise *promise, gpointer data) noexcept;
  static void on_state (GObject *, GParamSpec *, gpointer data) noexcept;
  static void on_agent_done (GObject *, guint stream, gpointer data) noexcept;
  static void on_pad (GstElement *, GstPad *pad, gpointer data) noexcept;
  static void on_element (GstBin *, GstBin *, GstElement *element, gpointer data) noexcept;
  static GstPadProbeReturn on_packet (GstPad *, GstPadProbeInfo *info, gpointer data) noexcept;

  const Offer offer_;
  const PeerConfig config_;
  PeerCallbacks callbacks_;
  const LinkPtr link_ = std::make_shared<Link>();
  ObjectPtr<GstElement> bin_;
  GstElement *webrtcbin_ = nullptr;  // the bin's
  std::shared_ptr<UpChain> up_;
  LocalEnd local_;
  bool described_ = false, gathered_ = false, answered_ = false, connected_ = false;
  bool closed_ = false;
  std::int64_t began_us_ = 0;
  std::vector<gulong> handlers_;
  SourcePtr gathering_, watching_;
};

SpeakerPeer::SpeakerPeer(Offer offer, PeerConfig config, PeerCallbacks callbacks)
    : offer_(std::move(offer)), config_(std::move(config)), callbacks_(std::move(callbacks)) {
  link_->context.reset(g_main_context_ref_thread_default());
  link_->peer = this;
  local_.ssrc = g_random_int_range(1, G_MAXINT32);
  local_.session_id = (std::uint64_t(g_random_int()) << 30) | 1;
  local_.cname = "agora-" + std::to_string(g_random_int());
}

bool SpeakerPeer::build(std::string &error) {
  bin_ = sink_ref(gst_bin_new(nullptr));
  webrtcbin_ = gst_element_factory_make("webrtcbin", nullptr);
  if (!webrtcbin_) {
    error = "no element \"webrtcbin\": install gstreamer1.0-plugins-bad";
    return false;
  }
  gst_util_set_object_arg(G_OBJECT(webrtcbin_), "bundle-policy", "max-bundle");
  g_object_set(webrtcbin_, "latency", 20, nullptr);
  gst_bin_add(GST_BIN(bin_.get()), webrtcbin_);
  const char *missing = nullptr;
  up_ = UpChain::make(GST_BIN(bin_.get()), missing);
  connect_signals();
  set_up_agent(webrtcbin_, config_);
  if (missing)
    error = std::string("no element \"") + missing +
            "\": install gstreamer1.0-plugins-base and "
            "gstreamer1.0-plugins-good";
  return !missing;
}

void SpeakerPeer::connect_signals() {
  const auto on = [this] (const char *signal, GCallback callback) {
    handlers_.push_back(g_signal_connect_data(webrtcbin_, signal, callback, new LinkPtr(link_),
                                              drop_link, GConnectFlags(0)));
  };
  on("notify::connection-state", G_CALLBACK(on_state));
  on("deep-element-added", G_CALLBACK(on_element));
  if (up_)
    handlers_.push_back(g_signal_connect_data(
        webrtcbin_, "pad-added", G_CALLBACK(on_pad), new Voice{link_, up_},
        [] (gpointer voice, GClosure *) noexcept { delete static_cast<Voice *>(voice); },
        GConnectFlags(0)));
}

// The agent's thread, webrtcbin's, streaming threads: each tells the peer's own.

void SpeakerPeer::on_answer(GstPromise *promise, gpointer data) noexcept {
  const LinkPtr &link = link_of(data);
  const GstStructure *reply = gst_promise_get_reply(promise);
  GstWebRTCSessionDescription *answer = nullptr;
  if (reply)
    gst_structure_get(reply, "answer", GST_TYPE_WEBRTC_SESSION_DESCRIPTION, &answer, nullptr);
  std::string text;
  if (answer) {
    const CharPtr sdp(gst_sdp_message_as_text(answer->sdp));
    text = sdp.get();
    gst_webrtc_session_description_free(answer);
  }
  gst_promise_unref(promise);
  --link->pending;
  tell(link, [text = std::move(text)] (SpeakerPeer &peer) { peer.described(text); });
}

void SpeakerPeer::on_described(GstPromise *promise, gpointer data) noexcept {
  gst_promise_unref(promise);
  --link_of(data)->pending;
}

void SpeakerPeer::on_state(GObject *, GParamSpec *, gpointer data) noexcept {
  tell(link_of(data), [] (SpeakerPeer &peer) { peer.state_changed(); });
}

void SpeakerPeer::on_agent_done(GObject *, guint, gpointer data) noexcept {
  tell(link_of(data), [] (SpeakerPeer &peer) { peer.gathered(); });
}

void SpeakerPeer::on_pad(GstElement *, GstPad *pad, gpointer data) noexcept {
  if (GST_PAD_DIRECTION(pad) != GST_PAD_SRC)
    return;
  // Here, since a packet follows.
  const auto *voice = static_cast<Voice *>(data);
  if (!voice->chain->take(pad))
    tell(voice->link, [] (SpeakerPeer &self) { self.lose("it began anew too often"); });
}

void SpeakerPeer::on_element(GstBin *, GstBin *, GstElement *element, gpointer data) noexcept {
  const GstElementFactory *factory = gst_element_get_factory(element);
  const std::string name = factory ? GST_OBJECT_NAME(factory) : "";
  // Packets come in time, and on a thread that others wait for.
  if (name == "clocksync")
    g_object_set(element, "sync", FALSE, nullptr);
  if (name != "nicesrc")
    return;
  const ObjectPtr<GstPad> pad(gst_element_get_static_pad(element, "src"));
  gst_pad_add_probe(pad.get(), GST_PAD_PROBE_TYPE_BUFFER, on_packet, new LinkPtr(link_of(data)),
                    drop_link_alone);
}

GstPadProbeReturn SpeakerPeer::on_packet(GstPad *, GstPadProbeInfo *info, gpointer data) noexcept {
  const LinkPtr &link = link_of(data);
  GstBuffer *packet = GST_PAD_PROBE_INFO_BUFFER(info);
  const std::int64_t now = g_get_monotonic_time();
  const gsize size = gst_buffer_get_size(packet);
  link->packets.fetch_add(1, std::memory_order_relaxed);
  link->bytes.fetch_add(size, std::memory_order_relaxed);
  link->last_us.store(now, std::memory_order_relaxed);
  std::uint8_t head[12] = {};
  gst_buffer_extract(packet, 0, head, sizeof head);
  if (link->intake.takes(head, size, now / 1000))
    return GST_PAD_PROBE_OK;
  if (link->intake.is_flooded() && !link->flooded.exchange(true))
    tell(link, [] (SpeakerPeer &peer) { peer.lose("it sends far more than a voice has"); });
  return GST_PAD_PROBE_DROP;
}

// The peer's own thread, from here on.

void SpeakerPeer::start() {
  began_us_ = g_get_monotonic_time();
  on_gathered(webrtcbin_, G_CALLBACK(on_agent_done), new LinkPtr(link_), drop_link);
  // webrtcbin does one after the other, on its own thread.
  const DescriptionPtr offer = description(GST_WEBRTC_SDP_TYPE_OFFER, offer_for_webrtcbin(offer_));
  g_signal_emit_by_name(webrtcbin_, "set-remote-description", offer.get(), nullptr);
  add_candidates(offer_.candidates);
  ++link_->pending;
  GstPromise *promise =
      gst_promise_new_with_change_func(on_answer, new LinkPtr(link_), drop_link_alone);
  g_signal_emit_by_name(webrtcbin_, "create-answer", nullptr, promise);
  watching_ = after(link_->context.get(), kWatchMs, [this] { watch(); });
}

void SpeakerPeer::add_candidates(const std::vector<Candidate> &candidates) {
  for (const Candidate &candidate : candidates)
    if (may_send_to(candidate, reach_of_peer(config_)))
      g_signal_emit_by_name(webrtcbin_, "add-ice-candidate", 0u, candidate.text.c_str());
}

// webrtcbin's answer: it keeps its own credentials, and gets the role that we say.
void SpeakerPeer::described(const std::string &text) {
  GstSDPMessage *sdp = nullptr;
  if (text.empty() || gst_sdp_message_new_from_text(text.c_str(), &sdp) != GST_SDP_OK)
    return fail(500, "webrtcbin made no answer");
  const GstSDPMedia *media = gst_sdp_message_get_media(sdp, 0);
  const auto value = [media] (const char *name) {
    const char *found = media ? gst_sdp_media_get_attribute_val(media, name) : nullptr;
    return std::string(found ? found : "");
  };
  local_.ufrag = value("ice-ufrag");
  local_.pwd = value("ice-pwd");
  local_.fingerprint = value("fingerprint");
  const bool right = media && gst_sdp_media_get_attribute_val(media, "recvonly");
  if (!right || local_.ufrag.empty() || local_.pwd.empty() || local_.fingerprint.empty()) {
    gst_sdp_message_free(sdp);
    return fail(500, "webrtcbin's answer isn't recvonly");
  }
  auto *mutable_media = const_cast<GstSDPMedia *>(media);
  for (guint at = 0; at < gst_sdp_media_attributes_len(media); ++at) {
    if (g_strcmp0(gst_sdp_media_get_attribute(media, at)->key, "setup") != 0)
      continue;
    GstSDPAttribute setup = {};
    gst_sdp_attribute_set(&setup, "setup", to_string(our_setup(offer_)));
    gst_sdp_media_replace_attribute(mutable_media, at, &setup);
  }
  const DescriptionPtr answer(gst_webrtc_session_description_new(GST_WEBRTC_SDP_TYPE_ANSWER, sdp));
  ++link_->pending;
  GstPromise *promise =
      gst_promise_new_with_change_func(on_described, new LinkPtr(link_), drop_link_alone);
  g_signal_emit_by_name(webrtcbin_, "set-local-description", answer.get(), promise);
  described_ = true;
  gathering_ = after(link_->context.get(), kGatherMs, [this] { gathered(); });
}

void SpeakerPeer::gathered() {
  gathered_ = true;
  answer_if_ready();
}

void SpeakerPeer::answer_if_ready() {
  if (!described_ || !gathered_ || answered_)
    return;
  std::string none =
      tell_candidates(local_, local_candidates(webrtcbin_), config_.public_ip, config_.loopback);
  if (!none.empty())
    return fail(503, std::move(none));
  answered_ = true;
  gathering_.reset();
  callbacks_.answer(write_answer(offer_, local_));
}

void SpeakerPeer::state_changed() {
  GstWebRTCPeerConnectionState state = GST_WEBRTC_PEER_CONNECTION_STATE_NEW;
  g_object_get(webrtcbin_, "connection-state", &state, nullptr);
  if (state == GST_WEBRTC_PEER_CONNECTION_STATE_CONNECTED && !connected_)
    connected();
  else if (state == GST_WEBRTC_PEER_CONNECTION_STATE_FAILED)
    lose("the connection failed");
  else if (state == GST_WEBRTC_PEER_CONNECTION_STATE_CLOSED)
    lose("the peer closed the connection");
}

void SpeakerPeer::connected() {
  if (!certificate_fits())
    return lose("its certificate isn't the one of its offer");
  connected_ = true;
  link_->last_us = g_get_monotonic_time();
  up_->open();
  callbacks_.connected();
}

bool SpeakerPeer::certificate_fits() const {
  GstWebRTCRTPTransceiver *transceiver = nullptr;
  g_signal_emit_by_name(webrtcbin_, "get-transceiver", 0, &transceiver);
  if (!transceiver)
    return false;
  const ObjectPtr<GstWebRTCRTPTransceiver> owner(transceiver);
  GObject *end = nullptr;
  g_object_get(transceiver, "receiver", &end, nullptr);
  const ObjectPtr<GObject> end_owner(end);
  GObject *transport = nullptr;
  if (end)
    g_object_get(end, "transport", &transport, nullptr);
  const ObjectPtr<GObject> transport_owner(transport);
  char *pem = nullptr;
  if (transport)
    g_object_get(transport, "remote-certificate", &pem, nullptr);
  const CharPtr pem_owner(pem);
  return pem && has_fingerprint(pem, offer_.fingerprint);
}

std::int64_t SpeakerPeer::silent_us() const {
  return g_get_monotonic_time() - link_->last_us;
}

void SpeakerPeer::watch() {
  if (connected_ && silent_us() > kSilenceUs)
    return lose("nothing came from it for 13 s");
  if (!connected_ && g_get_monotonic_time() - began_us_ > kConnectUs)
    return lose("it didn't connect within 20 s");
  watching_ = after(link_->context.get(), kWatchMs, [this] { watch(); });
}

void SpeakerPeer::fail(int status, std::string reason) {
  const auto refused = callbacks_.refused;
  close();
  refused(status, std::move(reason));
}

void SpeakerPeer::lose(std::string reason) {
  if (!answered_)
    return fail(500, std::move(reason));
  const auto gone = callbacks_.gone;
  close();
  gone(std::move(reason));
}

std::optional<Refusal> SpeakerPeer::trickle(std::string_view text) {
  auto read = read_fragment(text, offer_);
  if (auto *refusal = std::get_if<Refusal>(&read))
    return std::move(*refusal);
  if (!closed_)
    add_candidates(std::get<Fragment>(read).candidates);
  return std::nullopt;
}

PeerStats SpeakerPeer::stats() {
  PeerStats stats;
  stats.connected = connected_;
  stats.packets_received = link_->packets;
  stats.bytes_received = link_->bytes;
  stats.packets_lost = packets_lost(webrtcbin_);
  if (connected_ && !closed_)
    stats.silent_ms = static_cast<std::uint64_t>(silent_us()) / 1000;
  return stats;
}

void SpeakerPeer::close() {
  if (std::exchange(closed_, true))
    return;
  link_->peer = nullptr;
  gathering_.reset();
  watching_.reset();
  for (const gulong handler : handlers_)
    g_signal_handler_disconnect(webrtcbin_, handler);
  handlers_.clear();
}

}  // namespace

std::unique_ptr<Peer> Peer::make(Offer offer, PeerConfig config, PeerCallbacks callbacks,
                                 std::string &error) {
  if (offer.kind == Kind::kHear)
    return make_listener_peer(std::move(offer), std::move(config), std::move(callbacks), error);
  auto peer =
      std::make_unique<SpeakerPeer>(std::move(offer), std::move(config), std::move(callbacks));
  if (!peer->build(error))
    return nullptr;
  return peer;
}

}  // namespace agora::web

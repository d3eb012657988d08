// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
#include "gst/web/listener-peer.hpp"

#include <agent.h>
#include <interfaces.h>

#include <atomic>
#include <deque>
#include <mutex>
#include <utility>

#include "gst/common/signal-thread.hpp"
#include "gst/web/answer.hpp"
#include "gst/web/candidate.hpp"
#include "gst/web/certificate-check.hpp"
#include "gst/web/down-chain.hpp"
#include "gst/web/ice-agent.hpp"
#include "gst/web/intake.hpp"

namespace agora::web {

namespace {

// As of the other peers: see peer.cpp.
constexpr unsigned kConnectMs = 20'000;
constexpr unsigned kListenerGatherMs = 250;
constexpr guint kListenerComponent = NICE_COMPONENT_TYPE_RTP;
// Of a handshake, before there is a way for it. DTLS sends again what is lost.
constexpr std::size_t kMostEarly = 16;
// The first byte of a packet of DTLS (RFC 7983).
constexpr std::uint8_t kFirstDtls = 20, kLastDtls = 63;

// All agents' thread; it lasts as long as the process.
GMainContext *ice_context () {
  static GMainContext *context = [] {
    GMainContext *made = g_main_context_new();
    g_thread_unref(g_thread_new(
        "agora-ice",
        [] (gpointer data) noexcept -> gpointer {
          auto *own = static_cast<GMainContext *>(data);
          g_main_context_push_thread_default(own);
          g_autoptr(GMainLoop) loop = g_main_loop_new(own, FALSE);
          g_main_loop_run(loop);
          return nullptr;
        },
        made));
    return made;
  }();
  return context;
}

class ListenerPeer;

// What other threads have of a peer.
struct Wire {
  ContextPtr context;            // the peer's
  ListenerPeer *peer = nullptr;  // the peer's thread alone
  ObjectPtr<NiceAgent> agent;
  guint stream = 0;
  ObjectPtr<GstPad> in;  // what comes in, on the agents' thread; in no element
  Intake intake;         // of the agents' thread
  bool flooded = false;  // the same
  std::atomic<std::uint64_t> packets = 0, bytes = 0;
  std::atomic<std::int64_t> last_us = 0;  // when the last of them came; monotonic

  std::mutex mutex;  // guards what follows; a leaf
  bool has_way = false;
  std::deque<std::string> early;

  void send (const std::uint8_t *data, gsize size);
  void way_found ();
};
using WirePtr = std::shared_ptr<Wire>;

// Streaming threads.
void Wire::send(const std::uint8_t *data, gsize size) {
  const auto *bytes_sent = reinterpret_cast<const char *>(data);
  {
    std::lock_guard lock(mutex);
    if (!has_way) {
      if (early.size() < kMostEarly)
        early.emplace_back(bytes_sent, size);
      return;
    }
  }
  // What doesn't go out at once is lost, as on the network.
  nice_agent_send(agent.get(), stream, kListenerComponent, static_cast<guint>(size), bytes_sent);
}

// The agents' thread.
void Wire::way_found() {
  std::deque<std::string> waiting;
  {
    std::lock_guard lock(mutex);
    has_way = true;
    waiting.swap(early);
  }
  for (const std::string &packet : waiting)
    nice_agent_send(agent.get(), stream, kListenerComponent, static_cast<guint>(packet.size()),
                    packet.data());
}

WirePtr &wire_of (gpointer data) {
  return *static_cast<WirePtr *>(data);
}
void drop_wire (gpointer data, GClosure *) noexcept {
  delete static_cast<WirePtr *>(data);
}

template <typename Function>
void tell (const WirePtr &wire, Function what) {
  post(wire->context.get(), [wire, what = std::move(what)] {
    if (wire->peer)
      what(*wire->peer);
  });
}

class ListenerPeer final : public Peer {
 public:
  ListenerPeer(Offer offer, PeerConfig config, PeerCallbacks callbacks);
  ~ListenerPeer() override { close(); }
  bool build (std::string &error);

  GstElement *bin () override { return bin_.get(); }
  void start () override;
  std::optional<Refusal> trickle (std::string_view fragment) override;
  void push (BufferPtr packet) override { down_->push(std::move(packet)); }
  PeerStats stats () override;
  void close () override;
  bool is_settled () const override { return true; }

 private:
  void build_agent ();
  void add_candidates (const std::vector<Candidate> &candidates);
  void gathered ();
  void way_found ();
  void state_changed ();
  void connected ();
  void failed ();
  void give_up ();
  void fail (int status, std::string reason);
  void lose (std::string reason);

  static void on_gathered (NiceAgent *, guint stream, gpointer data) noexcept;
  static void on_component (NiceAgent *, guint stream, guint component, guint state,
                            gpointer data) noexcept;
  static void on_received (NiceAgent *, guint stream, guint component, guint size, gchar *bytes,
                           gpointer data) noexcept;
  static GstPadProbeReturn on_sent (GstPad *, GstPadProbeInfo *info, gpointer data) noexcept;
  static void on_state (GObject *, GParamSpec *, gpointer data) noexcept;
  static void on_closed (GObject *, GAsyncResult *, gpointer data) noexcept;

  const Offer offer_;
  const PeerConfig config_;
  PeerCallbacks callbacks_;
  const WirePtr wire_ = std::make_shared<Wire>();
  gpointer received_ = nullptr;  // the agent's, while it is attached
  ObjectPtr<GstElement> bin_;
  GstElement *decoder_ = nullptr, *encoder_ = nullptr;  // the bin's
  std::unique_ptr<DownChain> down_;
  LocalEnd local_;
  bool answered_ = false, connected_ = false, closed_ = false;
  std::vector<std::pair<GObject *, gulong>> handlers_;
  SourcePtr gathering_, connecting_;
};

ListenerPeer::ListenerPeer(Offer offer, PeerConfig config, PeerCallbacks callbacks)
    : offer_(std::move(offer)), config_(std::move(config)), callbacks_(std::move(callbacks)) {
  wire_->context.reset(g_main_context_ref_thread_default());
  wire_->peer = this;
  local_.ssrc = g_random_int_range(1, G_MAXINT32);
  local_.session_id = (std::uint64_t(g_random_int()) << 30) | 1;
  local_.cname = "agora-" + std::to_string(g_random_int());
}

bool ListenerPeer::build(std::string &error) {
  static std::atomic<unsigned> connections = 0;
  bin_ = sink_ref(gst_bin_new(nullptr));
  decoder_ = gst_element_factory_make("dtlssrtpdec", nullptr);
  encoder_ = gst_element_factory_make("dtlssrtpenc", nullptr);
  GstElement *end = gst_element_factory_make("fakesink", nullptr);
  if (!decoder_ || !encoder_ || !end) {
    error = "no element \"dtlssrtpenc\": install gstreamer1.0-plugins-bad";
    for (GstElement *element : {decoder_, encoder_, end})
      if (element)
        gst_object_unref(gst_object_ref_sink(element));
    return false;
  }
  const std::string id = "listener-" + std::to_string(connections++);
  // The decoder first: it makes the connection that the encoder looks for.
  g_object_set(decoder_, "connection-id", id.c_str(), nullptr);
  const bool client = our_setup(offer_) == Setup::kActive;
  g_object_set(encoder_, "connection-id", id.c_str(), "is-client", gboolean(client), nullptr);
  // As a client it begins once there is a way: what is lost is sent again only after a second.
  gst_element_set_locked_state(encoder_, client);
  g_object_set(end, "sync", FALSE, "async", FALSE, "enable-last-sample", FALSE, nullptr);
  gst_bin_add_many(GST_BIN(bin_.get()), decoder_, encoder_, end, nullptr);
  gst_element_link_pads(encoder_, "src", end, "sink");
  const ObjectPtr<GstPad> last(gst_element_get_static_pad(end, "sink"));
  gst_pad_add_probe(last.get(),
                    GstPadProbeType(GST_PAD_PROBE_TYPE_BUFFER | GST_PAD_PROBE_TYPE_BUFFER_LIST),
                    on_sent, new WirePtr(wire_),
                    [] (gpointer data) noexcept { delete static_cast<WirePtr *>(data); });
  const ObjectPtr<GstPad> rtp(gst_element_request_pad_simple(encoder_, "rtp_sink_0"));
  const ObjectPtr<GstPad> rtcp(gst_element_request_pad_simple(encoder_, "rtcp_sink_0"));
  const char *missing = nullptr;
  down_ = DownChain::make(GST_BIN(bin_.get()), rtp.get(), rtcp.get(),
                          {offer_.payload_type, local_.ssrc, local_.cname}, missing);
  if (missing) {
    error = std::string("no element \"") + missing + "\": install gstreamer1.0-plugins-good";
    return false;
  }
  wire_->in = sink_ref(gst_pad_new("in", GST_PAD_SRC));
  const ObjectPtr<GstPad> first(gst_element_get_static_pad(decoder_, "sink"));
  // It is in no element, so that it has no parent in common with the decoder.
  gst_pad_link_full(wire_->in.get(), first.get(), GST_PAD_LINK_CHECK_NOTHING);
  for (GstElement *each : {decoder_, encoder_})
    handlers_.emplace_back(
        G_OBJECT(each),
        g_signal_connect_data(each, "notify::connection-state", G_CALLBACK(on_state),
                              new WirePtr(wire_), drop_wire, GConnectFlags(0)));
  g_autofree char *pem = nullptr;
  g_object_get(decoder_, "pem", &pem, nullptr);
  local_.fingerprint = "sha-256 " + fingerprint_of(pem ? pem : "", "sha-256");
  build_agent();
  return true;
}

void ListenerPeer::build_agent() {
  // Consent (RFC 7675): the peer answers a check, which is signed by the password that it got,
  // every 4 to 6 s; without an answer for 10 s the component fails. Nobody else can answer for it.
  NiceAgent *agent = nice_agent_new_full(ice_context(), NICE_COMPATIBILITY_RFC5245,
                                         NICE_AGENT_OPTION_CONSENT_FRESHNESS);
  wire_->agent.reset(agent);
  // The peer makes the offer, and so decides; but for one that leaves that to us.
  g_object_set(agent, "upnp", FALSE, "ice-tcp", FALSE, "controlling-mode",
               gboolean(offer_.ice_lite), nullptr);
  wire_->stream = nice_agent_add_stream(agent, 1);
  if (config_.loopback) {
    GList *addresses = nice_interfaces_get_local_ips(TRUE);
    for (GList *each = addresses; each; each = each->next) {
      NiceAddress address;
      nice_address_init(&address);
      if (nice_address_set_from_string(&address, static_cast<const char *>(each->data)))
        nice_agent_add_local_address(agent, &address);
    }
    g_list_free_full(addresses, g_free);
  }
  if (config_.low_port && config_.high_port >= config_.low_port)
    nice_agent_set_port_range(agent, wire_->stream, kListenerComponent, config_.low_port,
                              config_.high_port);
  use_servers(agent, wire_->stream, config_);
  const auto on = [&] (const char *signal, GCallback callback) {
    handlers_.emplace_back(G_OBJECT(agent),
                           g_signal_connect_data(agent, signal, callback, new WirePtr(wire_),
                                                 drop_wire, GConnectFlags(0)));
  };
  on("candidate-gathering-done", G_CALLBACK(on_gathered));
  on("component-state-changed", G_CALLBACK(on_component));
  g_autofree char *ufrag = nullptr;
  g_autofree char *pwd = nullptr;
  nice_agent_get_local_credentials(agent, wire_->stream, &ufrag, &pwd);
  local_.ufrag = ufrag ? ufrag : "";
  local_.pwd = pwd ? pwd : "";
}

// The agents' thread, or whoever calls the agent.

void ListenerPeer::on_gathered(NiceAgent *, guint, gpointer data) noexcept {
  tell(wire_of(data), [] (ListenerPeer &peer) { peer.gathered(); });
}

void ListenerPeer::on_component(NiceAgent *, guint, guint, guint state, gpointer data) noexcept {
  const WirePtr &wire = wire_of(data);
  if (state == NICE_COMPONENT_STATE_CONNECTED || state == NICE_COMPONENT_STATE_READY) {
    wire->way_found();
    tell(wire, [] (ListenerPeer &peer) { peer.way_found(); });
  } else if (state == NICE_COMPONENT_STATE_FAILED) {
    tell(wire, [] (ListenerPeer &peer) { peer.failed(); });
  }
}

void ListenerPeer::on_received(NiceAgent *, guint, guint, guint size, gchar *bytes,
                               gpointer data) noexcept {
  const WirePtr &wire = wire_of(data);
  wire->packets.fetch_add(1, std::memory_order_relaxed);
  wire->bytes.fetch_add(size, std::memory_order_relaxed);
  wire->last_us.store(g_get_monotonic_time(), std::memory_order_relaxed);
  const auto *packet = reinterpret_cast<const std::uint8_t *>(bytes);
  const bool taken = wire->intake.takes(packet, size, g_get_monotonic_time() / 1000);
  if (!taken && wire->intake.is_flooded() && !std::exchange(wire->flooded, true))
    tell(wire, [] (ListenerPeer &peer) { peer.lose("it sends far more than a listener has"); });
  if (!taken || packet[0] < kFirstDtls || packet[0] > kLastDtls)
    return;
  gst_pad_push(wire->in.get(), gst_buffer_new_memdup(bytes, size));
}

void ListenerPeer::on_closed(GObject *, GAsyncResult *, gpointer data) noexcept {
  const WirePtr wire = wire_of(data);
  drop_wire(data, nullptr);
  nice_agent_remove_stream(wire->agent.get(), wire->stream);
}

// Streaming threads: that of DTLS, and of whoever pushes.
GstPadProbeReturn ListenerPeer::on_sent(GstPad *, GstPadProbeInfo *info, gpointer data) noexcept {
  const auto send = [&] (GstBuffer *buffer) {
    GstMapInfo map;
    if (!gst_buffer_map(buffer, &map, GST_MAP_READ))
      return;
    wire_of(data)->send(map.data, map.size);
    gst_buffer_unmap(buffer, &map);
  };
  if (GST_PAD_PROBE_INFO_TYPE(info) & GST_PAD_PROBE_TYPE_BUFFER) {
    send(GST_PAD_PROBE_INFO_BUFFER(info));
    return GST_PAD_PROBE_OK;
  }
  GstBufferList *list = GST_PAD_PROBE_INFO_BUFFER_LIST(info);
  for (guint i = 0; i < gst_buffer_list_length(list); i++)
    send(gst_buffer_list_get(list, i));
  return GST_PAD_PROBE_OK;
}

void ListenerPeer::on_state(GObject *, GParamSpec *, gpointer data) noexcept {
  tell(wire_of(data), [] (ListenerPeer &peer) { peer.state_changed(); });
}

// The peer's own thread, from here on.

void ListenerPeer::start() {
  GstPad *in = wire_->in.get();
  gst_pad_set_active(in, TRUE);
  gst_pad_push_event(in, gst_event_new_stream_start("agora-peer"));
  GstSegment segment;
  gst_segment_init(&segment, GST_FORMAT_TIME);
  gst_pad_push_event(in, gst_event_new_segment(&segment));
  down_->start();
  NiceAgent *agent = wire_->agent.get();
  received_ = new WirePtr(wire_);
  nice_agent_attach_recv(agent, wire_->stream, kListenerComponent, ice_context(), on_received,
                         received_);
  nice_agent_set_remote_credentials(agent, wire_->stream, offer_.ufrag.c_str(), offer_.pwd.c_str());
  nice_agent_gather_candidates(agent, wire_->stream);
  add_candidates(offer_.candidates);
  gathering_ = after(wire_->context.get(), kListenerGatherMs, [this] { gathered(); });
  connecting_ = after(wire_->context.get(), kConnectMs, [this] { give_up(); });
}

void ListenerPeer::add_candidates(const std::vector<Candidate> &candidates) {
  NiceAgent *agent = wire_->agent.get();
  GSList *list = nullptr;
  for (const Candidate &candidate : candidates) {
    if (!may_send_to(candidate, reach_of_peer(config_)))
      continue;
    NiceCandidate *read = nice_agent_parse_remote_candidate_sdp(agent, wire_->stream,
                                                                ("a=" + candidate.text).c_str());
    if (read)
      list = g_slist_append(list, read);
  }
  if (list)
    nice_agent_set_remote_candidates(agent, wire_->stream, kListenerComponent, list);
  g_slist_free_full(list, [] (gpointer each) noexcept {
    nice_candidate_free(static_cast<NiceCandidate *>(each));
  });
}

void ListenerPeer::gathered() {
  if (std::exchange(answered_, true))
    return;
  gathering_.reset();
  std::string none = tell_candidates(local_, local_candidates(wire_->agent.get(), wire_->stream),
                                     config_.public_ip, config_.loopback);
  if (!none.empty()) {
    answered_ = false;
    fail(503, std::move(none));
    return;
  }
  callbacks_.answer(write_answer(offer_, local_));
}

void ListenerPeer::way_found() {
  if (!gst_element_is_locked_state(encoder_))
    return;
  gst_element_set_locked_state(encoder_, FALSE);
  gst_element_sync_state_with_parent(encoder_);
}

void ListenerPeer::state_changed() {
  gint state = 0, other = 0;
  g_object_get(decoder_, "connection-state", &state, nullptr);
  g_object_get(encoder_, "connection-state", &other, nullptr);
  enum : gint { kNew, kClosed, kFailed, kConnecting, kConnected };  // GstDtlsConnectionState
  if (!connected_ && state == kConnected && other == kConnected)
    connected();
  else if (state == kFailed || other == kFailed)
    lose("its encryption (DTLS) failed");
  else if (connected_ && (state == kClosed || other == kClosed))
    lose("the peer closed the connection");
}

void ListenerPeer::connected() {
  g_autofree char *pem = nullptr;
  g_object_get(decoder_, "peer-pem", &pem, nullptr);
  if (!pem || !has_fingerprint(pem, offer_.fingerprint)) {
    lose("its certificate isn't the one of its offer");
    return;
  }
  connected_ = true;
  connecting_.reset();
  down_->open();
  callbacks_.connected();
}

void ListenerPeer::failed() {
  lose(connected_ ? "it answered no check of ICE for 10 s" : "the connection failed");
}

void ListenerPeer::give_up() {
  lose("it didn't connect within 20 s");
}

void ListenerPeer::fail(int status, std::string reason) {
  const auto refused = callbacks_.refused;
  close();
  refused(status, std::move(reason));
}

void ListenerPeer::lose(std::string reason) {
  if (!answered_) {
    fail(500, std::move(reason));
    return;
  }
  const auto gone = callbacks_.gone;
  close();
  gone(std::move(reason));
}

std::optional<Refusal> ListenerPeer::trickle(std::string_view text) {
  auto read = read_fragment(text, offer_);
  if (auto *refusal = std::get_if<Refusal>(&read))
    return std::move(*refusal);
  if (!closed_)
    add_candidates(std::get<Fragment>(read).candidates);
  return std::nullopt;
}

PeerStats ListenerPeer::stats() {
  PeerStats stats;
  stats.connected = connected_;
  stats.packets_received = wire_->packets;
  stats.bytes_received = wire_->bytes;
  stats.packets_sent = down_->sent();
  stats.packets_dropped = down_->dropped();
  if (connected_ && !closed_)
    stats.silent_ms = static_cast<std::uint64_t>(g_get_monotonic_time() - wire_->last_us) / 1000;
  return stats;
}

void ListenerPeer::close() {
  if (std::exchange(closed_, true))
    return;
  wire_->peer = nullptr;
  gathering_.reset();
  connecting_.reset();
  if (down_)
    down_->close();
  for (const auto &[object, handler] : handlers_)
    g_signal_handler_disconnect(object, handler);
  handlers_.clear();
  if (!wire_->agent)
    return;
  // There, so that no packet is under way: then nobody needs what they go to.
  post(ice_context(), [wire = wire_, received = std::exchange(received_, nullptr)] {
    if (received) {
      nice_agent_attach_recv(wire->agent.get(), wire->stream, kListenerComponent, ice_context(),
                             nullptr, nullptr);
      delete static_cast<WirePtr *>(received);
    }
    gst_pad_set_active(wire->in.get(), FALSE);
    // A TURN server is told, so that it keeps no port for nobody. Bounded by STUN's own retries.
    nice_agent_close_async(wire->agent.get(), on_closed, new WirePtr(wire));
  });
}

}  // namespace

std::unique_ptr<Peer> make_listener_peer (Offer offer, PeerConfig config, PeerCallbacks callbacks,
                                          std::string &error) {
  auto peer =
      std::make_unique<ListenerPeer>(std::move(offer), std::move(config), std::move(callbacks));
  if (!peer->build(error))
    return nullptr;
  return peer;
}

}  // namespace agora::web

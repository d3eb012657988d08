// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
#include "gst/common/signal-thread.hpp"
#include "gst/web/opus-encoder.hpp"
#include "gst/web/peer.hpp"

namespace agora::web {

namespace {

// A machine that is slow, or under a debugger's eye, is not incomplete; whoever waits for `ready`
// has a limit of its own.
constexpr unsigned kMaxMs = 60'000;

// Of nobody: what is asked of it is an answer.
constexpr const char *kOffer =
    "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n"
    "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\nc=IN IP4 0.0.0.0\r\na=mid:0\r\n"
    "a=ice-ufrag:warm\r\na=ice-pwd:warmwarmwarmwarmwarmwarm\r\n"
    "a=fingerprint:sha-256 00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:"
    "00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00\r\n"
    "a=setup:actpass\r\na=sendrecv\r\na=rtcp-mux\r\na=rtpmap:111 opus/48000/2\r\n";

struct PopContext {
  void operator()(GMainContext *context) const noexcept {
    g_main_context_pop_thread_default(context);
    g_main_context_unref(context);
  }
};

bool answers (Kind kind, GMainContext *context, std::string &error) {
  std::string wrong = "webrtcbin gave no answer within 60 s";
  bool over = false;
  PeerCallbacks callbacks;
  callbacks.answer = [&] (const std::string &) {
    over = true;
    wrong.clear();
  };
  callbacks.refused = [&] (int, std::string reason) {
    over = true;
    wrong = std::move(reason);
  };
  callbacks.connected = [] () noexcept {};
  callbacks.gone = [] (const std::string &) noexcept {};
  PeerConfig config;
  config.loopback = true;  // there need be no other network yet
  const auto peer = Peer::make(std::get<Offer>(read_offer(kOffer, kind)), config, callbacks, error);
  if (!peer)
    return false;
  const auto pipeline = sink_ref(gst_pipeline_new(nullptr));
  gst_bin_add(GST_BIN(pipeline.get()), peer->bin());
  if (kind == Kind::kSpeak) {
    GstElement *sink = gst_element_factory_make("fakesink", nullptr);
    gst_bin_add(GST_BIN(pipeline.get()), sink);
    gst_element_link(peer->bin(), sink);
  }
  gst_element_set_state(pipeline.get(), GST_STATE_PLAYING);
  peer->start();
  const SourcePtr limit = after(context, kMaxMs, [&over] { over = true; });
  while (!over)
    g_main_context_iteration(context, TRUE);
  peer->close();
  gst_element_set_state(pipeline.get(), GST_STATE_NULL);
  error = wrong;
  return wrong.empty();
}

}  // namespace

bool warm_up (std::string &error) {
  GMainContext *context = g_main_context_new();
  g_main_context_push_thread_default(context);
  const std::unique_ptr<GMainContext, PopContext> owner(context);
  return answers(Kind::kSpeak, context, error) && answers(Kind::kHear, context, error) &&
         make_opus_encoder() != nullptr;
}

}  // namespace agora::web

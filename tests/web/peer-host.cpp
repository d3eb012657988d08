// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// A server of WHIP and WHEP around gst/web/peer.hpp alone, for tests: no channel, no member.
//
//   POST /speak?raw=FILE    what the peer says goes to FILE: S16LE, 48 kHz, mono
//   POST /hear?wav=FILE     the peer hears FILE, once it is connected
//   PATCH, DELETE           on the session's Location; GET: its statistics
//
// Prints "listening on PORT", and a line for each thing that happens to a session.
//   peer-host [--public-ip=ADDRESS] [--ports=LOW-HIGH] [--relay-only]
//   [--ice-server=URL,USER,PASSWORD]
#include <glib-unix.h>
#include <gst/app/app.h>
#include <libsoup/soup.h>

#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <utility>

#include "gst/web/opus-encoder.hpp"
#include "gst/web/peer.hpp"

namespace agora::web {
namespace {

PeerConfig config;

struct Session {
  unsigned number = 0;
  std::unique_ptr<Peer> peer;
  ObjectPtr<GstElement> pipeline;  // the peer's
  ObjectPtr<GstElement> source;    // of what it hears; not playing before it is connected
  gint64 began = 0;
  SoupServerMessage *waiting = nullptr;
};

std::map<unsigned, std::unique_ptr<Session>> sessions;

void say (const Session &session, const char *what, const std::string &why = "") {
  std::printf("session %u %s after %" G_GINT64_FORMAT " ms%s%s\n", session.number, what,
              (g_get_monotonic_time() - session.began) / 1000, why.empty() ? "" : ": ",
              why.c_str());
  std::fflush(stdout);
}

void reply (SoupServerMessage *message, int status, const char *type, const std::string &body) {
  soup_server_message_set_status(message, status, nullptr);
  soup_server_message_set_response(message, type, SOUP_MEMORY_COPY, body.data(), body.size());
  soup_server_message_unpause(message);
}

void end (unsigned number) {
  const auto at = sessions.find(number);
  if (at == sessions.end())
    return;
  const gint64 began = g_get_monotonic_time();
  Session &session = *at->second;
  session.peer->close();
  if (session.source)
    gst_element_set_state(session.source.get(), GST_STATE_NULL);
  gst_element_set_state(session.pipeline.get(), GST_STATE_NULL);
  const gint64 took = (g_get_monotonic_time() - began) / 1000;
  std::printf("session %u stopped within %" G_GINT64_FORMAT " ms\n", number, took);
  std::fflush(stdout);
  sessions.erase(at);
}

void end_later (unsigned number) {
  g_idle_add(
      [] (gpointer data) -> gboolean {
        end(GPOINTER_TO_UINT(data));
        return G_SOURCE_REMOVE;
      },
      GUINT_TO_POINTER(number));
}

GstFlowReturn encoded (GstAppSink *sink, gpointer peer) {
  GstSample *sample = gst_app_sink_pull_sample(sink);
  if (sample)
    static_cast<Peer *>(peer)->push(share(gst_sample_get_buffer(sample)));
  if (sample)
    gst_sample_unref(sample);
  return GST_FLOW_OK;
}

void make_source (Session &session, const std::string &wav) {
  session.source = sink_ref(gst_pipeline_new(nullptr));
  const char *const names[] = {"filesrc", "wavparse", "audioconvert", "audioresample",
                               "capsfilter"};
  GstElement *last = nullptr;
  const auto add = [&] (GstElement *element) {
    gst_bin_add(GST_BIN(session.source.get()), element);
    if (last)
      gst_element_link(last, element);
    last = element;
    return element;
  };
  for (const char *name : names) {
    GstElement *element = add(gst_element_factory_make(name, nullptr));
    if (std::string(name) == "filesrc")
      g_object_set(element, "location", wav.c_str(), nullptr);
    if (std::string(name) == "capsfilter")
      gst_util_set_object_arg(G_OBJECT(element), "caps", "audio/x-raw,rate=48000,channels=1");
  }
  add(make_opus_encoder().release());
  GstElement *sink = add(gst_element_factory_make("appsink", nullptr));
  GstAppSinkCallbacks callbacks = {};
  callbacks.new_sample = encoded;
  gst_app_sink_set_callbacks(GST_APP_SINK(sink), &callbacks, session.peer.get(), nullptr);
}

PeerCallbacks callbacks_of (Session &session) {
  PeerCallbacks callbacks;
  callbacks.answer = [&session] (const std::string &sdp) {
    say(session, "answered");
    SoupMessageHeaders *headers = soup_server_message_get_response_headers(session.waiting);
    soup_message_headers_append(headers, "Location",
                                ("/session/" + std::to_string(session.number)).c_str());
    reply(std::exchange(session.waiting, nullptr), 201, "application/sdp", sdp);
  };
  callbacks.refused = [&session] (int status, const std::string &reason) {
    say(session, "refused", reason);
    reply(std::exchange(session.waiting, nullptr), status, "text/plain", reason);
    end_later(session.number);
  };
  callbacks.connected = [&session] {
    say(session, "connected");
    if (session.source)
      gst_element_set_state(session.source.get(), GST_STATE_PLAYING);
  };
  callbacks.gone = [&session] (const std::string &reason) {
    say(session, "gone", reason);
    end_later(session.number);
  };
  return callbacks;
}

std::string parameter (GHashTable *query, const char *name) {
  const void *value = query ? g_hash_table_lookup(query, name) : nullptr;
  return value ? static_cast<const char *>(value) : "";
}

void begin (SoupServerMessage *message, Kind kind, GHashTable *query) {
  static unsigned last = 0;
  SoupMessageBody *body = soup_server_message_get_request_body(message);
  auto read = read_offer({body->data, static_cast<std::size_t>(body->length)}, kind);
  if (auto *refusal = std::get_if<Refusal>(&read))
    return reply(message, refusal->status, "text/plain", refusal->reason);
  auto session = std::make_unique<Session>();
  session->number = ++last;
  session->began = g_get_monotonic_time();
  session->waiting = message;
  std::string error;
  session->peer =
      Peer::make(std::get<Offer>(std::move(read)), config, callbacks_of(*session), error);
  if (!session->peer)
    return reply(message, 500, "text/plain", error);
  session->pipeline = sink_ref(gst_pipeline_new(nullptr));
  gst_bin_add(GST_BIN(session->pipeline.get()), session->peer->bin());
  if (kind == Kind::kSpeak) {
    const std::string raw = parameter(query, "raw");
    GstElement *sink = gst_element_factory_make(raw.empty() ? "fakesink" : "filesink", nullptr);
    if (!raw.empty())
      g_object_set(sink, "location", raw.c_str(), "buffer-mode", 2, nullptr);
    g_object_set(sink, "sync", FALSE, "async", FALSE, nullptr);
    gst_bin_add(GST_BIN(session->pipeline.get()), sink);
    gst_element_link(session->peer->bin(), sink);
  } else if (const std::string wav = parameter(query, "wav"); !wav.empty()) {
    make_source(*session, wav);
    // In time: what a live mix is by itself.
    GstIterator *each = gst_bin_iterate_sinks(GST_BIN(session->source.get()));
    GValue sink = G_VALUE_INIT;
    if (gst_iterator_next(each, &sink) == GST_ITERATOR_OK)
      g_object_set(g_value_get_object(&sink), "sync", TRUE, nullptr);
    g_value_unset(&sink);
    gst_iterator_free(each);
  }
  gst_element_set_state(session->pipeline.get(), GST_STATE_PLAYING);
  Session &kept = *sessions.emplace(session->number, std::move(session)).first->second;
  kept.peer->start();
}

void on_session (SoupServerMessage *message, const char *path) {
  const unsigned number = static_cast<unsigned>(std::atoi(path + std::strlen("/session/")));
  const auto at = sessions.find(number);
  if (at == sessions.end())
    return reply(message, 404, "text/plain", "no such session");
  const std::string method = soup_server_message_get_method(message);
  if (method == "DELETE") {
    say(*at->second, "deleted");
    end(number);
    return reply(message, 200, "text/plain", "");
  }
  if (method == "PATCH") {
    SoupMessageBody *body = soup_server_message_get_request_body(message);
    const auto refusal =
        at->second->peer->trickle({body->data, static_cast<std::size_t>(body->length)});
    return refusal ? reply(message, refusal->status, "text/plain", refusal->reason)
                   : reply(message, 204, "text/plain", "");
  }
  const PeerStats stats = at->second->peer->stats();
  char text[300];
  std::snprintf(text, sizeof text,
                "{\"connected\": %s, \"received\": %" PRIu64 ", \"lost\": %" PRIu64
                ", \"sent\": %" PRIu64 ", \"dropped\": %" PRIu64 ", \"silent_ms\": %" PRIu64 "}",
                stats.connected ? "true" : "false", stats.packets_received,
                stats.packets_lost.value_or(0), stats.packets_sent, stats.packets_dropped,
                stats.silent_ms);
  reply(message, 200, "application/json", text);
}

void on_request (SoupServer *, SoupServerMessage *message, const char *path, GHashTable *query,
                 gpointer) {
  soup_server_message_pause(message);
  const std::string method = soup_server_message_get_method(message);
  const std::string where = path;
  SoupMessageHeaders *headers = soup_server_message_get_response_headers(message);
  soup_message_headers_append(headers, "Access-Control-Allow-Origin", "*");
  soup_message_headers_append(headers, "Access-Control-Expose-Headers", "Location");
  soup_message_headers_append(headers, "Access-Control-Allow-Headers", "Content-Type");
  soup_message_headers_append(headers, "Access-Control-Allow-Methods", "POST, PATCH, DELETE");
  if (method == "OPTIONS")
    reply(message, 204, "text/plain", "");
  else if (method == "POST" && (where == "/speak" || where == "/hear"))
    begin(message, where == "/speak" ? Kind::kSpeak : Kind::kHear, query);
  else if (g_str_has_prefix(path, "/session/"))
    on_session(message, path);
  else
    reply(message, 200, "text/html", "<!doctype html><title>peer-host</title>");
}

bool take_option (const std::string &option) {
  const auto is = [&option] (const char *name) { return option.rfind(name, 0) == 0; };
  const std::string value = option.substr(option.find('=') + 1);
  if (is("--public-ip="))
    config.public_ip = value;
  else if (is("--ports="))
    return std::sscanf(value.c_str(), "%" SCNu16 "-%" SCNu16, &config.low_port,
                       &config.high_port) == 2;
  else if (option == "--relay-only")
    config.relay_only = true;
  else if (option == "--no-loopback")
    config.loopback = false, config.site = true;
  else if (is("--ice-server=")) {
    char **part = g_strsplit(value.c_str(), ",", 3);
    IceServer server{part[0], part[1] ? part[1] : "", part[1] && part[2] ? part[2] : ""};
    config.ice_servers.push_back(server);
    g_strfreev(part);
  } else
    return false;
  return true;
}

int run (int argc, char **argv) {
  config.loopback = true;
  for (int at = 1; at < argc; ++at)
    if (!take_option(argv[at])) {
      std::fprintf(stderr, "peer-host: unknown option %s\n", argv[at]);
      return 2;
    }
  std::string error;
  const gint64 began = g_get_monotonic_time();
  if (!warm_up(error)) {
    std::fprintf(stderr, "peer-host: %s\n", error.c_str());
    return 77;
  }
  std::printf("warm after %" G_GINT64_FORMAT " ms\n", (g_get_monotonic_time() - began) / 1000);
  g_autoptr(SoupServer) server = soup_server_new(nullptr, nullptr);
  soup_server_add_handler(server, nullptr, on_request, nullptr, nullptr);
  g_autoptr(GError) wrong = nullptr;
  if (!soup_server_listen_local(server, 0, SOUP_SERVER_LISTEN_IPV4_ONLY, &wrong)) {
    std::fprintf(stderr, "peer-host: %s\n", wrong->message);
    return 1;
  }
  GSList *uris = soup_server_get_uris(server);
  std::printf("listening on %d\n", g_uri_get_port(static_cast<GUri *>(uris->data)));
  std::fflush(stdout);
  g_slist_free_full(uris, [] (gpointer uri) { g_uri_unref(static_cast<GUri *>(uri)); });
  g_autoptr(GMainLoop) loop = g_main_loop_new(nullptr, FALSE);
  g_unix_signal_add(
      SIGTERM,
      [] (gpointer data) -> gboolean {
        g_main_loop_quit(static_cast<GMainLoop *>(data));
        return G_SOURCE_REMOVE;
      },
      loop);
  g_main_loop_run(loop);
  while (!sessions.empty())
    end(sessions.begin()->first);
  return 0;
}

}  // namespace
}  // namespace agora::web

int main (int argc, char **argv) {
  gst_init(nullptr, nullptr);
  return agora::web::run(argc, argv);
}

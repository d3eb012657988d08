// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// The workers of agora-web, and which session is whose. A channel's sessions go to one worker, as
// long as that one serves. Each session offered ends once: by Refuse, by Ended, or by end(). Main
// loop only; made and started on the main thread (process/child-process.hpp).
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <variant>
#include <vector>

#include "signaling/gateway/options/options.hpp"
#include "signaling/gateway/web/web-worker.hpp"
#include "signaling/protocol/web-line.hpp"

namespace agora::gateway {

// Hears of sessions, each that was offered and not ended. Never called from within a call into
// WebWorkers.
class WebHandler {
 public:
  virtual ~WebHandler() = default;
  virtual void told (const web_line::Answer &message) = 0;
  virtual void told (const web_line::Refuse &message) = 0;  // in place of Answer; it has ended
  virtual void told (const web_line::Trickled &message) = 0;
  virtual void told (const web_line::Called &message) = 0;
  virtual void told (const web_line::Event &message) = 0;
  // Code 501: its worker was lost, come again.
  virtual void told (const web_line::Ended &message) = 0;
};

class WebWorkers {
 public:
  struct Callbacks {
    std::function<void()> ready;  // all serve, once
    // One can't serve at all: final. A sentence for the operator.
    std::function<void(const std::string &reason)> failed;
    std::function<void()> stopped;
  };
  struct Counts {
    std::size_t workers = 0;  // that serve
    std::size_t sessions = 0;
    std::uint64_t members = 0;
    std::uint64_t restarts = 0;
    std::size_t feeds = 0;
  };

  // An error is a sentence for the operator.
  static std::variant<std::unique_ptr<WebWorkers>, std::string> make (const Options &options,
                                                                      WorkerEntrance &entrance);
  WebWorkers(const WebWorkers &) = delete;
  WebWorkers &operator=(const WebWorkers &) = delete;

  // Before start(); null: nobody hears.
  void set_handler (WebHandler *handler) { handler_ = handler; }
  void start (Callbacks callbacks);
  // Sessions end with their workers, and nobody is told; `stopped` follows within a second and a
  // half.
  void stop ();

  // For sessions from now on, also of workers that start later.
  void set_ice_servers (const std::vector<web_line::IceServer> &servers);

  // A number for an offer.
  std::uint64_t next_session () { return ++last_session_; }
  // Nothing: it is on its way, and Answer or Refuse follows. Else why not; the session never was.
  std::optional<web_line::Refuse> offer (const web_line::Offer &offer);
  // 0: on its way, Trickled or Called follows unless the session ends before. Else a status of
  // HTTP.
  unsigned trickle (const web_line::Trickle &trickle);
  unsigned call (const web_line::Call &call);
  // Whether somebody reads a session's events.
  void listen (const web_line::Listen &listen);
  // Nothing is told of it any more.
  void end (std::uint64_t session);

  // A channel's mix is pushed to the URL, by whatever worker serves: in its place by another one,
  // where that is lost. With the URL "": no more.
  void feed (const web_line::Feed &order);

  // Until one of them may serve again, as far as that is known; 0: at once, or not known.
  unsigned pause_ms () const;
  Counts counts () const;

 private:
  struct Session {
    std::size_t worker = 0;
    std::string network;  // as limits count it
    bool answered = false;
    unsigned asked = 0;  // trickles and calls that wait for their answer
  };

  struct Feeding {
    web_line::Feed order;
    std::optional<std::size_t> worker;  // nothing: none serves
  };

  WebWorkers(const Options &options, WorkerEntrance &entrance, const std::string &program);
  std::optional<std::size_t> choose (const std::string &app, const std::string &channel) const;
  std::optional<std::size_t> choose (const web_line::Offer &offer) const;
  void feed_on ();
  unsigned ask (std::uint64_t session, const web_line::ToWorker &message);
  void forget (std::uint64_t session);
  void on_ready ();
  void on_lost (std::size_t worker);
  void on_stopped ();
  // "": taken. Else which rule it breaks.
  std::string on_message (std::size_t worker, const web_line::ToGateway &message);
  template <typename Message>
  std::string tell (std::size_t worker, const Message &message);

  const unsigned most_sessions_;
  const unsigned most_per_network_;
  WebHandler *handler_ = nullptr;
  Callbacks callbacks_;
  std::vector<std::unique_ptr<WebWorker>> workers_;
  std::unordered_map<std::uint64_t, Session> sessions_;
  std::unordered_map<std::string, unsigned> networks_;  // sessions of each
  std::map<std::uint64_t, Feeding> feeds_;
  std::uint64_t last_session_ = 0;
  bool was_ready_ = false;
  bool failed_ = false;
  bool stopping_ = false;
};

}  // namespace agora::gateway

// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// The rules of the channels and everything around them that does I/O, on one main loop.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <variant>

#include "signaling/gateway/channel/channel-book.hpp"
#include "signaling/gateway/cluster/store.hpp"
#include "signaling/gateway/front/front.hpp"
#include "signaling/gateway/front/member-socket.hpp"
#include "signaling/gateway/front/worker-door.hpp"
#include "signaling/gateway/media/media-server.hpp"
#include "signaling/gateway/operator/admin-routes.hpp"
#include "signaling/gateway/operator/live-watch.hpp"
#include "signaling/gateway/operator/metrics.hpp"
#include "signaling/gateway/operator/state-dir.hpp"
#include "signaling/gateway/operator/state-file.hpp"
#include "signaling/gateway/operator/webhooks.hpp"
#include "signaling/gateway/options/options.hpp"
#include "signaling/gateway/web/web-side.hpp"
#include "signaling/support/timer.hpp"

namespace agora::gateway {

Now now ();

// By id, with their certificates.
std::map<std::string, std::string, std::less<>> apps_of (const Options &options);

class Gateway : public FrontHandler {
 public:
  struct Callbacks {
    std::function<void(const std::string &ready_line)> ready;
    std::function<void(const std::string &reason)> failed;
    std::function<void()> stopped;
  };

  // Every socket listens when it returns; an error is a sentence for the operator.
  static std::variant<std::unique_ptr<Gateway>, std::string> make (const Options &options,
                                                                   Callbacks callbacks);
  ~Gateway() override;

  void start ();
  // Takes over the apps, the certificate and the secrets that the files hold now; members stay.
  // What is wrong is said in the log and here, and then nothing changes; "": nothing.
  std::string reload ();
  // Lets members move to another gateway, for --drain seconds at most, and stops. Without --drain,
  // or when it drains already, it stops at once.
  void drain ();
  // Says goodbye to everyone; `stopped` follows within two seconds.
  void stop ();

  bool draining () const override { return state_ == State::draining; }
  bool serves (std::string_view app_id) const override { return book_->serves(app_id); }
  void opened (SoupWebsocketConnection *connection, GSocket *socket, std::string address,
               std::string host) override;
  Health health () const override;
  std::vector<std::string> servers (std::string_view app_id,
                                    std::string_view channel) const override;
  std::optional<std::string> metrics (std::string_view authorization) override;
  void administer (const AdminRequest &request, AdminReply reply) override;
  void watch (GIOStream *stream, GSocket *socket, const std::string &head) override;

 private:
  enum class State { starting, serving, draining, stopping };

  Gateway(const Options &options, Callbacks callbacks);
  std::string open (const Options &options);
  // What is read from files, apart from the apps; or what is wrong with it.
  struct Secrets {
    std::string admin;
    std::string webhook;
    std::string hook;
  };
  static std::variant<Secrets, std::string> read_secrets (const Options &options);
  // browsers.cpp. open_web(): "", or a sentence for the operator.
  std::string open_web (const Options &options, const TlsIdentity::Ptr &identity);
  void start_web ();
  // shared.cpp. open_store(): "", or a sentence for the operator.
  std::string open_store (const Options &options, Config &config);
  void start_store ();
  void answer_operator (AdminAnswer answer, AdminReply reply);
  // saved.cpp. open_stream_keys(): "", or a sentence for the operator.
  void forbid_stream_keys (const Options &options);
  std::string open_stream_keys (const std::string &folder);
  void save_first (const AdminAnswer &answer, AdminReply reply);
  // state.cpp. open_state(): "", or a sentence for the operator.
  std::string open_state (const Options &options);
  void start_state ();
  void record (const Deed &deed, const std::string &by, const std::string &from);
  void leave_rendezvous ();
  std::optional<Metrics::Web> web_figures () const;
  // insight.cpp
  Metrics::Snapshot count ();
  LiveGateway look ();
  void enter (SoupWebsocketConnection *connection, GSocket *socket, const std::string &address,
              const std::string &host, Entrance entrance);
  void received (SessionId id, std::string_view text);
  void closed (SessionId id);
  void admit (const HookRequest &request, MediaServer::Reply reply);
  void ended (const HookRequest &request);
  void run (const Commands &commands, std::function<void()> done);
  void run (const Commands &commands);
  void ask_first (const Commands &commands);
  void arm ();
  void on_deadline ();
  void maybe_ready ();
  void maybe_stopped ();
  void pulse ();

  void perform (const Send &send);
  void perform (const Joined &joined);
  void perform (const Close &close);
  void perform (const MovePlay &move) { media_->move(move); }
  void perform (const Notice &notice);
  void perform (const OldToken &token);
  // browsers.cpp
  void perform (const OrderFeed &order);
  // shared.cpp
  void perform (const Watch &watch);
  void perform (const Answered &answered);
  void perform (const Odd &odd);

  Options options_;
  Callbacks callbacks_;
  State state_ = State::starting;
  std::unique_ptr<MediaServer> media_;
  std::unique_ptr<cluster::Store> store_;  // null: this gateway is the only one
  std::unique_ptr<ChannelBook> book_;
  std::unique_ptr<Admin> admin_;
  std::unique_ptr<StateFile> stream_keys_;  // null: they end with the gateway
  std::unique_ptr<Webhooks> webhooks_;      // null: nobody is told
  std::shared_ptr<StateDir> kept_;          // null: without --state-dir
  std::unique_ptr<Front> front_;
  std::unique_ptr<LiveWatch> live_;   // on connections that were front_'s
  std::unique_ptr<WorkerDoor> door_;  // null, as those below: without --web
  std::unique_ptr<WorkerEntrance> entrance_;
  std::unique_ptr<WebSide> web_;
  std::unordered_map<SessionId, std::unique_ptr<MemberSocket>> sockets_;
  SessionId last_id_ = 0;
  Timer deadline_;
  Metrics metrics_;
  ChannelTraffic traffic_{Metrics::most_channels};
  Process process_;
  std::optional<std::int64_t> certificate_ends_;  // nothing: without TLS
  Timer pulse_;
  std::int64_t pulse_due_ = 0;     // monotonic, us
  std::int64_t deadline_due_ = 0;  // monotonic, us
  std::int64_t caught_up_ = 0;     // after a stall, when deadlines count again; else 0
  bool media_ready_ = false;
  bool web_ready_ = false;
  bool store_told_ = false;  // that it answers, or that it doesn't
  std::unordered_map<std::uint64_t, std::function<void(const cluster::Answer &)>> asked_;
  bool media_stopped_ = false;
  bool hurried_ = false;
  Timer hurry_;
  Timer drained_;
};

}  // namespace agora::gateway

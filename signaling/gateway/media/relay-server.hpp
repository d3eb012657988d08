// SPDX-License-Identifier: LGPL-2.1-or-later
// agora-relay as the media server, in a child process. It is started again when it dies or no
// longer answers; the listening socket is ours, so that the port stays the same. Main loop only.
// Made on the main thread (process/child-process.hpp).
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <variant>
#include <vector>

#include "signaling/gateway/media/media-server.hpp"
#include "signaling/gateway/options/options.hpp"
#include "signaling/gateway/process/child-process.hpp"
#include "signaling/gateway/process/descriptor-reserve.hpp"
#include "signaling/gateway/process/heartbeat.hpp"
#include "signaling/protocol/relay-url.hpp"
#include "signaling/support/timer.hpp"

namespace agora::gateway {

class RelayServer : public MediaServer {
 public:
  // Listens already when it returns; an error is a sentence for the operator.
  static std::variant<std::unique_ptr<MediaServer>, std::string> make (const Options &options);
  ~RelayServer() override;

  MediaAddress address () const override { return address_; }
  MediaAddress near_address () const override { return near_; }
  std::uint16_t rtmps_port () const override;
  void set_certificate (const std::string &certificate, const std::string &key) override;
  void start (Callbacks callbacks) override;
  void stop () override;
  void drop (const DropMedia &what, std::function<void()> done) override;
  bool alive () const override { return state_ == State::serving && !told_away_; }
  unsigned pause_ms () const override { return state_ == State::pausing ? pause_.ms() : 0; }
  unsigned restarts () const override { return restarts_; }
  std::optional<relay_line::Counters> counters () const override;

 private:
  enum class State { idle, starting, serving, pausing, stopping, stopped };
  struct Asked {
    std::int64_t at = 0;  // monotonic, us
    std::vector<std::uint64_t> ids;
  };

  RelayServer();
  void spawn ();
  void send (const relay_line::ToRelay &message, Descriptor gift = {});
  void watch ();
  void ping ();
  void list_sessions ();
  void on_timer ();
  void lasted ();
  void look_at_outage ();
  void on_gone (const std::string &last_words);
  void forget_drops ();
  void failed (const std::string &reason);

  void told (const relay_line::Ready &message);
  void told (const relay_line::Ask &message);
  void told (const relay_line::Done &message);
  void told (const relay_line::Pong &message);
  void told (const relay_line::Sessions &message);
  void told (const relay_line::Dropped &message);
  void told (const relay_line::Dial &message);
  void told (const relay_line::Pulled &message);
  void told (const relay_line::PullFailed &message);
  void told (const relay_line::Log &message);

  std::string program_;
  relay_line::Configure configuration_;
  MediaAddress address_;
  MediaAddress near_;
  ObjectPtr<GSocket> socket_;
  ObjectPtr<GSocket> tls_socket_;  // of RTMPS; none without
  DescriptorReserve reserve_;
  std::shared_ptr<ChildProcess> relay_;
  Callbacks callbacks_;
  State state_ = State::idle;
  bool was_ready_ = false;
  Timer timer_;
  Heartbeat heartbeat_;
  RestartPause pause_;
  Timer force_;               // ends a relay that doesn't stop
  std::int64_t started_ = 0;  // monotonic, us: this relay
  std::uint64_t pings_ = 0;
  std::uint64_t lists_ = 0;
  std::map<std::uint64_t, Asked> asked_;  // questions for the sessions, by their number
  // Origins that answers to this relay have named, by "IP:PORT": it is connected to no other place.
  using Origins = std::map<std::string, relay_line::RelayUrl>;
  std::shared_ptr<Origins> origins_ = std::make_shared<Origins>();
  std::uint64_t tickets_ = 0;
  std::unordered_map<std::uint64_t, std::function<void()>> drops_;  // under way, by ticket
  relay_line::Counters counters_;                                   // of this relay
  relay_line::Counters before_;  // of those before it: what only grows
  std::int64_t away_since_ = 0;  // 0: it serves
  bool told_away_ = false;
  std::int64_t longest_outage_us_ = 0;
  unsigned restarts_ = 0;
};

}  // namespace agora::gateway

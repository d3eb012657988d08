// SPDX-License-Identifier: LGPL-2.1-or-later
// The embedded nginx-rtmp, a child process. It is started again when it dies or no longer answers;
// the listening socket is ours, so that the port stays the same. Main loop only. Made on the main
// thread: the kernel's parent-death signal comes when the thread that forked ends.
#pragma once

#include <memory>
#include <string>
#include <variant>

#include "signaling/gateway/media/hook-listener.hpp"
#include "signaling/gateway/media/media-control.hpp"
#include "signaling/gateway/media/media-server.hpp"
#include "signaling/gateway/media/nginx-folder.hpp"
#include "signaling/support/timer.hpp"

namespace agora::gateway {

class NginxServer : public MediaServer {
 public:
  // Listens already when it returns; an error is a sentence for the operator.
  static std::variant<std::unique_ptr<MediaServer>, std::string> make (const Options &options);
  ~NginxServer() override;

  MediaAddress address () const override { return address_; }
  void start (Callbacks callbacks) override;
  void stop () override;
  void drop (const DropMedia &what, std::function<void()> done) override;
  bool alive () const override { return state_ == State::serving && !told_away_; }
  unsigned pause_ms () const override { return state_ == State::pausing ? pause_ms_ : 0; }
  unsigned restarts () const override { return restarts_; }

 private:
  class Child;
  enum class State { idle, starting, serving, pausing, stopping, stopped };

  NginxServer();
  void spawn ();
  void poll ();
  void poll_in (unsigned ms);
  void count_sessions ();
  void replaced ();
  void lasted ();
  void look_at_outage ();
  void on_stat (bool ok, std::string_view body, bool with_sessions, std::int64_t asked);
  void on_gone (const std::string &last_words);
  void serving ();
  void on_timer ();
  void failed (const std::string &reason);

  std::unique_ptr<HookListener> hooks_;
  std::unique_ptr<NginxFolder> folder_;
  NginxConfig config_;
  MediaAddress address_;
  ObjectPtr<GSocket> socket_;
  std::unique_ptr<MediaControl> control_;
  // A connection of its own, so that thousands of drops can't delay the poll.
  std::unique_ptr<MediaControl> watch_;
  std::shared_ptr<Child> child_;
  Callbacks callbacks_;
  State state_ = State::idle;
  bool was_ready_ = false;
  bool asked_ = false;  // a stat request is under way
  Timer timer_;
  Timer force_;                // ends a child that doesn't stop
  std::int64_t started_ = 0;   // monotonic, us: this child
  std::int64_t heard_ = 0;     // its last sign of life
  std::int64_t poll_due_ = 0;  // monotonic, us
  std::string worker_;         // the worker's pid, as the stat page has it
  // Until then each poll asks for the sessions, too: monotonic, us.
  std::int64_t count_until_ = 0;
  std::int64_t replaced_ = 0;    // when the last new worker was seen, and how many
  unsigned replacements_ = 0;    // came one soon after another
  std::int64_t away_since_ = 0;  // 0: it serves
  bool told_away_ = false;
  std::int64_t longest_outage_us_ = 0;
  unsigned pause_ms_ = 0;
  unsigned restarts_ = 0;
};

}  // namespace agora::gateway

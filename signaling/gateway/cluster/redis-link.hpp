// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// One connection to Redis or to a sentinel: commands out, their replies in the same order. GIO's
// socket, so that names, TLS and time limits don't block. Main loop only.
#pragma once

#include <gio/gio.h>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "signaling/gateway/cluster/redis-reply.hpp"
#include "signaling/gateway/cluster/redis-url.hpp"
#include "signaling/support/glib-ptr.hpp"
#include "signaling/support/timer.hpp"

namespace agora::gateway::cluster {

// How to reach a server, beside its address.
struct RedisTls {
  bool on = false;
  std::string ca_file;                        // "": the system's authorities
  std::shared_ptr<GTlsDatabase> authorities;  // of ca_file
};

// Lives as long as its socket's callbacks do.
class RedisLink : public std::enable_shared_from_this<RedisLink> {
 public:
  struct Limits {
    unsigned connect_ms = 2'000;                  // name, TCP and TLS together
    unsigned answer_ms = 2'000;                   // without any answer; the oldest command: 4 times
    unsigned ping_ms = 1'000;                     // asked for a sign of life when nothing waits
    std::size_t unsent = std::size_t{32} << 20U;  // bytes that the server doesn't take
  };
  struct Callbacks {
    // Connected, and TLS is done.
    std::function<void()> open;
    // What is published. Set: this connection subscribes.
    std::function<void(std::string &&topic, std::string &&message)> message;
    // Once, for whatever reason but close(). Never from inside a call.
    std::function<void(const std::string &reason)> closed;
  };
  using Answered = std::function<void(RedisReply &&reply)>;

  static std::shared_ptr<RedisLink> open (const RedisAddress &address, const RedisTls &tls,
                                          const Limits &limits, Callbacks callbacks);
  ~RedisLink();
  RedisLink(const RedisLink &) = delete;
  RedisLink &operator=(const RedisLink &) = delete;

  // Goes out with all else that is sent in this turn of the loop. `answered` may be empty; it is
  // called for each of `replies`, which SUBSCRIBE has one of for each topic.
  void send (std::span<const std::string_view> command, Answered answered, unsigned replies = 1);
  void send (std::initializer_list<std::string_view> command, Answered answered) {
    send(std::span(command.begin(), command.size()), std::move(answered));
  }
  // What was sent goes out now, as far as the socket takes it.
  void hurry ();
  // No callback is called any more.
  void close ();
  bool is_open () const { return connection_ != nullptr && !closed_; }
  std::size_t waiting () const { return expected_.size(); }

 private:
  RedisLink(RedisAddress address, RedisTls tls, const Limits &limits, Callbacks callbacks);
  using Self = std::shared_ptr<RedisLink>;
  static void on_connected (GObject *client, GAsyncResult *result, gpointer data) noexcept;
  static void on_event (GSocketClient *client, GSocketClientEvent event,
                        GSocketConnectable *connectable, GIOStream *connection,
                        gpointer data) noexcept;
  static gboolean on_certificate (GTlsConnection *connection, GTlsCertificate *certificate,
                                  GTlsCertificateFlags flags, gpointer data) noexcept;
  static gboolean on_readable (GObject *stream, gpointer data) noexcept;
  static gboolean on_writable (GObject *stream, gpointer data) noexcept;

  void connect ();
  void start (ObjectPtr<GSocketConnection> connection);
  void look ();
  void read ();
  std::optional<std::string> write_some ();
  void write ();
  bool take (RedisReply &&reply);
  std::string why_so_late () const;
  void fail_early (const std::string &reason);
  void fail (const std::string &reason);
  void close_socket ();

  const RedisAddress address_;
  const RedisTls tls_;
  const Limits limits_;
  Callbacks callbacks_;
  ObjectPtr<GSocketClient> client_;
  ObjectPtr<GCancellable> cancellable_;
  ObjectPtr<GSocketConnection> connection_;  // null until it is open
  std::string untrusted_;                    // why the certificate was refused
  GSocketClientEvent step_ = G_SOCKET_CLIENT_RESOLVING;
  bool heard_ = false;  // anything at all
  SourcePtr readable_;
  SourcePtr writable_;  // while the socket takes no more
  RedisParser parser_;

  std::string unsent_;
  std::size_t sent_ = 0;   // of unsent_
  std::size_t tried_ = 0;  // bytes that the socket didn't take: TLS wants the same ones again
  std::string broken_;     // found while sending
  struct Expected {
    std::int64_t since_us;
    unsigned replies;
    Answered answered;
  };
  std::deque<Expected> expected_;
  std::int64_t answered_us_ = 0;  // the last one
  bool closed_ = false;
  Timer flush_;
  Timer watch_;
  std::int64_t watch_us_ = 0;  // when watch_ is to fire
  bool late_ = false;          // it did so late, and fires once more
};

}  // namespace agora::gateway::cluster

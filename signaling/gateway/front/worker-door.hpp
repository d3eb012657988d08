// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// Where the workers of agora-web bring their members in: WebSockets at 127.0.0.1, for whoever knows
// the secret of a worker that runs. Others get 404, whatever they ask. Main loop only.
//   /worker/SECRET/member?address=ADDRESS   a browser's member, who counts by that address
//   /worker/SECRET/mix                      a mix, which nobody sees (channel/mix)
#pragma once

#include <libsoup/soup.h>

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <variant>

#include "signaling/gateway/channel/commands.hpp"
#include "signaling/gateway/front/socket-opener.hpp"
#include "signaling/gateway/http/acceptor.hpp"
#include "signaling/gateway/options/options.hpp"
#include "signaling/support/glib-ptr.hpp"

namespace agora::gateway {

class WorkerDoor {
 public:
  using Opened = std::function<void(SoupWebsocketConnection *connection, GSocket *socket,
                                    std::string address, Entrance entrance)>;

  // Listens and serves when it returns; an error is a sentence for the operator.
  static std::variant<std::unique_ptr<WorkerDoor>, std::string> make (const Options &options,
                                                                      Opened opened);
  ~WorkerDoor() { stop(); }
  WorkerDoor(const WorkerDoor &) = delete;
  WorkerDoor &operator=(const WorkerDoor &) = delete;

  // For one run of a worker: the URL that its members' begin with, with a new secret.
  std::string open ();
  // Nobody comes by that URL any more.
  void shut (const std::string &url);
  void stop ();

 private:
  // Of one worker that runs.
  struct Run {
    std::string secret;
    std::shared_ptr<unsigned> sockets = std::make_shared<unsigned>(0);  // that are open
  };
  struct Guest {
    std::shared_ptr<unsigned> sockets;
    std::string address;
    Entrance entrance = Entrance::web;
  };

  WorkerDoor(const Options &options, Opened opened);
  static void on_request (SoupServer *, SoupServerMessage *message, const char *path,
                          GHashTable *query, gpointer self) noexcept;
  static void on_upgraded (SoupServerMessage *message, gpointer self) noexcept;
  const Run *find (std::string_view secret) const;
  std::unique_ptr<Guest> guest (std::string_view path, GHashTable *query) const;
  void answer (SoupServerMessage *message, std::unique_ptr<Guest> guest);

  const FrameLimits frames_;
  const unsigned most_sockets_;  // of one worker
  const Opened opened_;
  std::string url_;                  // without a secret
  std::map<std::string, Run> runs_;  // by their URLs
  ObjectPtr<SoupServer> server_;
  std::unique_ptr<Acceptor> acceptor_;
  SocketOpener opener_;
};

}  // namespace agora::gateway

// SPDX-License-Identifier: LGPL-2.1-or-later
// agora-relay: the gateway's media server, RTMP. A child process of agora-gateway, of no use
// without: it is given its sockets and asks over one of them (docs/relay.md).
#include <signal.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>

#include "agora-config.h"
#include "signaling/relay/sandbox.hpp"
#include "signaling/relay/server.hpp"
#include "signaling/support/descriptor-limit.hpp"
#include "signaling/support/tls.hpp"

using namespace agora::relay;

namespace {

constexpr int failure = 2;

// "rtmp=4,rtmps=5"
std::optional<Server::Sockets> parse_sockets (std::string_view text) {
  Server::Sockets sockets;
  while (!text.empty()) {
    const std::string_view word = text.substr(0, text.find(','));
    text.remove_prefix(std::min(text.size(), word.size() + 1));
    const std::size_t equals = word.find('=');
    if (equals == std::string_view::npos)
      return {};
    int fd = -1;
    const auto [end, error] =
        std::from_chars(word.data() + equals + 1, word.data() + word.size(), fd);
    if (error != std::errc() || end != word.data() + word.size() || fd <= sockets.line)
      return {};
    const std::string_view name = word.substr(0, equals);
    if (name != "rtmp" && name != "rtmps")
      return {};
    (name == "rtmp" ? sockets.rtmp : sockets.rtmps).push_back(fd);
  }
  return sockets;
}

class Signals final : public Ready {
 public:
  explicit Signals(Server &server) : server_(server) {
    sigset_t wanted;
    sigemptyset(&wanted);
    sigaddset(&wanted, SIGTERM);
    sigaddset(&wanted, SIGINT);
    sigprocmask(SIG_BLOCK, &wanted, nullptr);
    fd_ = signalfd(-1, &wanted, SFD_NONBLOCK | SFD_CLOEXEC);
    server_.poller().add(fd_, EPOLLIN, *this);
  }
  ~Signals() override { close(fd_); }
  void on_ready (std::uint32_t) override { server_.stop(); }

 private:
  Server &server_;
  int fd_ = -1;
};

bool is_packet_socket (int fd) {
  int type = 0;
  socklen_t size = sizeof type;
  return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_SEQPACKET;
}

}  // namespace

int main (int count, char **words) {
  const pid_t parent = getppid();
  constexpr std::string_view option = "--fds=";
  if (count == 2 && std::string_view(words[1]) == "--version") {
    std::puts("agora-relay " AGORA_VERSION);
    return 0;
  }
  std::optional<Server::Sockets> sockets;
  if (count == 2 && std::string_view(words[1]).starts_with(option))
    sockets = parse_sockets(std::string_view(words[1]).substr(option.size()));
  if (!sockets || !is_packet_socket(sockets->line)) {
    std::fputs(
        "agora-relay is started by agora-gateway, which gives it its sockets:\n"
        "  agora-relay --fds=rtmp=4    with its line to the gateway as descriptor 3\n",
        stderr);
    return failure;
  }
  agora::raise_descriptor_limit();
  if (!sockets->rtmps.empty())
    agora::init_tls();
  try {
    Server server(*sockets);
    Signals signals(server);
    std::string kept;
    if (!enter_sandbox(parent, kept))
      return 0;
    if (!kept.empty())
      server.warn("the sandbox: " + kept);
    server.run();
  } catch (const std::system_error &error) {
    std::fprintf(stderr, "%s\n", error.what());
    return failure;
  }
  return 0;
}

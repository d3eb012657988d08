// SPDX-License-Identifier: LGPL-2.1-or-later
// Thousands of members of one channel in one process, to load a gateway with. It costs as little as
// it can, so that what is measured is the server: one epoll, no JSON library.
//
//   members HOST PORT[,PORT…] COUNT    with several ports, each member is at the next of them
//
// Commands on standard input, each answered with one line of JSON on standard output:
//   join IN-FLIGHT   everyone joins, so many at a time
//   pace PER-SECOND  everyone joins, so many a second whatever the answers take: from a join's
//                    request to its answer
//   watch SECONDS    one more member asks for a pong every 10 ms: the server's loop lag
//   tell ROUNDS      the broadcaster mutes: until the last member knows
//   publish          the broadcaster's URL to push to
//   events ROUNDS    the same, of a broadcaster who is heard, at the other ports than its own:
//                    until the kernel has it at each member's socket
//   subscribe        everyone but the broadcaster subscribes to it: their URLs
//   storm            everyone is cut off, and comes back at once
//   rooms SIZE       before they join: channels of so many, whose members may report; see Rooms
//   speak            everyone who speaks publishes: their URLs
//   report SECONDS   from now on everyone reports each so many seconds; 0: nobody
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tests/bench/client-frames.hpp"
#include "tests/bench/stamped.hpp"

namespace {

using Clock = std::chrono::steady_clock;

// As the vendor's SDK does it.
constexpr double heartbeat_s = 3;
constexpr double probe_s = 0.01;
// The protocol has no request 0. Those of the probe are far from it.
constexpr int heartbeat_request = 1;
// After it a phase is given up, and its line says how far it came.
constexpr double limit_s = 100;
// One address has too few ports for a reconnect storm while those of the round before still linger.
constexpr int addresses = 4;
// From one mute to the next, so that what the servers still have to do doesn't fall into it.
constexpr double between_events_s = 0.1;
// What has come is read after that: the servers have the machine to themselves until then, as if
// members were elsewhere. When it came, the kernel knows.
constexpr int undisturbed_ms = 30;

double now () {
  return std::chrono::duration<double>(Clock::now().time_since_epoch()).count();
}

// The value at this share of them, which get sorted.
double part (std::vector<double> &values, double share) {
  std::sort(values.begin(), values.end());
  return bench::at_share(values, share);
}

enum class Stage { away, connecting, upgrading, joining, in };

struct Member {
  int fd = -1;
  Stage stage = Stage::away;
  std::string got;
  bool told = false;
  double asked = 0;        // when its join was sent
  std::uint64_t came = 0;  // its last packet, by the wall clock; where that is wanted
  std::string url;
};

class Load {
 public:
  Load(const char *host, const std::vector<int> &ports, int count)
      : members_(count), rooms_{members_.size()}, epoll_(epoll_create1(0)) {
    for (const int port : ports) {
      sockaddr_in server{};
      server.sin_family = AF_INET;
      server.sin_port = htons(static_cast<std::uint16_t>(port));
      inet_pton(AF_INET, host, &server.sin_addr);
      servers_.push_back(server);
    }
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u32 = commands_id;
    epoll_ctl(epoll_, EPOLL_CTL_ADD, STDIN_FILENO, &event);
  }

  int run () {
    while (!over_)
      turn(1);
    return 0;
  }

 private:
  static constexpr std::uint32_t commands_id = UINT32_MAX;

  void command (const std::string &line) {
    char word[16] = "";
    double number = 0;
    if (std::sscanf(line.c_str(), "%15s %lf", word, &number) < 1)
      return;
    const std::string_view what(word);
    if (what == "join")
      everyone_joins(static_cast<std::size_t>(number), "join");
    else if (what == "pace")
      pace(number);
    else if (what == "watch")
      watch(number);
    else if (what == "tell")
      tell(static_cast<int>(number));
    else if (what == "storm")
      storm();
    else if (what == "publish")
      publish();
    else if (what == "events")
      tell_elsewhere(static_cast<int>(number));
    else if (what == "subscribe")
      subscribe();
    else if (what == "rooms")
      std::printf("{\"size\": %zu}\n", rooms_.size = static_cast<std::size_t>(number));
    else if (what == "speak")
      speak();
    else if (what == "report")
      report(number);
    else
      std::printf("{\"error\": \"unknown command\"}\n");
    std::fflush(stdout);
  }

  void read_commands () {
    char text[256];
    const auto size = read(STDIN_FILENO, text, sizeof text);
    if (size <= 0) {
      over_ = true;
      return;
    }
    pending_.append(text, static_cast<std::size_t>(size));
    std::size_t end;
    while ((end = pending_.find('\n')) != std::string::npos) {
      const auto line = pending_.substr(0, end);
      pending_.erase(0, end + 1);
      command(line);
    }
  }

  // Until `done`, with everybody's heartbeats.
  bool until (const std::function<bool()> &done, double limit) {
    const double end = now() + limit;
    while (!done()) {
      if (now() > end || over_)
        return false;
      turn(0.001);
    }
    return true;
  }

  void turn (double longest) {
    epoll_event events[256];
    const double wait =
        heartbeats_due_ > 0 ? std::clamp(heartbeats_due_ - now(), 0.0, longest) : longest;
    const int count = epoll_wait(epoll_, events, 256, static_cast<int>(std::lround(wait * 1000)));
    for (int i = 0; i < count; i++) {
      if (events[i].data.u32 == commands_id)
        read_commands();
      else
        ready(events[i].data.u32);
    }
    if (heartbeats_due_ > 0)
      beat();
  }

  // As our own client does it: a report does for a ping, so that the next one is due after it.
  void beat () {
    const double at = now();
    const double step =
        (report_s_ > 0 ? report_s_ : heartbeat_s) / static_cast<double>(members_.size());
    for (; heartbeats_due_ <= at; heartbeats_due_ += step) {
      next_beat_ = (next_beat_ + 1) % members_.size();
      if (members_[next_beat_].stage == Stage::in)
        ping(next_beat_, heartbeat_request);
      const auto reports = (next_beat_ + report_ahead_) % members_.size();
      if (report_s_ > 0 && members_[reports].stage == Stage::in)
        ask(reports, rooms_.report(reports, ++reports_));
    }
  }

  void report (double seconds) {
    report_s_ = seconds;
    if (seconds > 0)
      report_ahead_ = static_cast<std::size_t>(static_cast<double>(members_.size()) *
                                               std::min(heartbeat_s / seconds, 1.0));
    std::printf("{\"reports\": %d}\n", reports_);
  }

  std::size_t port_of (std::size_t id) const { return id % servers_.size(); }

  void connect_member (std::size_t id) {
    auto &member = members_[id];
    member.fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (member.fd < 0) {
      std::fprintf(stderr, "members: socket: %s\n", std::strerror(errno));
      std::exit(1);
    }
    const int yes = 1;
    setsockopt(member.fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    setsockopt(member.fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &yes, sizeof yes);
    sockaddr_in from{};
    from.sin_family = AF_INET;
    from.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1 + static_cast<std::uint32_t>(id) % addresses);
    auto &server = servers_[port_of(id)];
    if (bind(member.fd, reinterpret_cast<sockaddr *>(&from), sizeof from) != 0 ||
        (connect(member.fd, reinterpret_cast<sockaddr *>(&server), sizeof server) != 0 &&
         errno != EINPROGRESS)) {
      std::fprintf(stderr, "members: connect: %s\n", std::strerror(errno));
      std::exit(1);
    }
    member.stage = Stage::connecting;
    member.got.clear();
    epoll_event event{};
    event.events = EPOLLOUT;
    event.data.u32 = static_cast<std::uint32_t>(id);
    epoll_ctl(epoll_, EPOLL_CTL_ADD, member.fd, &event);
  }

  void lose (Member &member) {
    if (member.stage == Stage::in)
      in_--;
    if (member.fd >= 0)
      close(member.fd);
    member.fd = -1;
    member.stage = Stage::away;
    member.got.clear();
  }

  void send_raw (Member &member, const std::string &data) {
    if (send(member.fd, data.data(), data.size(), MSG_NOSIGNAL) !=
        static_cast<ssize_t>(data.size()))
      lost_++;
  }

  void send_text (Member &member, const std::string &text) {
    send_raw(member, bench::client_frame(text));
  }

  void ask (std::size_t id, const std::string &request) {
    request_++;
    send_text(members_[id], rooms_.envelope(id, request_) + R"("seq":)" + std::to_string(request_) +
                                R"(,"clientRequest":)" + request + "}");
  }

  void send_join (std::size_t id) {
    members_[id].asked = now();
    ask(id, rooms_.join(id));
  }

  void ping (std::size_t id, int request) {
    send_text(members_[id], rooms_.envelope(id, request) + R"("command":"ping"})");
  }

  void ready (std::uint32_t id) {
    auto &member = members_[id];
    if (member.fd < 0)
      return;
    if (member.stage == Stage::connecting) {
      int error = 0;
      socklen_t size = sizeof error;
      getsockopt(member.fd, SOL_SOCKET, SO_ERROR, &error, &size);
      if (error != 0) {
        lost_++;
        lose(member);
        connect_member(id);
        return;
      }
      member.stage = Stage::upgrading;
      epoll_event event{};
      event.events = EPOLLIN;
      event.data.u32 = id;
      epoll_ctl(epoll_, EPOLL_CTL_MOD, member.fd, &event);
      send_raw(member,
               "GET /api HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade"
               "\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
               "\r\n");
      return;
    }
    char data[16384];
    const auto size = stamped_ ? bench::receive_stamped(member.fd, data, sizeof data, member.came)
                               : recv(member.fd, data, sizeof data, 0);
    if (size <= 0) {
      if (size < 0 && (errno == EAGAIN || errno == EINTR))
        return;
      // A server that turns one away in the middle of joining is tried again.
      const bool again = member.stage != Stage::in;
      lost_++;
      lose(member);
      if (again)
        connect_member(id);
      return;
    }
    member.got.append(data, static_cast<std::size_t>(size));
    take(id);
  }

  void take (std::size_t id) {
    auto &member = members_[id];
    if (member.stage == Stage::upgrading) {
      const auto end = member.got.find("\r\n\r\n");
      if (end == std::string::npos)
        return;
      if (member.got.compare(0, 12, "HTTP/1.1 101") != 0) {
        std::fprintf(stderr, "members: refused: %.60s\n", member.got.c_str());
        std::exit(1);
      }
      member.got.erase(0, end + 4);
      member.stage = Stage::joining;
      send_join(id);
    }
    std::size_t from = 0;
    while (const auto frame = bench::server_frame(member.got, from))
      text(id, *frame);
    member.got.erase(0, from);
  }

  void text (std::size_t id, std::string_view frame) {
    auto &member = members_[id];
    if (member.stage == Stage::joining) {
      if (frame.find("\"code\":200") == std::string_view::npos) {
        std::fprintf(stderr, "members: join was answered with %.*s\n",
                     static_cast<int>(frame.size()), frame.data());
        std::exit(1);
      }
      member.stage = Stage::in;
      in_++;
      took_ms_.push_back((now() - member.asked) * 1000);
      if (to_join_ < members_.size() && joining_)
        connect_member(to_join_++);
      return;
    }
    if (frame.find("audio-mute") != std::string_view::npos) {
      if (!member.told) {
        member.told = true;
        told_++;
      }
      return;
    }
    constexpr std::string_view url = "\"url\":\"";
    if (const auto found = frame.find(url); found != std::string_view::npos && member.url.empty()) {
      const auto from = found + url.size();
      member.url = frame.substr(from, frame.find('"', from) - from);
      urls_++;
    }
    if (id == probe_id && frame.find("pong") != std::string_view::npos &&
        frame.find(probe_mark_) != std::string_view::npos)
      probed_ = true;
  }

  void everyone_joins (std::size_t in_flight, const char *name) {
    const double start = now();
    lost_ = 0;
    took_ms_.clear();
    joining_ = true;
    // Who is in must not fall silent while others join.
    heartbeats_due_ = start;
    to_join_ = std::min(in_flight, members_.size());
    for (std::size_t i = 0; i < to_join_; i++)
      connect_member(i);
    const bool all = until([this] { return in_ == members_.size(); }, limit_s);
    joining_ = false;
    const double took = now() - start;
    std::printf(
        "{\"phase\": \"%s\", \"all\": %s, \"members\": %zu, \"seconds\": %.4f, "
        "\"per_second\": %.1f, \"lost\": %zu}\n",
        name, all ? "true" : "false", in_, took, static_cast<double>(in_) / took, lost_);
  }

  void pace (double per_second) {
    const double start = now();
    lost_ = 0;
    took_ms_.clear();
    heartbeats_due_ = start;
    std::size_t begun = 0;
    const bool all = until(
        [&] {
          for (;
               begun < members_.size() && now() >= start + static_cast<double>(begun) / per_second;
               begun++)
            connect_member(begun);
          return in_ == members_.size();
        },
        limit_s);
    std::printf(
        "{\"phase\": \"pace\", \"all\": %s, \"members\": %zu, \"seconds\": %.4f, "
        "\"median_ms\": %.3f, \"p99_ms\": %.3f, \"lost\": %zu}\n",
        all ? "true" : "false", in_, now() - start, part(took_ms_, 0.5), part(took_ms_, 0.99),
        lost_);
  }

  void watch (double seconds) {
    std::vector<double> trips;
    bool answered = true;
    const double end = now() + seconds;
    for (int request = 1000000; now() < end && !over_; request++) {
      const double sent = now();
      probed_ = false;
      probe_mark_ = "\"requestId\":" + std::to_string(request);
      ping(probe_id, request);
      answered = until([this] { return probed_; }, 10);
      if (!answered)
        break;
      trips.push_back((now() - sent) * 1000);
      until([&] { return now() >= sent + probe_s; }, probe_s);
    }
    std::printf(
        "{\"phase\": \"watch\", \"all\": %s, \"count\": %zu, \"median_ms\": %.3f, "
        "\"p99_ms\": %.3f, \"max_ms\": %.3f}\n",
        answered ? "true" : "false", trips.size(), part(trips, 0.5), part(trips, 0.99),
        part(trips, 1));
  }

  void tell (int rounds) {
    std::string all = "[";
    bool complete = true;
    // Ours tells nobody of the mute of one who won't be heard.
    ask(0, R"({"action":"publish","uid":1})");
    for (int i = 0; i < rounds; i++) {
      for (auto &member : members_)
        member.told = false;
      told_ = 0;
      const double sent = now();
      ask(0, std::string(R"({"action":"mute_local","uid":1,"target":"audio","mute":)") +
                 (i % 2 == 0 ? "true}" : "false}"));
      complete = until([this] { return told_ + 1 >= in_; }, 20) && complete;
      char number[32];
      std::snprintf(number, sizeof number, "%s%.3f", i > 0 ? ", " : "", (now() - sent) * 1000);
      all += number;
      // What the server still has to do must not fall into the next round.
      const double rest = now() + 0.2;
      until([&] { return now() >= rest; }, 1);
    }
    std::printf("{\"phase\": \"tell\", \"all\": %s, \"last_ms\": %s]}\n",
                complete ? "true" : "false", all.c_str());
  }

  void publish () {
    members_[0].url.clear();
    urls_ = 0;
    ask(0, R"({"action":"publish","uid":1})");
    until([this] { return urls_ == 1; }, 10);
    std::printf("{\"url\": \"%s\"}\n", members_[0].url.c_str());
  }

  void subscribe () {
    urls_of([] (std::size_t id) { return id > 0; },
            R"({"action":"subscribe","uid":1,"options":{"audio":true,"video":true}})");
  }

  void speak () {
    urls_of([this] (std::size_t id) { return rooms_.speaks(id); },
            R"({"action":"publish","uid":0})");
  }

  // All of them ask for it. A uid of 0 is a member's own.
  template <typename Which>
  void urls_of (const Which &which, const std::string &request) {
    urls_ = 0;
    std::size_t asked = 0;
    std::string all;
    for (std::size_t id = 0; id < members_.size(); id++) {
      if (!which(id))
        continue;
      members_[id].url.clear();
      std::string own = request;
      if (const auto at = own.find(own_uid); at != std::string::npos)
        own.replace(at, own_uid.size(), R"("uid":)" + std::to_string(id + 1));
      ask(id, own);
      asked++;
      // Not all at once: a server may take so many as it can answer.
      until([&] { return urls_ + 64 >= asked; }, 10);
    }
    const bool complete = until([&] { return urls_ == asked; }, 20);
    std::printf("{\"all\": %s, \"urls\": [", complete ? "true" : "false");
    const char *comma = "";
    for (std::size_t id = 0; id < members_.size(); id++)
      if (which(id))
        std::printf("%s\"%s\"", std::exchange(comma, ", "), members_[id].url.c_str());
    std::printf("]}\n");
  }

  bool elsewhere (std::size_t id) const { return port_of(id) != port_of(0); }

  void tell_elsewhere (int rounds) {
    std::size_t there = 0;
    for (std::size_t id = 0; id < members_.size(); id++) {
      bench::ask_for_stamps(members_[id].fd);
      there += elsewhere(id) ? 1 : 0;
    }
    stamped_ = true;
    bool complete = true;
    std::vector<double> took, last;
    for (int i = 0; i < rounds; i++) {
      for (auto &member : members_)
        member.told = false;
      told_ = 0;
      const std::uint64_t sent = bench::wall_clock();
      ask(0, std::string(R"({"action":"mute_local","uid":1,"target":"audio","mute":)") +
                 (i % 2 == 0 ? "true}" : "false}"));
      poll(nullptr, 0, undisturbed_ms);
      // A pong would lie behind what is looked for, and its time count.
      const double due = std::exchange(heartbeats_due_, 0.0);
      complete = until([this] { return told_ + 1 >= in_; }, 20) && complete;
      heartbeats_due_ = due;
      double longest = 0;
      for (std::size_t id = 0; id < members_.size(); id++)
        if (elsewhere(id) && members_[id].told) {
          took.push_back(static_cast<double>(std::max(members_[id].came, sent) - sent) / 1e6);
          longest = std::max(longest, took.back());
        }
      last.push_back(longest);
      const double rest = now() + between_events_s;
      until([&] { return now() >= rest; }, 1);
    }
    stamped_ = false;
    std::printf(
        "{\"phase\": \"events\", \"all\": %s, \"members\": %zu, \"median_ms\": %.3f, \"p99_ms\": "
        "%.3f, \"last_median_ms\": %.3f}\n",
        complete ? "true" : "false", there, part(took, 0.5), part(took, 0.99), part(last, 0.5));
  }

  void storm () {
    heartbeats_due_ = 0;
    const linger now_at_once = {1, 0};
    for (auto &member : members_) {
      // As after a power cut of the network's: no goodbye.
      setsockopt(member.fd, SOL_SOCKET, SO_LINGER, &now_at_once, sizeof now_at_once);
      lose(member);
    }
    everyone_joins(members_.size(), "storm");
  }

  static constexpr std::size_t probe_id = 1;
  static constexpr std::string_view own_uid = R"("uid":0)";

  std::vector<Member> members_;
  bench::Rooms rooms_;
  const int epoll_;
  std::vector<sockaddr_in> servers_;
  std::string pending_;
  std::string probe_mark_;
  std::size_t in_ = 0;
  std::size_t to_join_ = 0;
  std::size_t told_ = 0;
  std::size_t lost_ = 0;
  std::size_t urls_ = 0;
  std::vector<double> took_ms_;
  std::size_t next_beat_ = 0;
  double heartbeats_due_ = 0;     // 0: nobody's
  double report_s_ = 0;           // 0: nobody reports now
  std::size_t report_ahead_ = 0;  // of who pings, so many members
  int reports_ = 0;
  int request_ = 2;
  bool joining_ = false;
  bool probed_ = false;
  bool stamped_ = false;  // what is read has the kernel's time
  bool over_ = false;
};

}  // namespace

int main (int argc, char **argv) {
  std::vector<int> ports;
  for (const char *next = argc == 4 ? argv[2] : ""; *next;) {
    char *end = nullptr;
    ports.push_back(static_cast<int>(std::strtol(next, &end, 10)));
    next = *end == ',' ? end + 1 : "";
  }
  if (ports.empty() || ports.back() <= 0 || std::atoi(argv[3]) < 2) {
    std::fprintf(stderr, "usage: members HOST PORT[,PORT...] COUNT (at least 2)\n");
    return 2;
  }
  return Load(argv[1], ports, std::atoi(argv[3])).run();
}

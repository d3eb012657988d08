// SPDX-License-Identifier: LGPL-2.1-or-later
// Thousands of RTMP listeners in one process, to load an nginx with. They only count bytes. It
// costs as little as it can: no epoll, but a look at each socket every so often, and the kernel
// keeps what came meanwhile.
//
//   players < URLS      one rtmp://HOST:PORT/APP/STREAM a line, until an empty one
//
// After that each line on standard input is a command, answered with one line of JSON:
//   heard SECONDS       waits that long at most, until each has got some sound from now on
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <string>
#include <string_view>
#include <vector>

#include "tests/bench/rtmp-words.hpp"

namespace {

using bench::greeting;

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

// Of those who connect, at each turn; fewer than any server lets wait.
constexpr std::size_t at_once = 64;
// Far more than answers take, far less than a second of sound.
constexpr std::size_t some_sound = 2000;

struct Player {
  bench::Url url;
  int fd = -1;
  std::size_t got = 0;
  bool asked = false;
  std::size_t since_mark = 0;
};

constexpr std::uint32_t commands_id = UINT32_MAX;

void look (Player &player) {
  char data[16384];
  const auto size = recv(player.fd, data, sizeof data, MSG_DONTWAIT);
  if (size < 0 && (errno == EAGAIN || errno == EINTR))
    return;
  if (size <= 0) {
    std::fprintf(stderr, "players: lost one after %zu bytes\n", player.got);
    std::exit(1);
  }
  player.got += static_cast<std::size_t>(size);
  if (player.asked)
    player.since_mark += static_cast<std::size_t>(size);
  if (!player.asked && player.got >= 1 + 2 * greeting) {
    player.asked = true;
    bench::say(player.fd, std::string(greeting, '\0') + bench::requests(player.url, "play"));
  }
}

class Crowd {
 public:
  explicit Crowd(std::vector<Player> players)
      : players_(std::move(players)), epoll_(epoll_create1(0)) {
    watch(STDIN_FILENO, commands_id);
  }

  int run () {
    while (!over_)
      turn(1000);
    return 0;
  }

 private:
  void watch (int fd, std::uint32_t id) const {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u32 = id;
    epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event);
  }

  void turn (int longest_ms) {
    for (std::size_t i = 0; i < at_once && started_ < players_.size(); i++, started_++) {
      players_[started_].fd = bench::dial(players_[started_].url);
      watch(players_[started_].fd, static_cast<std::uint32_t>(started_));
    }
    epoll_event events[256];
    const bool more = started_ < players_.size();
    const int count = epoll_wait(epoll_, events, 256, more ? 10 : longest_ms);
    for (int i = 0; i < count; i++) {
      if (events[i].data.u32 == commands_id)
        read_commands();
      else
        look(players_[events[i].data.u32]);
    }
  }

  void read_commands () {
    char data[256];
    const auto size = read(STDIN_FILENO, data, sizeof data);
    over_ = size <= 0;
    text_.append(data, static_cast<std::size_t>(std::max<ssize_t>(size, 0)));
    for (std::size_t end; (end = text_.find('\n')) != std::string::npos;) {
      const auto line = text_.substr(0, end);
      text_.erase(0, end + 1);
      heard(line);
    }
  }

  void heard (const std::string &line) {
    double seconds = 0;
    if (std::sscanf(line.c_str(), "heard %lf", &seconds) != 1) {
      std::printf("{\"error\": \"unknown command\"}\n");
      std::fflush(stdout);
      return;
    }
    const auto end = Clock::now() + milliseconds(static_cast<int>(seconds * 1000));
    for (auto &player : players_)
      player.since_mark = 0;
    auto hears = [] (const Player &player) { return player.since_mark >= some_sound; };
    while (!over_ && Clock::now() < end && !std::all_of(players_.begin(), players_.end(), hears))
      turn(10);
    const auto count = std::count_if(players_.begin(), players_.end(), hears);
    std::printf("{\"all\": %s, \"players\": %zu, \"heard\": %td}\n",
                static_cast<std::size_t>(count) == players_.size() ? "true" : "false",
                players_.size(), count);
    std::fflush(stdout);
  }

  std::vector<Player> players_;
  const int epoll_;
  std::size_t started_ = 0;
  std::string text_;
  bool over_ = false;
};

}  // namespace

int main () {
  std::vector<Player> players;
  std::string line;
  // No buffer may keep what belongs to the commands.
  setvbuf(stdin, nullptr, _IONBF, 0);
  while (std::getline(std::cin, line) && !line.empty()) {
    Player player;
    if (!player.url.read(line)) {
      std::fprintf(stderr, "players: no URL: %s\n", line.c_str());
      return 2;
    }
    players.push_back(std::move(player));
  }
  return Crowd(std::move(players)).run();
}

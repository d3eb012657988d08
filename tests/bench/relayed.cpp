// SPDX-License-Identifier: LGPL-2.1-or-later
// Pushers and listeners of an RTMP server in one process and on one clock. Each message carries the
// time at which it was sent; the kernel tells when it came.
//
//   relayed [FRAME-MS] < LINES     `push URL` or `play URL` a line, until an empty one; says
//                       `ready` when all of them are at it. Any certificate will do for rtmps.
//                       `load URL` listens, too, but only fetches now and then what came: it
//                       costs little, and tells nothing. Pushers send a frame each 21.3 ms, or as
//                       often as is said
//
// After that each line on standard input is a command, answered with one line of JSON:
//   measure SECONDS     what came in that time: messages, how long they took (us), and the longest
//                       time that a listener was without one (ms). `later_…`: how much later than
//                       to the first listener the same message came to the others (us)
#include <fcntl.h>
#include <openssl/ssl.h>
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
#include <unordered_map>
#include <vector>

#include "tests/bench/rtmp-words.hpp"
#include "tests/bench/stamped.hpp"

namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::microseconds;
using std::chrono::nanoseconds;

// AAC-LC of 48 kbit/s at 48 kHz.
constexpr nanoseconds usual_frame_time{21'333'333};
constexpr std::size_t frame_bytes = 128;
constexpr std::string_view mark = "AGORAnow";
constexpr std::size_t marked = mark.size() + sizeof(std::uint64_t);
constexpr std::string_view published = "NetStream.Publish.Start";
constexpr std::size_t at_once = 32;
constexpr std::uint32_t commands_id = UINT32_MAX;
// How often what came for those who only load is fetched.
constexpr nanoseconds fetch_time{500'000'000};

std::uint64_t now () {
  return static_cast<std::uint64_t>(Clock::now().time_since_epoch().count());
}

struct Peer {
  bench::Url url;
  bool pushes = false;
  bool loads = false;
  int fd = -1;
  SSL *tls = nullptr;
  std::size_t got = 0;
  bool asked = false;
  bool at_it = false;  // is published, or has got a message
  std::uint32_t stamp = 0;
  std::uint64_t last = 0;
  std::uint64_t came = 0;  // when its last packet was there, by the wall clock
  std::string tail;        // what may be the beginning of a mark
};

// A message at a listener; times by the wall clock.
struct Heard {
  std::uint64_t sent = 0, came = 0;
  bool first = false;  // at the first listener
};

// The connection, with its half of RTMP's handshake sent.
void dial (Peer &peer) {
  static SSL_CTX *const context = SSL_CTX_new(TLS_client_method());
  if (!peer.url.secure) {
    peer.fd = bench::dial(peer.url);
    return;
  }
  peer.fd = bench::connect_to(peer.url);
  peer.tls = SSL_new(context);
  SSL_set_fd(peer.tls, peer.fd);
  if (SSL_connect(peer.tls) != 1)
    bench::give_up("TLS");
  const std::string words = bench::first_words();
  SSL_write(peer.tls, words.data(), static_cast<int>(words.size()));
  fcntl(peer.fd, F_SETFL, O_NONBLOCK);
}

void say (const Peer &peer, const std::string &text) {
  if (!peer.tls)
    bench::say(peer.fd, text);
  else if (SSL_write(peer.tls, text.data(), static_cast<int>(text.size())) !=
           static_cast<int>(text.size()))
    bench::give_up("TLS");
}

// As recv() that doesn't wait.
ssize_t hear (Peer &peer, char *data, std::size_t size) {
  peer.came = bench::wall_clock();
  if (!peer.tls)
    return bench::receive_stamped(peer.fd, data, size, peer.came);
  std::size_t all = 0;
  int got = 1;
  while (all < size && (got = SSL_read(peer.tls, data + all, static_cast<int>(size - all))) > 0)
    all += static_cast<std::size_t>(got);
  if (all > 0)
    return static_cast<ssize_t>(all);
  errno = EAGAIN;
  return SSL_get_error(peer.tls, got) == SSL_ERROR_WANT_READ ? -1 : 0;
}

class Crowd {
 public:
  Crowd(std::vector<Peer> peers, nanoseconds frame_time)
      : frame_time_(frame_time), peers_(std::move(peers)), epoll_(epoll_create1(0)) {
    watch(STDIN_FILENO, commands_id);
    for (std::size_t i = peers_.size(); i-- > 0;)
      if (peers_[i].pushes)
        pushers_.push_back(i);
      else if (!peers_[i].loads)
        first_ = i;
    due_ = fetch_due_ = now();
  }

  int run () {
    while (!over_)
      turn();
    return 0;
  }

 private:
  void watch (int fd, std::uint32_t id) const {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u32 = id;
    epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event);
  }

  void turn () {
    for (std::size_t i = 0; i < at_once && started_ < peers_.size(); i++, started_++) {
      dial(peers_[started_]);
      bench::ask_for_stamps(peers_[started_].fd);
      watch(peers_[started_].fd, static_cast<std::uint32_t>(started_));
    }
    push();
    fetch();
    epoll_event events[256];
    const std::uint64_t at = now();
    const timespec wait = {0, static_cast<long>(due_ > at ? due_ - at : 0)};
    const int count = epoll_pwait2(epoll_, events, 256, &wait, nullptr);
    for (int i = 0; i < count; i++) {
      if (events[i].data.u32 == commands_id)
        read_commands();
      else
        read_from(peers_[events[i].data.u32]);
    }
    if (ends_ && now() >= ends_)
      answer();
  }

  // One pusher after the other, each of them once a frame's time.
  void push () {
    const auto step =
        static_cast<std::uint64_t>(frame_time_.count()) / std::max<std::size_t>(pushers_.size(), 1);
    for (; !pushers_.empty() && now() >= due_; due_ += step) {
      Peer &peer = peers_[pushers_[turn_++ % pushers_.size()]];
      if (peer.at_it)
        send_frame(peer);
    }
    if (pushers_.empty())
      due_ = now() + static_cast<std::uint64_t>(frame_time_.count());
  }

  // What came for one of the load after the other.
  void fetch () {
    const std::uint64_t at = now();
    if (load_.empty()) {
      fetch_due_ = at;
      return;
    }
    char unread[1];
    for (const auto step = static_cast<std::uint64_t>(fetch_time.count()) / load_.size();
         fetch_due_ <= at; fetch_due_ += step) {
      const int fd = load_[fetched_++ % load_.size()];
      // The kernel throws it away: the buffer isn't used.
      if (recv(fd, unread, std::size_t{1} << 20, MSG_TRUNC | MSG_DONTWAIT) == 0)
        lost("listener of the load");
    }
  }

  [[noreturn]] static void lost (const char *whom) {
    std::fprintf(stderr, "relayed: lost a %s\n", whom);
    std::exit(1);
  }

  static void send_frame (Peer &peer) {
    std::string frame = "\xaf\1";
    frame.append(mark);
    const std::uint64_t at = bench::wall_clock();
    frame.append(reinterpret_cast<const char *>(&at), sizeof at);
    frame.resize(frame_bytes, '\x55');
    peer.stamp += 21;
    say(peer, bench::chunk(bench::audio, 1, frame, peer.stamp));
  }

  void read_from (Peer &peer) {
    char data[16384];
    const auto size = hear(peer, data, sizeof data);
    if (size < 0 && (errno == EAGAIN || errno == EINTR))
      return;
    if (size <= 0) {
      std::fprintf(stderr, "relayed: lost a %s after %zu bytes\n",
                   peer.pushes ? "pusher" : "listener", peer.got);
      std::exit(1);
    }
    peer.got += static_cast<std::size_t>(size);
    if (!peer.asked) {
      if (peer.got < 1 + 2 * bench::greeting)
        return;
      peer.asked = true;
      say(peer, std::string(bench::greeting, '\0') +
                    bench::requests(peer.url, peer.pushes ? "publish" : "play"));
      return;
    }
    peer.tail.append(data, static_cast<std::size_t>(size));
    if (peer.pushes)
      look_whether_published(peer);
    else
      look_for_marks(peer);
  }

  void look_whether_published (Peer &peer) {
    if (!peer.at_it && peer.tail.find(published) != std::string::npos) {
      // An AudioSpecificConfig of AAC-LC, 48 kHz, one channel.
      say(peer, bench::chunk(bench::audio, 1, std::string("\xaf\0\x11\x88", 4)));
      is_at_it(peer);
    }
    keep(peer, published.size());
  }

  void look_for_marks (Peer &peer) {
    const std::uint64_t at = now();
    std::size_t from = 0;
    for (std::size_t found; (found = peer.tail.find(mark, from)) != std::string::npos &&
                            found + marked <= peer.tail.size();
         from = found + marked) {
      std::uint64_t sent;
      std::memcpy(&sent, peer.tail.data() + found + mark.size(), sizeof sent);
      if (!peer.at_it)
        is_at_it(peer);
      if (peer.loads)
        return;
      if (ends_) {
        heard_.push_back({sent, std::max(peer.came, sent), &peer == &peers_[first_]});
        longest_gap_ = std::max(longest_gap_, at - std::max(peer.last, began_));
      }
      peer.last = at;
    }
    peer.tail.erase(0, from);
    keep(peer, marked);
  }

  static void keep (Peer &peer, std::size_t bytes) {
    if (peer.tail.size() >= bytes)
      peer.tail.erase(0, peer.tail.size() - bytes + 1);
  }

  void is_at_it (Peer &peer) {
    peer.at_it = true;
    if (peer.loads) {
      epoll_ctl(epoll_, EPOLL_CTL_DEL, peer.fd, nullptr);
      load_.push_back(peer.fd);
    }
    if (++busy_ == peers_.size()) {
      std::puts("ready");
      std::fflush(stdout);
    }
  }

  void read_commands () {
    char data[256];
    const auto size = read(STDIN_FILENO, data, sizeof data);
    over_ = size <= 0;
    commands_.append(data, static_cast<std::size_t>(std::max<ssize_t>(size, 0)));
    for (std::size_t end; (end = commands_.find('\n')) != std::string::npos;) {
      double seconds = 0;
      if (std::sscanf(commands_.c_str(), "measure %lf", &seconds) == 1) {
        heard_.clear();
        longest_gap_ = 0;
        began_ = now();
        ends_ = began_ + static_cast<std::uint64_t>(seconds * 1e9);
      }
      commands_.erase(0, end + 1);
    }
  }

  void answer () {
    for (const Peer &peer : peers_)
      if (!peer.pushes && !peer.loads)
        longest_gap_ = std::max(longest_gap_, ends_ - std::clamp(peer.last, began_, ends_));
    ends_ = 0;
    std::vector<std::uint32_t> took_us;
    std::vector<std::int64_t> later_us;
    std::unordered_map<std::uint64_t, std::uint64_t> at_first;
    for (const Heard &each : heard_) {
      took_us.push_back(static_cast<std::uint32_t>((each.came - each.sent) / 1000));
      if (each.first)
        at_first.emplace(each.sent, each.came);
    }
    for (const Heard &each : heard_)
      if (const auto found = at_first.find(each.sent); !each.first && found != at_first.end())
        later_us.push_back(static_cast<std::int64_t>(each.came - found->second) / 1000);
    std::sort(took_us.begin(), took_us.end());
    std::sort(later_us.begin(), later_us.end());
    std::printf(
        "{\"messages\": %zu, \"median_us\": %u, \"p99_us\": %u, \"gap_ms\": %.1f, "
        "\"later_us\": %lld, \"later_p99_us\": %lld}\n",
        took_us.size(), bench::at_share(took_us, 0.5), bench::at_share(took_us, 0.99),
        static_cast<double>(longest_gap_) / 1e6,
        static_cast<long long>(bench::at_share(later_us, 0.5)),
        static_cast<long long>(bench::at_share(later_us, 0.99)));
    std::fflush(stdout);
  }

  const nanoseconds frame_time_;
  std::vector<Peer> peers_;
  std::vector<std::size_t> pushers_;
  const int epoll_;
  std::size_t started_ = 0;
  std::size_t busy_ = 0;
  std::size_t turn_ = 0;
  std::uint64_t due_ = 0;
  std::uint64_t began_ = 0;
  std::uint64_t ends_ = 0;  // of what is measured; 0: nothing is
  std::uint64_t longest_gap_ = 0;
  std::vector<Heard> heard_;
  std::size_t first_ = 0;  // of the listeners
  std::vector<int> load_;  // sockets
  std::size_t fetched_ = 0;
  std::uint64_t fetch_due_ = 0;
  std::string commands_;
  bool over_ = false;
};

}  // namespace

int main (int argc, char **argv) {
  std::vector<Peer> peers;
  std::string line;
  // No buffer may keep what belongs to the commands.
  setvbuf(stdin, nullptr, _IONBF, 0);
  while (std::getline(std::cin, line) && !line.empty()) {
    Peer peer;
    peer.pushes = line.starts_with("push ");
    peer.loads = line.starts_with("load ");
    if ((!peer.pushes && !peer.loads && !line.starts_with("play ")) ||
        !peer.url.read(line.substr(5))) {
      std::fprintf(stderr, "relayed: expected `push`, `play` or `load URL`: %s\n", line.c_str());
      return 2;
    }
    peers.push_back(std::move(peer));
  }
  const auto frame_time =
      argc > 1 ? nanoseconds(std::chrono::milliseconds(std::max(std::atoi(argv[1]), 1)))
               : usual_frame_time;
  return Crowd(std::move(peers), frame_time).run();
}

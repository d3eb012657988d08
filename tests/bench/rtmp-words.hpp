// SPDX-License-Identifier: LGPL-2.1-or-later
// What an RTMP client says, as bytes: as little of AMF and of chunks as it takes to push and play.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>

namespace bench {

// A handshake's half.
constexpr std::size_t greeting = 1536;

struct Url {
  std::string host, app, stream;
  int port = 0;
  bool secure = false;  // rtmps

  bool read (std::string text) {
    char its_host[64], its_app[64];
    int size = 0;
    secure = text.starts_with("rtmps://");
    if (secure)
      text.erase(4, 1);
    if (std::sscanf(text.c_str(), "rtmp://%63[^:/]:%d/%63[^/]/%n", its_host, &port, its_app,
                    &size) != 3 ||
        size == 0)
      return false;
    host = its_host;
    app = its_app;
    stream = text.substr(static_cast<std::size_t>(size));
    return true;
  }
};

inline std::string amf_number (double value) {
  std::uint64_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  std::string text(1, '\0');
  for (int shift = 56; shift >= 0; shift -= 8)
    text += static_cast<char>(bits >> shift);
  return text;
}

inline std::string amf_bare (std::string_view text) {
  std::string all;
  all += static_cast<char>(text.size() >> 8);
  all += static_cast<char>(text.size());
  return all.append(text);
}

inline std::string amf_text (std::string_view text) {
  return '\2' + amf_bare(text);
}

inline const std::string amf_null = "\5";

constexpr int set_chunk_size = 1, audio = 8, command = 20;

// One message of `type` in one chunk: `payload` is no longer than the chunk size that was told.
inline std::string chunk (int type, int stream, const std::string &payload,
                          std::uint32_t stamp = 0) {
  std::string text = {'\3'};
  for (std::uint32_t number : {stamp, static_cast<std::uint32_t>(payload.size())})
    for (int shift = 16; shift >= 0; shift -= 8)
      text += static_cast<char>(number >> shift);
  text += static_cast<char>(type);
  text += static_cast<char>(stream);
  return text.append(3, '\0') + payload;
}

// All that a client says after the handshake. A server's first stream is always 1, so that nothing
// of it has to wait for an answer.
inline std::string requests (const Url &url, const char *what) {
  const auto base = "rtmp://" + url.host + ":" + std::to_string(url.port) + "/" + url.app;
  return chunk(set_chunk_size, 0, std::string{0, 0, 0x10, 0}) +
         chunk(command, 0,
               amf_text("connect") + amf_number(1) + '\3' + amf_bare("app") + amf_text(url.app) +
                   amf_bare("tcUrl") + amf_text(base) + amf_bare("") + '\t') +
         chunk(command, 0, amf_text("createStream") + amf_number(2) + amf_null) +
         chunk(command, 1, amf_text(what) + amf_number(3) + amf_null + amf_text(url.stream));
}

[[noreturn]] inline void give_up (const char *what) {
  std::perror(what);
  std::exit(1);
}

inline void say (int fd, const std::string &text) {
  if (send(fd, text.data(), text.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(text.size()))
    give_up("send");
}

// The client's first part of RTMP's handshake.
inline std::string first_words () {
  return '\3' + std::string(greeting, '\0');
}

inline int connect_to (const Url &url) {
  sockaddr_in server{};
  server.sin_family = AF_INET;
  server.sin_port = htons(static_cast<std::uint16_t>(url.port));
  inet_pton(AF_INET, url.host.c_str(), &server.sin_addr);
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0 || connect(fd, reinterpret_cast<sockaddr *>(&server), sizeof server) != 0)
    give_up("connect");
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return fd;
}

// A connection that has sent its half of the handshake.
inline int dial (const Url &url) {
  const int fd = connect_to(url);
  say(fd, first_words());
  return fd;
}

}  // namespace bench

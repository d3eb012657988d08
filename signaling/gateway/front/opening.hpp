// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// The request that opens a WebSocket, and its answer. Pure: no I/O.
//
// Why it exists: after a restart all members open their WebSockets at once. libsoup's server, which
// is made for requests of every kind, costs much for this one: with 10000 members a join takes 54
// us of CPU by this way, 77 us by libsoup's.
//
// Why there are two ways: this one serves a plain connection whose whole request has come in one
// piece and is as usual. libsoup serves all others: TLS, requests in pieces, and those that are
// refused, to which it says why. This way alone would mean to write the rest of an HTTP server;
// libsoup's alone would mean that a storm takes 40 % more CPU. Both ways end in Front::open(), and
// the unit test and the fuzzer hold that this one is never the more lenient.
#pragma once

#include <libsoup/soup.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace agora::gateway {

struct HeadersDeleter {
  void operator()(SoupMessageHeaders *headers) const { soup_message_headers_unref(headers); }
};

struct Opening {
  std::size_t size = 0;  // of the request
  std::unique_ptr<SoupMessageHeaders, HeadersDeleter> headers;
  std::string answer;  // 101 Switching Protocols, without an extension
};

// The host of a Host header, without its port; "" if it is malformed.
std::string host_of (std::string_view authority);

// Nothing unless `begin` holds a whole and valid request; libsoup then says what is wrong.
std::optional<Opening> read_opening (std::string_view begin, std::string_view path);

}  // namespace agora::gateway

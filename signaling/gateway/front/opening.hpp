// SPDX-License-Identifier: LGPL-2.1-or-later
// The request that opens a WebSocket, and its answer, without the machinery that libsoup's server
// has for requests of every kind. Pure: no I/O.
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
  std::string answer;  // that the protocol is switched, without an extension
};

// The host of a Host header, without its port; "" when there is none to be had.
std::string host_of (std::string_view authority);

// Nothing, where `begin` is anything but one that is whole and good: libsoup says what is wrong.
std::optional<Opening> read_opening (std::string_view begin, std::string_view path);

}  // namespace agora::gateway

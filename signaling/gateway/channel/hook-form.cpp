// SPDX-License-Identifier: LGPL-2.1-or-later
#include "signaling/gateway/channel/hook-form.hpp"

#include <glib.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <span>

namespace agora::gateway {

namespace {

constexpr std::size_t max_body = 16 * 1024;
constexpr std::size_t max_args = 255;

// nginx escapes by %XX alone; '+' and anything it would have escaped can't be its own.
std::optional<std::string> unescape (std::string_view text) {
  std::string plain;
  plain.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); i++) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (c == '%') {
      if (i + 2 >= text.size())
        return {};
      const int high = g_ascii_xdigit_value(text[i + 1]);
      const int low = g_ascii_xdigit_value(text[i + 2]);
      if (high < 0 || low < 0 || (high == 0 && low == 0))
        return {};
      plain += static_cast<char>(high << 4 | low);
      i += 2;
    } else if (c <= ' ' || c >= 0x7f || c == '+' || c == '#' || c == '?') {
      return {};
    } else {
      plain += text[i];
    }
  }
  return plain;
}

class Fields {
 public:
  explicit Fields(std::string_view body) : rest_(body) {}

  // The next field must have this key. The media server escapes '&' in its own values, so that the
  // place of a field tells whose it is.
  std::optional<std::string> take (std::string_view key) {
    if (!rest_.starts_with(key) || rest_.size() <= key.size() || rest_[key.size()] != '=')
      return {};
    const std::string_view after = rest_.substr(key.size() + 1);
    const std::size_t end = after.find('&');
    auto value = unescape(after.substr(0, end));
    if (!value)
      return {};
    ended_ = end == std::string_view::npos;
    rest_ = ended_ ? std::string_view() : after.substr(end + 1);
    return value;
  }

  bool ended () const { return ended_; }
  std::string_view rest () const { return rest_; }

 private:
  std::string_view rest_;
  bool ended_ = false;
};

constexpr std::array<std::string_view, 13> server_keys = {
    "app",  "flashver", "swfurl", "tcurl", "pageurl",  "addr", "clientid",
    "call", "name",     "type",   "start", "duration", "reset"};

}  // namespace

std::optional<std::string> refuse_hook_args (std::string_view args) {
  if (args.size() > max_args)
    return "the arguments are too long";
  const bool plain = std::all_of(args.begin(), args.end(), [] (char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' ||
           c == '_' || c == '=' || c == '&';
  });
  if (!plain)
    return "the arguments hold a character that no URL of ours has";
  std::array<std::string_view, 8> seen;
  std::size_t n_seen = 0;
  while (!args.empty()) {
    const std::size_t end = args.find('&');
    const std::string_view field = args.substr(0, end);
    const std::string_view key = field.substr(0, field.find('='));
    const auto known = std::span(seen).first(n_seen);
    if (key.empty())
      return "the arguments hold a field without a key";
    if (std::find(server_keys.begin(), server_keys.end(), key) != server_keys.end())
      return "the arguments repeat a field of the media server";
    if (std::find(known.begin(), known.end(), key) != known.end())
      return "the arguments repeat a key";
    if (n_seen == seen.size())
      return "the arguments are too many";
    seen[n_seen++] = key;
    args.remove_prefix(end == std::string_view::npos ? args.size() : end + 1);
  }
  return {};
}

std::variant<HookRequest, HookRefusal> parse_hook_form (std::string_view body) {
  if (body.size() > max_body)
    return HookRefusal{"the form is too long"};
  Fields fields(body);
  std::string missing;
  const auto take = [&] (std::string_view key) {
    auto value = missing.empty() ? fields.take(key) : std::nullopt;
    if (!value && missing.empty())
      missing = key;
    return value.value_or("");
  };

  HookRequest request;
  request.app = take("app");
  for (const char *key : {"flashver", "swfurl", "tcurl", "pageurl"})
    take(key);
  request.address = take("addr");
  const std::string id = take("clientid");
  const std::string call = take("call");
  if (!missing.empty())
    return HookRefusal{"expected a well-formed field '" + missing + "' in its place"};

  const auto parsed = std::from_chars(id.data(), id.data() + id.size(), request.client_id);
  if (parsed.ec != std::errc() || parsed.ptr != id.data() + id.size() || request.client_id == 0)
    return HookRefusal{"clientid is not a number"};

  const bool done = call == "publish_done" || call == "play_done";
  if (done) {
    // By now the session's name and arguments may be those of a later, refused call: the client id
    // alone tells what has ended.
    request.call = call == "publish_done" ? HookCall::publish_done : HookCall::play_done;
    return request;
  }
  if (call != "publish" && call != "play")
    return HookRefusal{"call is neither publish nor play"};
  request.call = call == "publish" ? HookCall::publish : HookCall::play;
  request.stream = take("name");
  if (request.call == HookCall::publish) {
    take("type");
  } else {
    for (const char *key : {"start", "duration", "reset"})
      take(key);
  }
  if (!missing.empty())
    return HookRefusal{"expected a well-formed field '" + missing + "' in its place"};
  if (auto reason = refuse_hook_args(fields.rest()))
    return HookRefusal{*reason};
  request.args = fields.rest();
  return request;
}

}  // namespace agora::gateway

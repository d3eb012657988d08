// SPDX-License-Identifier: LGPL-2.1-or-later
#include "signaling/gateway/web/whip-request.hpp"

#include <glib.h>

#include <algorithm>
#include <charconv>
#include <map>

#include "signaling/protocol/argument-checks.hpp"
#include "signaling/protocol/json.hpp"

namespace agora::gateway {

using protocol::quoted;
using web_line::Kind;

namespace {

constexpr std::size_t most_event_names = 64;

std::vector<std::string_view> split (std::string_view text, char at) {
  std::vector<std::string_view> words;
  for (std::size_t begin = 0; begin <= text.size();) {
    const auto end = std::min(text.find(at, begin), text.size());
    words.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return words;
}

std::string_view trimmed (std::string_view text) {
  constexpr std::string_view blanks = " \t\r\n";
  const auto begin = text.find_first_not_of(blanks);
  if (begin == std::string_view::npos)
    return {};
  return text.substr(begin, text.find_last_not_of(blanks) - begin + 1);
}

bool same_text (std::string_view one, std::string_view other) {
  return one.size() == other.size() &&
         g_ascii_strncasecmp(one.data(), other.data(), one.size()) == 0;
}

bool is_id (std::string_view text) {
  return text.size() == web_id_digits && std::all_of(text.begin(), text.end(), [] (char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
         });
}

// Nothing: not a decimal number of this type.
template <typename Number>
std::optional<Number> whole (std::string_view text) {
  Number value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size())
    return {};
  return value;
}

}  // namespace

std::optional<std::string> unescape (std::string_view text, char plus) {
  std::string plain;
  plain.reserve(text.size());
  for (std::size_t at = 0; at < text.size(); at++) {
    char c = text[at];
    if (c == '+') {
      c = plus;
    } else if (c == '%') {
      if (text.size() - at < 3 || !g_ascii_isxdigit(text[at + 1]) ||
          !g_ascii_isxdigit(text[at + 2]))
        return {};
      c = static_cast<char>(g_ascii_xdigit_value(text[at + 1]) * 16 +
                            g_ascii_xdigit_value(text[at + 2]));
      at += 2;
    }
    if (c == '\0')
      return {};
    plain += c;
  }
  return plain;
}

std::optional<WebTarget> read_target (std::string_view path) {
  using What = WebTarget::What;
  const auto words = split(path, '/');
  if (words.size() < 4 || !words[0].empty() || (words[1] != "whip" && words[1] != "whep"))
    return {};
  WebTarget target;
  target.kind = words[1] == "whip" ? Kind::speak : Kind::hear;
  // An app of this name can't be asked for: the documents leave the paths to us.
  if (words[2] == "session") {
    if (!is_id(words[3]))
      return {};
    target.id = words[3];
    if (words.size() == 4)
      target.what = What::session;
    else if (words[4] == "call" && words.size() == 5)
      target.what = What::call;
    else if (words[4] == "events" && words.size() == 5)
      target.what = What::events;
    else if (words[4] == "events" && words.size() == 6) {
      const auto number = whole<unsigned>(words[5]);
      if (!number)
        return {};
      target.what = What::stream;
      target.stream = *number;
    } else
      return {};
    return target;
  }
  auto app = unescape(words[2], '+');
  auto channel = unescape(words[3], '+');
  if (words.size() != 4 || !app || app->empty() || !channel)
    return {};
  target.app = std::move(*app);
  target.channel = std::move(*channel);
  return target;
}

std::variant<OfferQuery, std::string> read_offer_query (std::string_view query) {
  std::map<std::string, std::string, std::less<>> values;
  for (const auto pair : split(query, '&')) {
    const auto equals = std::min(pair.find('='), pair.size());
    auto name = unescape(pair.substr(0, equals), ' ');
    auto value = unescape(pair.substr(std::min(equals + 1, pair.size())), ' ');
    if (!name || !value)
      return "the query has a broken escape: expected %XX, and none that stands for NUL";
    if (!values.emplace(*name, *value).second)
      return "the query names " + quoted(*name) + " twice";
  }
  OfferQuery offer;
  if (const auto found = values.find("uid"); found != values.end()) {
    const auto uid = protocol::parse_uid(found->second);
    if (!uid)
      return "uid: expected a whole number from 0 to 4294967295, not " + quoted(found->second);
    offer.uid = *uid;
  }
  if (const auto found = values.find("account"); found != values.end()) {
    if (auto problem = protocol::check_account(found->second))
      return *problem;
    offer.account = found->second;
  }
  if (offer.uid != 0 && !offer.account.empty())
    return "uid, account: expected one of them";
  if (const auto found = values.find("name"); found != values.end()) {
    if (auto problem = protocol::check_name(found->second))
      return *problem;
    offer.name = found->second;
  }
  if (const auto found = values.find("member"); found != values.end()) {
    // Not shown in full: whoever knows an id may use the session.
    if (!is_id(found->second))
      return "member: expected the id of a session, " + std::to_string(web_id_digits) +
             " hexadecimal digits";
    offer.member = found->second;
  }
  if (const auto found = values.find("latency"); found != values.end()) {
    const auto latency = whole<std::uint32_t>(found->second);
    if (!latency || *latency > web_line::max_latency_ms)
      return "latency: expected milliseconds, a whole number from 0 to " +
             std::to_string(web_line::max_latency_ms) + ", not " + quoted(found->second);
    offer.latency_ms = *latency;
  }
  return offer;
}

bool says_type (std::string_view content_type, std::string_view type) {
  return same_text(trimmed(content_type.substr(0, content_type.find(';'))), type);
}

std::optional<Bearer> read_bearer (std::string_view authorization) {
  const auto header = trimmed(authorization);
  if (header.empty())
    return Bearer{};
  const auto blank = std::min(header.find(' '), header.size());
  const auto token = trimmed(header.substr(blank));
  if (!same_text(header.substr(0, blank), "Bearer") || token.empty())
    return {};
  return Bearer{true, std::string(token)};
}

bool lists_etag (std::string_view header, std::string_view etag) {
  const auto words = split(header, ',');
  return std::any_of(words.begin(), words.end(), [&] (std::string_view word) {
    const auto tag = trimmed(word);
    return tag == "*" || tag == etag;
  });
}

std::vector<std::string> ice_ufrags (std::string_view sdp) {
  constexpr std::string_view name = "a=ice-ufrag:";
  std::vector<std::string> found;
  for (const auto line : split(sdp, '\n')) {
    const auto text = trimmed(line);
    if (text.starts_with(name) &&
        std::find(found.begin(), found.end(), text.substr(name.size())) == found.end())
      found.emplace_back(text.substr(name.size()));
  }
  return found;
}

std::optional<std::string> check_offer (std::string_view sdp) {
  if (sdp.empty())
    return "the body is empty: expected an offer in SDP";
  if (!web_line::is_sdp_text(sdp))
    return "the body is no SDP: expected UTF-8 without control characters";
  if (!sdp.starts_with("v=0\r") && !sdp.starts_with("v=0\n"))
    return "the body is no SDP: expected a first line \"v=0\"";
  if (sdp.find("\nm=") == std::string_view::npos)
    return "the offer has no m= line: expected one of audio";
  return {};
}

std::optional<std::vector<std::string>> read_event_names (std::string_view body) {
  std::vector<std::string> names;
  if (trimmed(body).empty())
    return names;
  std::string reason;
  const auto text = "{\"events\":" + std::string(body) + "}";
  constexpr std::size_t most_bytes = 16 * 1024;
  const auto document = protocol::parse_object(text, most_bytes, 3, reason);
  if (!document)
    return {};
  const auto *root = document->root();
  const auto *list = root->member("events");
  // The second: the body closed our object, and wrote a member of its own.
  if (list->kind != protocol::JsonKind::list || root->size != 1 + list->size)
    return {};
  for (const auto *item = list->begin(); item != list->end(); item = item->next()) {
    if (item->kind != protocol::JsonKind::text || names.size() >= most_event_names)
      return {};
    names.emplace_back(item->text);
  }
  return names;
}

}  // namespace agora::gateway

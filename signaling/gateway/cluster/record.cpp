// SPDX-License-Identifier: LGPL-2.1-or-later
#include "signaling/gateway/cluster/record.hpp"

#include <algorithm>
#include <charconv>
#include <limits>
#include <set>

#include "signaling/gateway/cluster/fields.hpp"
#include "signaling/protocol/argument-checks.hpp"
#include "signaling/protocol/relay-url.hpp"

namespace agora::gateway::cluster {

namespace {

using protocol::Role;

constexpr std::size_t max_info_text = 256;  // of a platform or an address, once unescaped

bool is_plain (char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
         c == '_' || c == '~' || c == '-';
}

int digit_of (char c) {
  if (c >= '0' && c <= '9')
    return c - '0';
  return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool is_plain_text (std::string_view text, std::size_t most) {
  return !text.empty() && text.size() <= most && std::all_of(text.begin(), text.end(), is_plain);
}

void add_mutes (std::string &out, bool audio, bool video) {
  if (audio)
    out += 'a';
  if (video)
    out += 'v';
}

bool read_mutes (std::string_view text, bool &audio, bool &video) {
  audio = text.starts_with('a');
  video = text.ends_with('v');
  return text.size() == std::size_t{audio} + std::size_t{video};
}

// 7,8a,9av
std::optional<std::vector<Heard>> read_hears (std::string_view text) {
  std::vector<Heard> out;
  if (text.empty())
    return out;
  for (Fields fields(text, ','); !fields.ended();) {
    const std::string_view each = fields.next();
    const std::size_t digits = std::min(each.find_first_not_of("0123456789"), each.size());
    const auto uid = parse_number(each.substr(0, digits));
    Heard heard;
    if (!uid || *uid == 0 || *uid > std::numeric_limits<Uid>::max() || out.size() == max_heard ||
        !read_mutes(each.substr(digits), heard.audio_muted, heard.video_muted))
      return {};
    heard.uid = static_cast<Uid>(*uid);
    if (!out.empty() && out.back().uid >= heard.uid)
      return {};
    out.push_back(heard);
  }
  return out;
}

// An address and a port, as a URL has them; of RTMPS with that before them, and a name, perhaps.
bool is_origin (std::string_view text) {
  constexpr std::string_view secure = "rtmps://";
  if (text.starts_with(secure)) {
    text.remove_prefix(secure.size());
    if (const auto at = text.find('@'); at != std::string_view::npos) {
      if (!relay_line::is_host_name(text.substr(0, at)))
        return false;
      text.remove_prefix(at + 1);
    }
  }
  return text.size() <= max_gateway && std::all_of(text.begin(), text.end(), [] (char c) {
           return is_plain(c) || c == ':' || c == '[' || c == ']';
         });
}

}  // namespace

std::string escape (std::string_view text) {
  constexpr std::string_view digits = "0123456789ABCDEF";
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    if (is_plain(c)) {
      out += c;
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    out += {'%', digits[byte >> 4], digits[byte & 15]};
  }
  return out;
}

std::optional<std::string> unescape (std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t at = 0; at < text.size(); at++) {
    if (is_plain(text[at])) {
      out += text[at];
      continue;
    }
    if (text[at] != '%' || text.size() - at < 3)
      return {};
    const int high = digit_of(text[at + 1]), low = digit_of(text[at + 2]);
    if (high < 0 || low < 0)
      return {};
    const char c = static_cast<char>(high << 4 | low);
    // One text has one spelling: keys are compared as they are.
    if (is_plain(c))
      return {};
    out += c;
    at += 2;
  }
  return out;
}

std::string channel_key (std::string_view app_id, std::string_view channel) {
  return escape(app_id) + '/' + escape(channel);
}

std::string_view app_of_key (std::string_view key) {
  return key.substr(0, key.find('/'));
}

std::optional<std::pair<std::string, std::string>> split_key (std::string_view key) {
  const std::size_t slash = key.find('/');
  if (key.size() > max_key || slash == std::string_view::npos || slash == 0 ||
      slash + 1 == key.size())
    return {};
  auto app = unescape(key.substr(0, slash)), channel = unescape(key.substr(slash + 1));
  if (!app || !channel)
    return {};
  return {{std::move(*app), std::move(*channel)}};
}

bool is_key (std::string_view text) {
  const std::size_t slash = text.find('/');
  if (text.size() > max_key || slash == std::string_view::npos || slash == 0 ||
      slash + 1 == text.size())
    return false;
  for (std::size_t at = 0; at < text.size(); at++)
    if (at != slash && !is_plain(text[at]) && text[at] != '%')
      return false;
  return text.find('%') == std::string_view::npos || split_key(text).has_value();
}

bool is_gateway (std::string_view text) {
  return is_plain_text(text, max_gateway);
}

std::string to_text (MemberId mid) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string out(16, '0');
  for (std::size_t at = 16; at-- > 0; mid >>= 4)
    out[at] = digits[mid & 15];
  return out;
}

std::optional<MemberId> parse_mid (std::string_view text) {
  if (text.size() != 16)
    return {};
  MemberId mid = 0;
  for (const char c : text) {
    const int digit = c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= '0' && c <= '9' ? c - '0' : -1;
    if (digit < 0)
      return {};
    mid = mid << 4 | static_cast<MemberId>(digit);
  }
  return mid ? std::optional(mid) : std::nullopt;
}

std::optional<std::uint64_t> parse_number (std::string_view text) {
  constexpr std::size_t max_digits = 18;
  if (text.empty() || text.size() > max_digits || (text.size() > 1 && text[0] == '0'))
    return {};
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size())
    return {};
  return number;
}

namespace {

std::optional<std::string> parse_name (std::string_view text) {
  auto name = unescape(text);
  if (!name || name->empty() || protocol::check_name(*name))
    return {};
  return name;
}

}  // namespace

std::string rest_of (const MemberRecord &record) {
  std::string out(record.role == Role::broadcaster ? "b|" : "a|");
  out += escape(record.account);
  out += '|';
  out += escape(record.platform);
  out += '|';
  out += escape(record.address);
  out += '|';
  out += std::to_string(record.joined_s);
  out += '|';
  add_mutes(out, record.audio_muted, record.video_muted);
  out += '|';
  for (const Heard &heard : record.hears) {
    if (heard.uid != record.hears.front().uid)
      out += ',';
    out += std::to_string(heard.uid);
    add_mutes(out, heard.audio_muted, heard.video_muted);
  }
  if (!record.name.empty())
    out += '|' + escape(record.name);
  return out;
}

std::string to_text (const MemberRecord &record) {
  std::string out = record.gateway;
  out += '|';
  out += to_text(record.mid);
  out += '|';
  out += std::to_string(record.at_ms);
  out += '|';
  out += rest_of(record);
  return out;
}

std::optional<MemberRecord> parse_record (std::string_view text) {
  if (text.size() > max_record)
    return {};
  Fields fields(text, '|');
  MemberRecord record;
  record.gateway = fields.next();
  const auto mid = parse_mid(fields.next());
  const auto at = parse_number(fields.next());
  const std::string_view role = fields.next();
  auto account = unescape(fields.next());
  auto platform = unescape(fields.next());
  auto address = unescape(fields.next());
  const auto joined = parse_number(fields.next());
  const bool mutes = read_mutes(fields.next(), record.audio_muted, record.video_muted);
  auto hears = read_hears(fields.next());
  auto name = fields.ended() ? std::string() : parse_name(fields.next());
  if (!fields.exact() || !name || !is_gateway(record.gateway) || !mid || !at ||
      (role != "a" && role != "b") || !account || !platform || !address || !joined || !mutes ||
      !hears || platform->size() > max_info_text || address->size() > max_info_text)
    return {};
  record.mid = *mid;
  record.at_ms = static_cast<std::int64_t>(*at);
  record.role = role == "b" ? Role::broadcaster : Role::audience;
  record.account = std::move(*account);
  record.platform = std::move(*platform);
  record.address = std::move(*address);
  record.joined_s = static_cast<std::int64_t>(*joined);
  record.hears = std::move(*hears);
  record.name = std::move(*name);
  return record;
}

std::string to_text (const protocol::Addressees &to) {
  std::string out;
  for (const Uid uid : to) {
    if (!out.empty())
      out += ',';
    out += std::to_string(uid);
  }
  return out;
}

std::optional<protocol::Addressees> parse_addressees (std::string_view text) {
  protocol::Addressees to;
  for (Fields list(text, ','); !list.ended();) {
    const auto uid = parse_number(list.next());
    if (!uid || *uid > std::numeric_limits<Uid>::max() || to.size() == protocol::max_addressees ||
        *uid <= (to.empty() ? 0 : to.back()))
      return {};
    to.push_back(static_cast<Uid>(*uid));
  }
  return to;
}

std::string to_text (const SpeakerEntry &entry) {
  std::string out = entry.gateway;
  out += '|';
  out += entry.stream;
  out += '|';
  out += std::to_string(entry.at_ms);
  out += '.';
  out += std::to_string(entry.n);
  out += '|';
  out += entry.origin;
  out += '|';
  add_mutes(out, entry.audio_muted, entry.video_muted);
  char before = '|';
  for (const auto &[codec, stream] : entry.others) {
    out += std::exchange(before, ',');
    out += protocol::to_string(codec);
    out += '=';
    out += stream;
  }
  if (entry.to.empty() && entry.name.empty())
    return out;
  out += entry.others.empty() ? "||" : "|";
  out += to_text(entry.to);
  if (!entry.name.empty())
    out += '|' + escape(entry.name);
  return out;
}

namespace {

// codec=stream,… What isn't known here is of a later version. No two names are the same.
std::optional<CodecStreams> parse_others (std::string_view text, std::string_view aac) {
  CodecStreams others;
  std::set<std::string_view> names{aac};
  for (Fields list(text, ','); !list.ended();) {
    const std::string_view each = list.next();
    const std::size_t equals = each.find('=');
    const std::string_view codec = each.substr(0, equals);
    const std::string_view stream =
        equals == std::string_view::npos ? std::string_view() : each.substr(equals + 1);
    if (!is_plain_text(codec, protocol::max_codec_name) || !is_plain_text(stream, max_stream) ||
        !names.insert(stream).second || names.size() > protocol::max_codecs)
      return {};
    const auto known = protocol::parse_codec(codec);
    if (known == protocol::Codec::aac || (known && others.contains(*known)))
      return {};
    if (known)
      others[*known] = stream;
  }
  return others;
}

}  // namespace

std::optional<SpeakerEntry> parse_entry (std::string_view text) {
  if (text.size() > max_record)
    return {};
  Fields fields(text, '|');
  SpeakerEntry entry;
  const std::string_view gateway = fields.next(), stream = fields.next(), order = fields.next(),
                         origin = fields.next(), mutes = fields.next();
  std::optional<CodecStreams> others = CodecStreams();
  std::optional<protocol::Addressees> to = protocol::Addressees();
  std::optional<std::string> name = std::string();
  if (!fields.ended()) {
    const std::string_view list = fields.next();
    const bool none = list.empty() && !fields.ended();
    if (!none)
      others = parse_others(list, stream);
    if (!fields.ended()) {
      const std::string_view uids = fields.next();
      const bool everybody = uids.empty() && !fields.ended();
      if (!everybody)
        to = parse_addressees(uids);
    }
    if (!fields.ended())
      name = parse_name(fields.next());
  }
  const std::size_t dot = order.find('.');
  const auto at = parse_number(order.substr(0, dot));
  const auto n = dot == std::string_view::npos ? std::nullopt : parse_number(order.substr(dot + 1));
  if (!fields.exact() || !others || !to || !name || !is_gateway(gateway) ||
      !is_plain_text(stream, max_stream) || !at || !n || !is_origin(origin) ||
      !read_mutes(mutes, entry.audio_muted, entry.video_muted))
    return {};
  entry.gateway = gateway;
  entry.stream = stream;
  entry.at_ms = static_cast<std::int64_t>(*at);
  entry.n = *n;
  entry.origin = origin;
  entry.others = std::move(*others);
  entry.to = std::move(*to);
  entry.name = std::move(*name);
  return entry;
}

}  // namespace agora::gateway::cluster

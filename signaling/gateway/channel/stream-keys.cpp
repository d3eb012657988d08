// SPDX-License-Identifier: LGPL-2.1-or-later
#include "signaling/gateway/channel/stream-keys.hpp"

#include <glib.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "signaling/gateway/cluster/record.hpp"
#include "signaling/protocol/argument-checks.hpp"
#include "signaling/support/hex.hpp"
#include "signaling/support/secret.hpp"

namespace agora::gateway {

namespace {

constexpr std::size_t key_bytes = 20;
constexpr std::size_t digest_digits = 64;
// Behind the digest of a play key.
constexpr std::string_view play_end = " play";
constexpr std::string_view keys_heading = "agora-stream-keys 1 ";

bool is_hex_of (std::string_view text, std::size_t digits) {
  return text.size() == digits && std::all_of(text.begin(), text.end(), [] (char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
         });
}

std::string key_digest (std::string_view key) {
  g_autofree char *digest = g_compute_checksum_for_data(
      G_CHECKSUM_SHA256, reinterpret_cast<const guchar *>(key.data()), key.size());
  return digest;
}

template <typename Number>
bool read_number (std::string_view text, Number &value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size() && value > 0;
}

// Takes what is before the next `end` off the front of `rest`, with that.
std::string_view take_until (std::string_view &rest, char end) {
  const std::size_t at = std::min(rest.find(end), rest.size());
  const std::string_view taken = rest.substr(0, at);
  rest.remove_prefix(std::min(at + 1, rest.size()));
  return taken;
}

std::optional<StreamKey> parse_key_line (std::string_view line) {
  StreamKey key;
  const bool has_id = read_number(take_until(line, ' '), key.id);
  const auto app_id = cluster::unescape(take_until(line, ' '));
  const auto channel = cluster::unescape(take_until(line, ' '));
  const std::string_view uid = take_until(line, ' ');
  const bool has_time = read_number(take_until(line, ' '), key.made_at);
  key.digest = line.substr(0, std::min(digest_digits, line.size()));
  line.remove_prefix(key.digest.size());
  if (!line.empty() && line != play_end)
    return {};
  key.use = line.empty() ? KeyUse::push : KeyUse::play;
  const bool is_mix = uid == "0" && key.use == KeyUse::play;
  const bool has_uid = is_mix || read_number(uid, key.uid);
  if (!has_id || !app_id || app_id->empty() || !channel || protocol::check_channel(*channel) ||
      !has_uid || !has_time || !is_hex_of(key.digest, digest_digits))
    return {};
  key.app_id = *app_id;
  key.channel = *channel;
  return key;
}

}  // namespace

void StreamKeys::add(StreamKey key) {
  ids_[key.digest] = key.id;
  const std::uint64_t id = key.id;
  keys_.emplace(id, std::move(key));
}

std::optional<StreamKeys::Made> StreamKeys::make(const std::string &app_id,
                                                 const std::string &channel, protocol::Uid uid,
                                                 std::int64_t wall_s, const Random &random,
                                                 KeyUse use) {
  if (keys_.size() >= most_keys)
    return {};
  std::array<std::uint8_t, key_bytes> bytes{};
  random(bytes);
  Made made{next_++, to_hex(bytes)};
  StreamKey key;
  key.id = made.id;
  key.app_id = app_id;
  key.channel = channel;
  key.uid = uid;
  key.made_at = wall_s;
  key.use = use;
  key.digest = key_digest(made.key);
  add(std::move(key));
  return made;
}

StreamKey *StreamKeys::find(std::string_view key, KeyUse use) {
  if (!is_hex_of(key, 2 * key_bytes))
    return nullptr;
  // What is looked for is a digest, so that the time which that takes tells nothing of the key.
  const std::string digest = key_digest(key);
  const auto found = ids_.find(digest);
  if (found == ids_.end())
    return nullptr;
  StreamKey &known = keys_.at(found->second);
  return same_secret(digest, known.digest) && known.use == use ? &known : nullptr;
}

StreamKey *StreamKeys::by_id(std::uint64_t id) {
  const auto found = keys_.find(id);
  return found == keys_.end() ? nullptr : &found->second;
}

const StreamKey *StreamKeys::find(std::uint64_t id) const {
  const auto found = keys_.find(id);
  return found == keys_.end() ? nullptr : &found->second;
}

bool StreamKeys::end(std::uint64_t id) {
  const auto found = keys_.find(id);
  if (found == keys_.end())
    return false;
  ids_.erase(found->second.digest);
  keys_.erase(found);
  return true;
}

std::vector<StreamKey> StreamKeys::of_app(std::string_view app_id, KeyUse use) const {
  std::vector<StreamKey> list;
  for (const auto &[id, key] : keys_)
    if (key.app_id == app_id && key.use == use)
      list.push_back(key);
  return list;
}

std::string StreamKeys::text() const {
  std::string text(keys_heading);
  text += std::to_string(next_) + '\n';
  for (const auto &[id, key] : keys_)
    text += std::to_string(id) + ' ' + cluster::escape(key.app_id) + ' ' +
            cluster::escape(key.channel) + ' ' + std::to_string(key.uid) + ' ' +
            std::to_string(key.made_at) + ' ' + key.digest +
            (key.use == KeyUse::play ? std::string(play_end) : "") + '\n';
  return text;
}

std::variant<StreamKeys, std::string> StreamKeys::parse(std::string_view text) {
  StreamKeys keys;
  std::string_view first = take_until(text, '\n');
  if (!first.starts_with(keys_heading) ||
      !read_number(first.substr(keys_heading.size()), keys.next_))
    return "line 1: expected \"agora-stream-keys 1 NUMBER\", as the gateway writes it";
  for (std::size_t number = 2; !text.empty(); number++) {
    auto key = parse_key_line(take_until(text, '\n'));
    if (!key || key->id >= keys.next_ || keys.find(key->id) || keys.ids_.contains(key->digest) ||
        keys.keys_.size() >= most_keys)
      return "line " + std::to_string(number) + " is none that the gateway writes";
    keys.add(std::move(*key));
  }
  return keys;
}

}  // namespace agora::gateway

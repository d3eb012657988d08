// SPDX-License-Identifier: LGPL-2.1-or-later
#include "signaling/protocol/argument-checks.hpp"

#include <glib.h>

#include <algorithm>
#include <charconv>

namespace agora::protocol {
namespace {

constexpr std::size_t max_channel_bytes = 128;
constexpr std::size_t max_account_bytes = 255;
constexpr std::size_t max_shown_bytes = 64;

// Control characters would tear log lines and terminals apart, and no name needs them.
bool is_plain_text (std::string_view text) {
  if (!g_utf8_validate(text.data(), static_cast<gssize>(text.size()), nullptr))
    return false;
  return std::none_of(text.begin(), text.end(),
                      [] (unsigned char c) { return c < 0x20 || c == 0x7f; });
}

bool is_blank (char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

std::string refuse (const char *what, std::string_view value, const std::string &expected) {
  return std::string(what) + " " + quoted(value) + ": expected " + expected;
}

}  // namespace

std::string quoted (std::string_view value) {
  bool cut = value.size() > max_shown_bytes;
  if (cut) {
    value = value.substr(0, max_shown_bytes);
    while (!value.empty() && (static_cast<unsigned char>(value.back()) & 0xc0) == 0x80)
      value.remove_suffix(1);
    if (!value.empty() && static_cast<unsigned char>(value.back()) >= 0xc0)
      value.remove_suffix(1);
  }
  g_autofree char *valid = g_utf8_make_valid(value.data(), static_cast<gssize>(value.size()));
  std::string shown(valid);
  for (char &c : shown)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f)
      c = '?';
  return "\"" + shown + (cut ? "...\"" : "\"");
}

std::optional<std::string> check_app_id (std::string_view app_id) {
  if (app_id.empty() || app_id == "null" || is_blank(app_id.front()) || is_blank(app_id.back()) ||
      !is_plain_text(app_id))
    return refuse("app id", app_id, "a text without blanks around it, other than \"null\"");
  return std::nullopt;
}

std::optional<std::string> check_channel (std::string_view channel) {
  if (channel.empty() || channel.size() > max_channel_bytes || channel == "null" ||
      !is_plain_text(channel))
    return refuse("channel", channel,
                  "1 to 128 bytes of text, other than \"null\" (it has " +
                      std::to_string(channel.size()) + " bytes)");
  return std::nullopt;
}

std::optional<std::string> check_account (std::string_view account) {
  if (account.empty() || account.size() > max_account_bytes || account == "null" ||
      !is_plain_text(account))
    return refuse("account", account, "1 to 255 bytes of text, other than \"null\"");
  return std::nullopt;
}

// A token is a secret: the sentence never shows it.
std::optional<std::string> check_token (std::string_view token) {
  if (token == "null" || !is_plain_text(token))
    return "token: expected none, or a text other than \"null\"";
  return std::nullopt;
}

std::optional<Uid> parse_uid (std::string_view text) {
  if (text.empty())
    return 0;
  Uid uid = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), uid);
  if (error != std::errc() || end != text.data() + text.size())
    return std::nullopt;
  return uid;
}

std::optional<Role> parse_role (std::string_view text) {
  if (text == "audience")
    return Role::audience;
  if (text == "broadcaster")
    return Role::broadcaster;
  return std::nullopt;
}

std::optional<Target> parse_target (std::string_view text) {
  for (Target target : {Target::audio, Target::video, Target::all})
    if (text == to_string(target))
      return target;
  return std::nullopt;
}

std::string_view to_string (Role role) {
  return role == Role::broadcaster ? "broadcaster" : "audience";
}

std::string_view to_string (Target target) {
  switch (target) {
    case Target::audio:
      return "audio";
    case Target::video:
      return "video";
    case Target::all:
      break;
  }
  return "all";
}

std::optional<std::string> check_name (std::string_view name) {
  // Whatever the length: a character has 4 bytes at most.
  const bool is_text = name.size() <= 4 * max_name && is_utf8(name);
  std::size_t characters = 0;
  for (const char *at = name.data(); is_text && at < name.data() + name.size();
       at = g_utf8_next_char(at), characters++)
    if (g_unichar_iscntrl(g_utf8_get_char(at)))
      return "name " + quoted(name) + ": expected no control characters";
  if (!is_text || characters > max_name)
    return "name " + quoted(name) + ": expected at most " + std::to_string(max_name) +
           " characters of UTF-8";
  return std::nullopt;
}

bool is_utf8 (std::string_view text) {
  return g_utf8_validate(text.data(), static_cast<gssize>(text.size()), nullptr) != FALSE;
}

const char *to_string (Codec codec) {
  return codec == Codec::opus ? "opus" : "aac";
}

std::optional<Codec> parse_codec (std::string_view name) {
  for (const Codec codec : {Codec::aac, Codec::opus})
    if (name == to_string(codec))
      return codec;
  return std::nullopt;
}

}  // namespace agora::protocol

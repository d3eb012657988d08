// SPDX-License-Identifier: LGPL-2.1-or-later
#include "signaling/gateway/operator/deed.hpp"

#include <glib.h>

#include "signaling/support/glib-ptr.hpp"

namespace agora::gateway {

namespace {

// So that a line stays one, and a value ends at its blank: a channel's name may hold most of
// ASCII.
std::string value_of (std::string_view text) {
  const std::string copy(text);
  const CharPtr escaped(g_uri_escape_string(copy.c_str(), "!$&'()*+,;:@/[]", FALSE));
  return escaped.get();
}

void add (std::string &text, const char *name, std::string_view value) {
  if (!value.empty())
    text.append(" ").append(name).append("=").append(value_of(value));
}

std::string utc (std::int64_t wall_s) {
  g_autoptr(GDateTime) time = g_date_time_new_from_unix_utc(wall_s);
  const CharPtr text(time != nullptr ? g_date_time_format(time, "%Y-%m-%dT%H:%M:%S") : nullptr);
  return text ? text.get() : "?";
}

}  // namespace

Deed rule_deed (const char *action, const Rule &rule) {
  Deed deed{action, rule.app_id, rule.channel, rule.uid, ""};
  if (rule.id != 0)
    add(deed.more, "rule", std::to_string(rule.id));
  add(deed.more, "ip", rule.address);
  std::string takes;
  for (const auto &[taken, name] : {std::pair{rule.join_channel, "join_channel"},
                                    std::pair{rule.publish_audio, "publish_audio"},
                                    std::pair{rule.publish_video, "publish_video"}})
    if (taken)
      takes.append(takes.empty() ? "" : ",").append(name);
  add(deed.more, "takes", takes);
  // Of one that isn't known here yet there is the number alone.
  if (rule.ends_at != 0)
    add(deed.more, "until", utc(rule.ends_at) + "Z");
  return deed;
}

Deed key_deed (const char *action, const std::string &app_id, std::uint64_t key,
               const std::string &channel, protocol::Uid uid) {
  return {action, app_id, channel, uid, " key=" + std::to_string(key)};
}

std::string credential_of (std::string_view authorization) {
  const std::string scheme(authorization.substr(0, authorization.find(' ')));
  for (const char *known : {"bearer", "basic"})
    if (g_ascii_strcasecmp(scheme.c_str(), known) == 0)
      return known;
  return "";
}

std::string deed_text (const Deed &deed, std::string_view by, std::string_view from) {
  std::string text = deed.action;
  add(text, "app", deed.app_id);
  add(text, "channel", deed.channel);
  if (deed.uid != 0)
    add(text, "uid", std::to_string(deed.uid));
  text += deed.more;
  add(text, "by", by);
  add(text, "from", from);
  return text;
}

std::string deed_line (std::int64_t wall_us, std::string_view text) {
  const CharPtr fraction(
      g_strdup_printf(".%03dZ ", static_cast<int>(wall_us % G_USEC_PER_SEC / 1000)));
  return utc(wall_us / G_USEC_PER_SEC) + fraction.get() + std::string(text) + "\n";
}

}  // namespace agora::gateway

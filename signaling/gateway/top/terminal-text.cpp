// SPDX-License-Identifier: LGPL-2.1-or-later
#include "signaling/gateway/top/terminal-text.hpp"

#include <glib.h>

#include "signaling/support/glib-ptr.hpp"

namespace agora::gateway {

namespace {

// On one letter: more than languages need would cover the lines around it.
constexpr unsigned most_marks = 2;
constexpr gunichar first_beyond_ascii = 0x80;
constexpr std::size_t longest_letter = 6;  // g_unichar_to_utf8()

bool is_mark (gunichar letter) {
  return g_unichar_ismark(letter) != FALSE || g_unichar_iszerowidth(letter) != FALSE;
}

bool is_seen (gunichar letter) {
  switch (g_unichar_type(letter)) {
    case G_UNICODE_CONTROL:
    case G_UNICODE_FORMAT:
    case G_UNICODE_SURROGATE:
    case G_UNICODE_UNASSIGNED:
    case G_UNICODE_PRIVATE_USE:
    case G_UNICODE_LINE_SEPARATOR:
    case G_UNICODE_PARAGRAPH_SEPARATOR:
      return false;
    default:
      return true;
  }
}

void append_letter (std::string &to, gunichar letter) {
  char bytes[longest_letter];
  to.append(bytes, static_cast<std::size_t>(g_unichar_to_utf8(letter, bytes)));
}

std::size_t columns_of_letter (gunichar letter) {
  if (is_mark(letter))
    return 0;
  return g_unichar_iswide(letter) ? 2 : 1;
}

}  // namespace

std::string harmless (std::string_view text, bool unicode) {
  const CharPtr valid(g_utf8_make_valid(text.data(), static_cast<gssize>(text.size())));
  std::string shown;
  // A mark at the beginning would sit on what stands before the text.
  unsigned marks = most_marks;
  for (const char *at = valid.get(); *at != '\0'; at = g_utf8_next_char(at)) {
    const gunichar letter = g_utf8_get_char(at);
    const bool mark = is_mark(letter);
    marks = mark ? marks + 1 : 0;
    if (!is_seen(letter) || marks > most_marks || (!unicode && letter >= first_beyond_ascii))
      shown += '?';
    else if (g_unichar_type(letter) == G_UNICODE_SPACE_SEPARATOR)
      shown += ' ';
    else
      append_letter(shown, letter);
  }
  return shown;
}

std::size_t columns_of (std::string_view text) {
  std::size_t columns = 0;
  for (const char *at = text.data(), *end = at + text.size(); at < end; at = g_utf8_next_char(at))
    columns += columns_of_letter(g_utf8_get_char(at));
  return columns;
}

std::string cut_to (std::string_view text, std::size_t columns) {
  if (columns_of(text) <= columns)
    return std::string(text);
  if (columns == 0)
    return "";
  std::string kept;
  std::size_t room = columns - 1;
  for (const char *at = text.data(), *end = at + text.size(); at < end; at = g_utf8_next_char(at)) {
    const gunichar letter = g_utf8_get_char(at);
    const auto width = columns_of_letter(letter);
    if (width > room)
      break;
    room -= width;
    append_letter(kept, letter);
  }
  return kept + '~';
}

}  // namespace agora::gateway

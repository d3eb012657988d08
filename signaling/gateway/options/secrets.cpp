// SPDX-License-Identifier: LGPL-2.1-or-later
#define G_LOG_DOMAIN "agora-gateway"
#include "signaling/gateway/options/secrets.hpp"

#include <glib.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstring>
#include <string_view>
#include <utility>

namespace agora::gateway {

std::variant<std::string, SecretFileError> read_secret (const char *option, const std::string &file,
                                                        SecretKind kind) {
  const std::string where = std::string("--") + option + "=" + file + ": ";
  g_autofree char *text = nullptr;
  g_autoptr(GError) error = nullptr;
  if (!g_file_get_contents(file.c_str(), &text, nullptr, &error))
    return SecretFileError{where + error->message};
  std::string secret(text, strcspn(text, "\r\n"));
  const bool plain = kind == SecretKind::plain;
  auto good = [&] (char c) {
    return plain ? g_ascii_isalnum(c) || c == '-' || c == '_' : g_ascii_isgraph(c) != 0;
  };
  if (secret.size() < 16 || !std::all_of(secret.begin(), secret.end(), good))
    return SecretFileError{
        where + "its first line must be 16 or more " +
        (plain ? "letters, digits, '-' or '_'" : "printable ASCII characters without spaces")};
  return secret;
}

void warn_if_others_read (const char *option, const std::string &file) {
  struct stat status {};
  if (!file.empty() && stat(file.c_str(), &status) == 0 && (status.st_mode & S_IROTH) != 0)
    g_warning("--%s=%s can be read by everyone on this machine: chmod o-r", option, file.c_str());
}

std::string without_certificate (const std::string &text) {
  auto colon = text.find(':');
  return colon == std::string::npos ? text : text.substr(0, colon) + ":…";
}

void hide_certificates (const std::vector<char *> &arguments) {
  bool follows = false;
  for (char *argument : arguments) {
    std::string_view text(argument);
    const bool is_value = std::exchange(follows, text == "--app" || text == "--ice-server");
    if (is_value || text.starts_with("--app=") || text.starts_with("--ice-server=")) {
      auto colon = text.find(':');
      if (colon != std::string_view::npos)
        std::fill(argument + colon + 1, argument + text.size(), '*');
    }
  }
}

}  // namespace agora::gateway

// SPDX-License-Identifier: LGPL-2.1-or-later
#include "signaling/gateway/options/file.hpp"

#include <string_view>

#include "signaling/gateway/options/secrets.hpp"
#include "signaling/gateway/options/table.hpp"
#include "signaling/support/glib-ptr.hpp"

namespace agora::gateway {

namespace {

constexpr const char *group = "gateway";

}  // namespace

Problem read_config (const std::string &path, Options &options) {
  KeyFilePtr file(g_key_file_new());
  g_autoptr(GError) error = nullptr;
  if (!g_key_file_load_from_file(file.get(), path.c_str(), G_KEY_FILE_NONE, &error)) {
    // GLib's message would quote the line, which may hold a secret.
    bool bad_line = g_error_matches(error, G_KEY_FILE_ERROR, G_KEY_FILE_ERROR_PARSE);
    return "--config=" + path + ": " +
           (bad_line ? "expected a key file: [gateway], and below it lines NAME=VALUE"
                     : error->message);
  }
  g_auto(GStrv) groups = g_key_file_get_groups(file.get(), nullptr);
  for (char **each = groups; *each != nullptr; each++)
    if (std::string_view(*each) != group)
      return path + ": unknown group [" + *each + "]; expected [" + group + "]";
  g_auto(GStrv) keys = g_key_file_get_keys(file.get(), group, nullptr, nullptr);
  if (keys == nullptr)
    return path + ": no group [" + group + "]";
  for (char **key = keys; *key != nullptr; key++) {
    const auto *setting = find_setting(*key);
    if (setting == nullptr)
      return path + ": unknown key '" + without_certificate(*key) + "'";
    std::vector<std::string> values;
    if (setting->repeats) {
      g_auto(GStrv) list = g_key_file_get_string_list(file.get(), group, *key, nullptr, &error);
      for (char **value = list; value != nullptr && *value != nullptr; value++)
        values.emplace_back(*value);
    } else {
      CharPtr value(g_key_file_get_string(file.get(), group, *key, &error));
      if (value)
        values.emplace_back(value.get());
    }
    if (error != nullptr)
      return path + ": " + *key + ": " +
             (setting->secret ? "expected text in UTF-8" : error->message);
    for (const auto &value : values)
      if (auto expected = setting->apply(options, value))
        return path + ": " + bad_value(*key, *setting, value, *expected);
    options.given[*key] = std::move(values);
  }
  return {};
}

std::variant<std::vector<NumberedLine>, std::string> read_lines (const std::string &file) {
  g_autofree char *text = nullptr;
  g_autoptr(GError) error = nullptr;
  if (!g_file_get_contents(file.c_str(), &text, nullptr, &error))
    return std::string("a file that can be read: ") + error->message;
  g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
  std::vector<NumberedLine> read;
  for (unsigned i = 0; lines[i] != nullptr; i++) {
    const char *line = g_strstrip(lines[i]);
    if (*line != '\0' && *line != '#')
      read.push_back({i + 1, line});
  }
  return read;
}

std::variant<std::vector<AppOption>, std::string> read_apps (const std::string &file) {
  auto lines = read_lines(file);
  if (auto *problem = std::get_if<std::string>(&lines))
    return *problem;
  std::vector<AppOption> apps;
  for (const auto &[number, line] : std::get<0>(lines))
    if (auto problem = add_app(apps, line))
      return "lines of apps; line " + std::to_string(number) + " is none: expected " + *problem;
  if (apps.empty())
    return "lines of apps, ID or ID:CERTIFICATE; there is none";
  return apps;
}

}  // namespace agora::gateway

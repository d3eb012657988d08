// SPDX-License-Identifier: LGPL-2.1-or-later
#include "signaling/gateway/operator/admin-request.hpp"

#include <algorithm>
#include <charconv>
#include <memory>

#include "signaling/gateway/operator/json-text.hpp"
#include "signaling/support/glib-ptr.hpp"
#include "signaling/support/secret.hpp"

namespace agora::gateway {

using protocol::JsonKind;
using protocol::Need;

namespace {

constexpr unsigned body_depth = 4;

}  // namespace

AdminAnswer admin_failure (unsigned status, std::string_view message, std::string_view field) {
  JsonText text;
  text.text("status", "error").text("message", message);
  if (!field.empty())
    text.text("field", field);
  AdminAnswer answer;
  answer.status = status;
  answer.body = text.finish();
  return answer;
}

bool is_cross_site (const AdminRequest &request) {
  // What the browser itself knows about it is worth most: behind a proxy, our own name may be
  // another one than the page's.
  if (!request.fetch_site.empty())
    return request.fetch_site != "same-origin" && request.fetch_site != "none";
  std::string own = request.own_origin;
  // Browsers leave the usual port out.
  for (std::string_view usual : {"http:80", "https:443"}) {
    const auto colon = usual.find(':');
    const auto scheme = std::string(usual.substr(0, colon)) + "://";
    if (own.starts_with(scheme) && own.ends_with(usual.substr(colon)))
      own.resize(own.size() - usual.size() + colon);
  }
  return !request.origin.empty() && g_ascii_strcasecmp(request.origin.c_str(), own.c_str()) != 0;
}

bool says_json (std::string_view content_type) {
  std::string type(content_type.substr(0, content_type.find(';')));
  g_strstrip(type.data());
  return g_ascii_strcasecmp(type.c_str(), "application/json") == 0;
}

bool shows_token (std::string_view header, std::string_view token) {
  auto space = header.find(' ');
  if (token.empty() || space == std::string_view::npos)
    return false;
  std::string scheme(header.substr(0, space));
  std::string shown(header.substr(std::min(header.find_first_not_of(' ', space), header.size())));
  if (g_ascii_strcasecmp(scheme.c_str(), "Bearer") == 0)
    return same_secret(shown, token);
  if (g_ascii_strcasecmp(scheme.c_str(), "Basic") != 0)
    return false;
  gsize size = 0;
  std::unique_ptr<guchar, MemoryFree> plain(g_base64_decode(shown.c_str(), &size));
  std::string_view pair(reinterpret_cast<const char *>(plain.get()), size);
  auto colon = pair.find(':');
  return colon != std::string_view::npos && same_secret(pair.substr(colon + 1), token);
}

std::optional<std::vector<std::string>> split_path (std::string_view path) {
  std::vector<std::string> words;
  for (std::size_t at = 0; at <= path.size();) {
    auto end = std::min(path.find('/', at), path.size());
    CharPtr word(g_uri_unescape_segment(path.data() + at, path.data() + end, nullptr));
    if (!word)
      return {};
    words.emplace_back(word.get());
    at = end + 1;
  }
  return words;
}

AdminFields::AdminFields(const AdminRequest &request, bool query_is_good) {
  auto text = *request.body;
  if (query_is_good && text.find_first_not_of(" \t\r\n") == std::string_view::npos) {
    JsonText object;
    for (const auto &[name, value] : request.query)
      object.text(name.c_str(), value);
    copy_ = object.finish();
    text = copy_;
  }
  root_ = protocol::parse_object(text, kAdminBodyBytes, body_depth, failure_.reason);
  constexpr std::string_view frame = "the frame";
  if (failure_.reason.starts_with(frame))
    failure_.reason.replace(0, frame.size(), "the body");
  if (root_)
    fields_.emplace(root_->root(), "", failure_);
}

bool AdminFields::has(const char *name) const {
  return fields_ && fields_->has(name) && shown(name) != "\"\"";
}

std::string AdminFields::text(const char *name, Need need) {
  return fields_ ? fields_->text(name, need) : "";
}

const protocol::JsonNode *AdminFields::list(const char *name) {
  return fields_ ? fields_->array(name, Need::required) : nullptr;
}

std::uint64_t AdminFields::whole(const char *name, std::uint64_t low, std::uint64_t high) {
  if (!fields_)
    return 0;
  auto digits = fields_->text_or_number(name, Need::required);
  std::uint64_t value = 0;
  auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (error != std::errc() || end != digits.data() + digits.size() || value < low || value > high)
    fields_->fail(name,
                  "a whole number from " + std::to_string(low) + " to " + std::to_string(high));
  return value;
}

bool AdminFields::flag(const char *name) {
  return fields_ && fields_->boolean(name, Need::optional, false);
}

double AdminFields::amount(const char *name) {
  const auto *value = root_->root()->member(name);
  if ((value->kind == JsonKind::integer || value->kind == JsonKind::real) && value->real >= 0)
    return value->real;
  fail(name, "a number, 0 or more");
  return 0;
}

void AdminFields::fail(const char *name, const std::string &expected) {
  if (fields_)
    fields_->fail(name, expected);
}

AdminAnswer AdminFields::refusal() const {
  auto colon = failure_.reason.find(": expected ");
  if (!root_ || colon == std::string::npos)
    return admin_failure(400, failure_.reason);
  auto name = failure_.reason.substr(0, colon);
  const bool there = root_->root()->member(name) != nullptr;
  return admin_failure(400, failure_.reason + (there ? ", not " + shown(name) : ""), name);
}

std::string AdminFields::shown(std::string_view name) const {
  auto text = root_->root()->member(name)->source;
  return text.size() > 64 ? "such a long value" : std::string(text);
}

}  // namespace agora::gateway

// SPDX-License-Identifier: LGPL-2.1-or-later
#include <glib.h>

#include "signaling/protocol/argument-checks.hpp"
#include "signaling/protocol/json.hpp"

namespace agora::protocol {

void Fields::fail(const char *name, const std::string &expected, Code code) {
  failure_.set(code, prefix_ + name + ": expected " + expected);
}

const JsonNode *Fields::get(const char *name) const {
  const auto *node = object_->member(name);
  return node != nullptr && node->kind != JsonKind::null ? node : nullptr;
}

const JsonNode *Fields::find(const char *name, Need need, const char *expected, Code code) {
  const auto *node = get(name);
  if (node == nullptr && need == Need::required)
    fail(name, std::string(expected) + ", but it is absent", code);
  return node;
}

std::string Fields::text(const char *name, Need need, Code code) {
  const auto *node = find(name, need, "a text", code);
  if (node == nullptr)
    return {};
  if (node->kind == JsonKind::text)
    return std::string(node->text);
  fail(name, "a text", code);
  return {};
}

std::string Fields::text_or_number(const char *name, Need need, Code code) {
  const auto *node = find(name, need, "a text or a whole number", code);
  if (node == nullptr)
    return {};
  if (node->kind == JsonKind::text)
    return std::string(node->text);
  if (node->kind == JsonKind::integer)
    return std::to_string(node->integer);
  fail(name, "a text or a whole number", code);
  return {};
}

std::int64_t Fields::integer(const char *name, Need need, std::int64_t min, std::int64_t max) {
  const auto *node = find(name, need, "a whole number", Code::bad_request);
  if (node == nullptr)
    return 0;
  if (node->kind == JsonKind::integer && node->integer >= min && node->integer <= max)
    return node->integer;
  fail(name, "a whole number from " + std::to_string(min) + " to " + std::to_string(max));
  return 0;
}

bool Fields::boolean(const char *name, Need need, bool fallback) {
  const auto *node = find(name, need, "true or false", Code::bad_request);
  if (node == nullptr)
    return fallback;
  if (node->kind == JsonKind::boolean)
    return node->boolean;
  fail(name, "true or false");
  return fallback;
}

namespace {

std::optional<Uid> uid_of (const JsonNode *node) {
  if (node->kind == JsonKind::integer && node->integer >= 0 && node->integer <= G_MAXUINT32)
    return static_cast<Uid>(node->integer);
  if (node->kind == JsonKind::text)
    return parse_uid(node->text);
  return std::nullopt;
}

constexpr const char *a_uid = "an unsigned 32-bit integer";

}  // namespace

std::optional<Uid> Fields::uid(const char *name, Need need, Code code) {
  const auto *node = find(name, need, a_uid, code);
  if (node == nullptr)
    return std::nullopt;
  std::optional<Uid> value = uid_of(node);
  if (!value)
    fail(name, a_uid, code);
  return value;
}

std::vector<Uid> Fields::uids(const char *name) {
  const auto *node = find(name, Need::required, "a list of uids", Code::bad_request);
  if (node == nullptr)
    return {};
  std::vector<Uid> list;
  // Stops at the first that is wrong: a long list must not cost a sentence for each.
  auto add = [&] (const JsonNode *item) {
    const std::optional<Uid> value = uid_of(item);
    if (value)
      list.push_back(*value);
    else
      fail(name, std::string("a list of uids, each ") + a_uid);
    return value.has_value();
  };
  if (node->kind != JsonKind::list) {
    add(node);
    return list;
  }
  for (const auto *item = node->begin(); item != node->end(); item = item->next()) {
    if (list.size() >= max_uids) {
      fail(name, "at most " + std::to_string(max_uids) + " uids");
      break;
    }
    if (!add(item))
      break;
  }
  return list;
}

std::optional<Fields> Fields::object(const char *name, Need need) {
  const auto *node = find(name, need, "an object", Code::bad_request);
  if (node == nullptr)
    return std::nullopt;
  if (node->kind == JsonKind::object)
    return Fields(node, prefix_ + name + ".", failure_);
  fail(name, "an object");
  return std::nullopt;
}

const JsonNode *Fields::array(const char *name, Need need) {
  const auto *node = find(name, need, "a list", Code::bad_request);
  if (node == nullptr)
    return nullptr;
  if (node->kind == JsonKind::list)
    return node;
  fail(name, "a list");
  return nullptr;
}

}  // namespace agora::protocol

// SPDX-License-Identifier: LGPL-2.1-or-later
#include "signaling/gateway/cluster/redis-scripts.hpp"

#include <gio/gio.h>

#include <stdexcept>
#include <string_view>
#include <utility>
#include <vector>

#include "signaling/support/glib-ptr.hpp"

// Made by glib-compile-resources, whose header is for C only.
extern "C" GResource *agora_scripts_get_resource (void);

namespace agora::gateway::cluster {

namespace {

std::string load (const std::string &name) {
  const auto path = "/agora/cluster/scripts/" + name + ".lua";
  const BytesPtr bytes(g_resource_lookup_data(agora_scripts_get_resource(), path.c_str(),
                                              G_RESOURCE_LOOKUP_FLAGS_NONE, nullptr));
  if (!bytes)
    throw std::logic_error("this program was built without " + path);
  gsize size = 0;
  const auto *const data = static_cast<const char *>(g_bytes_get_data(bytes.get(), &size));
  return {data, size};
}

std::array<RedisScript, operation_kinds> load_all () {
  const auto common = load("common");
  std::array<RedisScript, operation_kinds> scripts;
  for (std::size_t kind = 0; kind < scripts.size(); kind++) {
    auto &script = scripts.at(kind);
    script.text = common + load(std::string(to_string(static_cast<OperationKind>(kind))));
    const CharPtr sha1(g_compute_checksum_for_data(
        G_CHECKSUM_SHA1, reinterpret_cast<const guchar *>(script.text.data()), script.text.size()));
    script.sha1 = sha1.get();
  }
  return scripts;
}

}  // namespace

const std::array<RedisScript, operation_kinds> &redis_scripts () {
  static const auto scripts = load_all();
  return scripts;
}

std::vector<std::string_view> command_of (const Operation &operation, bool by_text) {
  const auto &script = redis_scripts().at(static_cast<std::size_t>(operation.kind));
  std::vector<std::string_view> command{by_text ? "EVAL" : "EVALSHA",
                                        by_text ? script.text : script.sha1, "0"};
  command.insert(command.end(), operation.args.begin(), operation.args.end());
  return command;
}

Answer answer_of_reply (const RedisReply &reply) {
  if (reply.kind != RedisReply::Kind::array)
    return {};
  std::vector<std::string> values;
  values.reserve(reply.items.size());
  for (const auto &item : reply.items)
    values.push_back(item.flat());
  return answer_of(std::move(values));
}

}  // namespace agora::gateway::cluster

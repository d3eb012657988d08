// SPDX-License-Identifier: LGPL-2.1-or-later
// Gateways that show members, and what those are told of each other.
#pragma once

#include <string>

#include "tests/unit/gateway/cluster-scene.hpp"

namespace agora::gateway::listing {

using namespace protocol;

inline Config shown (unsigned events_per_second = 25'000) {
  Config config = plain_config();
  config.show_members = {open_app};
  config.limits.events_per_second = events_per_second;
  config.limits.sockets_per_address = 0;
  config.limits.unjoined_per_second = 0;
  return config;
}

inline Join named (Uid uid, const std::string &name = "", Role role = Role::audience) {
  Join join = join_as(std::to_string(uid), role);
  join.features = Features{feature_names};
  join.name = name;
  return join;
}

inline void enter (Scene &scene, SessionId id, const Join &join) {
  scene.connect(id);
  g_assert_true(scene.ask(id, join).code == Code::ok);
}

inline std::string list_of (const Answer &answer) {
  std::string text;
  for (const ListedMember &member : answer.list.value().members)
    text += (text.empty() ? "" : ", ") + std::to_string(member.uid) +
            (member.name.empty() ? "" : " " + member.name);
  return text + (answer.list->more ? " +" + std::to_string(answer.list->more) : "");
}

inline std::size_t events_of (const Scene &scene) {
  std::size_t count = 0;
  for (const Send &send : scene.sends())
    count += std::holds_alternative<Event>(send.message) ? send.to.size() : 0;
  return count;
}

}  // namespace agora::gateway::listing

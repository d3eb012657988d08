// SPDX-License-Identifier: LGPL-2.1-or-later
// In place of redis-*.cpp, where hiredis was not there to build with.
#include "signaling/gateway/cluster/store.hpp"

namespace agora::gateway::cluster {

std::variant<std::unique_ptr<Store>, std::string> make_redis_store (
    const StoreOptions & /*options*/) {
  return "this agora-gateway was built without hiredis, so that it has no store";
}

}  // namespace agora::gateway::cluster

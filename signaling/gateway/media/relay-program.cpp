// SPDX-License-Identifier: LGPL-2.1-or-later
#include "signaling/gateway/media/relay-program.hpp"

#include <gio/gio.h>

#include "agora-config.h"
#include "signaling/support/glib-ptr.hpp"

namespace agora::gateway {

namespace {

bool is_program (const std::string &path) {
  return g_file_test(path.c_str(), G_FILE_TEST_IS_REGULAR) &&
         g_file_test(path.c_str(), G_FILE_TEST_IS_EXECUTABLE);
}

// The folder of the gateway's own program; "": unknown.
std::string own_folder () {
  CharPtr self(g_file_read_link("/proc/self/exe", nullptr));
  if (!self)
    return "";
  CharPtr folder(g_path_get_dirname(self.get()));
  return folder.get();
}

}  // namespace

std::variant<std::string, RelayMissing> find_relay (const std::string &given) {
  if (!given.empty()) {
    if (is_program(given))
      return given;
    return RelayMissing{"--relay=" + given + ": no such program"};
  }
  // In a build tree, installed beside it below another prefix, and where it was meant to be.
  const std::string folder = own_folder();
  for (const std::string &place :
       {folder + "/../relay/agora-relay", folder + "/../libexec/agora-relay",
        std::string(AGORA_LIBEXECDIR "/agora-relay")})
    if (is_program(place))
      return place;
  return RelayMissing{
      "agora-relay was not found: it is installed with agora-gateway, as " AGORA_LIBEXECDIR
      "/agora-relay; --relay=FILE names another place"};
}

}  // namespace agora::gateway

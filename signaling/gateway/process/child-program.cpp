// SPDX-License-Identifier: LGPL-2.1-or-later
#include "signaling/gateway/process/child-program.hpp"

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

std::variant<std::string, ProgramMissing> find_program (const WantedProgram &wanted) {
  if (!wanted.given.empty()) {
    if (is_program(wanted.given))
      return wanted.given;
    return ProgramMissing{std::string("--") + wanted.option + "=" + wanted.given +
                          ": no such program"};
  }
  // In a build tree, installed beside it below another prefix, and where it was meant to be.
  const std::string folder = own_folder();
  const std::string name = wanted.name;
  const std::string meant = AGORA_LIBEXECDIR "/" + name;
  std::string built = folder;
  built.append("/").append(wanted.built);
  std::string beside = folder;
  beside.append("/../libexec/").append(name);
  for (const std::string &place : {built, beside, meant})
    if (is_program(place))
      return place;
  return ProgramMissing{name + " was not found: " + wanted.installed + ", as " + meant + "; --" +
                        wanted.option + "=FILE names another place"};
}

}  // namespace agora::gateway

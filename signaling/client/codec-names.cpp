// SPDX-License-Identifier: LGPL-2.1-or-later
#include "signaling/client/codec-names.hpp"

#include <algorithm>

#include "signaling/protocol/argument-checks.hpp"

namespace agora::client {

char **names_of (const protocol::Codecs &codecs) {
  char **names = g_new0(char *, codecs.size() + 1);
  std::transform(codecs.begin(), codecs.end(), names,
                 [] (protocol::Codec codec) { return g_strdup(protocol::to_string(codec)); });
  return names;
}

protocol::Codecs codecs_of (const char *const *names) {
  protocol::Codecs codecs;
  for (; *names != nullptr; ++names)
    if (const auto codec = protocol::parse_codec(*names);
        codec && std::find(codecs.begin(), codecs.end(), *codec) == codecs.end())
      codecs.push_back(*codec);
  return codecs;
}

}  // namespace agora::client

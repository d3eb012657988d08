// SPDX-License-Identifier: LGPL-2.1-or-later
#include "signaling/relay/rtmp/data-message.hpp"

#include "signaling/relay/rtmp/amf.hpp"
#include "signaling/relay/rtmp/server-session.hpp"

namespace agora::relay::rtmp {

std::optional<Bytes> read_data (Bytes payload, bool amf3) {
  // As in commands: a byte that says that AMF0 follows.
  if (amf3 && !payload.empty() && payload[0] == 0)
    payload = payload.subspan(1);
  AmfReader reader(payload);
  const auto name = reader.string();
  if (!name || *name == "@clearDataFrame")
    return std::nullopt;
  const Bytes data = *name == "@setDataFrame" ? reader.rest() : payload;
  // Behind it has to be a name again, which is what players go by.
  if (!AmfReader(data).string())
    return std::nullopt;
  while (!reader.at_end()) {
    if (!reader.skip())
      return std::nullopt;
  }
  return data;
}

std::string_view data_name (Bytes payload) {
  return AmfReader(payload).string().value_or(std::string_view());
}

}  // namespace agora::relay::rtmp

// SPDX-License-Identifier: LGPL-2.1-or-later
#include "signaling/gateway/media/media-control.hpp"

#include "signaling/gateway/media/nginx-control.hpp"
#include "signaling/gateway/media/srs-control.hpp"

namespace agora::gateway {

std::unique_ptr<MediaControl> MediaControl::make(const Options &options) {
  if (options.rtmp_control.empty())
    return nullptr;
  if (options.rtmp_kind == RtmpKind::srs)
    return std::make_unique<SrsControl>(options.rtmp_control);
  return std::make_unique<NginxControl>(options.rtmp_control.front(),
                                        parse_media_url(options.rtmp).app);
}

}  // namespace agora::gateway

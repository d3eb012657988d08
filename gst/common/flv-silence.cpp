// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/common/flv-silence.hpp"

#include <algorithm>
#include <cstdint>

namespace agora {

namespace {

std::string reason_of (const FlvAudioFilter::Arrivals &came) {
  const FlvAudioFilter::Counts &counts = came.counts;
  // Another codec beside the one that is tried is a second track, and no reason; where there is
  // hardly anything else, it is.
  const std::uint64_t turned = counts.other_codec / 8;
  const std::uint64_t most = std::max({counts.passed, counts.without_config, counts.unknown_codec,
                                       turned, counts.too_long, counts.encrypted, counts.refused});
  if (most == 0)
    return counts.configs > 0     ? "the configuration of its sound comes, and no sound"
           : counts.video == 0    ? "nothing that comes of it can hold sound"
           : counts.no_sound == 0 ? "there is only video in it"
                                  : "there is only video in it, and audio of other tracks";
  if (most == counts.passed)
    return "no sound was found in its audio (" + came.chosen.name() + ")";
  if (most == counts.without_config)
    return "it sends AAC without the configuration (sequence header) that a decoder needs";
  if (most == counts.unknown_codec)
    return "its audio is " + came.left_out.name() + ", which nothing here takes out of FLV";
  if (most == turned)
    return "its audio is " + came.left_out.name() + ", but began as " + came.chosen.name() +
           ", and one stream is played in one codec";
  if (most == counts.too_long)
    return "its audio tags have up to " + std::to_string(came.longest) + " bytes, where " +
           std::to_string(FlvAudioFilter::kMostBody) + " are the most";
  if (most == counts.encrypted)
    return "it is encrypted";
  return "its audio tags are empty, cut off or of no known kind";
}

}  // namespace

std::string why_silent (const FlvAudioFilter::Arrivals &came) {
  const FlvAudioFilter::Counts &counts = came.counts;
  const struct {
    const char *what;
    std::uint64_t count;
  } kinds[] = {{"frames of audio", counts.passed},
               {"configurations", counts.configs},
               {"audio tags left out",
                counts.tags() - counts.passed - counts.configs - counts.video - counts.script},
               {"of video", counts.video},
               {"of script data", counts.script}};
  std::string text = reason_of(came) + ". Tags that came: ";
  const char *between = "";
  for (const auto &kind : kinds) {
    if (kind.count == 0)
      continue;
    text += between + std::to_string(kind.count) + " " + kind.what;
    between = ", ";
  }
  return counts.tags() > 0 ? text : reason_of(came);
}

}  // namespace agora

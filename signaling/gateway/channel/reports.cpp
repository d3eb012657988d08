// SPDX-License-Identifier: LGPL-2.1-or-later
// What members say of their own sound, for the operator.
#include <algorithm>

#include "signaling/gateway/channel/channel-book.hpp"

namespace agora::gateway {

using protocol::Code;

namespace {

// A client sends one every 5 s. What is sooner than half of that is no help to anybody.
constexpr std::int64_t least_pause_ms = 2'000;

// What a counter has grown by. One that began anew is at what it shows.
std::uint64_t growth (std::int64_t now, std::int64_t before, std::int64_t most) {
  return static_cast<std::uint64_t>(std::min(now >= before ? now - before : now, most));
}

}  // namespace

void Quality::add(const protocol::Report &report, const protocol::Report *before,
                  std::int64_t passed_ms) {
  reports++;
  for (const auto &heard : report.heard) {
    if (heard.latency_ms)
      latency.add(*heard.latency_ms);
    jitter.add(heard.jitter_ms);
  }
  if (!before)
    return;
  if (report.sent)
    sent_dropped_ms +=
        growth(report.sent->dropped_ms, before->sent ? before->sent->dropped_ms : 0, passed_ms);
  for (const auto &heard : report.heard) {
    const auto found = std::find_if(before->heard.begin(), before->heard.end(),
                                    [&] (const auto &each) { return each.uid == heard.uid; });
    const protocol::HeardReport was =
        found == before->heard.end() ? protocol::HeardReport() : *found;
    dropped_ms += growth(heard.dropped_ms, was.dropped_ms, passed_ms);
    concealed_ms += growth(heard.concealed_ms, was.concealed_ms, passed_ms);
  }
}

void ChannelBook::handle(Step &step, const Asked &asked, Member &member,
                         const protocol::Report &request) {
  // As of any action that a gateway doesn't know.
  if (!member.knows_quality)
    return refuse(step, asked, Code::bad_request, "unknown action \"report\"");
  const std::int64_t now = step.now.mono_ms;
  Reported *last = member.reported.get();
  if (last && now - last->at_ms < least_pause_ms)
    return refuse(step, asked, Code::too_many, "report: expected one every 5 s");
  totals_.quality.add(request, last ? &last->report : nullptr, last ? now - last->at_ms : 0);
  member.reported = std::make_unique<Reported>(Reported{request, now});
  answer(step, asked);
}

}  // namespace agora::gateway

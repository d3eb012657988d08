// SPDX-License-Identifier: LGPL-2.1-or-later
// What a client says of its member's sound, and when.
#include "tests/suite.hpp"
#include "tests/unit/client/machine-rig.hpp"

namespace reports_test {

namespace {

using namespace machine;

// What a member says of its sound: of each part the last, every 5 s, and only where it is wanted.
std::optional<protocol::Report> report_in (const Rig &rig) {
  for (const Send &send : rig.all<Send>())
    if (const auto *report = std::get_if<protocol::Report>(&send.message.request))
      return *report;
  return std::nullopt;
}

void reports () {
  const auto join = [] (Rig &rig, bool wanted) {
    rig.step(Opened{"S", "", rig.now});
    protocol::Answer answer;
    answer.request_id = rig.sent_id();
    answer.uid = 7;
    answer.features = protocol::Features{};
    if (wanted)
      answer.features->emplace_back(protocol::feature_quality);
    rig.step(Received{answer});
    g_assert_true(rig.machine.takes_reports() == wanted);
  };
  const auto heard = [] (Uid uid) {
    protocol::HeardReport one;
    one.uid = uid;
    return std::vector{one};
  };
  // Steps until one goes out, and answers all; how long that took.
  const auto next = [] (Rig &rig, std::optional<protocol::Report> &report) {
    const Millis begin = rig.now;
    for (report.reset(); !report && rig.now < begin + 10'000;) {
      rig.now = std::max(rig.now, *rig.machine.next_tick());
      rig.step(Tick{});
      report = report_in(rig);
      for (const Send &send : rig.all<Send>())
        if (std::holds_alternative<protocol::Ping>(send.message.request))
          rig.step(Received{protocol::Pong{send.message.envelope.request_id}});
        else
          rig.answer(send.message.envelope.request_id);
    }
    return rig.now - begin;
  };
  std::optional<protocol::Report> report;
  Rig rig;
  rig.step(CallReport{{protocol::SentReport{}, {}}});  // nowhere: forgotten
  rig.bring_to(Phase::opening);
  join(rig, true);
  g_assert_cmpint(*rig.machine.next_tick() - rig.now, ==, rig.machine.limits.ping);
  // Two parts of a program, of which each knows its own.
  rig.step(CallReport{{protocol::SentReport{}, {}}});
  rig.step(CallReport{{{}, heard(8)}});
  g_assert_cmpint(next(rig, report), <, 1'000);
  g_assert_true(report->sent && report->heard == heard(8) && report->reconnects == 0);
  // It does for a ping.
  g_assert_cmpint(*rig.machine.next_tick() - rig.now, ==, rig.machine.limits.ping);
  // The other part stays as it was, for a while.
  rig.step(CallReport{{{}, heard(9)}});
  rig.step(CallReport{{{}, heard(10)}});
  g_assert_cmpint(next(rig, report), ==, Reports::interval);
  g_assert_true(report->sent && report->heard == heard(10));
  // Nothing new, no report; and what is old isn't told again.
  next(rig, report);
  g_assert_false(report.has_value());
  rig.step(CallReport{{{}, heard(11)}});
  next(rig, report);
  g_assert_true(!report->sent && report->heard == heard(11));
  // Refused, or lost with the gateway: nobody is told.
  rig.step(CallReport{{{}, heard(12)}});
  rig.step(Closed{"cut"});
  rig.pass(1'000);
  join(rig, true);
  next(rig, report);
  g_assert_true(report->reconnects == 1 && report->heard == heard(12));
  rig.step(CallReport{{{}, heard(13)}});
  rig.pass(2'000);
  rig.step(Closed{"cut"});
  rig.pass(1'000);
  join(rig, false);
  next(rig, report);
  g_assert_false(report.has_value());
}

}  // namespace

static const agora::Suite suite("reports",
                                [] { g_test_add_func("/client-reports/reports", reports); });

}  // namespace reports_test

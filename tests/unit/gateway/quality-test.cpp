// SPDX-License-Identifier: LGPL-2.1-or-later
// What members report of their sound: who may, how often, and what it adds up to.
#include "tests/suite.hpp"
#include "tests/unit/gateway/scene.hpp"

namespace quality_test {

using namespace agora::gateway;
using namespace agora::protocol;

namespace {

Join reporting (const std::string &uid) {
  Join join = join_as(uid);
  join.features = Features{feature_quality};
  return join;
}

Report hearing (std::vector<HeardReport> heard) {
  Report report;
  report.heard = std::move(heard);
  return report;
}

HeardReport heard (Uid uid, std::int64_t concealed, std::optional<std::int64_t> latency = {}) {
  HeardReport one;
  one.uid = uid;
  one.concealed_ms = concealed;
  one.latency_ms = latency;
  one.jitter_ms = 7;
  return one;
}

void only_of_those_that_named_it () {
  Scene scene;
  // As before, word for word.
  scene.join(1, "7");
  const Answer unknown = scene.ask(1, Unknown{"report"});
  const Answer refused = scene.ask(1, Report{});
  g_assert_true(refused.code == Code::bad_request && refused.reason == unknown.reason);
  scene.connect(2);
  g_assert_true(scene.ask(2, Report{}).code == Code::not_joined);
  g_assert_true(scene.ask(2, reporting("8")).features == Features{feature_quality});
  g_assert_true(scene.code(2, Report{}) == Code::ok);
  g_assert_cmpuint(scene.book.totals().quality.reports, ==, 1);
  // Whoever comes back without it has not named it.
  g_assert_true(scene.ask(2, join_as("8")).code == Code::ok);
  scene.pass(5'000);
  g_assert_true(scene.code(2, Report{}) == Code::bad_request);
  // The ear of many is no member.
  scene.connect(3, "192.0.2.1", "gw.example", Entrance::web);
  g_assert_true(scene.code(3, join_as("30")) == Code::ok);
  scene.connect(4, "", "gw.example", Entrance::mix);
  g_assert_true(scene.ask(4, reporting("")).features == Features{});
  g_assert_true(scene.code(4, Report{}) == Code::bad_request);
}

void not_too_often () {
  Scene scene;
  scene.connect(1);
  scene.ask(1, reporting("7"));
  g_assert_true(scene.code(1, Report{}) == Code::ok);
  scene.pass(1'999);
  g_assert_true(scene.code(1, Report{}) == Code::too_many);
  g_assert_cmpuint(scene.book.totals().quality.reports, ==, 1);
  scene.pass(1);
  g_assert_true(scene.code(1, Report{}) == Code::ok);
  g_assert_cmpuint(scene.book.totals().quality.reports, ==, 2);
}

// No report adds more than there was time for, and the first is a beginning.
void adds_up () {
  Scene scene;
  scene.connect(1);
  scene.ask(1, reporting("7"));
  const auto report = [&] (Report what) {
    g_assert_true(scene.code(1, std::move(what)) == Code::ok);
    return scene.book.totals().quality;
  };
  g_assert_cmpuint(report(hearing({heard(8, 4'000, 120)})).concealed_ms, ==, 0);
  scene.pass(5'000);
  g_assert_cmpuint(report(hearing({heard(8, 4'250, 180), heard(9, 100)})).concealed_ms, ==, 350);
  scene.pass(5'000);
  // It began anew.
  g_assert_cmpuint(report(hearing({heard(8, 30)})).concealed_ms, ==, 380);
  scene.pass(5'000);
  Report liar = hearing({heard(8, max_report_count, 2'001)});
  liar.sent = SentReport{};
  liar.sent->dropped_ms = max_report_count;
  const Quality sum = report(liar);
  g_assert_cmpuint(sum.concealed_ms, ==, 5'380);
  g_assert_cmpuint(sum.sent_dropped_ms, ==, 5'000);
  // 120, 180 and 2001 ms.
  g_assert_cmpuint(sum.latency.counts[2], ==, 1);
  g_assert_cmpuint(sum.latency.counts[3], ==, 1);
  g_assert_cmpuint(sum.latency.counts.back(), ==, 1);
  g_assert_cmpuint(sum.latency.sum_ms, ==, 2'301);
  g_assert_cmpuint(sum.jitter.counts[2], ==, 5);
}

}  // namespace

static const agora::Suite suite("quality", [] {
  g_test_add_func("/quality/only-of-those-that-named-it", only_of_those_that_named_it);
  g_test_add_func("/quality/not-too-often", not_too_often);
  g_test_add_func("/quality/adds-up", adds_up);
});

}  // namespace quality_test

// SPDX-License-Identifier: LGPL-2.1-or-later
// `agora-gateway top` without a terminal and without a gateway: what it makes of events and of the
// texts of strangers.
#include <glib.h>

#include <string>
#include <vector>

#include "signaling/gateway/top/event-reader.hpp"
#include "signaling/gateway/top/live-state.hpp"
#include "signaling/gateway/top/picture.hpp"
#include "signaling/gateway/top/terminal-text.hpp"
#include "signaling/gateway/top/words.hpp"
#include "tests/suite.hpp"

namespace top_test {

using namespace agora::gateway;

namespace {

void assert_same (const std::string &found, const std::string &expected) {
  g_assert_cmpstr(found.c_str(), ==, expected.c_str());
}

constexpr const char *report =
    R"({"at":99000,"reconnects":1,"sent":{"peak":-6,"rms":-20,"dropped":40,"outages":2},)"
    R"("heard":[{"uid":8,"peak":-9,"rms":-21,"delay":100,"latency":181,"jitter":3,"dropped":5,"concealed":120},)"
    R"({"uid":77,"peak":-1,"rms":-2,"delay":100,"jitter":9,"dropped":1,"concealed":0}]})";

std::string member (const std::string &uid, const std::string &more) {
  return R"({"app":"demo","channel":"room","uid":)" + uid +
         R"(,"role":"broadcaster","state":"connected","joined":60,"muted":false,"silenced":false)" +
         more + "}";
}

std::string told (const std::string &lists, int cpu_ms = 1000, int at_ms = 100000) {
  return R"({"at":)" + std::to_string(at_ms) +
         R"(,"gateway":{"version":"1.2","started":40,"draining":false,"members":2,"channels":1,)"
         R"("streams":2,"loop_lag_ms":1,"media":{"up":false,"restarts":3},"process":{"cpu_ms":)" +
         std::to_string(cpu_ms) +
         R"(,"resident_bytes":12345678,"descriptors":95,"most_descriptors":100}},)"
         R"("apps":["demo"],"left_off":0,)" +
         lists + "}";
}

LiveState two_members () {
  LiveState live;
  g_assert_true(live.take(
      "all",
      told(R"("members":[)" +
           member("7", std::string(R"(,"account":"alice","on_air":true,"listeners":1,"report":)") +
                           report) +
           "," + member("8", R"(,"on_air":true,"listeners":1)") + "]")));
  return live;
}

std::string whole (const std::vector<ShownLine> &lines) {
  std::string text;
  for (const auto &line : lines)
    text += line.text + "\n";
  return text;
}

bool has (const std::string &text, const std::string &part) {
  return text.find(part) != std::string::npos;
}

void strangers_texts () {
  assert_same(harmless("Zoë 李雷"), "Zoë 李雷");
  assert_same(harmless("Zoë 李雷", false), "Zo? ??");
  // Sequences for a terminal: of C0, DEL, and C1, which some take for ESC [.
  assert_same(harmless("\x1b[2J\x1b]0;mine\x07 a\rb\nc\td\x7f"), "?[2J?]0;mine? a?b?c?d?");
  assert_same(harmless("\xc2\x9b"
                       "31m\xc2\x90\xc2\x85"),
              "?31m??");
  // Other direction, breaks of lines, what isn't seen, what isn't UTF-8.
  assert_same(harmless("a\u202eb\u2066c\u200fd\u2028e\u200b\ufefff"), "a?b?c?d?e??f");
  assert_same(harmless("\xff\xfe"
                       "a\xc3"),
              "\ufffd\ufffda\ufffd");
  assert_same(harmless(std::string("a\0b", 3)), "a\ufffdb");
  // Marks on a letter, and none on what stands before.
  assert_same(harmless("e\u0301"), "e\u0301");
  assert_same(harmless("\u0301e\u0301\u0302\u0303\u0304"), "?e\u0301\u0302??");
  for (gunichar letter = 0; letter <= 0x10ffff; letter++) {
    if (letter >= 0xd800 && letter < 0xe000)
      continue;
    char bytes[7] = "";
    g_unichar_to_utf8(letter, bytes);
    const auto shown = harmless(bytes);
    for (const char *at = shown.c_str(); *at != '\0'; at = g_utf8_next_char(at)) {
      const auto seen = g_utf8_get_char(at);
      g_assert_false(g_unichar_iscntrl(seen) || g_unichar_type(seen) == G_UNICODE_FORMAT);
    }
  }
}

void widths () {
  g_assert_cmpuint(columns_of("ab"), ==, 2);
  g_assert_cmpuint(columns_of("李e\u0301"), ==, 3);
  assert_same(cut_to("abcdef", 6), "abcdef");
  assert_same(cut_to("abcdef", 4), "abc~");
  // Half of a wide letter isn't shown.
  assert_same(cut_to("李雷李", 4), "李~");
  assert_same(cut_to("ab", 1), "~");
  assert_same(cut_to("ab", 0), "");
}

void events () {
  std::string got;
  EventReader reader(
      [&] (const std::string &name, const std::string &data) { got += name + "=" + data + ";"; });
  const std::string text =
      ":\n\nevent: all\ndata: {1}\n\nevent: changes\r\ndata:x\r\ndata: y\r\n\r\ndata: z\n\nevent: "
      "none\n\n";
  for (const char c : text)
    g_assert_true(reader.take({&c, 1}));
  assert_same(got, "all={1};changes=x\ny;=z;");
  got.clear();
  g_assert_true(reader.take(text));
  assert_same(got, "all={1};changes=x\ny;=z;");
}

void endless_event () {
  EventReader reader([] (const std::string &, const std::string &) { g_assert_not_reached(); });
  const std::string piece(1024 * 1024, 'x');
  std::size_t taken = 0;
  while (reader.take(piece))
    taken += piece.size();
  g_assert_cmpuint(taken, <=, EventReader::most_bytes);
  EventReader lines([] (const std::string &, const std::string &) { g_assert_not_reached(); });
  for (taken = 0; lines.take("data: " + piece + "\n");)
    taken += piece.size();
  g_assert_cmpuint(taken, <=, EventReader::most_bytes);
}

void kept () {
  LiveState live = two_members();
  const auto &channel = live.channels().at({"room", "demo"});
  g_assert_cmpuint(channel.members.size(), ==, 2);
  // By its own word, and as the other hears it; nobody who isn't there.
  const auto levels = live.levels_of(channel);
  g_assert_cmpuint(levels.size(), ==, 2);
  g_assert_cmpint(levels.at(7).peak, ==, -6);
  g_assert_cmpint(levels.at(8).peak, ==, -9);
  const auto hearing = live.hearing_of(channel.members.at(7));
  g_assert_cmpint(*hearing.latency_ms, ==, 181);
  g_assert_cmpint(*hearing.jitter_ms, ==, 9);
  g_assert_cmpint(hearing.late_ms, ==, 6);
  g_assert_cmpint(hearing.concealed_ms, ==, 120);
  const auto cpu = [&] {
    return live.rate([] (JsonView of) { return of.object("process").number("cpu_ms"); });
  };
  g_assert_false(cpu().has_value());

  // Gone and there again in one second.
  g_assert_true(
      live.take("changes", told(R"("gone":[{"app":"demo","channel":"room","uid":8}],"changed":[)" +
                                    member("8", R"(,"on_air":false,"listeners":0)") + "]",
                                1500, 102000)));
  g_assert_false(live.channels().at({"room", "demo"}).members.at(8).on_air);
  g_assert_cmpfloat(*cpu(), ==, 250);
  g_assert_true(
      live.take("changes", told(R"("gone":[{"app":"demo","channel":"room","uid":8},)"
                                R"({"app":"demo","channel":"room","uid":7}],"changed":[])")));
  g_assert_cmpuint(live.channels().size(), ==, 0);
}

void old_reports_say_nothing () {
  LiveState live = two_members();
  g_assert_true(live.take("changes", told(R"("gone":[],"changed":[])", 2000, 114001)));
  const auto &channel = live.channels().at({"room", "demo"});
  g_assert_null(live.report_of(channel.members.at(7)));
  g_assert_cmpuint(live.levels_of(channel).size(), ==, 0);
}

void bad_events () {
  LiveState live;
  for (const char *text : {"", "{", "[]", "7", "{}", R"({"gateway":7})"})
    g_assert_false(live.take("all", text));
  g_assert_true(live.take("news", "not for us"));
  // What is missing or of another kind is nothing, and no reason to end.
  g_assert_true(
      live.take("all", R"({"at":"x","gateway":{"media":7,"process":[]},"members":[7,{"uid":"x"},)"
                       R"({"report":{"heard":{},"sent":1,"at":1e99}}],"apps":{}})"));
  g_assert_false(gateway_lines(live, "here", {}).empty());
  g_assert_false(channel_table(live, {}).rows.empty());
}

void pictures () {
  LiveState live = two_members();
  const auto state = whole(gateway_lines(live, "http://here", {}));
  g_assert_true(has(state, "agora-gateway 1.2 at http://here, up for 1 min\n"));
  g_assert_true(has(state, "members: 2 in 1 channels  on the air: 2\n"));
  g_assert_true(has(state, "\n! media server: down, 3 restarts\n"));
  g_assert_true(has(state, "\n! descriptors: 95 of 100\n"));
  g_assert_true(has(state, "processor: -  memory: 12 MB"));
  const auto table = channel_table(live, {});
  const auto rows = whole(table.rows);
  g_assert_true(has(table.head.text, "HERE FOR"));
  g_assert_true(
      has(rows, "room: 2 on the air, 2 here; loudest -6 dB; 181 ms mouth to ear; 9 ms jitter\n"));
  g_assert_true(has(rows, "  alice (7)"));
  g_assert_true(has(rows, "on the air, 1 listen"));
  g_assert_true(has(rows, "#########. -6 dB"));
  g_assert_true(has(rows, "40 s"));

  // By the name that it gave itself, but never by that alone: anybody may take any.
  g_assert_true(live.take("changes", told("\"gone\":[],\"changed\":[" +
                                          member("8", ",\"name\":\"Bob\\u001b[2J\"") + "]")));
  g_assert_true(has(whole(channel_table(live, {}).rows), "  Bob?[2J, 8 "));

  LiveState nobody;
  g_assert_true(nobody.take("all", told(R"("members":[])")));
  assert_same(whole(channel_table(nobody, {}).rows), "Nobody is here.\n");
}

void every_width () {
  LiveState live;
  const std::string name(60, 'n');
  g_assert_true(live.take(
      "all",
      told(R"("members":[)" +
           member("7", R"(,"account":")" + name +
                           R"(\u001b[31m\u009b李李李李","on_air":true,"listeners":12,"report":)" +
                           report) +
           "]")));
  for (std::size_t width = 0; width < 200; width++) {
    const auto table = channel_table(live, {width, true});
    auto lines = gateway_lines(live, "http://here", {width, true});
    lines.push_back(table.head);
    lines.insert(lines.end(), table.rows.begin(), table.rows.end());
    for (const auto &line : lines) {
      g_assert_cmpuint(columns_of(line.text), <=, width);
      assert_same(line.text, harmless(line.text));
    }
  }
  // A name takes no room from the figures.
  const auto rows = whole(channel_table(live, {120, true}).rows);
  g_assert_false(has(rows, name));
  g_assert_true(has(rows, "181 ms"));
}

void figures_in_words () {
  assert_same(words::duration(-5), "0 s");
  assert_same(words::duration(59), "59 s");
  assert_same(words::duration(60), "1 min");
  assert_same(words::duration(3725), "1 h 2 min");
  assert_same(words::duration(86400 * 3 + 59), "3 d");
  assert_same(words::amount(999, "B"), "999 B");
  assert_same(words::amount(1500, "bit/s"), "1.5 kbit/s");
  assert_same(words::amount(23e9, "B"), "23 GB");
  assert_same(words::amount(5e18, "B"), "5000000 TB");
}

}  // namespace

static const agora::Suite suite("top", [] {
  g_test_add_func("/top/strangers-texts", strangers_texts);
  g_test_add_func("/top/widths", widths);
  g_test_add_func("/top/events", events);
  g_test_add_func("/top/endless-event", endless_event);
  g_test_add_func("/top/kept", kept);
  g_test_add_func("/top/old-reports-say-nothing", old_reports_say_nothing);
  g_test_add_func("/top/bad-events", bad_events);
  g_test_add_func("/top/pictures", pictures);
  g_test_add_func("/top/every-width", every_width);
  g_test_add_func("/top/figures-in-words", figures_in_words);
});

}  // namespace top_test

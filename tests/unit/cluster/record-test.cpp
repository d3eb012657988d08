// SPDX-License-Identifier: LGPL-2.1-or-later
// What gateways tell each other by the store: text, and back, and what is refused.
#include <glib.h>

#include "signaling/gateway/cluster/cluster.hpp"
#include "signaling/gateway/cluster/operation.hpp"
#include "signaling/gateway/cluster/record.hpp"

using namespace agora::gateway::cluster;
using agora::protocol::Role;

namespace {

MemberRecord someone () {
  return {"ab12",
          0x0123456789abcdef,
          1'764'387'000'123,
          Role::broadcaster,
          "ann|{x} ü",
          "Linux 6",
          "2001:db8::1",
          1'764'387'000,
          true,
          false,
          {{7, false, false}, {4'294'967'295, true, true}},
          {}};
}

SpeakerEntry voice () {
  return {"ab12", "s-0_1", 1'764'387'000'123, 7, "[::1]:1935", true, false, {}};
}

void names () {
  for (const char *text : {"", "plain", "a b|c{d}/e%f", "\xc3\xbc\x01", "~._-"}) {
    const std::string escaped = escape(text);
    g_assert_true(escaped.find_first_of(" |{}/") == std::string::npos);
    g_assert_true(unescape(escaped) == text);
  }
  // Two spellings of one name would be two keys.
  for (const char *text : {"%", "%4", "%zz", "%7e", "%41", "a b", "a/b", "%C3%bC"})
    g_assert_false(unescape(text).has_value());

  const std::string key = channel_key("my app", "room/1");
  g_assert_cmpstr(key.c_str(), ==, "my%20app/room%2F1");
  g_assert_true(is_key(key));
  g_assert_true(app_of_key(key) == "my%20app");
  const auto parts = split_key(key);
  g_assert_true(parts && parts->first == "my app" && parts->second == "room/1");
  for (const std::string &text :
       {std::string(), std::string("/"), std::string("a"), std::string("a/"), std::string("/b"),
        std::string("a/b/c"), std::string("a/%"), "a/" + std::string(2'000, 'b')}) {
    g_assert_false(is_key(text));
    g_assert_false(split_key(text).has_value());
  }
}

void numbers () {
  g_assert_true(parse_number("0") == 0);
  g_assert_true(parse_number("999999999999999999") == 999'999'999'999'999'999u);
  for (const char *text : {"", "01", "-1", "+1", " 1", "1 ", "1.0", "0x1", "1e3",
                           "1000000000000000000", "99999999999999999999999"})
    g_assert_false(parse_number(text).has_value());
  g_assert_true(parse_mid("0123456789abcdef") == 0x0123456789abcdef);
  for (const char *text : {"", "0123456789ABCDEF", "0123456789abcde", "0123456789abcdeff",
                           "0000000000000000", "0x23456789abcdef"})
    g_assert_false(parse_mid(text).has_value());
}

// Every text that is one field short, or has one more, or is cut anywhere, is none.
template <typename Parse>
void refuses_parts (const std::string &text, Parse parse) {
  g_assert_true(parse(text).has_value());
  g_assert_false(parse(text + "|").has_value());
  g_assert_false(parse("|" + text).has_value());
  g_assert_false(parse(text + " ").has_value());
  g_assert_false(parse(std::string_view(text).substr(0, text.rfind('|'))).has_value());
  for (std::size_t at = 0; at < text.size(); at++) {
    std::string bad = text;
    bad[at] = '\n';
    g_assert_false(parse(bad).has_value());
  }
}

void records () {
  g_assert_true(parse_record(to_text(someone())) == someone());
  g_assert_true(to_text(someone()) == "ab12|0123456789abcdef|1764387000123|" + rest_of(someone()));
  refuses_parts(to_text(someone()), parse_record);
  MemberRecord named = someone();
  named.name = "Ann | B.";
  g_assert_true(to_text(named) == to_text(someone()) + "|Ann%20%7C%20B.");
  g_assert_true(parse_record(to_text(named)) == named);
  for (const char *name : {"|", "|a%0Ab", "|%FF", "|a b", "|x|"})
    g_assert_false(parse_record(to_text(someone()) + name).has_value());
  MemberRecord plain = someone();
  plain.account = plain.platform = plain.address = "";
  plain.role = Role::audience;
  g_assert_true(parse_record(to_text(plain)) == plain);
  plain.account = std::string(2 * max_record, 'x');
  g_assert_false(parse_record(to_text(plain)).has_value());

  const std::string before = "ab12|0123456789abcdef|1|a||||1|";
  g_assert_true(parse_record(before + "|")->hears.empty());
  for (const char *text : {"a|1,2a,3v,4av", "v|9", "av|"})
    g_assert_true(to_text(*parse_record(before + text)) == before + text);
  // In one order, so that what hasn't changed is one text.
  for (const char *text : {"va|", "aa|", "x|", "|0", "|1,", "|,1", "|2,1", "|1,1", "|01", "|1va",
                           "|a", "|4294967296", "|1 "})
    g_assert_false(parse_record(before + text).has_value());
  std::string many;
  for (std::size_t uid = 1; uid <= max_heard; uid++)
    many += (uid > 1 ? "," : "") + std::to_string(uid);
  g_assert_cmpuint(parse_record(before + "|" + many)->hears.size(), ==, max_heard);
  g_assert_false(parse_record(before + "|" + many + ",9999").has_value());
}

void entries () {
  g_assert_true(parse_entry(to_text(voice())) == voice());
  refuses_parts(to_text(voice()), parse_entry);
  SpeakerEntry other = voice();
  other.video_muted = true;
  g_assert_true(parse_entry(to_text(other)) == other);
  other.audio_muted = false;
  g_assert_true(parse_entry(to_text(other)) == other);
  g_assert_true(voice().order() == other.order());
  for (const char *origin : {"rtmps://[::1]:1", "rtmps://one.example.org@192.0.2.1:1936"}) {
    other.origin = origin;
    g_assert_true(parse_entry(to_text(other)) == other);
  }
  // What goes into a URL must be none of its own.
  for (const char *text :
       {"ab12|s|1.1|rtmps://a@b@h:1|", "ab12|s|1.1|rtmps://a/b@h:1|", "ab12|s|1.1|rtmp://h:1|",
        "ab12|s|1.1|a@h:1|", "ab12|s|1.1|h:1/x|", "ab12|s?a|1.1|h:1|", "ab12|s|1.1|h:1|va",
        "ab12|s|1|h:1|", "ab12|s|1.1.1|h:1|", "ab12||1.1|h:1|"})
    g_assert_false(parse_entry(text).has_value());
}

// A voice that is offered in more than AAC.
void entries_for_a_few () {
  using agora::protocol::Codec;
  SpeakerEntry entry = voice();
  entry.to = {8, 4294967295};
  g_assert_true(to_text(entry) == to_text(voice()) + "||8,4294967295");
  g_assert_true(parse_entry(to_text(entry)) == entry);
  g_assert_false(entry == voice());
  entry.others[Codec::opus] = "o-1";
  g_assert_true(to_text(entry) == to_text(voice()) + "|opus=o-1|8,4294967295");
  g_assert_true(parse_entry(to_text(entry)) == entry);
  // And of one that has a name.
  entry.name = "Ann | B.";
  g_assert_true(to_text(entry) == to_text(voice()) + "|opus=o-1|8,4294967295|Ann%20%7C%20B.");
  g_assert_true(parse_entry(to_text(entry)) == entry);
  SpeakerEntry everybodys = voice();
  everybodys.name = "Ann";
  g_assert_true(to_text(everybodys) == to_text(voice()) + "|||Ann");
  g_assert_true(parse_entry(to_text(everybodys)) == everybodys);
  for (const std::string &name : {std::string(), std::string("a%0Ab"), std::string("%FF"),
                                  std::string("a b"), std::string(65, 'x'), std::string("x|")})
    g_assert_false(parse_entry(to_text(voice()) + "|||" + name).has_value());
  std::string many = "1";
  for (int uid = 2; uid <= 17; uid++)
    many += "," + std::to_string(uid);
  for (const std::string &to :
       {std::string(), std::string("0"), std::string("8,8"), std::string("9,8"), std::string("8,"),
        std::string(",8"), std::string("08"), std::string("-8"), std::string("4294967296"),
        std::string("8|"), many})
    g_assert_false(parse_entry(to_text(voice()) + "||" + to).has_value());
  g_assert_true(parse_entry(to_text(voice()) + "||" + many.substr(0, many.rfind(',')))->to.size() ==
                agora::protocol::max_addressees);
  g_assert_false(parse_entry(to_text(voice()) + "|").has_value());
}

void what_is_said () {
  const SaidMessage message{"gw-1", 7, {{8, 9}, "a b|c\n€"}};
  const Operation operation = say("app/room", 7, 255, message);
  g_assert_true(operation.args[4] == "said gw-1 7 8,9 a%20b%7Cc%0A%E2%82%AC");
  const auto read = read_said_message(operation.args[4]);
  g_assert_true(read && read->gateway == "gw-1" && read->uid == 7 && read->data == message.data);
  g_assert_true(read_said_message("said gw-1 7 * x")->data.to.empty());
  const std::string long_text = "said gw-1 7 * " + std::string(257, 'x');
  for (const std::string &bad :
       {std::string("said gw-1 7 *"), std::string("said gw-1 7 * "), std::string("said gw-1 0 * x"),
        std::string("said gw-1 7  x"), std::string("said gw-1 7 8,8 x"),
        std::string("said g|w 7 * x"), std::string("said gw-1 7 * x y"),
        std::string("says gw-1 7 * x"), std::string("said gw-1 7 * %00"),
        std::string("said gw-1 7 * %FF"), long_text})
    g_assert_false(read_said_message(bad).has_value());
  g_assert_false(read_speaker_message(operation.args[4]).has_value());
}

void entries_of_many_codecs () {
  using agora::protocol::Codec;
  SpeakerEntry entry = voice();
  entry.others[Codec::opus] = "o-1";
  g_assert_true(to_text(entry) == to_text(voice()) + "|opus=o-1");
  g_assert_true(parse_entry(to_text(entry)) == entry);
  g_assert_false(entry == voice());
  const std::string text = to_text(entry) + ",new=n";
  for (std::size_t at = 0; at < text.size(); at++) {
    std::string bad = text;
    bad[at] = '\n';
    g_assert_false(parse_entry(bad).has_value());
  }
  g_assert_false(parse_entry(text + "|").has_value());
  const std::string before = to_text(voice()) + "|";
  // What a later version has is passed over.
  g_assert_true(parse_entry(before + "new=n,opus=o-1") == entry);
  g_assert_true(parse_entry(before + "new=n") == voice());
  std::string many;
  for (int n = 0; n < 9; n++)
    many += (n ? "," : "") + ("c" + std::to_string(n) + "=n" + std::to_string(n));
  for (const std::string &others :
       {std::string(), std::string("opus"), std::string("opus="), std::string("=o"),
        std::string("opus=a b"), std::string("opus=o?x"), std::string("opus=o,"),
        std::string("opus=o,opus=p"), std::string("opus=o,new=o"), std::string("opus=s-0_1"),
        std::string("aac=a"), std::string(33, 'c') + "=o", "opus=" + std::string(129, 'o'), many})
    g_assert_false(parse_entry(before + others).has_value());
}

void messages () {
  const auto set = read_speaker_message("5 7 set 12 " + to_text(voice()));
  g_assert_true(set && set->previous == 5 && set->version == 7 && set->uid == 12 &&
                set->entry == voice());
  const auto del = read_speaker_message("5 7 del 12 s-0_1");
  g_assert_true(del && !del->entry && del->stream == "s-0_1");
  for (const char *text :
       {"", "5 7 del 12", "5 7 del 12 s x", "5 7 del 0 s", "5 7 del 5000000000 s", "x 7 del 1 s",
        "5 7 put 1 s", "5 7 set 1 s", "5  7 del 1 s"})
    g_assert_false(read_speaker_message(text).has_value());

  const auto gone = read_gone_message("gone a/b 12 0123456789abcdef 1 cd34 99");
  g_assert_true(gone && gone->key == "a/b" && gone->uid == 12 && gone->adopted &&
                gone->gateway == "cd34" && gone->at_ms == 99);
  for (const char *text :
       {"", "gone a/b 12 0123456789abcdef 1 cd34", "gone a/b 12 0123456789abcdef 2 cd34 99",
        "gone ab 12 0123456789abcdef 1 cd34 99", "gone a/b 12 0123456789abcdef 1 cd34 99 1"})
    g_assert_false(read_gone_message(text).has_value());

  const auto in = read_member_message("in 12 cd34|0123456789abcdef|99|b|||h|7|||%C3%A9");
  g_assert_true(in && in->uid == 12 && in->gateway == "cd34" && in->who &&
                in->who->name == "\xc3\xa9" && in->who->joined_s == 7);
  const auto out = read_member_message("out 12 cd34");
  g_assert_true(out && out->uid == 12 && out->gateway == "cd34" && !out->who);
  for (const char *text : {"", "in 12", "in 12 cd34", "in 0 cd34|0123456789abcdef|99|b|||h|7||",
                           "in 12 cd34|0123456789abcdef|99|b|||h|7|| 1", "out 12", "out 12 c/d",
                           "out x cd34", "off 12 cd34"})
    g_assert_false(read_member_message(text).has_value());

  const auto rule = read_rule_message("rule 3 my%20app 5 77 x%20y");
  g_assert_true(rule && rule->version == "3" && rule->rule == (StoredRule{"my app", 5, 77, "x y"}));
  const auto lift = read_rule_message("lift 4 my%20app 5");
  g_assert_true(lift && lift->kind == RuleMessage::Kind::lift && lift->rule.id == 5);
  const auto once = read_rule_message("once my%20app x%20y");
  g_assert_true(once && once->kind == RuleMessage::Kind::once && once->rule.text == "x y");
  for (const char *text : {"", "rule 3 a 5 77", "rule 3 a 0 77 x", "lift 4 a 5 6", "once a",
                           "once a b c", "ruled 3 a 5 77 x"})
    g_assert_false(read_rule_message(text).has_value());
}

void answers () {
  g_assert_true(answer_of({}).verdict == Verdict::away);
  g_assert_true(answer_of({"away"}).verdict == Verdict::away);
  g_assert_true(answer_of({"what"}).verdict == Verdict::away);
  g_assert_true(answer_of({"lost"}) == (Answer{Verdict::lost, {}}));
  const auto claimed =
      read_claim(answer_of({"ok", "12", "0123456789abcdef", "99", to_text(someone()), "0", "1"}));
  g_assert_true(claimed && claimed->uid == 12 && claimed->at_ms == 99 && claimed->adopted &&
                claimed->older == someone());
  g_assert_false(read_claim(answer_of({"ok", "12"})).has_value());
  g_assert_false(read_claim(answer_of({"full"})).has_value());

  const auto lease = read_lease(
      answer_of({"ok", "kept", "3", "1000", "2", "g1", "i1", "g2", "", "g3", "a/b c/d", "g4", ""}));
  g_assert_true(lease && lease->kept && lease->alive.size() == 2 && lease->dead.size() == 2 &&
                lease->dead[0].second.size() == 2 && lease->dead[1].second.empty());
  // It counts more than there is.
  g_assert_false(
      read_lease(answer_of({"ok", "kept", "3", "1000", "3", "g1", "i1", "g2", ""})).has_value());
  g_assert_false(
      read_lease(answer_of({"ok", "kept", "3", "1000", "999999999999999999"})).has_value());

  const auto snapshot =
      read_snapshot(answer_of({"ok", "9", "12", to_text(voice()), "13", "none", "x", "y"}));
  g_assert_true(snapshot && snapshot->version == 9 && snapshot->speakers.size() == 1 &&
                snapshot->refused == 2);
  g_assert_false(read_snapshot(answer_of({"ok", "9", "12"})).has_value());
}

}  // namespace

int main (int argc, char **argv) {
  g_test_init(&argc, &argv, nullptr);
  g_test_add_func("/cluster/record/names", names);
  g_test_add_func("/cluster/record/numbers", numbers);
  g_test_add_func("/cluster/record/records", records);
  g_test_add_func("/cluster/record/entries", entries);
  g_test_add_func("/cluster/record/entries-of-many-codecs", entries_of_many_codecs);
  g_test_add_func("/cluster/record/entries-for-a-few", entries_for_a_few);
  g_test_add_func("/cluster/record/said", what_is_said);
  g_test_add_func("/cluster/record/messages", messages);
  g_test_add_func("/cluster/record/answers", answers);
  return g_test_run();
}

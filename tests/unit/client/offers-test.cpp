// SPDX-License-Identifier: LGPL-2.1-or-later
// The client's machine and codecs: its own voice in several, and those of others.
#include "tests/suite.hpp"
#include "tests/unit/client/machine-rig.hpp"

namespace offers_test {

using namespace machine;

namespace {

using protocol::Codec;
const protocol::Codecs both{Codec::opus, Codec::aac};

// The answer to what was sent last, by a gateway that knows codecs.
void give_urls (Rig &rig, const std::string &turn) {
  protocol::Answer answer;
  answer.request_id = rig.sent_id();
  answer.url = "rtmp://h/aac" + turn;
  answer.urls = {{Codec::opus, "rtmp://h/opus" + turn}, {Codec::aac, *answer.url}};
  rig.step(Received{answer});
}

void give_wanted (Rig &rig, protocol::Codecs codecs) {
  protocol::Event event{protocol::EventKind::codecs_wanted};
  event.codecs = std::move(codecs);
  rig.step(Received{event});
}

void a_voice_in_several_codecs () {
  using protocol::EventKind;
  Rig rig;
  rig.machine.hears = both;
  rig.bring_to(Phase::joining);
  g_assert_true(std::get<protocol::Join>(rig.all<Send>().at(0).message.request).hears == both);
  rig.answer(rig.sent_id(), Code::ok, {}, 7);
  // What can't be heard by all is refused before it is sent.
  rig.request(protocol::Publish{0, protocol::Codecs{Codec::opus}});
  g_assert_true(rig.all<Finish>().at(0).trouble->code == AGORA_ERROR_INVALID_ARGUMENT);
  g_assert_true(rig.all<Send>().empty());
  rig.request(protocol::Publish{0, both});
  const auto asked = std::get<protocol::Publish>(rig.all<Send>().at(0).message.request);
  g_assert_true(asked.codecs == both && asked.uid == 7);
  give_urls(rig, "1");
  const Urls first{{Codec::aac, "rtmp://h/aac1"}, {Codec::opus, "rtmp://h/opus1"}};
  g_assert_true(rig.all<Finish>().at(0).urls == first);
  g_assert_true(rig.all<Finish>().at(0).url == "rtmp://h/aac1");
  g_assert_true(rig.machine.push_urls() == first);
  g_assert_true(rig.machine.codecs_wanted().empty());
  give_wanted(rig, {Codec::opus});
  g_assert_true(rig.all<Emit>().at(0).event.codecs == protocol::Codecs{Codec::opus});
  g_assert_true(rig.machine.codecs_wanted() == protocol::Codecs{Codec::opus});
  // One that names none that is known here says nothing.
  give_wanted(rig, {});
  g_assert_true(rig.all<Emit>().empty());
  g_assert_cmpuint(rig.machine.codecs_wanted().size(), ==, 1);
  rig.request(protocol::UpdateUrl{});
  give_urls(rig, "2");
  g_assert_true(rig.machine.push_urls().at(Codec::opus) == "rtmp://h/opus2");
  g_assert_cmpuint(rig.machine.codecs_wanted().size(), ==, 1);
  // After a return all of it is asked for again.
  rig.step(Closed{"cut"});
  rig.pass(1'000);
  rig.step(Opened{"S2", "", rig.now});
  g_assert_true(std::get<protocol::Join>(rig.all<Send>().at(0).message.request).hears == both);
  rig.answer(rig.sent_id(), Code::ok, {}, 7);
  g_assert_true(std::get<protocol::Publish>(rig.all<Send>().at(0).message.request).codecs == both);
  give_urls(rig, "3");
  g_assert_true(rig.all<Emit>().at(0).event.kind == EventKind::update_url);
  g_assert_true(rig.all<Emit>().at(0).event.url == "rtmp://h/aac3");
  g_assert_true(rig.machine.push_urls().at(Codec::opus) == "rtmp://h/opus3");
  // Also where the operator took it off the air.
  rig.event(EventKind::silenced);
  rig.event(EventKind::unsilenced);
  g_assert_true(std::get<protocol::Publish>(rig.all<Send>().at(0).message.request).codecs == both);
  give_urls(rig, "4");
  rig.request(protocol::Unpublish{});
  rig.answer(rig.sent_id());
  g_assert_true(rig.machine.push_urls().empty() && rig.machine.codecs_wanted().empty());
}

// One that knows no codecs, the next time: AAC is what it takes.
void an_older_gateway_takes_aac () {
  Rig rig;
  rig.bring_to(Phase::joined);
  rig.request(protocol::Publish{0, both});
  give_urls(rig, "1");
  give_wanted(rig, {Codec::opus});
  rig.step(Closed{"cut"});
  g_assert_cmpuint(rig.machine.codecs_wanted().size(), ==, 1);
  rig.pass(1'000);
  rig.step(Opened{"S2", "", rig.now});
  rig.answer(rig.sent_id(), Code::ok, {}, 7);
  rig.answer(rig.sent_id(), Code::ok, {}, {}, "rtmp://h/only");
  g_assert_true(rig.machine.push_urls() == (Urls{{Codec::aac, "rtmp://h/only"}}));
  g_assert_true(rig.machine.codecs_wanted().empty());
}

void the_codec_of_a_subscription () {
  Rig rig;
  rig.bring_to(Phase::joined);
  rig.event(protocol::EventKind::stream_added, 8);
  g_assert_false(rig.machine.codec_of(8).has_value());
  rig.request(protocol::Subscribe{8, true, true});
  protocol::Answer answer;
  answer.request_id = rig.sent_id();
  answer.url = "rtmp://h/one";
  answer.codec = Codec::opus;
  rig.step(Received{answer});
  g_assert_true(rig.machine.codec_of(8) == Codec::opus);
  protocol::Event moved{protocol::EventKind::update_url, 8, "rtmp://h/two"};
  moved.codec = Codec::aac;
  rig.step(Received{moved});
  g_assert_true(rig.machine.codec_of(8) == Codec::aac);
  moved.codec = Codec::opus;
  rig.step(Received{moved});
  g_assert_true(rig.machine.codec_of(8) == Codec::opus);
  // An older gateway doesn't say.
  rig.event(protocol::EventKind::update_url, 8, "rtmp://h/three");
  g_assert_true(rig.machine.codec_of(8) == Codec::aac);
  rig.event(protocol::EventKind::stream_removed, 8);
  g_assert_false(rig.machine.codec_of(8).has_value());
}

// The answer to the join that was sent last.
void let_in (Rig &rig, protocol::Features features) {
  protocol::Answer answer;
  answer.request_id = rig.sent_id();
  answer.uid = 7;
  answer.features = std::move(features);
  rig.step(Received{answer});
}

protocol::Publish asked (const Rig &rig) {
  return std::get<protocol::Publish>(rig.all<Send>().at(0).message.request);
}

void what_is_for_a_few () {
  const protocol::Features talk{protocol::feature_talk};
  Rig rig;
  rig.bring_to(Phase::joining);
  let_in(rig, talk);
  rig.machine.talk_to = {8, 9};
  rig.request(protocol::Publish{});
  g_assert_true(asked(rig).to == (protocol::Addressees{8, 9}));
  rig.answer(rig.sent_id(), Code::ok, {}, {}, "rtmp://h/a");
  // Set, and not published yet: what is made again is what was published.
  rig.machine.talk_to = {};
  rig.step(Closed{"cut"});
  rig.pass(1'000);
  rig.step(Opened{"S2", "", rig.now});
  let_in(rig, talk);
  g_assert_true(asked(rig).to == (protocol::Addressees{8, 9}));
  rig.answer(rig.sent_id(), Code::ok, {}, {}, "rtmp://h/b");
  rig.event(protocol::EventKind::silenced);
  rig.event(protocol::EventKind::unsilenced);
  g_assert_true(asked(rig).to == (protocol::Addressees{8, 9}));
  rig.answer(rig.sent_id(), Code::ok, {}, {}, "rtmp://h/c");
  // A gateway that knows nothing of it would let all hear it.
  rig.step(Closed{"cut"});
  rig.pass(1'000);
  rig.step(Opened{"S3", "", rig.now});
  let_in(rig, {});
  g_assert_true(rig.all<Send>().empty());
  g_assert_true(rig.all<EmitError>().at(0).trouble.code == AGORA_ERROR_NOT_PERMITTED);
  g_assert_true(rig.machine.push_urls().empty());
  rig.machine.talk_to = {8};
  rig.request(protocol::Publish{});
  g_assert_true(rig.all<Send>().empty());
  g_assert_true(rig.all<Finish>().at(0).trouble->code == AGORA_ERROR_NOT_PERMITTED);
  rig.machine.talk_to = {};
  rig.request(protocol::Publish{});
  g_assert_true(asked(rig).to.empty());
}

// To all, as it was before a return whose gateway was too busy to take it at once.
Rig back_at_a_busy_gateway () {
  const protocol::Features talk{protocol::feature_talk};
  Rig rig;
  rig.bring_to(Phase::joining);
  let_in(rig, talk);
  rig.request(protocol::Publish{});
  rig.answer(rig.sent_id(), Code::ok, {}, {}, "rtmp://h/a");
  rig.step(Closed{"cut"});
  rig.pass(1'000);
  rig.step(Opened{"S2", "", rig.now});
  let_in(rig, talk);
  g_assert_true(asked(rig).to.empty());
  rig.answer(rig.sent_id(), Code::too_many, "too many");
  rig.machine.talk_to = {8};
  return rig;
}

// For three seconds.
void nothing_is_published (Rig &rig) {
  for (unsigned tick = 0; tick < 30; tick++) {
    rig.pass(100);
    for (const Send &each : rig.all<Send>())
      g_assert_false(std::holds_alternative<protocol::Publish>(each.message.request));
  }
}

// What was to be made again doesn't undo what was published since.
void made_private_meanwhile () {
  Rig rig = back_at_a_busy_gateway();
  rig.request(protocol::Publish{});
  g_assert_true(asked(rig).to == protocol::Addressees{8});
  rig.answer(rig.sent_id(), Code::ok, {}, {}, "rtmp://h/b");
  nothing_is_published(rig);
  g_assert_true(rig.machine.push_urls().at(Codec::aac) == "rtmp://h/b");

  // Nor what is still under way.
  rig = back_at_a_busy_gateway();
  rig.pass(900);
  rig.request(protocol::Publish{});
  const std::int64_t id = rig.sent_id();
  rig.pass(200);
  g_assert_true(rig.all<Send>().empty());
  // Refused, it leaves what was there before to be made again.
  rig.answer(id, Code::too_many, "too many");
  g_assert_true(rig.all<Finish>().at(0).trouble->code == AGORA_ERROR_TOO_MANY);
  rig.pass(1'000);
  g_assert_true(asked(rig).to.empty());
  // Nor at the end of the operator's silence.
  rig.answer(rig.sent_id(), Code::ok, {}, {}, "rtmp://h/c");
  rig.request(protocol::Publish{});
  const std::int64_t late = rig.sent_id();
  rig.event(protocol::EventKind::silenced);
  rig.event(protocol::EventKind::unsilenced);
  g_assert_true(rig.all<Send>().empty());
  rig.answer(late, Code::ok, {}, {}, "rtmp://h/d");
  nothing_is_published(rig);
  g_assert_true(rig.machine.push_urls().at(Codec::aac) == "rtmp://h/d");
}

// Asked for, and never answered: who was to be left out hears nothing of what is made again.
void made_private_and_lost () {
  for (const bool cut : {true, false}) {
    Rig rig = back_at_a_busy_gateway();
    // Before it counts as lost.
    rig.machine.limits.request = rig.machine.limits.silence / 2;
    rig.pass(900);
    rig.request(protocol::Publish{});
    g_assert_true(asked(rig).to == protocol::Addressees{8});
    if (cut)
      rig.step(Closed{"cut"});
    else
      rig.pass(rig.machine.limits.request);
    const auto finished = rig.all<Finish>();
    g_assert_cmpint(finished.at(0).trouble->code, ==,
                    cut ? AGORA_ERROR_SOCKET_GONE : AGORA_ERROR_TIMEOUT);
    if (!cut)
      rig.step(Closed{"cut"});
    // The application wants it for all again, which it hasn't asked for yet.
    rig.machine.talk_to = {};
    rig.pass(1'000);
    rig.step(Opened{"S3", "", rig.now});
    let_in(rig, {protocol::feature_talk});
    g_assert_true(asked(rig).to == protocol::Addressees{8});
  }
}

void a_few_words () {
  Rig rig;
  rig.bring_to(Phase::joined);
  rig.request(protocol::Data{{8}, "go"});
  g_assert_true(std::get<protocol::Data>(rig.all<Send>().at(0).message.request).text == "go");
  rig.answer(rig.sent_id(), Code::too_many, "too many");
  g_assert_true(rig.all<Finish>().at(0).trouble->code == AGORA_ERROR_TOO_MANY);
  for (const protocol::Data &wrong :
       {protocol::Data{{}, ""}, protocol::Data{{}, std::string(257, 'x')},
        protocol::Data{{}, "\xff"}, protocol::Data{{0}, "x"},
        protocol::Data{protocol::Addressees(17, 8), "x"}}) {
    rig.request(wrong);
    g_assert_true(rig.all<Finish>().at(0).trouble->code == AGORA_ERROR_INVALID_ARGUMENT);
    g_assert_true(rig.all<Send>().empty());
  }
  protocol::Event event{protocol::EventKind::data, 8};
  event.text = "gone";
  rig.step(Received{event});
  g_assert_true(rig.all<Emit>().at(0).event == event);
}

void who_talks_to_a_few () {
  Rig rig;
  rig.bring_to(Phase::joined);
  protocol::Event added{protocol::EventKind::stream_added, 8};
  added.talk = true;
  rig.step(Received{added});
  g_assert_true(rig.machine.is_talkback(8) && !rig.machine.is_talkback(9));
  rig.request(protocol::Subscribe{8, true, true});
  protocol::Answer answer;
  answer.request_id = rig.sent_id();
  answer.url = "rtmp://h/one";
  rig.step(Received{answer});
  g_assert_false(rig.machine.is_talkback(8));
  protocol::Event moved{protocol::EventKind::update_url, 8, "rtmp://h/two"};
  moved.talk = true;
  rig.step(Received{moved});
  g_assert_true(rig.machine.is_talkback(8));
  rig.event(protocol::EventKind::stream_removed, 8);
  g_assert_false(rig.machine.is_talkback(8));
}

}  // namespace

static const agora::Suite suite("offers", [] {
  g_test_add_func("/client-offers/several", a_voice_in_several_codecs);
  g_test_add_func("/client-offers/an-older-gateway", an_older_gateway_takes_aac);
  g_test_add_func("/client-offers/of-a-subscription", the_codec_of_a_subscription);
  g_test_add_func("/client-offers/for-a-few", what_is_for_a_few);
  g_test_add_func("/client-offers/made-private-meanwhile", made_private_meanwhile);
  g_test_add_func("/client-offers/made-private-and-lost", made_private_and_lost);
  g_test_add_func("/client-offers/talkbacks", who_talks_to_a_few);
  g_test_add_func("/client-offers/data", a_few_words);
});

}  // namespace offers_test

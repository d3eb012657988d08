// SPDX-License-Identifier: LGPL-2.1-or-later
// What passed through agora-relay, by channel: whose a stream is, and whose figures have a name.
#include "signaling/gateway/operator/channel-traffic.hpp"

#include "signaling/gateway/operator/metrics.hpp"
#include "tests/suite.hpp"
#include "tests/unit/gateway/cluster-scene.hpp"

namespace channel_traffic_test {

using namespace agora::gateway;
using namespace agora::protocol;
using agora::relay_line::StreamTraffic;

namespace {

ChannelFigures figures_of (const std::string &channel) {
  ChannelFigures figures;
  figures.app_id = open_app;
  figures.channel = channel;
  return figures;
}

// The relay tells of streams; one called "room.x" is the room's, while it lasts.
struct Desk {
  void tell (const std::string &stream, std::uint64_t bytes, std::uint64_t lag_ms = 0) {
    traffic.add(
        {{{stream, bytes, 2 * bytes, 3, 1, lag_ms}}},
        [this] (const std::string &name) -> std::optional<ChannelName> {
          if (name.find('.') == std::string::npos || over.contains(name))
            return {};
          return ChannelName{open_app, name.substr(0, name.find('.'))};
        },
        now);
  }
  // "room 10, other 20" of what came.
  std::string scrape (const std::vector<std::string> &largest) {
    std::vector<ChannelFigures> figures;
    for (const std::string &channel : largest)
      figures.push_back(figures_of(channel));
    last = traffic.figures(figures, now);
    std::string text;
    for (const auto &[name, counts] : last.named)
      text += name.channel + " " + std::to_string(counts.received_bytes) + ", ";
    return text + "other " + std::to_string(last.other.received_bytes);
  }
  ChannelTraffic traffic{2};
  std::set<std::string> over;
  std::int64_t now = 1'000'000;
  ChannelTraffic::Figures last;
};

void streams_of_a_channel_together () {
  Desk desk;
  desk.tell("one.aac", 10);
  desk.tell("one.opus", 5);
  same(desk.scrape({"one"}), "one 15, other 0");
  const auto &counts = desk.last.named.at(0).counts;
  g_assert_cmpuint(counts.sent_bytes, ==, 30);
  g_assert_cmpuint(counts.dropped_frames, ==, 6);
  g_assert_cmpuint(counts.cut_listeners, ==, 2);
  // Who pushes nothing has a figure, too: its first one is then an increase.
  same(desk.scrape({"one", "two"}), "one 15, two 0, other 0");
  desk.tell("strange", 7);
  same(desk.scrape({"one", "two"}), "one 15, two 0, other 7");
}

void as_many_names_as_there_may_be () {
  Desk desk;
  desk.tell("one.a", 1);
  desk.tell("two.a", 2);
  desk.tell("three.a", 4);
  same(desk.scrape({"one", "two"}), "one 1, two 2, other 4");
  // Another one is larger now. What the last one had isn't the others'.
  same(desk.scrape({"three", "two"}), "three 0, two 2, other 4");
  desk.tell("three.a", 8);
  desk.tell("one.a", 16);
  same(desk.scrape({"three", "two"}), "three 8, two 2, other 20");
  same(desk.scrape({"one", "two"}), "one 0, two 2, other 20");
}

void what_is_over_is_seen_to_its_end () {
  Desk desk;
  desk.tell("one.a", 1);
  same(desk.scrape({"one"}), "one 1, other 0");
  // Its stream is nobody's any more, and the relay tells of it once more.
  desk.over.insert("one.a");
  desk.tell("one.a", 2);
  same(desk.scrape({}), "one 3, other 0");
  // It comes back.
  desk.now += 600'000;
  desk.tell("one.b", 4);
  same(desk.scrape({"one"}), "one 7, other 0");
  desk.tell("two.a", 1);
  // Who has been away longest makes room.
  desk.now += 1000;
  desk.tell("one.b", 8);
  same(desk.scrape({"three"}), "one 15, three 0, other 0");
  desk.now += 15 * 60'000 + 1;
  same(desk.scrape({"three"}), "three 0, other 0");
  // A channel that is there keeps its name.
  desk.now += 15 * 60'000 + 1;
  same(desk.scrape({"three"}), "three 0, other 0");
}

void streams_are_forgotten () {
  Desk desk;
  desk.traffic.met("short", {open_app, "one"}, desk.now);
  desk.now += 50'000;
  desk.tell("short", 1);
  desk.now += 50'000;
  desk.tell("short", 2);
  same(desk.scrape({}), "one 3, other 0");
  g_assert_cmpuint(desk.traffic.remembered(), ==, 1);
  desk.now += 70'000;
  desk.traffic.met("other", {open_app, "one"}, desk.now);
  g_assert_cmpuint(desk.traffic.remembered(), ==, 1);
  desk.tell("short", 4);
  same(desk.scrape({}), "one 3, other 4");
}

void lag_is_of_the_last_seconds () {
  Desk desk;
  const auto lag = [&desk] {
    desk.scrape({"one"});
    return desk.last.named.at(0).counts.lag_ms;
  };
  desk.tell("one.a", 1, 900);
  desk.tell("one.b", 1, 300);
  g_assert_cmpuint(lag(), ==, 900);
  desk.now += 10'000;
  desk.tell("one.b", 1, 400);
  g_assert_cmpuint(lag(), ==, 900);
  desk.now += 6'000;
  g_assert_cmpuint(lag(), ==, 400);
  desk.now += 10'000;
  g_assert_cmpuint(lag(), ==, 0);
}

void a_relay_that_lies () {
  Desk desk;
  for (int i = 0; i < 30; i++)
    desk.tell("one.a", agora::relay_line::max_number);
  same(desk.scrape({"one"}), "one 999999999999999999, other 0");
}

std::string channel_of (const Scene &scene, const std::string &url) {
  const auto found = scene.book.channel_of_stream(stream_of(url));
  return found ? found->app_id + " " + found->channel : "";
}

// "1 push, 2 play, 0 relay"
std::string sessions (const Scene &scene, std::size_t most = 100) {
  const auto all = scene.book.channel_figures(most, scene.now);
  const ChannelFigures &figures = all.named.empty() ? all.other : all.named.at(0);
  return std::to_string(figures.pushes) + " push, " + std::to_string(figures.plays) + " play, " +
         std::to_string(figures.relays) + " relay";
}

void whose_a_stream_is () {
  Scene scene;
  const std::string voice = scene.on_air(1, 7, 100);
  same(channel_of(scene, voice), "demo room");
  scene.join(2, "8");
  g_assert_true(scene.play(scene.subscribe(2, 7), 200));
  same(sessions(scene), "1 push, 1 play, 0 relay");
  same(sessions(scene, 0), "1 push, 1 play, 0 relay");
  // Two codecs, and for one alone.
  scene.connect(3);
  Join both = join_as("9", Role::broadcaster);
  both.features = Features{feature_codecs, feature_talk};
  scene.ask(3, both);
  const Answer offer = scene.ask(3, Publish{9, Codecs{Codec::opus, Codec::aac}, Addressees{8}});
  g_assert_cmpuint(offer.urls.size(), ==, 2);
  for (const auto &[codec, url] : offer.urls) {
    same(channel_of(scene, url), "demo room");
    g_assert_true(scene.push(url, codec == Codec::opus ? 101 : 102));
  }
  same(sessions(scene), "3 push, 1 play, 0 relay");
  // Under another name, and the listener on its way there.
  const std::string fresh = *scene.ask(1, UpdateUrl{7}).url;
  same(channel_of(scene, fresh), "demo room");
  g_assert_true(scene.push(fresh, 103));
  same(sessions(scene), "4 push, 1 play, 0 relay");
  scene.push_ends(103);
  scene.say(1, Unpublish{7});
  same(channel_of(scene, fresh), "");
  same(channel_of(scene, "rtmp://gw.example/live/none"), "");
}

void players_and_mixes () {
  Scene scene;
  const auto key = scene.book.make_stream_key(open_app, "room", 8, scene.now, KeyUse::play);
  const HookRequest play = Scene::hook(HookCall::play, "rtmp://gw.example/live/" + key->key, 300);
  scene.take(scene.book.on_play(play, scene.now).commands);
  // Nobody is in its channel.
  const auto none = scene.book.channel_figures(100, scene.now);
  g_assert_cmpuint(none.others, ==, 1);
  g_assert_cmpuint(none.other.plays, ==, 1);
  scene.on_air(1, 8, 100);
  same(sessions(scene), "1 push, 1 play, 0 relay");
  g_assert_cmpuint(scene.book.channel_figures(100, scene.now).others, ==, 0);
  scene.connect(2, "198.51.100.7", "127.0.0.1", Entrance::web);
  g_assert_true(scene.code(2, join_as("10")) == Code::ok);
  scene.connect(3, "", "127.0.0.1", Entrance::mix);
  Join mix = join_as("");
  mix.token = "";
  g_assert_true(scene.code(3, mix) == Code::ok);
  g_assert_true(scene.play(scene.subscribe(3, 8), 301));
  same(sessions(scene), "1 push, 2 play, 0 relay");
  same(sessions(scene, 0), "1 push, 2 play, 0 relay");
}

void of_other_gateways () {
  Pair all;
  Scene &a = all[0], &b = all[1];
  // Where it is pushed, and where it is pulled.
  same(channel_of(a, all.pushed), "demo room");
  same(channel_of(b, all.pushed), "demo room");
  g_assert_true(a.play(b.relay_from, 900));
  same(sessions(a), "1 push, 0 play, 1 relay");
  same(sessions(b), "0 push, 1 play, 0 relay");
}

// As Prometheus reads it.
void its_text () {
  Metrics::Snapshot snapshot;
  snapshot.traffic = {{{{"demo", "a \"b\""}, {1, 2, 3, 4, 1500}}}, {5, 6, 7, 8, 0}};
  ChannelsFigures &channels = snapshot.channels.emplace();
  channels.named.push_back(figures_of("room"));
  channels.named[0].pushes = 9;
  const std::string text = Metrics().text(snapshot);
  for (const char *line :
       {R"(agora_channel_received_bytes_total{app="demo",channel="a \"b\""} 1)",
        R"(agora_channel_received_bytes_total{app="",channel="other"} 5)",
        R"(agora_channel_sent_bytes_total{app="demo",channel="a \"b\""} 2)",
        R"(agora_channel_dropped_frames_total{app="",channel="other"} 7)",
        R"(agora_channel_cut_listeners_total{app="demo",channel="a \"b\""} 4)",
        R"(agora_channel_lag_seconds{app="demo",channel="a \"b\""} 1.5)",
        R"(agora_channel_rtmp_sessions{app="demo",channel="room",side="push"} 9)",
        "# TYPE agora_channel_sent_bytes_total counter"})
    if (text.find(std::string("\n") + line + "\n") == std::string::npos)
      g_error("%s is missing in\n%s", line, text.c_str());
}

}  // namespace

static const agora::Suite suite("channel-traffic", [] {
  g_test_add_func("/channel-traffic/streams-of-a-channel-together", streams_of_a_channel_together);
  g_test_add_func("/channel-traffic/as-many-names-as-there-may-be", as_many_names_as_there_may_be);
  g_test_add_func("/channel-traffic/what-is-over-is-seen-to-its-end",
                  what_is_over_is_seen_to_its_end);
  g_test_add_func("/channel-traffic/streams-are-forgotten", streams_are_forgotten);
  g_test_add_func("/channel-traffic/lag-is-of-the-last-seconds", lag_is_of_the_last_seconds);
  g_test_add_func("/channel-traffic/a-relay-that-lies", a_relay_that_lies);
  g_test_add_func("/channel-traffic/whose-a-stream-is", whose_a_stream_is);
  g_test_add_func("/channel-traffic/players-and-mixes", players_and_mixes);
  g_test_add_func("/channel-traffic/of-other-gateways", of_other_gateways);
  g_test_add_func("/channel-traffic/its-text", its_text);
});

}  // namespace channel_traffic_test

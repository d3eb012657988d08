// SPDX-License-Identifier: LGPL-2.1-or-later
// Which worker gets a stream from which other one, step by step.
#include "signaling/gateway/media/relay-routes.hpp"
#include "tests/suite.hpp"

#include <glib.h>

#include <sstream>

namespace relay_routes_test {

using agora::gateway::RelayRoutes;

namespace {

std::string text_of (const RelayRoutes::Links &links) {
  std::string text;
  for (const auto &link : links)
    text += (text.empty() ? "" : " ") + link.stream + ":" + std::to_string(link.from) + ">" +
            std::to_string(link.to);
  return text;
}

// "push 0 a", "play 1 a", "pull 1 a" (a play of what is elsewhere), "unpush", "unplay", "failed",
// "lost 0". What it answers, as text.
std::string step (RelayRoutes &routes, const std::string &words) {
  std::istringstream in(words);
  std::string what;
  std::size_t worker = 0;
  std::string stream;
  in >> what >> worker >> stream;
  if (what == "push")
    return text_of(routes.push(worker, stream));
  if (what == "play" || what == "pull") {
    const auto play = routes.play(worker, stream, what == "pull");
    const std::string links = text_of(play.links);
    return play.pull ? "pulls" + (links.empty() ? "" : " " + links) : links;
  }
  if (what == "failed") {
    const auto failure = routes.pull_failed(worker, stream);
    return failure.cut ? "cut" : text_of(failure.links);
  }
  if (what == "lost") {
    std::string text;
    for (const std::string &each : routes.lost(worker))
      text += (text.empty() ? "cut " : " ") + each;
    return text;
  }
  if (what == "unpush")
    routes.push_ended(worker, stream);
  else if (what == "unplay")
    routes.play_ended(worker, stream);
  else
    g_error("no such step: %s", words.c_str());
  return "";
}

struct Story {
  const char *name;
  std::vector<std::pair<const char *, const char *>> steps;
  std::size_t left = 0;  // streams at its end
};

void stories () {
  const Story all[] = {
      {"all at one worker",
       {{"push 0 a", ""}, {"play 0 a", ""}, {"unplay 0 a", ""}, {"unpush 0 a", ""}}},
      {"a listener elsewhere, and more of them",
       {{"push 0 a", ""},
        {"play 1 a", "a:0>1"},
        {"play 1 a", ""},
        {"play 2 a", "a:0>2"},
        {"unplay 1 a", ""},
        {"play 1 a", ""},
        {"unplay 1 a", ""},
        {"unplay 1 a", ""},
        {"play 1 a", "a:0>1"},
        {"play 0 a", ""}},
       1},
      {"listeners before the push",
       {{"play 0 a", ""}, {"play 1 a", ""}, {"play 2 a", ""}, {"push 1 a", "a:1>0 a:1>2"}},
       1},
      {"the publisher comes back to the same worker",
       {{"push 0 a", ""},
        {"play 1 a", "a:0>1"},
        {"unpush 0 a", ""},
        {"push 0 a", ""},
        {"play 1 a", ""}},
       1},
      {"or to another one",
       {{"push 0 a", ""},
        {"play 0 a", ""},
        {"play 1 a", "a:0>1"},
        {"play 2 a", "a:0>2"},
        {"unpush 0 a", ""},
        {"push 1 a", "a:1>0 a:1>2"},
        {"play 1 a", ""}},
       1},
      {"its end is told late",
       {{"push 0 a", ""},
        {"play 2 a", "a:0>2"},
        {"push 1 a", "a:1>2"},
        {"unpush 0 a", ""},
        {"play 0 a", "a:1>0"}},
       1},
      {"streams are apart",
       {{"push 0 a", ""}, {"push 1 b", ""}, {"play 1 a", "a:0>1"}, {"play 0 b", "b:1>0"}},
       2},
      {"pulled once",
       {{"pull 1 a", "pulls"},
        {"pull 1 a", "pulls"},
        {"pull 0 a", "a:1>0"},
        {"unplay 1 a", ""},
        {"unplay 1 a", ""},
        {"pull 2 a", "a:1>2"},
        {"pull 1 a", "pulls"},
        {"unplay 0 a", ""},
        {"unplay 1 a", ""},
        {"unplay 2 a", ""}}},
      {"a pull that all have left begins anywhere",
       {{"pull 1 a", "pulls"}, {"unplay 1 a", ""}, {"pull 2 a", "pulls"}},
       1},
      {"what is pushed here isn't pulled",
       {{"push 0 a", ""}, {"pull 1 a", "a:0>1"}, {"pull 0 a", ""}},
       1},
      {"a push takes the place of a pull",
       {{"pull 1 a", "pulls"}, {"pull 2 a", "a:1>2"}, {"push 0 a", "a:0>1 a:0>2"}},
       1},
      {"a pull that fails",
       {{"pull 1 a", "pulls"},
        {"pull 2 a", "a:1>2"},
        {"failed 1 a", "cut"},
        {"unplay 1 a", ""},
        {"pull 2 a", "pulls"}},
       1},
      {"a link that fails is made again",
       {{"push 0 a", ""}, {"play 1 a", "a:0>1"}, {"failed 1 a", "a:0>1"}, {"failed 7 b", ""}},
       1},
      {"but not without listeners",
       {{"push 0 a", ""}, {"play 1 a", "a:0>1"}, {"unplay 1 a", ""}, {"failed 1 a", ""}},
       1},
      {"nor without a push",
       {{"push 0 a", ""},
        {"play 1 a", "a:0>1"},
        {"unpush 0 a", ""},
        {"failed 1 a", ""},
        {"push 0 a", "a:0>1"}},
       1},
      {"the pusher's worker is lost",
       {{"push 0 a", ""},
        {"play 1 a", "a:0>1"},
        {"lost 0", ""},
        {"failed 1 a", ""},
        {"push 0 a", "a:0>1"}},
       1},
      {"a listener's worker is lost",
       {{"push 0 a", ""}, {"play 1 a", "a:0>1"}, {"lost 1", ""}, {"play 1 a", "a:0>1"}},
       1},
      {"the puller's worker is lost",
       {{"pull 0 a", "pulls"}, {"pull 1 a", "a:0>1"}, {"lost 0", "cut a"}, {"unplay 1 a", ""}}},
      {"and nobody else listened", {{"pull 0 a", "pulls"}, {"lost 0", ""}}},
      {"ends of what never was",
       {{"unplay 0 a", ""}, {"unpush 0 a", ""}, {"failed 0 a", ""}, {"lost 0", ""}}},
  };
  for (const Story &story : all) {
    RelayRoutes routes(3);
    for (const auto &[words, answer] : story.steps) {
      const std::string got = step(routes, words);
      if (got != answer)
        g_error("%s: %s: \"%s\", not \"%s\"", story.name, words, got.c_str(), answer);
    }
    if (routes.streams() != story.left)
      g_error("%s: %zu streams are left, not %zu", story.name, routes.streams(), story.left);
  }
}

}  // namespace

static const agora::Suite suite("relay-routes",
                                [] { g_test_add_func("/relay-routes/stories", stories); });

}  // namespace relay_routes_test

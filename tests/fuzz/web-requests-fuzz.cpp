// SPDX-License-Identifier: LGPL-2.1-or-later
// Requests to WHIP and WHEP, of any bytes and in any order, and what a worker tells meanwhile.
#include <glib.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "signaling/gateway/web/web-sessions.hpp"

namespace {

using namespace agora;
using namespace agora::gateway;

void require (bool good, const char *what) {
  if (!good)
    g_error("%s", what);
}

class Around : public WebSurroundings {
 public:
  bool serves (std::string_view app) const override { return app == "demo"; }
  bool draining () const override { return false; }
  std::uint64_t next_session () override { return ++numbers; }
  std::optional<web_line::Refuse> offer (const web_line::Offer &offer) override {
    require(offer.session == numbers, "a number that wasn't given");
    require(web_line::encode(offer).has_value(), "an offer that can't travel");
    return {};
  }
  unsigned trickle (const web_line::Trickle &trickle) override {
    require(web_line::encode(trickle).has_value(), "a fragment that can't travel");
    number = trickle.number;
    return 0;
  }
  unsigned call (const web_line::Call &call) override {
    require(web_line::encode(call).has_value(), "a call that can't travel");
    number = call.number;
    return 0;
  }
  void listen (const web_line::Listen &) override {}
  void end (std::uint64_t) override {}
  unsigned pause_ms () const override { return 0; }

  std::uint64_t numbers = 0;
  std::uint64_t number = 0;
};

class Sink : public EventSink {
 public:
  void tell (const StreamEvent &event) override {
    require(!ended, "told after its end");
    require((event.name + event.data).find_first_of("\r\n") == std::string::npos,
            "an event of several lines");
  }
  void tell (std::shared_ptr<const std::string>) override {
    require(false, "told what many readers share");
  }
  void begin (const std::vector<StreamEvent> &events) override {
    for (const auto &event : events)
      tell(event);
  }
  void end () override {
    require(!ended, "ended twice");
    ended = true;
  }
  bool ended = false;
};

struct Run {
  Around around;
  WebSessions sessions{{}, around};
  std::vector<std::unique_ptr<Sink>> sinks;
  std::string location = "/whep/session/none";
  std::string etag;
  std::int64_t now = 1000;
  unsigned asked = 0;
  unsigned answered = 0;

  void judge (const WebAnswer &answer) {
    answered++;
    require(answer.status >= 200 && answer.status < 600, "no status of an answer");
    for (const auto &[name, value] : answer.headers) {
      require((name + value).find_first_of(std::string_view("\r\n\0", 3)) == std::string::npos,
              "a header that holds more than one");
      if (name == "Location" && value.find("/events/") == std::string::npos)
        location = value;
      else if (name == "ETag")
        etag = value;
    }
  }

  void ask (WebRequest request) {
    request.address = request.network = "10.0.0.1";
    request.mono_ms = now += 100;
    if (const auto place = sessions.wants_stream(request)) {
      sinks.push_back(std::make_unique<Sink>());
      sessions.stream_opened(*place, *sinks.back());
      return;
    }
    asked++;
    sessions.ask(request, [this] (const WebAnswer &answer) { judge(answer); });
  }

  // The first byte says what it is about, the rest is what it says.
  void step (std::string_view word) {
    if (word.empty())
      return;
    const std::string text(word.substr(1));
    WebRequest request;
    request.method = "POST";
    request.path = "/whip/demo/room";
    request.content_type = "application/sdp";
    request.body = "v=0\r\nm=audio 9 X 1\r\na=ice-ufrag:a\r\n";
    const auto session = around.numbers;
    switch (word[0]) {
      case 'p':
        request.path = text;
        return ask(request);
      case 'q':
        request.query = text;
        return ask(request);
      case 'b':
        request.body = text;
        return ask(request);
      case 'a':
        request.authorization = text;
        return ask(request);
      case 'm':
        request.method = text;
        request.path = location;
        return ask(request);
      case 'o':
        // No header that libsoup has read holds these.
        if (text.find_first_of(std::string_view("\r\n\0", 3)) != std::string::npos)
          return;
        request.origin = request.own_origin = text;
        return ask(request);
      case 't':
        request.method = "PATCH";
        request.path = location;
        request.content_type = "application/trickle-ice-sdpfrag";
        request.if_match = etag;
        request.body = text;
        return ask(request);
      case 'i':
        request.method = "PATCH";
        request.path = location;
        request.content_type = "application/trickle-ice-sdpfrag";
        request.if_match = text;
        return ask(request);
      case 'c':
      case 'e':
        request.path = location + (word[0] == 'c' ? "/call" : "/events");
        request.content_type = "application/json";
        request.body = text;
        return ask(request);
      case 'g':
        request.method = "GET";
        request.path = location + "/events" + text;
        return ask(request);
      case 'A':
        return sessions.told(web_line::Answer{session, 7, text});
      case 'R':
        return sessions.told(web_line::Refuse{session, 0, static_cast<int>(text.size()), text});
      case 'E':
        sessions.told(web_line::Event{session, "member-named", text});
        return sessions.told(web_line::Event{session, "stream-added", text});
      case 'N':
        return sessions.told(web_line::Event{session, text, "{}"});
      case 'T':
        return sessions.told(web_line::Trickled{session, around.number, 400, text});
      case 'C':
        return sessions.told(web_line::Called{session, around.number, 200, text});
      case 'D':
        return sessions.told(web_line::Ended{session, 501, text});
      case 'S':
        if (!sinks.empty() && !sinks.back()->ended) {
          sessions.stream_closed(*sinks.back(), now);
          sinks.back()->ended = true;
        }
        return;
      case 'w':
        now += static_cast<std::int64_t>(text.size()) * 1000;
        return sessions.tick(now);
      default:
        return;
    }
  }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput (const std::uint8_t *data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char *>(data), size);
  Run run;
  constexpr char between = '\x1e';
  for (std::size_t at = 0; at < bytes.size();) {
    const auto end = std::min(bytes.find(between, at), bytes.size());
    run.step(bytes.substr(at, end - at));
    at = end + 1;
  }
  run.sessions.stop();
  require(run.asked == run.answered, "each request is answered once");
  for (const auto &sink : run.sinks)
    require(sink->ended, "a stream without an end");
  const auto counts = run.sessions.counts();
  require(counts.speak + counts.hear + counts.streams == 0, "something is left");
  require(!run.sessions.next_deadline(), "a deadline is left");
  return 0;
}

// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/web/worker.hpp"

#include <dirent.h>

#include <set>
#include <utility>
#include <variant>

#include "agora-config.h"
#include "gst/web/calls.hpp"
#include "gst/web/candidate.hpp"
#include "gst/web/events.hpp"
#include "gst/web/offer.hpp"

namespace agora::web {

namespace {

using protocol::Code;

// Calls of one session that wait for their answers.
constexpr std::size_t most_calls = 16;
// For the ends of all sessions, when the worker ends: more than a state change may take, and less
// than the second that the gateway gives.
constexpr unsigned stop_ms = 750;

std::uint64_t count_entries (const char *path) {
  std::uint64_t count = 0;
  if (DIR *folder = opendir(path)) {
    while (const dirent *entry = readdir(folder))
      count += entry->d_name[0] != '.';
    closedir(folder);
  }
  return count;
}

}  // namespace

Worker::Worker(int line, std::function<void()> over)
    : line_(
          line,
          [this] (const web_line::ToWorker &message) {
            std::visit([this] (const auto &each) { told(each); }, message);
          },
          std::move(over)) {
}

Worker::~Worker() = default;

void Worker::ready() {
  line_.send(web_line::Ready{AGORA_VERSION});
}

void Worker::unable(const std::string &reason) {
  line_.send(web_line::Unable{reason});
}

bool Worker::stop() {
  while (!sessions_.empty()) {
    const auto session = sessions_.begin()->second.session;
    take_out(*session);
  }
  audiences_.reset();
  feeds_.clear();
  return await_pipelines(stop_ms);
}

Worker::Entry *Worker::find(std::uint64_t session) {
  const auto found = sessions_.find(session);
  return found == sessions_.end() ? nullptr : &found->second;
}

void Worker::told(const web_line::Configure &message) {
  // Again, when the operator has other servers. Those who are there keep theirs.
  if (configuration_) {
    configuration_->ice_servers = message.ice_servers;
    return;
  }
  configuration_ = message;
  audiences_.emplace(message.gateway);
}

PeerConfig Worker::peer_config(const std::string &address) const {
  PeerConfig config;
  for (const web_line::IceServer &server : configuration_->ice_servers)
    config.ice_servers.push_back({server.url, server.username, server.credential});
  config.low_port = static_cast<std::uint16_t>(configuration_->rtp_low);
  config.high_port = static_cast<std::uint16_t>(configuration_->rtp_high);
  config.public_ip = configuration_->public_ip;
  const Reach reach = reach_of(address);
  config.loopback = reach == Reach::kLoopback;
  config.site = reach == Reach::kSite;
  return config;
}

void Worker::refuse(std::uint64_t session, unsigned status, const Trouble &trouble) {
  line_.send(
      web_line::Refuse{session, status, static_cast<std::int32_t>(trouble.code), trouble.reason});
}

std::shared_ptr<Member> Worker::member_for(const web_line::Offer &message, std::string &reason) {
  Surroundings &around = *this;
  if (message.member == 0)
    return std::make_shared<Member>(
        around, Member::Identity{message.app, message.channel, message.token, message.uid,
                                 message.account, message.name, message.address});
  const Entry *entry = find(message.member);
  if (!entry) {
    reason = "the session whose member this is to be has ended";
    return nullptr;
  }
  const auto &member = entry->session->shared_member();
  if (member->app() != message.app || member->channel() != message.channel) {
    reason = "the member of that session is in another channel";
    return nullptr;
  }
  return member;
}

void Worker::told(const web_line::Offer &message) {
  constexpr unsigned not_found = 404;
  if (!configuration_ || find(message.session)) {
    refuse(message.session, 0, {Code::internal, "the session's number is taken"});
    return;
  }
  if (sessions_.size() >= configuration_->limits.sessions) {
    refuse(message.session, 0,
           {Code::overloaded, "there are " + std::to_string(sessions_.size()) +
                                  " sessions already, as many as may be"});
    return;
  }
  const bool speaks = message.kind == web_line::Kind::speak;
  auto read = read_offer(message.sdp, speaks ? Kind::kSpeak : Kind::kHear);
  if (const auto *refusal = std::get_if<Refusal>(&read)) {
    refuse(message.session, static_cast<unsigned>(refusal->status),
           {Code::bad_request, refusal->reason});
    return;
  }
  std::string reason;
  const auto member = member_for(message, reason);
  if (!member) {
    refuse(message.session, not_found, {Code::bad_request, reason});
    return;
  }
  Surroundings &around = *this;
  std::shared_ptr<Session> session;
  Session::Wanted wanted{std::get<Offer>(std::move(read)), message.address};
  if (speaks)
    session = std::make_shared<Speaking>(around, message.session, member, std::move(wanted));
  else
    session = std::make_shared<Hearing>(around, message.session, member, std::move(wanted));
  if (!speaks && message.latency_ms != 0)
    member->set_latency(message.latency_ms);
  sessions_[message.session].session = session;
  member->add(session);
}

void Worker::told(const web_line::Trickle &message) {
  constexpr unsigned taken = 204, not_found = 404;
  web_line::Trickled answer{message.session, message.number, taken, ""};
  if (Entry *entry = find(message.session)) {
    if (const auto refusal = entry->session->trickle(message.fragment)) {
      answer.status = static_cast<unsigned>(refusal->status);
      answer.reason = refusal->reason;
    }
  } else {
    answer.status = not_found;
    answer.reason = "the session has ended";
  }
  line_.send(answer);
}

void Worker::told(const web_line::Call &message) {
  const auto answer = [this, session = message.session, number = message.number] (
                          unsigned status, const std::string &text) {
    if (!line_.send(web_line::Called{session, number, status, text}))
      line_.send(web_line::Called{
          session, number, status_of(Code::internal),
          events::trouble(static_cast<int>(Code::internal), "the answer is too long")});
  };
  const auto fail = [&] (Code code, const std::string &reason) {
    answer(status_of(code), events::trouble(static_cast<int>(code), reason));
  };
  Entry *entry = find(message.session);
  if (!entry) {
    fail(Code::not_joined, "the session has ended");
    return;
  }
  if (entry->calls >= most_calls) {
    fail(Code::too_many, "16 calls of this session are under way");
    return;
  }
  const auto read = calls::parse(message.text);
  if (const auto *reason = std::get_if<std::string>(&read)) {
    fail(Code::bad_request, *reason);
    return;
  }
  entry->calls++;
  const auto session = entry->session;
  session->member().call(
      *session, std::get<calls::Call>(read),
      [this, answer, number = message.session] (unsigned status, const std::string &text) {
        if (Entry *asked = find(number))
          asked->calls--;
        answer(status, text);
      });
}

void Worker::told(const web_line::End &message) {
  if (const Entry *entry = find(message.session)) {
    const auto session = entry->session;
    take_out(*session);
  }
}

void Worker::told(const web_line::Listen &message) {
  if (const Entry *entry = find(message.session))
    entry->session->listen(message.on);
}

void Worker::told(const web_line::Feed &message) {
  if (message.url.empty())
    feeds_.erase(message.feed);
  else if (auto &feed = feeds_[message.feed]; !feed && configuration_)
    feed = std::make_unique<Feed>(configuration_->gateway, message);
}

void Worker::told(const web_line::Ping &message) {
  std::set<const Member *> members;
  for (const auto &[number, entry] : sessions_)
    members.insert(&entry.session->member());
  line_.send(web_line::Pong{message.n, members.size(), sessions_.size(),
                            count_entries("/proc/self/task"), count_entries("/proc/self/fd")});
}

// The session is kept by who calls.
void Worker::take_out(Session &session) {
  if (sessions_.erase(session.number()) == 0)
    return;
  Member &member = session.member();
  session.close(member.closed(session));
  member.remove(session);
}

void Worker::over(Session &session, const Trouble &trouble, unsigned status) {
  const auto kept = session.shared_from_this();
  if (!find(session.number()))
    return;
  if (session.is_answered())
    line_.send(
        web_line::Ended{session.number(), static_cast<std::int32_t>(trouble.code), trouble.reason});
  else
    refuse(session.number(), status, trouble);
  take_out(session);
}

}  // namespace agora::web

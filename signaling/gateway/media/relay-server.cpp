// SPDX-License-Identifier: LGPL-2.1-or-later
#define G_LOG_DOMAIN "agora-gateway"
#include "signaling/gateway/media/relay-server.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "signaling/gateway/http/http.hpp"
#include "signaling/gateway/media/relay-sockets.hpp"
#include "signaling/gateway/process/child-program.hpp"
#include "signaling/support/tls.hpp"

namespace agora::gateway {

namespace {

using relay_line::Side;

// A packet of the line holds them.
constexpr std::size_t most_authorities = 32 * 1024;

// How often it tells what passed through a stream. A scrape of /metrics is every few seconds.
constexpr std::uint32_t report_ms = 2000;

// What all workers together may have, as one's part.
std::uint32_t part_of (std::uint32_t all, std::size_t workers) {
  const auto count = static_cast<std::uint32_t>(workers);
  return (all + count - 1) / count;
}

relay_line::Counters add (relay_line::Counters all, const relay_line::Counters &one) {
  using relay_line::Counters;
  for (const auto member :
       {&Counters::connections, &Counters::pushes, &Counters::listeners, &Counters::pulls,
        &Counters::bytes_in, &Counters::bytes_out, &Counters::dropped_frames, &Counters::fds,
        &Counters::pulls_ended, &Counters::pulls_failed})
    all.*member += one.*member;
  for (std::size_t i = 0; i < relay_line::refusals; i++)
    all.refused[i] += one.refused[i];
  all.lag_ms = std::max(all.lag_ms, one.lag_ms);
  return all;
}

}  // namespace

std::variant<std::unique_ptr<MediaServer>, std::string> RelayServer::make(const Options &options) {
  auto program = find_program({"agora-relay", "relay", "../relay/agora-relay",
                               "it is installed with agora-gateway", options.relay});
  if (auto *problem = std::get_if<ProgramMissing>(&program))
    return problem->reason;
  auto authorities = read_authorities(options);
  if (auto *problem = std::get_if<std::string>(&authorities))
    return *problem;
  const std::size_t workers = options.relay_workers;
  std::vector<ObjectPtr<GSocket>> sockets;
  std::vector<ObjectPtr<GSocket>> tls_sockets;
  if (auto problem = listen_for_relay("rtmp-listen", options.rtmp_listen, workers, sockets);
      !problem.empty())
    return problem;
  if (options.rtmps_listen)
    if (auto problem =
            listen_for_relay("rtmps-listen", *options.rtmps_listen, workers, tls_sockets);
        !problem.empty())
      return problem;
  auto server = std::unique_ptr<RelayServer>(new RelayServer(workers));
  const std::uint16_t port = port_of(sockets.front().get());
  if (!tls_sockets.empty())
    server->rtmps_port_ = port_of(tls_sockets.front().get());
  if (options.public_rtmp.empty())
    server->address_ = {options.public_host, port};
  else if (options.public_rtmp == "rtmps")
    server->address_ = {options.public_host, server->rtmps_port_, "live", "rtmps"};
  else
    server->address_ = parse_media_url(options.public_rtmp);
  server->near_ = {own_host(options.rtmp_listen, ""), port, server->address_.app};
  auto &configuration = server->configuration_;
  configuration.app = server->address_.app;
  configuration.limits = options.media;
  configuration.report_ms = report_ms;
  for (auto member :
       {&relay_line::Limits::sessions, &relay_line::Limits::sessions_per_address,
        &relay_line::Limits::strangers_per_address, &relay_line::Limits::opening_pulls})
    configuration.limits.*member = part_of(configuration.limits.*member, workers);
  for (std::size_t i = 0; i < workers; i++)
    server->workers_.push_back(std::make_unique<RelayWorker>(
        RelayWorker::Setup{std::get<std::string>(program), configuration, std::move(sockets[i]),
                           tls_sockets.empty() ? nullptr : std::move(tls_sockets[i]),
                           std::get<Authorities>(authorities).pem,
                           std::int64_t{options.outage_seconds} * G_USEC_PER_SEC}));
  return server;
}

std::variant<RelayServer::Authorities, std::string> RelayServer::read_authorities(
    const Options &options) {
  if (options.relay_ca_file.empty())
    return Authorities{};
  const std::string where = "--relay-ca-file=" + options.relay_ca_file + ": ";
  g_autofree char *text = nullptr;
  gsize size = 0;
  g_autoptr(GError) error = nullptr;
  if (!g_file_get_contents(options.relay_ca_file.c_str(), &text, &size, &error))
    return where + error->message;
  if (size > most_authorities)
    return where + "expected " + std::to_string(most_authorities) + " bytes at most";
  Authorities read{std::string(text, size)};
  const auto made = TlsTrust::make(read.pem);
  if (const auto *problem = std::get_if<std::string>(&made))
    return where + *problem;
  return read;
}

void RelayServer::set_authorities(const std::string &authorities) {
  for (const auto &worker : workers_)
    worker->set_authorities(authorities);
}

void RelayServer::set_certificate(const std::string &certificate, const std::string &key) {
  if (rtmps_port_ == 0)
    return;
  configuration_.certificate = certificate;
  configuration_.key = key;
  for (const auto &worker : workers_)
    worker->configure(configuration_);
}

void RelayServer::start(Callbacks callbacks) {
  callbacks_ = std::move(callbacks);
  for (std::size_t i = 0; i < workers_.size(); i++) {
    RelayWorker::Callbacks each;
    each.ask = [this, i] (const relay_line::Ask &message, const Reply &reply) {
      ask(i, message, reply);
    };
    each.done = [this, i] (const relay_line::Done &message) { done(i, message); };
    each.pulled = [this] (const relay_line::Pulled &message) { callbacks_.pulled(message.stream); };
    each.pull_failed = [this, i] (const relay_line::PullFailed &message) {
      pull_failed(i, message);
    };
    each.traffic = [this] (const relay_line::Traffic &message) { callbacks_.traffic(message); };
    each.ready = [this] { on_ready(); };
    each.failed = [this] (const std::string &reason) { on_failed(reason); };
    each.lost = [this, i] { lost(i); };
    each.sessions = [this, i] (const std::vector<std::uint64_t> &ids, std::int64_t asked) {
      sessions(i, ids, asked);
    };
    each.away = [this] { on_away(); };
    each.back = [this] { on_back(); };
    each.stopped = [this] { on_stopped(); };
    workers_[i]->start(std::move(each));
  }
}

void RelayServer::on_ready() {
  if (++ready_ == workers_.size() && !failed_)
    callbacks_.ready();
}

void RelayServer::on_failed(const std::string &reason) {
  if (!std::exchange(failed_, true))
    callbacks_.failed(reason);
}

// As long as one of them serves, members need not go elsewhere.
void RelayServer::on_away() {
  const bool all = std::all_of(workers_.begin(), workers_.end(),
                               [] (const auto &worker) { return worker->is_away(); });
  if (all && !std::exchange(told_away_, true))
    callbacks_.away();
}

void RelayServer::on_back() {
  if (std::exchange(told_away_, false))
    callbacks_.back();
}

void RelayServer::on_stopped() {
  if (++stopped_ == workers_.size())
    callbacks_.stopped();
}

void RelayServer::ask(std::size_t worker, const relay_line::Ask &ask, const Reply &reply) {
  HookRequest request;
  request.call = ask.side == Side::push ? HookCall::publish : HookCall::play;
  request.app = ask.app;
  request.stream = ask.stream;
  request.args = ask.args;
  request.address = ask.address;
  request.client_id = id_of(worker, ask.id);
  HookRequest end;
  end.call = ask.side == Side::push ? HookCall::publish_done : HookCall::play_done;
  end.stream = ask.stream;
  end.client_id = request.client_id;
  sessions_.insert_or_assign(request.client_id, MediaSession{std::move(end), worker, false, {}});
  callbacks_.admit(request, [this, life = std::weak_ptr<Alive>(alive_), id = request.client_id,
                             reply] (const Answer &given) {
    if (!life.expired())
      answer(id, reply, given);
  });
}

// Links are made after the answer, so that the worker knows the stream by then.
void RelayServer::answer(std::uint64_t id, const Reply &reply, Answer answer) {
  const auto found = sessions_.find(id);
  // It has ended meanwhile; its worker gets its answer nevertheless.
  if (found == sessions_.end() || found->second.allowed) {
    reply(answer);
    return;
  }
  if (!answer.refusal.empty()) {
    sessions_.erase(found);
    reply(answer);
    return;
  }
  MediaSession &session = found->second;
  session.allowed = true;
  if (!session.moved_to.empty())
    answer.stream = session.moved_to;
  if (!answer.stream.empty())
    session.end.stream = answer.stream;
  RelayRoutes::Links links;
  if (session.end.call == HookCall::publish_done) {
    links = routes_.push(session.worker, session.end.stream);
  } else {
    RelayRoutes::Play play =
        routes_.play(session.worker, session.end.stream, !answer.relay_from.empty());
    links = std::move(play.links);
    if (!play.pull)
      answer.relay_from.clear();
  }
  reply(answer);
  make(links);
}

void RelayServer::ended(const MediaSession &session) {
  if (!session.allowed)
    return;
  if (session.end.call == HookCall::publish_done)
    routes_.push_ended(session.worker, session.end.stream);
  else
    routes_.play_ended(session.worker, session.end.stream);
}

void RelayServer::done(std::size_t worker, const relay_line::Done &done) {
  const auto found = sessions_.find(id_of(worker, done.id));
  if (found == sessions_.end())
    return;
  const MediaSession session = std::move(found->second);
  sessions_.erase(found);
  ended(session);
  callbacks_.ended(session.end);
}

void RelayServer::make(const RelayRoutes::Links &links) {
  for (const RelayRoutes::Link &link : links) {
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) != 0) {
      // Listeners ask anew, and find another link, or none again.
      g_warning("No connection between workers of agora-relay: %s", g_strerror(errno));
      cut(link.stream);
      continue;
    }
    workers_[link.from]->take_guest(Descriptor(ends[0]));
    workers_[link.to]->link(link.stream, Descriptor(ends[1]));
  }
}

void RelayServer::cut(const std::string &stream) {
  for (const auto &worker : workers_)
    worker->drop(Side::play, stream, 0, [] {});
  callbacks_.cut(stream);
}

void RelayServer::pull_failed(std::size_t worker, const relay_line::PullFailed &failed) {
  const RelayRoutes::Failure failure = routes_.pull_failed(worker, failed.stream);
  if (failure.cut)
    cut(failed.stream);
  make(failure.links);
}

void RelayServer::lost(std::size_t worker) {
  std::vector<MediaSession> gone;
  for (auto each = sessions_.begin(); each != sessions_.end();) {
    if (each->second.worker != worker) {
      ++each;
      continue;
    }
    gone.push_back(std::move(each->second));
    each = sessions_.erase(each);
  }
  const std::vector<std::string> streams = routes_.lost(worker);
  if (workers_.size() == 1) {
    callbacks_.lost();
    return;
  }
  for (const std::string &stream : streams)
    cut(stream);
  for (const MediaSession &session : gone)
    callbacks_.ended(session.end);
}

void RelayServer::sessions(std::size_t worker, const std::vector<std::uint64_t> &ids,
                           std::int64_t asked) {
  std::vector<std::uint64_t> all;
  all.reserve(ids.size());
  for (const std::uint64_t id : ids)
    all.push_back(id_of(worker, id));
  for (const auto &[id, session] : sessions_)
    if (session.worker != worker && session.allowed)
      all.push_back(id);
  callbacks_.sessions(all, asked);
}

void RelayServer::stop() {
  for (const auto &worker : workers_)
    worker->stop();
}

void RelayServer::drop(const DropMedia &what, std::function<void()> done) {
  const auto side = what.direction == Direction::push ? Side::push : Side::play;
  const std::size_t count = workers_.size();
  if (what.client_id != 0) {
    workers_[what.client_id % count]->drop(side, what.stream, what.client_id / count,
                                           std::move(done));
    return;
  }
  auto left = std::make_shared<std::size_t>(count);
  for (const auto &worker : workers_)
    worker->drop(side, what.stream, 0, [left, done] {
      if (--*left == 0)
        done();
    });
}

void RelayServer::move(const MovePlay &what) {
  const auto found = sessions_.find(what.client_id);
  if (found == sessions_.end())
    return;
  MediaSession &session = found->second;
  // Its answer is on its way: it begins there.
  if (!session.allowed) {
    session.moved_to = what.stream;
    return;
  }
  routes_.play_ended(session.worker, session.end.stream);
  session.end.stream = what.stream;
  RelayRoutes::Play play = routes_.play(session.worker, what.stream, false);
  workers_[session.worker]->move(what.client_id / workers_.size(), what.stream);
  make(play.links);
}

bool RelayServer::alive() const {
  return std::any_of(workers_.begin(), workers_.end(),
                     [] (const auto &worker) { return worker->serves() && !worker->is_away(); });
}

// Only where none serves, as with one.
unsigned RelayServer::pause_ms() const {
  unsigned pause = 0;
  for (const auto &worker : workers_) {
    if (worker->serves())
      return 0;
    pause = std::max(pause, worker->pause_ms());
  }
  return pause;
}

unsigned RelayServer::restarts() const {
  unsigned all = 0;
  for (const auto &worker : workers_)
    all += worker->restarts();
  return all;
}

std::optional<relay_line::Counters> RelayServer::counters() const {
  relay_line::Counters all;
  for (const auto &worker : workers_)
    all = add(all, worker->counters());
  return all;
}

}  // namespace agora::gateway

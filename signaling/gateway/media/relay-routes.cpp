// SPDX-License-Identifier: LGPL-2.1-or-later
#include "signaling/gateway/media/relay-routes.hpp"

#include <algorithm>

namespace agora::gateway {

RelayRoutes::Stream &RelayRoutes::stream_of(const std::string &name) {
  Stream &stream = streams_[name];
  stream.listeners.resize(workers_);
  stream.linked.resize(workers_);
  return stream;
}

// The link that a worker lacks, if it lacks one.
RelayRoutes::Links RelayRoutes::connect(const std::string &name, Stream &stream,
                                        std::size_t worker) const {
  if (!stream.at || stream.at == worker || stream.listeners[worker] == 0 ||
      stream.linked[worker] == stream.at)
    return {};
  stream.linked[worker] = stream.at;
  return {{*stream.at, worker, name}};
}

// What is pulled is there as long as somebody listens.
void RelayRoutes::tidy(const std::string &name) {
  const auto found = streams_.find(name);
  if (found == streams_.end())
    return;
  Stream &stream = found->second;
  const bool heard =
      std::any_of(stream.listeners.begin(), stream.listeners.end(), [] (auto n) { return n > 0; });
  if (!heard && !stream.pushed)
    streams_.erase(found);
}

RelayRoutes::Play RelayRoutes::play(std::size_t worker, const std::string &name, bool elsewhere) {
  Stream &stream = stream_of(name);
  stream.listeners[worker]++;
  if (elsewhere && !stream.at)
    stream.at = worker;
  return {elsewhere && !stream.pushed && stream.at == worker, connect(name, stream, worker)};
}

void RelayRoutes::play_ended(std::size_t worker, const std::string &name) {
  const auto found = streams_.find(name);
  if (found == streams_.end() || found->second.listeners[worker] == 0)
    return;
  // Without listeners, a worker ends its link by itself; the next one gets another.
  if (--found->second.listeners[worker] == 0)
    found->second.linked[worker].reset();
  tidy(name);
}

RelayRoutes::Links RelayRoutes::push(std::size_t worker, const std::string &name) {
  Stream &stream = stream_of(name);
  stream.at = worker;
  stream.pushed = true;
  stream.linked[worker].reset();
  Links links;
  for (std::size_t i = 0; i < workers_; i++)
    for (Link &link : connect(name, stream, i))
      links.push_back(std::move(link));
  return links;
}

// Links stay: they tell of the end, and the next push is often at the same worker.
void RelayRoutes::push_ended(std::size_t worker, const std::string &name) {
  const auto found = streams_.find(name);
  if (found == streams_.end() || !found->second.pushed || found->second.at != worker)
    return;
  found->second.at.reset();
  found->second.pushed = false;
  tidy(name);
}

RelayRoutes::Failure RelayRoutes::pull_failed(std::size_t worker, const std::string &name) {
  const auto found = streams_.find(name);
  if (found == streams_.end())
    return {};
  Stream &stream = found->second;
  stream.linked[worker].reset();
  if (stream.at != worker)
    return {false, connect(name, stream, worker)};
  if (stream.pushed)
    return {};
  stream.at.reset();
  return {true, {}};
}

std::vector<std::string> RelayRoutes::lost(std::size_t worker) {
  std::vector<std::string> cut;
  std::vector<std::string> names;
  for (auto &[name, stream] : streams_) {
    names.push_back(name);
    stream.listeners[worker] = 0;
    stream.linked[worker].reset();
    for (auto &from : stream.linked)
      if (from == worker)
        from.reset();
    if (stream.at != worker)
      continue;
    if (!stream.pushed)
      cut.push_back(name);
    stream.at.reset();
    stream.pushed = false;
  }
  for (const std::string &name : names)
    tidy(name);
  std::erase_if(cut, [this] (const std::string &name) { return !streams_.contains(name); });
  return cut;
}

}  // namespace agora::gateway

// SPDX-License-Identifier: LGPL-2.1-or-later
#include "signaling/gateway/service-manager.hpp"

#include <glib.h>
#ifdef AGORA_HAVE_SYSTEMD
#include <systemd/sd-daemon.h>
#endif

#include <algorithm>

namespace agora::gateway {

namespace {

// Beside the time for members to move: farewells, children, the store.
constexpr std::uint64_t end_us = 10 * G_USEC_PER_SEC;
constexpr std::int64_t least_pause_us = 10'000;

// The address stays in the environment, where libsystemd looks for it: ChildProcess keeps it from
// children.
void tell (const std::string &text) {
#ifdef AGORA_HAVE_SYSTEMD
  sd_notify(0, text.c_str());
#else
  (void)text;
#endif
}

}  // namespace

ServiceManager::ServiceManager() : watchdog_([this] { feed(); }) {
#ifdef AGORA_HAVE_SYSTEMD
  sd_watchdog_enabled(0, &watched_us_);
#endif
}

void ServiceManager::ready(const std::string &status) {
  status_ = status;
  tell("READY=1\nSTATUS=" + status_);
  if (watched_us_ > 0)
    feed();
}

// Whoever sends the signal by hand may do so at any time: READY=1 is said where it is true.
void ServiceManager::reloading() {
  if (!status_.empty())
    tell("RELOADING=1\nMONOTONIC_USEC=" + std::to_string(g_get_monotonic_time()));
}

void ServiceManager::reloaded(const std::string &problem) {
  if (status_.empty())
    return;
  std::string told = problem;
  std::replace(told.begin(), told.end(), '\n', ' ');
  tell("READY=1\nSTATUS=" +
       (told.empty() ? status_ : status_ + "; the last reload changed nothing: " + told));
}

void ServiceManager::stopping(unsigned seconds) {
  status_.clear();
  // The unit needn't know how long members may take.
  tell("STOPPING=1\nSTATUS=Ending\nEXTEND_TIMEOUT_USEC=" +
       std::to_string(std::uint64_t{seconds} * G_USEC_PER_SEC + end_us));
}

// Twice as often as it is wanted. Nothing is left out while it ends: that may take its time, too.
void ServiceManager::feed() {
  tell("WATCHDOG=1");
  watchdog_.at(g_get_monotonic_time() +
               std::max(static_cast<std::int64_t>(watched_us_ / 2), least_pause_us));
}

}  // namespace agora::gateway

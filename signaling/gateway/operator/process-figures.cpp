// SPDX-License-Identifier: LGPL-2.1-or-later
#include "signaling/gateway/operator/process-figures.hpp"

#include <glib.h>
#include <sys/resource.h>
#include <unistd.h>

#include <sstream>

namespace agora::gateway {

namespace {

double seconds (const timeval &time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
}

// 0 where there is no /proc.
std::uint64_t resident_bytes () {
  g_autofree char *text = nullptr;
  if (!g_file_get_contents("/proc/self/statm", &text, nullptr, nullptr))
    return 0;
  std::uint64_t size = 0, pages = 0;
  std::istringstream(text) >> size >> pages;
  return pages * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
}

std::uint64_t descriptors () {
  g_autoptr(GDir) dir = g_dir_open("/proc/self/fd", 0, nullptr);
  std::uint64_t count = 0;
  while (dir != nullptr && g_dir_read_name(dir) != nullptr)
    count++;
  // Not the one that reads them.
  return count > 0 ? count - 1 : 0;
}

}  // namespace

Process::Process() {
  last_.started_at = g_get_real_time() / G_USEC_PER_SEC;
}

const ProcessFigures &Process::figures(std::int64_t mono_ms) {
  if (mono_ms - looked_ms_ < 1'000)
    return last_;
  looked_ms_ = mono_ms;
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  last_.cpu_seconds = seconds(usage.ru_utime) + seconds(usage.ru_stime);
  last_.resident_bytes = resident_bytes();
  last_.descriptors = descriptors();
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  last_.most_descriptors = limit.rlim_cur;
  return last_;
}

}  // namespace agora::gateway

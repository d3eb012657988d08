// SPDX-License-Identifier: LGPL-2.1-or-later
// Signals to other processes, of which SIGSTOP has worked when this comes back.
#pragma once

#include <glib.h>
#include <signal.h>
#include <sys/types.h>

#include <cstring>
#include <string>
#include <thread>

namespace agora::test {

// Whether each of its threads stands still, or it is gone.
inline bool stands_still (pid_t pid) {
  const std::string tasks = "/proc/" + std::to_string(pid) + "/task";
  g_autoptr(GDir) folder = g_dir_open(tasks.c_str(), 0, nullptr);
  while (const char *task = folder ? g_dir_read_name(folder) : nullptr) {
    g_autofree char *stat = nullptr;
    if (!g_file_get_contents((tasks + "/" + task + "/stat").c_str(), &stat, nullptr, nullptr))
      continue;
    // Behind the program's name, which may have any characters.
    const char *state = strrchr(stat, ')');
    if (state && strncmp(state, ") T", 3) != 0)
      return false;
  }
  return true;
}

// Another core lets a process go on for a moment after it was told to stop.
inline void send_signal (pid_t pid, int number) {
  kill(pid, number);
  const gint64 deadline = g_get_monotonic_time() + 10 * G_USEC_PER_SEC;
  while (number == SIGSTOP && !stands_still(pid)) {
    g_assert_cmpint(g_get_monotonic_time(), <, deadline);
    std::this_thread::yield();
  }
}

}  // namespace agora::test

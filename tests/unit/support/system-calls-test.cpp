// SPDX-License-Identifier: LGPL-2.1-or-later
// Each filter in a process of its own: it can't be taken back.
#include "signaling/support/system-calls.hpp"

#include <glib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <thread>

namespace {

// Its result in a child.
int in_child (int (*what)()) {
  const pid_t child = fork();
  if (child == 0)
    _exit(what());
  int status = 0;
  g_assert_cmpint(waitpid(child, &status, 0), ==, child);
  g_assert_true(WIFEXITED(status));
  return WEXITSTATUS(status);
}

// 0 where a program was started, else why not.
int starts () {
  char *const words[] = {const_cast<char *>("true"), nullptr};
  char *const none[] = {nullptr};
  execve("/bin/true", words, none);
  return errno;
}

int refused () {
  return agora::refuse_calls({"execve", "no_such_call"}) ? starts() : 100;
}

int refused_in_older_threads () {
  std::atomic<bool> filtered = false;
  int why = 0;
  std::thread older([&] {
    while (!filtered)
      std::this_thread::yield();
    why = starts();
  });
  const bool done = agora::refuse_calls({"execve"});
  filtered = true;
  older.join();
  return done ? why : 100;
}

int others_work () {
  return agora::refuse_calls({"execve"}) && getppid() > 0 ? 0 : 100;
}

int nothing_else_is_allowed () {
  if (!agora::allow_calls({"exit_group", "exit", "write"}))
    return 100;
  char path[4096];
  return getcwd(path, sizeof path) == nullptr ? errno : 0;
}

void test_refused () {
  g_assert_cmpint(in_child(starts), ==, 0);
  g_assert_cmpint(in_child(refused), ==, EPERM);
  g_assert_cmpint(in_child(refused_in_older_threads), ==, EPERM);
  g_assert_cmpint(in_child(others_work), ==, 0);
}

void test_allowed () {
  g_assert_cmpint(in_child(nothing_else_is_allowed), ==, EPERM);
}

}  // namespace

int main (int argc, char **argv) {
  g_test_init(&argc, &argv, nullptr);
  g_test_add_func("/system-calls/refused", test_refused);
  g_test_add_func("/system-calls/allowed", test_allowed);
  return g_test_run();
}

// SPDX-License-Identifier: LGPL-2.1-or-later
#include "signaling/relay/sandbox.hpp"

#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>

#include "signaling/support/system-calls.hpp"

namespace agora::relay {

namespace {

// A sanitizer opens files, and looks at its own process, when it reports.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool sanitized = true;
#else
constexpr bool sanitized = false;
#endif

// Distributions name this user differently; the number is the kernel's own.
constexpr unsigned nobody = 65534;

// False in a user namespace that has no such user: it stays who it is, which is root there alone.
bool become_nobody () {
  return geteuid() != 0 || (setgroups(0, nullptr) == 0 && setresgid(nobody, nobody, nobody) == 0 &&
                            setresuid(nobody, nobody, nobody) == 0);
}

bool filter_calls () {
  return allow_calls({
      // sockets, and the loop
      "accept4",
      "recvfrom",
      "recvmsg",
      "sendto",
      "sendmsg",
      "shutdown",
      "setsockopt",
      "getsockopt",
      "getsockname",
      "getpeername",
      "epoll_ctl",
      "epoll_wait",
      "epoll_pwait",
      "read",
      "write",
      "close",
      "dup",
      "fcntl",
      // memory
      "brk",
      "mmap",
      "munmap",
      "mremap",
      "madvise",
      "mprotect",
      // time, chance, the end
      "clock_gettime",
      "gettimeofday",
      "getrandom",
      "futex",
      "rt_sigreturn",
      "rt_sigprocmask",
      "rt_sigaction",
      "restart_syscall",
      "getpid",
      "gettid",
      "tgkill",
      "exit",
      "exit_group",
  });
}

}  // namespace

bool enter_sandbox (int parent, std::string &kept) {
  const rlimit none{0, 0};
  setrlimit(RLIMIT_CORE, &none);
  if (!sanitized && !become_nobody())
    kept = "it could not become nobody, and stays root";
  // After the change of user, which forgets it.
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent)
    return false;
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  if (!filter_calls())
    kept += std::string(kept.empty() ? "" : "; ") + "its system calls could not be filtered";
  return true;
}

}  // namespace agora::relay

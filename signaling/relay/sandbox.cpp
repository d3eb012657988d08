// SPDX-License-Identifier: LGPL-2.1-or-later
#include "signaling/relay/sandbox.hpp"

#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "agora-config.h"
#ifdef AGORA_HAVE_SECCOMP
#include <seccomp.h>
#endif

namespace agora::relay {

namespace {

// Sanitizers and valgrind open files, and look at their own process, when they report.
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

#ifdef AGORA_HAVE_SECCOMP
bool filter_calls () {
  // What isn't listed fails with EPERM, as if a right were missing.
  scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
  if (filter == nullptr)
    return false;
  for (const int call : {
           // sockets, and the loop
           SCMP_SYS(accept4),
           SCMP_SYS(recvfrom),
           SCMP_SYS(recvmsg),
           SCMP_SYS(sendto),
           SCMP_SYS(sendmsg),
           SCMP_SYS(shutdown),
           SCMP_SYS(setsockopt),
           SCMP_SYS(getsockopt),
           SCMP_SYS(getsockname),
           SCMP_SYS(getpeername),
           SCMP_SYS(epoll_ctl),
           SCMP_SYS(epoll_wait),
           SCMP_SYS(epoll_pwait),
           SCMP_SYS(read),
           SCMP_SYS(write),
           SCMP_SYS(close),
           SCMP_SYS(dup),
           SCMP_SYS(fcntl),
           // memory
           SCMP_SYS(brk),
           SCMP_SYS(mmap),
           SCMP_SYS(munmap),
           SCMP_SYS(mremap),
           SCMP_SYS(madvise),
           SCMP_SYS(mprotect),
           // time, chance, the end
           SCMP_SYS(clock_gettime),
           SCMP_SYS(gettimeofday),
           SCMP_SYS(getrandom),
           SCMP_SYS(futex),
           SCMP_SYS(rt_sigreturn),
           SCMP_SYS(rt_sigprocmask),
           SCMP_SYS(rt_sigaction),
           SCMP_SYS(restart_syscall),
           SCMP_SYS(getpid),
           SCMP_SYS(gettid),
           SCMP_SYS(tgkill),
           SCMP_SYS(exit),
           SCMP_SYS(exit_group),
       })
    seccomp_rule_add(filter, SCMP_ACT_ALLOW, call, 0);
  const bool loaded = seccomp_load(filter) == 0;
  seccomp_release(filter);
  return loaded;
}
#endif

}  // namespace

void raise_descriptor_limit () {
  rlimit files{};
  if (getrlimit(RLIMIT_NOFILE, &files) != 0)
    return;
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
}

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
#ifdef AGORA_HAVE_SECCOMP
  if (!sanitized && !filter_calls())
    kept += std::string(kept.empty() ? "" : "; ") + "its system calls could not be filtered";
#endif
  return true;
}

}  // namespace agora::relay

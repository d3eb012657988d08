// SPDX-License-Identifier: LGPL-2.1-or-later
#include "signaling/support/system-calls.hpp"

#include <sys/prctl.h>

#include <cerrno>
#include <memory>
#ifdef AGORA_HAVE_SECCOMP
#include <seccomp.h>
#endif

namespace agora {

#if defined(AGORA_HAVE_SECCOMP) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)

namespace {

struct Release {
  void operator()(void *filter) const { seccomp_release(filter); }
};

// `others`: what becomes of calls that aren't named.
bool filter (std::uint32_t others, std::uint32_t named, std::initializer_list<const char *> names) {
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  const std::unique_ptr<void, Release> rules(seccomp_init(others));
  // Threads that are there already have it, too.
  if (!rules || seccomp_attr_set(rules.get(), SCMP_FLTATR_CTL_TSYNC, 1) != 0)
    return false;
  for (const char *name : names)
    if (const int call = seccomp_syscall_resolve_name(name); call != __NR_SCMP_ERROR)
      seccomp_rule_add(rules.get(), named, call, 0);
  return seccomp_load(rules.get()) == 0;
}

}  // namespace

bool allow_calls (std::initializer_list<const char *> names) {
  return filter(SCMP_ACT_ERRNO(EPERM), SCMP_ACT_ALLOW, names);
}

bool refuse_calls (std::initializer_list<const char *> names) {
  return filter(SCMP_ACT_ALLOW, SCMP_ACT_ERRNO(EPERM), names);
}

#else

bool allow_calls (std::initializer_list<const char *>) {
  return true;
}

bool refuse_calls (std::initializer_list<const char *>) {
  return true;
}

#endif

}  // namespace agora

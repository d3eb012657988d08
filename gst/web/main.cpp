// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// agora-web: members with a browser, by WebRTC. A child process of agora-gateway, of no use
// without: the gateway has the sockets that strangers reach by HTTP, and orders sessions over the
// line.
#include <glib-unix.h>
#include <gst/gst.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <memory>
#include <string>
#include <string_view>

#include "agora-config.h"
#include "gst/web/start-up.hpp"
#include "gst/web/worker.hpp"
#include "signaling/support/descriptor-limit.hpp"
#include "signaling/support/system-calls.hpp"

namespace {

constexpr int wrong_use = 2;
constexpr int incomplete = 3;  // something that it needs isn't installed

bool is_packet_socket (int fd) {
  int type = 0;
  socklen_t size = sizeof type;
  return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_SEQPACKET;
}

// A line each, with its level as the gateway's log knows it. What members do is no warning:
// strangers could fill the log.
GLogWriterOutput write_log (GLogLevelFlags level, const GLogField *fields, gsize count,
                            gpointer) noexcept {
  constexpr int grave = G_LOG_LEVEL_ERROR | G_LOG_LEVEL_CRITICAL | G_LOG_LEVEL_WARNING;
  constexpr int told = grave | G_LOG_LEVEL_MESSAGE;
  if ((level & told) == 0)
    return G_LOG_WRITER_HANDLED;
  std::string text = (level & grave) != 0 ? "<4>" : "<6>";
  for (gsize i = 0; i < count; i++)
    if (std::string_view(fields[i].key) == "MESSAGE" && fields[i].length < 0)
      text += static_cast<const char *>(fields[i].value);
  std::replace(text.begin(), text.end(), '\n', ' ');
  std::fprintf(stderr, "%s\n", text.c_str());
  return G_LOG_WRITER_HANDLED;
}

gboolean quit (gpointer loop) noexcept {
  g_main_loop_quit(static_cast<GMainLoop *>(loop));
  return G_SOURCE_CONTINUE;
}

// Says whether all that it needs is installed.
int check () {
  std::string reason;
  agora::web::register_elements();
  if (agora::web::warm_up_all(reason))
    return 0;
  std::fprintf(stderr, "agora-web can't serve: %s\n", reason.c_str());
  return incomplete;
}

// What whoever took it over would want, and media never does. All plugins are loaded by then:
// before, GStreamer may start a program that looks at them.
bool give_up_calls () {
  return agora::refuse_calls({
      // other programs, other processes
      "execve",
      "execveat",
      "ptrace",
      "process_vm_readv",
      "process_vm_writev",
      "kcmp",
      "pidfd_getfd",
      // the file system's roots
      "mount",
      "umount",
      "umount2",
      "move_mount",
      "open_tree",
      "fsopen",
      "fsconfig",
      "fsmount",
      "fspick",
      "mount_setattr",
      "pivot_root",
      "chroot",
      "open_by_handle_at",
      "name_to_handle_at",
      "quotactl",
      "acct",
      "swapon",
      "swapoff",
      // namespaces and what a process is taken for
      "unshare",
      "setns",
      "personality",
      "sethostname",
      "setdomainname",
      // the kernel itself: keys, programs, modules, measuring
      "keyctl",
      "add_key",
      "request_key",
      "bpf",
      "init_module",
      "finit_module",
      "create_module",
      "delete_module",
      "kexec_load",
      "kexec_file_load",
      "reboot",
      "syslog",
      "perf_event_open",
      "userfaultfd",
      "lookup_dcookie",
      "io_uring_setup",
      "io_uring_enter",
      "io_uring_register",
      "iopl",
      "ioperm",
      "modify_ldt",
      "vhangup",
      "uselib",
      // the clock
      "settimeofday",
      "clock_settime",
      "clock_adjtime",
      "adjtimex",
      "stime",
  });
}

int serve () {
  using agora::web::Worker;
  g_autoptr(GMainLoop) loop = g_main_loop_new(nullptr, FALSE);
  const guint signals[] = {g_unix_signal_add(SIGTERM, quit, loop),
                           g_unix_signal_add(SIGINT, quit, loop)};
  // Without its gateway nobody is there to say goodbye to.
  Worker worker(agora::web_line::worker_fd, [] { _exit(0); });
  agora::web::register_elements();
  std::string reason;
  if (!agora::web::warm_up_all(reason)) {
    std::fprintf(stderr, "agora-web can't serve: %s\n", reason.c_str());
    worker.unable(reason);
    return incomplete;
  }
  if (!give_up_calls())
    std::fputs("<4>its system calls could not be filtered\n", stderr);
  worker.ready();
  g_main_loop_run(loop);
  // What nothing can be taken from under ends with the process.
  if (!worker.stop())
    _exit(0);
  for (const guint signal : signals)
    g_source_remove(signal);
  return 0;
}

}  // namespace

int main (int count, char **words) {
  const pid_t parent = getppid();
  const std::string_view option = count == 2 ? words[1] : "";
  if (option == "--version") {
    std::puts("agora-web " AGORA_VERSION);
    return 0;
  }
  const bool checks = option == "--check";
  if (count != 1 && !checks) {
    std::fputs("usage: agora-web [--version | --check]\n", stderr);
    return wrong_use;
  }
  if (!checks && !is_packet_socket(agora::web_line::worker_fd)) {
    std::fputs(
        "agora-web is started by agora-gateway, which gives it its line as descriptor 3.\n"
        "  agora-web --check    says whether all that it needs is installed\n",
        stderr);
    return wrong_use;
  }
  // Whatever becomes of the gateway.
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (!checks && getppid() != parent)
    return 0;
  // A session has some 20 descriptors.
  agora::raise_descriptor_limit();
  if (!checks)
    g_log_set_writer_func(write_log, nullptr, nullptr);
  g_autoptr(GError) error = nullptr;
  if (!gst_init_check(nullptr, nullptr, &error)) {
    std::fprintf(stderr, "GStreamer doesn't start: %s\n", error->message);
    return incomplete;
  }
  const int status = checks ? check() : serve();
  gst_deinit();
  return status;
}

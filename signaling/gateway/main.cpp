// SPDX-License-Identifier: LGPL-2.1-or-later
#define G_LOG_DOMAIN "agora-gateway"
#include <fcntl.h>
#include <glib-unix.h>
#include <sys/resource.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstring>
#include <exception>

#include "signaling/gateway/gateway.hpp"
#include "signaling/gateway/log.hpp"
#include "signaling/gateway/operator/token-command.hpp"
#include "signaling/gateway/options/options.hpp"
#include "signaling/gateway/service-manager.hpp"
#include "signaling/gateway/top/top-command.hpp"

namespace {

using namespace agora::gateway;

int complain (const std::string &reason) {
  fprintf(stderr, "%s: %s\n", g_get_prgname(), reason.c_str());
  return 1;
}

int leave (const OptionsExit &exit) {
  if (exit.status == 0)
    fputs(exit.message.c_str(), stdout);
  else
    complain(exit.message);
  return exit.status;
}

bool has_terminal () {
  const int terminal = open("/dev/tty", O_RDONLY | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
  if (terminal >= 0)
    close(terminal);
  return terminal >= 0;
}

// Each member needs a file descriptor: raise the limit as far as the system allows.
void raise_file_limit () {
  rlimit files{};
  if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
  }
}

// The same, where the gateway runs already: standard error may not be read.
int fail (const std::string &reason) {
  log_bare_line("agora-gateway: " + reason);
  return 1;
}

struct Running {
  ServiceManager manager;
  std::unique_ptr<Gateway> gateway;
  unsigned drain_seconds = 0;
  bool had_terminal = has_terminal();
};

gboolean on_stop (gpointer data) noexcept {
  auto *running = static_cast<Running *>(data);
  running->manager.stopping(0);
  running->gateway->stop();
  return G_SOURCE_CONTINUE;
}

gboolean on_terminate (gpointer data) noexcept {
  auto *running = static_cast<Running *>(data);
  running->manager.stopping(running->drain_seconds);
  running->gateway->drain();
  return G_SOURCE_CONTINUE;
}

// From a terminal that has gone it means the end, as everywhere.
gboolean on_hangup (gpointer data) noexcept {
  auto *running = static_cast<Running *>(data);
  if (running->had_terminal && !has_terminal())
    return on_stop(data);
  running->manager.reloading();
  running->manager.reloaded(running->gateway->reload());
  return G_SOURCE_CONTINUE;
}

int serve (const Options &options) {
  g_autoptr(GMainLoop) loop = g_main_loop_new(nullptr, FALSE);
  int status = 0;
  Gateway::Callbacks callbacks;
  Running running;
  running.drain_seconds = options.drain_seconds;
  callbacks.ready = [&running] (const std::string &line) {
    printf("%s\n", line.c_str());
    fflush(stdout);
    running.manager.ready("Serving: " + line.substr(line.find(' ') + 1));
  };
  callbacks.failed = [&] (const std::string &reason) {
    status = fail(reason);
    running.gateway->stop();
  };
  bool stopped = false;
  callbacks.stopped = [&] {
    stopped = true;
    g_main_loop_quit(loop);
  };

  auto made = Gateway::make(options, std::move(callbacks));
  if (auto *problem = std::get_if<std::string>(&made))
    return fail(*problem);
  running.gateway = std::move(std::get<0>(made));
  guint sources[] = {g_unix_signal_add(SIGTERM, on_terminate, &running),
                     g_unix_signal_add(SIGINT, on_stop, &running),
                     g_unix_signal_add(SIGHUP, on_hangup, &running)};
  running.gateway->start();
  if (!stopped)
    g_main_loop_run(loop);
  for (auto source : sources)
    g_source_remove(source);
  return status;
}

int run (int argc, char **argv) {
  // Standard output is for the ready line alone.
  g_log_writer_default_set_use_stderr(TRUE);
  g_set_prgname("agora-gateway");
  if (argc > 1 && strcmp(argv[1], "token") == 0)
    return leave(token_command(argc - 1, argv + 1));
  if (argc > 1 && strcmp(argv[1], "top") == 0)
    return leave(top_command(argc - 1, argv + 1));
  raise_file_limit();
  auto parsed = parse_options(argc, argv);
  if (const auto *exit = std::get_if<OptionsExit>(&parsed))
    return leave(*exit);
  const auto &options = std::get<Options>(parsed);
  // A peer that is gone is no reason to end; nor is a reader of the log.
  signal(SIGPIPE, SIG_IGN);
  open_log(options.log_format);
  const int status = serve(options);
  close_log();
  return status;
}

}  // namespace

int main (int argc, char **argv) {
  try {
    return run(argc, argv);
  } catch (const std::exception &error) {
    return complain(error.what());
  }
}

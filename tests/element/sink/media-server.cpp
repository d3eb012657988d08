// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tests/element/sink/media-server.hpp"

#include <gio/gunixfdlist.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <deque>
#include <string>
#include <utility>

#include "tests/freeze.hpp"

namespace agora::test {

namespace {

constexpr const char *module_path = "/usr/lib/nginx/modules/ngx_rtmp_module.so";

GSocket *listening_socket (unsigned *port) {
  GSocket *socket =
      g_socket_new(G_SOCKET_FAMILY_IPV4, G_SOCKET_TYPE_STREAM, G_SOCKET_PROTOCOL_DEFAULT, nullptr);
  g_autoptr(GInetAddress) loopback = g_inet_address_new_loopback(G_SOCKET_FAMILY_IPV4);
  g_autoptr(GSocketAddress) address = g_inet_socket_address_new(loopback, 0);
  g_assert_true(g_socket_bind(socket, address, TRUE, nullptr));
  // The kernel's own would hide a server that stands still.
  g_assert_true(g_socket_set_option(socket, SOL_SOCKET, SO_RCVBUF, 16 * 1024, nullptr));
  g_assert_true(g_socket_listen(socket, nullptr));
  g_autoptr(GSocketAddress) bound = g_socket_get_local_address(socket, nullptr);
  *port = g_inet_socket_address_get_port(G_INET_SOCKET_ADDRESS(bound));
  return socket;
}

}  // namespace

MediaServer::MediaServer() {
  g_autofree char *program = g_find_program_in_path("nginx");
  if (!program)
    program = g_find_program_in_path("/usr/sbin/nginx");
  if (!program || !g_file_test(module_path, G_FILE_TEST_EXISTS))
    return;
  g_autoptr(GSocket) socket = listening_socket(&port_);

  g_autofree char *folder = g_dir_make_tmp("agora-sink-XXXXXX", nullptr);
  folder_ = folder;
  const std::string conf = folder_ + "/nginx.conf";
  const std::string text =
      std::string("load_module ") + module_path +
      ";\ndaemon off;\nworker_processes 1;\nerror_log " + folder_ + "/error.log;\npid " + folder_ +
      "/pid;\nevents {}\nrtmp { server { listen 127.0.0.1:" + std::to_string(port_) +
      "; application live { live on; } } }\n";
  g_assert_true(g_file_set_contents(conf.c_str(), text.c_str(), -1, nullptr));

  g_autoptr(GSubprocessLauncher) launcher = g_subprocess_launcher_new(static_cast<GSubprocessFlags>(
      G_SUBPROCESS_FLAGS_STDOUT_SILENCE | G_SUBPROCESS_FLAGS_STDERR_SILENCE));
  constexpr int handed_down = 3;
  g_subprocess_launcher_setenv(launcher, "NGINX", "3;", TRUE);
  g_subprocess_launcher_take_fd(launcher, dup(g_socket_get_fd(socket)), handed_down);
  // A test that crashes leaves no server behind.
  g_subprocess_launcher_set_child_setup(
      launcher, [] (gpointer) { prctl(PR_SET_PDEATHSIG, SIGTERM); }, nullptr, nullptr);
  process_ = g_subprocess_launcher_spawn(launcher, nullptr, program, "-c", conf.c_str(), "-p",
                                         folder_.c_str(), nullptr);
}

MediaServer::~MediaServer() {
  if (process_) {
    // A TERM in the middle of nginx's start is lost; stopped first, its master forks no more.
    g_subprocess_send_signal(process_, SIGSTOP);
    signal(SIGKILL);
    g_subprocess_wait(process_, nullptr, nullptr);
    g_object_unref(process_);
  }
  if (folder_.empty())
    return;
  for (const char *name : {"nginx.conf", "error.log", "pid"})
    g_unlink((folder_ + "/" + name).c_str());
  g_rmdir(folder_.c_str());
}

std::string MediaServer::url(const char *stream) const {
  return "rtmp://127.0.0.1:" + std::to_string(port_) + "/live/" + stream;
}

// The master, and the worker that does the work.
void MediaServer::signal(int number) {
  const std::string pid = g_subprocess_get_identifier(process_);
  g_autofree char *children = nullptr;
  g_file_get_contents(("/proc/" + pid + "/task/" + pid + "/children").c_str(), &children, nullptr,
                      nullptr);
  g_auto(GStrv) workers = g_strsplit(children ? children : "", " ", -1);
  for (char **worker = workers; *worker; worker++) {
    const pid_t child = static_cast<pid_t>(g_ascii_strtoll(*worker, nullptr, 10));
    if (child > 0)
      send_signal(child, number);
  }
  send_signal(static_cast<pid_t>(std::stol(pid)), number);
}

void MediaServer::freeze() {
  signal(SIGSTOP);
}

void MediaServer::thaw() {
  signal(SIGCONT);
}

MutePeer::MutePeer() {
  unsigned port = 0;
  socket_ = listening_socket(&port);
}

MutePeer::~MutePeer() {
  g_object_unref(socket_);
}

std::string MutePeer::url() const {
  g_autoptr(GSocketAddress) bound = g_socket_get_local_address(socket_, nullptr);
  return "rtmp://127.0.0.1:" +
         std::to_string(g_inet_socket_address_get_port(G_INET_SOCKET_ADDRESS(bound))) +
         "/live/mute";
}

FarPeer::FarPeer(unsigned port, unsigned delay_ms)
    : to_port_(port), delay_ms_(delay_ms), over_(g_cancellable_new()) {
  listening_ = listening_socket(&port_);
  accepting_ = std::thread([this] { accept(); });
}

FarPeer::~FarPeer() {
  g_cancellable_cancel(over_);
  accepting_.join();
  for (std::thread &way : ways_)
    way.join();
  g_object_unref(listening_);
  g_object_unref(over_);
}

std::string FarPeer::url(const char *stream) const {
  return "rtmp://127.0.0.1:" + std::to_string(port_) + "/live/" + stream;
}

void FarPeer::accept() {
  while (GSocket *near = g_socket_accept(listening_, over_, nullptr)) {
    GSocket *far = g_socket_new(G_SOCKET_FAMILY_IPV4, G_SOCKET_TYPE_STREAM,
                                G_SOCKET_PROTOCOL_DEFAULT, nullptr);
    g_autoptr(GInetAddress) loopback = g_inet_address_new_loopback(G_SOCKET_FAMILY_IPV4);
    g_autoptr(GSocketAddress) address =
        g_inet_socket_address_new(loopback, static_cast<guint16>(to_port_));
    g_assert_true(g_socket_connect(far, address, nullptr, nullptr));
    std::lock_guard lock(mutex_);
    for (const auto &[from, to] : {std::pair(near, far), std::pair(far, near)})
      ways_.emplace_back([this, from = G_SOCKET(g_object_ref(gpointer(from))),
                          to = G_SOCKET(g_object_ref(gpointer(to)))] {
        carry(from, to);
        g_object_unref(from);
        g_object_unref(to);
      });
    g_object_unref(near);
    g_object_unref(far);
  }
}

void FarPeer::carry(GSocket *from, GSocket *to) {
  std::deque<std::pair<gint64, std::string>> on_the_way;
  bool open = true;
  while (open || !on_the_way.empty()) {
    if (!on_the_way.empty() && on_the_way.front().first <= g_get_monotonic_time()) {
      const std::string &text = on_the_way.front().second;
      if (g_socket_send(to, text.data(), text.size(), over_, nullptr) < 0)
        break;
      on_the_way.pop_front();
      continue;
    }
    const gint64 wait =
        on_the_way.empty() ? -1 : MAX(0, on_the_way.front().first - g_get_monotonic_time());
    g_autoptr(GError) error = nullptr;
    const auto readable = static_cast<GIOCondition>(open ? G_IO_IN : 0);
    if (!g_socket_condition_timed_wait(from, readable, wait, over_, &error)) {
      if (!g_error_matches(error, G_IO_ERROR, G_IO_ERROR_TIMED_OUT))
        break;
      continue;
    }
    std::array<char, 4096> bytes;
    const gssize got = g_socket_receive(from, bytes.data(), bytes.size(), over_, nullptr);
    if (got > 0)
      on_the_way.emplace_back(g_get_monotonic_time() + delay_ms_ * G_TIME_SPAN_MILLISECOND,
                              std::string(bytes.data(), static_cast<std::size_t>(got)));
    else
      open = false;
  }
  g_socket_shutdown(to, FALSE, TRUE, nullptr);
}

}  // namespace agora::test

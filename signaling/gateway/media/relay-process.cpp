// SPDX-License-Identifier: LGPL-2.1-or-later
#define G_LOG_DOMAIN "agora-gateway"
#include "signaling/gateway/media/relay-process.hpp"

#include <fcntl.h>
#include <glib-unix.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <utility>

namespace agora::gateway {

namespace {

constexpr int line_fd = 3;
constexpr int first_socket_fd = 4;
// Packets read in one turn of the loop: members' frames must have their turn, too.
constexpr unsigned packets_a_turn = 256;
// What may wait for a relay that doesn't read. The drops of a full channel are far below it.
constexpr std::size_t most_unsent_bytes = 16 * 1024 * 1024;

gboolean set_error (GError **error, const char *what) {
  const int code = errno;
  g_set_error(error, G_IO_ERROR, static_cast<gint>(g_io_error_from_errno(code)), "%s: %s", what,
              g_strerror(code));
  return FALSE;
}

}  // namespace

std::shared_ptr<RelayProcess> RelayProcess::spawn(const std::string &program,
                                                  const std::vector<RelaySocket> &sockets,
                                                  GError **error) {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
    set_error(error, "socketpair");
    return nullptr;
  }
  auto relay = std::make_shared<RelayProcess>();
  relay->line_ = ends[0];
  const auto flags = static_cast<GSubprocessFlags>(G_SUBPROCESS_FLAGS_STDERR_PIPE |
                                                   G_SUBPROCESS_FLAGS_STDOUT_SILENCE);
  ObjectPtr<GSubprocessLauncher> launcher(g_subprocess_launcher_new(flags));
  g_subprocess_launcher_take_fd(launcher.get(), ends[1], line_fd);
  std::string names = "--fds=";
  int target = first_socket_fd;
  for (const auto &[name, socket] : sockets) {
    const int fd = fcntl(g_socket_get_fd(socket), F_DUPFD_CLOEXEC, 0);
    if (fd < 0) {
      set_error(error, "dup");
      return nullptr;
    }
    names += (target == first_socket_fd ? "" : ",") + name + "=" + std::to_string(target);
    g_subprocess_launcher_take_fd(launcher.get(), fd, target++);
  }
  g_subprocess_launcher_set_child_setup(launcher.get(), in_child, GINT_TO_POINTER(getpid()),
                                        nullptr);
  const char *arguments[] = {program.c_str(), names.c_str(), nullptr};
  relay->process_.reset(g_subprocess_launcher_spawnv(launcher.get(), arguments, error));
  if (!relay->process_)
    return nullptr;
  relay->lines_.reset(g_data_input_stream_new(g_subprocess_get_stderr_pipe(relay->process_.get())));
  return relay;
}

RelayProcess::~RelayProcess() {
  close_line();
}

void RelayProcess::in_child(gpointer parent) {
  // A process group of its own: Ctrl-C in a terminal must reach the gateway alone.
  setpgid(0, 0);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != GPOINTER_TO_INT(parent))
    _exit(1);
}

void RelayProcess::watch(Callbacks callbacks) {
  callbacks_ = std::move(callbacks);
  g_subprocess_wait_async(process_.get(), nullptr, on_exit, hold());
  read_line();
  readable_.reset(g_unix_fd_source_new(line_, G_IO_IN));
  g_source_set_callback(readable_.get(), G_SOURCE_FUNC(on_readable), this, nullptr);
  g_source_attach(readable_.get(), nullptr);
}

gboolean RelayProcess::on_readable(gint, GIOCondition, gpointer data) {
  static_cast<RelayProcess *>(data)->read();
  return G_SOURCE_CONTINUE;
}

gboolean RelayProcess::on_writable(gint, GIOCondition, gpointer data) {
  auto self = static_cast<RelayProcess *>(data)->shared_from_this();
  while (!self->unsent_.empty() && self->send_now(self->unsent_.front())) {
    self->unsent_bytes_ -= self->unsent_.front().size();
    self->unsent_.pop_front();
  }
  if (self->unsent_.empty())
    self->writable_.reset();
  return G_SOURCE_CONTINUE;
}

void RelayProcess::read() {
  // A callback may drop the owner's last reference.
  const auto self = shared_from_this();
  std::array<char, relay_line::max_to_gateway> packet;
  for (unsigned count = 0; line_ >= 0 && count < packets_a_turn; count++) {
    const ssize_t size = recv(line_, packet.data(), packet.size(), MSG_DONTWAIT | MSG_TRUNC);
    if (size < 0 && errno == EINTR)
      continue;
    if (size < 0 && errno == EAGAIN)
      return;
    if (size <= 0) {
      // It ends, or is out of its mind: in either case it can't be reached any more.
      close_line();
      kill();
      return;
    }
    if (static_cast<std::size_t>(size) > packet.size()) {
      broken("a packet of " + std::to_string(size) + " bytes");
      return;
    }
    take({packet.data(), static_cast<std::size_t>(size)});
  }
}

void RelayProcess::take(std::string_view packet) {
  auto decoded = relay_line::decode_to_gateway(packet);
  if (const auto *reason = std::get_if<std::string>(&decoded)) {
    broken(*reason);
    return;
  }
  auto &message = std::get<relay_line::ToGateway>(decoded);
  if (const auto *log = std::get_if<relay_line::Log>(&message)) {
    if (log->level == relay_line::Level::warning) {
      g_warning("agora-relay: %s", log->text.c_str());
      last_words_ = log->text;
    } else {
      g_info("agora-relay: %s", log->text.c_str());
    }
    return;
  }
  if (callbacks_.message)
    callbacks_.message(std::move(message));
}

void RelayProcess::broken(const std::string &how) {
  g_warning("agora-relay breaks the rules of its line (%s); ending it", how.c_str());
  kill();
  close_line();
}

void RelayProcess::send(const relay_line::ToRelay &message) {
  auto packet = relay_line::encode(message);
  if (!packet) {
    // What goes there was bounded before: options and what the relay itself asked for.
    g_critical("A message for agora-relay doesn't fit its line");
    return;
  }
  if (line_ < 0 || (unsent_.empty() && send_now(*packet)))
    return;
  unsent_bytes_ += packet->size();
  unsent_.push_back(std::move(*packet));
  if (unsent_bytes_ > most_unsent_bytes) {
    broken("it doesn't read");
    return;
  }
  if (!writable_) {
    writable_.reset(g_unix_fd_source_new(line_, G_IO_OUT));
    g_source_set_callback(writable_.get(), G_SOURCE_FUNC(on_writable), this, nullptr);
    g_source_attach(writable_.get(), nullptr);
  }
}

// False: it is to be sent later. To a relay that ends, nothing is sent any more.
bool RelayProcess::send_now(std::string_view packet) {
  ssize_t size = 0;
  do {
    size = ::send(line_, packet.data(), packet.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  } while (size < 0 && errno == EINTR);
  return size >= 0 || (errno != EAGAIN && errno != ENOBUFS);
}

void RelayProcess::close_line() {
  readable_.reset();
  writable_.reset();
  unsent_.clear();
  unsent_bytes_ = 0;
  if (line_ >= 0)
    close(std::exchange(line_, -1));
}

void RelayProcess::terminate() {
  if (!exited_)
    g_subprocess_send_signal(process_.get(), SIGTERM);
}

void RelayProcess::kill(const char *why) {
  if (why != nullptr)
    last_words_ = why;
  if (!exited_)
    g_subprocess_force_exit(process_.get());
}

void RelayProcess::on_exit(GObject *process, GAsyncResult *result, gpointer data) {
  std::unique_ptr<Self> self(static_cast<Self *>(data));
  auto &relay = **self;
  g_subprocess_wait_finish(G_SUBPROCESS(process), result, nullptr);
  relay.exited_ = true;
  // What it said last.
  relay.read();
  relay.close_line();
  if (relay.last_words_.empty() && g_subprocess_get_if_signaled(relay.process_.get()))
    relay.last_words_ = g_strsignal(g_subprocess_get_term_sig(relay.process_.get()));
  relay.report();
}

void RelayProcess::read_line() {
  g_data_input_stream_read_line_async(lines_.get(), G_PRIORITY_DEFAULT, nullptr, on_line, hold());
}

void RelayProcess::on_line(GObject *stream, GAsyncResult *result, gpointer data) {
  std::unique_ptr<Self> self(static_cast<Self *>(data));
  auto &relay = **self;
  gsize size = 0;
  CharPtr line(
      g_data_input_stream_read_line_finish(G_DATA_INPUT_STREAM(stream), result, &size, nullptr));
  if (!line) {
    relay.at_end_ = true;
    relay.report();
    return;
  }
  // Nothing in its usual life: what it logs comes by the line. A sanitiser's report does.
  CharPtr valid(g_utf8_make_valid(line.get(), static_cast<gssize>(size)));
  g_warning("agora-relay: %s", valid.get());
  relay.last_words_ = valid.get();
  relay.read_line();
}

void RelayProcess::report() {
  if (!exited_ || !at_end_)
    return;
  if (auto gone = std::exchange(callbacks_.gone, nullptr))
    gone(last_words_);
}

}  // namespace agora::gateway

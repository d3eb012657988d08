// SPDX-License-Identifier: LGPL-2.1-or-later
#define G_LOG_DOMAIN "agora-gateway"
#include "signaling/gateway/process/child-process.hpp"

#include <fcntl.h>
#include <glib-unix.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

namespace agora::gateway {

namespace {

constexpr int line_fd = 3;
constexpr int first_socket_fd = 4;
// Packets read in one turn of the loop: members' frames must have their turn, too.
constexpr unsigned packets_a_turn = 256;
constexpr std::size_t bytes_a_turn = 512 * 1024;
// What may wait for a relay that doesn't read. The drops of a full channel are far below it.
constexpr std::size_t most_unsent_bytes = 16 * 1024 * 1024;
// Of one line on its standard error; the rest is left out.
constexpr std::size_t longest_log_line = 1024;
// For what it said last, once it is dead: whom it started may hold the pipe open for ever.
constexpr unsigned last_text_ms = 100;

gboolean set_error (GError **error, const char *what) {
  const int code = errno;
  g_set_error(error, G_IO_ERROR, static_cast<gint>(g_io_error_from_errno(code)), "%s: %s", what,
              g_strerror(code));
  return FALSE;
}

}  // namespace

std::shared_ptr<ChildProcess> ChildProcess::spawn(const ChildSetup &setup, GError **error) {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
    set_error(error, "socketpair");
    return nullptr;
  }
  auto child = std::make_shared<ChildProcess>();
  child->name_ = setup.name;
  child->packet_.resize(setup.longest_packet);
  child->line_ = ends[0];
  const auto flags = static_cast<GSubprocessFlags>(G_SUBPROCESS_FLAGS_STDERR_PIPE |
                                                   G_SUBPROCESS_FLAGS_STDOUT_SILENCE);
  ObjectPtr<GSubprocessLauncher> launcher(g_subprocess_launcher_new(flags));
  g_subprocess_launcher_take_fd(launcher.get(), ends[1], line_fd);
  std::string names = "--fds=";
  int target = first_socket_fd;
  for (const auto &[name, socket] : setup.sockets) {
    const int fd = fcntl(g_socket_get_fd(socket), F_DUPFD_CLOEXEC, 0);
    if (fd < 0) {
      set_error(error, "dup");
      return nullptr;
    }
    names += (target == first_socket_fd ? "" : ",") + name + "=" + std::to_string(target);
    g_subprocess_launcher_take_fd(launcher.get(), fd, target++);
  }
  // The service manager is the gateway's.
  for (const char *name : {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"})
    g_subprocess_launcher_unsetenv(launcher.get(), name);
  g_subprocess_launcher_set_child_setup(launcher.get(), in_child, GINT_TO_POINTER(getpid()),
                                        nullptr);
  const char *arguments[] = {setup.program.c_str(), setup.sockets.empty() ? nullptr : names.c_str(),
                             nullptr};
  child->process_.reset(g_subprocess_launcher_spawnv(launcher.get(), arguments, error));
  return child->process_ ? child : nullptr;
}

ChildProcess::~ChildProcess() {
  close_line();
}

void ChildProcess::in_child(gpointer parent) noexcept {
  // A process group of its own: Ctrl-C in a terminal must reach the gateway alone.
  setpgid(0, 0);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  // It reads what strangers send: no program that it runs may have more rights than it has.
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  // Its sockets are opened by the gateway: a port below 1024 is no business of its own.
  prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
  if (getppid() != GPOINTER_TO_INT(parent))
    _exit(1);
}

void ChildProcess::watch(Callbacks callbacks) {
  callbacks_ = std::move(callbacks);
  g_subprocess_wait_async(process_.get(), nullptr, on_exit, hold());
  read_text();
  readable_.reset(g_unix_fd_source_new(line_, G_IO_IN));
  g_source_set_callback(readable_.get(), G_SOURCE_FUNC(on_readable), this, nullptr);
  g_source_attach(readable_.get(), nullptr);
}

gboolean ChildProcess::on_readable(gint, GIOCondition, gpointer data) noexcept {
  static_cast<ChildProcess *>(data)->read();
  return G_SOURCE_CONTINUE;
}

gboolean ChildProcess::on_writable(gint, GIOCondition, gpointer data) noexcept {
  auto self = static_cast<ChildProcess *>(data)->shared_from_this();
  while (!self->unsent_.empty() && self->send_now(self->unsent_.front())) {
    self->unsent_bytes_ -= self->unsent_.front().text.size();
    self->unsent_.pop_front();
  }
  if (self->unsent_.empty())
    self->writable_.reset();
  return G_SOURCE_CONTINUE;
}

void ChildProcess::read() {
  // A callback may drop the owner's last reference.
  const auto self = shared_from_this();
  std::size_t bytes = 0;
  for (unsigned count = 0; line_ >= 0 && count < packets_a_turn && bytes < bytes_a_turn; count++) {
    const ssize_t size = recv(line_, packet_.data(), packet_.size(), MSG_DONTWAIT | MSG_TRUNC);
    // Told once, before what it said last, by the end of one that left something unread.
    if (size < 0 && (errno == EINTR || errno == ECONNRESET))
      continue;
    if (size < 0 && errno == EAGAIN)
      return;
    if (size <= 0) {
      // It ends, or is out of its mind: in either case it can't be reached any more.
      close_line();
      kill();
      return;
    }
    if (static_cast<std::size_t>(size) > packet_.size()) {
      broken("a packet of " + std::to_string(size) + " bytes");
      return;
    }
    bytes += static_cast<std::size_t>(size);
    // A copy: it may forget() itself.
    const auto taker = callbacks_.packet;
    if (!taker)
      continue;
    const std::string wrong = taker({packet_.data(), static_cast<std::size_t>(size)});
    if (!wrong.empty()) {
      broken(wrong);
      return;
    }
  }
}

void ChildProcess::broken(const std::string &how) {
  g_warning("%s breaks the rules of its line (%s); ending it", name_.c_str(), how.c_str());
  kill();
  close_line();
}

void ChildProcess::send(std::string text, Descriptor gift) {
  Packet packet{std::move(text), std::move(gift)};
  if (line_ < 0 || (unsent_.empty() && send_now(packet)))
    return;
  unsent_bytes_ += packet.text.size();
  unsent_.push_back(std::move(packet));
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

// False: it is to be sent later. To a child that ends, nothing is sent any more.
bool ChildProcess::send_now(const Packet &packet) {
  iovec part{const_cast<char *>(packet.text.data()), packet.text.size()};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
  if (packet.gift) {
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    const int number = packet.gift.get();
    std::memcpy(CMSG_DATA(header), &number, sizeof number);
  }
  ssize_t size = 0;
  do {
    size = sendmsg(line_, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
  } while (size < 0 && errno == EINTR);
  return size >= 0 || (errno != EAGAIN && errno != ENOBUFS);
}

void ChildProcess::close_line() {
  readable_.reset();
  writable_.reset();
  unsent_.clear();
  unsent_bytes_ = 0;
  if (line_ >= 0)
    close(std::exchange(line_, -1));
}

void ChildProcess::terminate() {
  if (!exited_)
    g_subprocess_send_signal(process_.get(), SIGTERM);
}

void ChildProcess::kill(const char *why) {
  if (why != nullptr)
    last_words_ = why;
  if (!exited_)
    g_subprocess_force_exit(process_.get());
}

void ChildProcess::on_exit(GObject *process, GAsyncResult *result, gpointer data) noexcept {
  std::unique_ptr<Self> self(static_cast<Self *>(data));
  auto &child = **self;
  g_subprocess_wait_finish(G_SUBPROCESS(process), result, nullptr);
  child.exited_ = true;
  // What it said last.
  child.read();
  child.close_line();
  if (child.last_words_.empty() && g_subprocess_get_if_signaled(child.process_.get()))
    child.last_words_ = g_strsignal(g_subprocess_get_term_sig(child.process_.get()));
  if (!child.at_end_)
    child.last_text_.in(last_text_ms);
  child.report();
}

void ChildProcess::read_text() {
  g_input_stream_read_async(g_subprocess_get_stderr_pipe(process_.get()), text_.data(),
                            text_.size(), G_PRIORITY_DEFAULT, reading_.get(), on_text, hold());
}

void ChildProcess::on_text(GObject *stream, GAsyncResult *result, gpointer data) noexcept {
  std::unique_ptr<Self> self(static_cast<Self *>(data));
  auto &child = **self;
  const gssize size = g_input_stream_read_finish(G_INPUT_STREAM(stream), result, nullptr);
  if (size > 0) {
    child.take_text({child.text_.data(), static_cast<std::size_t>(size)});
    child.read_text();
    return;
  }
  child.last_text_.stop();
  child.end_line();
  child.at_end_ = true;
  child.report();
}

void ChildProcess::take_text(std::string_view text) {
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    const std::string_view part = text.substr(0, end);
    log_line_ += part.substr(0, longest_log_line - log_line_.size());
    if (end == std::string_view::npos)
      return;
    text.remove_prefix(end + 1);
    end_line();
  }
}

// A line may begin with its level, <N>, as systemd's journal knows it. Those without are warnings:
// a sanitiser's or the loader's.
void ChildProcess::end_line() {
  std::string_view line = log_line_;
  constexpr char least_warning = '4';
  char level = least_warning;
  constexpr std::size_t prefix = 3;
  if (line.size() >= prefix && line[0] == '<' && g_ascii_isdigit(line[1]) && line[2] == '>') {
    level = line[1];
    line.remove_prefix(prefix);
  }
  if (!line.empty()) {
    CharPtr valid(g_utf8_make_valid(line.data(), static_cast<gssize>(line.size())));
    if (level <= least_warning) {
      g_warning("%s: %s", name_.c_str(), valid.get());
      last_words_ = valid.get();
    } else if (level == '5') {
      g_message("%s: %s", name_.c_str(), valid.get());
    } else {
      g_info("%s: %s", name_.c_str(), valid.get());
    }
  }
  log_line_.clear();
}

void ChildProcess::report() {
  if (!exited_ || !at_end_)
    return;
  if (auto gone = std::exchange(callbacks_.gone, nullptr))
    gone(last_words_);
}

}  // namespace agora::gateway

// SPDX-License-Identifier: LGPL-2.1-or-later
#define G_LOG_DOMAIN "agora-gateway"
#include "signaling/gateway/operator/state-dir.hpp"

#include <fcntl.h>
#include <gio/gio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <optional>
#include <string_view>
#include <utility>

#include "signaling/support/descriptor.hpp"
#include "signaling/support/glib-ptr.hpp"

namespace agora::gateway {

namespace {

constexpr mode_t file_mode = 0600;
constexpr off_t most_audit_bytes = off_t{8} * 1024 * 1024;
// What may wait for a disk that stands still.
constexpr std::size_t most_pending_bytes = std::size_t{256} * 1024;
constexpr unsigned try_again_ms = 10'000;

std::string error_text (const char *what) {
  return std::string(what) + ": " + g_strerror(errno);
}

// A file and nothing else: a pipe would hold whoever reads it, a link may lead anywhere.
std::optional<std::string> read_file (const std::string &path, std::string &problem) {
  const Descriptor file(open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  if (!file) {
    if (errno != ENOENT)
      problem = g_strerror(errno);
    return {};
  }
  struct stat status {};
  if (fstat(file.get(), &status) != 0 || !S_ISREG(status.st_mode)) {
    problem = "it is no file";
    return {};
  }
  if (static_cast<std::size_t>(status.st_size) > most_kept_bytes) {
    problem = "it has more than " + std::to_string(most_kept_bytes) + " bytes";
    return {};
  }
  std::string text(static_cast<std::size_t>(status.st_size), '\0');
  std::size_t at = 0;
  while (at < text.size()) {
    const ssize_t size = read(file.get(), text.data() + at, text.size() - at);
    if (size < 0 && errno == EINTR)
      continue;
    if (size < 0)
      problem = g_strerror(errno);
    if (size <= 0)
      break;
    at += static_cast<std::size_t>(size);
  }
  text.resize(at);
  return problem.empty() ? std::optional(std::move(text)) : std::nullopt;
}

// The file is the old one or the new one, whatever happens meanwhile. "": it is written.
std::string replace (const std::string &path, std::string_view text) {
  constexpr auto whole = static_cast<GFileSetContentsFlags>(G_FILE_SET_CONTENTS_CONSISTENT |
                                                            G_FILE_SET_CONTENTS_DURABLE);
  g_autoptr(GError) error = nullptr;
  const bool good = g_file_set_contents_full(
      path.c_str(), text.data(), static_cast<gssize>(text.size()), whole, file_mode, &error);
  return good ? "" : error->message;
}

// "": it is written.
std::string append (const std::string &path, std::string_view text) {
  constexpr int flags = O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
  const Descriptor file(open(path.c_str(), flags, file_mode));
  struct stat status {};
  if (!file || fstat(file.get(), &status) != 0)
    return error_text("audit.log");
  if (!S_ISREG(status.st_mode))
    return "audit.log: it is no file";
  if (status.st_size > 0 && status.st_size + static_cast<off_t>(text.size()) > most_audit_bytes) {
    if (rename(path.c_str(), (path + ".1").c_str()) != 0)
      return error_text("audit.log.1");
    return append(path, text);
  }
  while (!text.empty()) {
    const ssize_t size = ::write(file.get(), text.data(), text.size());
    if (size < 0 && errno == EINTR)
      continue;
    if (size < 0)
      return error_text("audit.log");
    text.remove_prefix(static_cast<std::size_t>(size));
  }
  return "";
}

}  // namespace

struct StateDir::Job {
  std::weak_ptr<StateDir> owner;
  std::string rules_file;
  std::string audit_file;
  std::optional<std::string> rules;
  std::string lines;
  // What went wrong; "": nothing.
  std::string rules_problem;
  std::string audit_problem;
};

std::variant<std::shared_ptr<StateDir>, std::string> StateDir::open(const std::string &path) {
  auto state = std::make_shared<StateDir>(path);
  const std::string option = "--state-dir=" + path + ": ";
  // The folder itself is locked, so that nothing has to be left in it.
  state->lock_ = Descriptor(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!state->lock_)
    return option + "expected a folder: " + g_strerror(errno);
  if (flock(state->lock_.get(), LOCK_EX | LOCK_NB) != 0)
    return option + "another gateway keeps its state there";
  struct stat status {};
  if (fstat(state->lock_.get(), &status) != 0 || (status.st_mode & S_IWOTH) != 0)
    return option + "expected a folder that only its owner and group may write to";
  if (access(path.c_str(), W_OK | X_OK) != 0)
    return option + "expected a folder that the gateway may write to: " + g_strerror(errno);
  return state;
}

StateDir::StateDir(std::string path) : path_(std::move(path)), again_([this] { work(); }) {
}

StateDir::~StateDir() = default;

KeptRules StateDir::read_rules() {
  std::string problem;
  const auto text = read_file(file("rules"), problem);
  if (!text) {
    if (!problem.empty())
      set_aside(problem + ". No rule holds");
    return {};
  }
  auto read = read_kept(*text);
  if (read.bad > 0)
    set_aside(read.problem + " (" + std::to_string(read.bad) + " bad lines). " +
              std::to_string(read.kept.rules.size()) + " rules could be read, and hold");
  return std::move(read.kept);
}

void StateDir::set_aside(const std::string &why) {
  const std::string rules = file("rules");
  const bool moved = rename(rules.c_str(), (rules + ".bad").c_str()) == 0;
  g_warning("The operator's rules of %s: %s; %s", rules.c_str(), why.c_str(),
            moved ? "the file is kept as rules.bad" : "the file can't be moved away");
  rules_due_ = true;
}

void StateDir::start(Callbacks callbacks) {
  callbacks_ = std::move(callbacks);
  work();
}

void StateDir::rules_changed() {
  rules_due_ = true;
  work();
}

void StateDir::note(const std::string &line) {
  if (lines_.size() + line.size() > most_pending_bytes) {
    left_out_++;
    return;
  }
  lines_ += line;
  work();
}

void StateDir::work() {
  if (writing_ || idle() || !callbacks_.rules)
    return;
  again_.stop();
  writing_ = true;
  auto job = std::make_unique<Job>();
  job->owner = weak_from_this();
  job->rules_file = file("rules");
  job->audit_file = file("audit.log");
  if (std::exchange(rules_due_, false))
    job->rules = kept_text(callbacks_.rules());
  job->lines = std::exchange(lines_, "");
  const auto write = [] (GTask *task, gpointer, gpointer data, GCancellable *) noexcept {
    auto *doing = static_cast<Job *>(data);
    if (doing->rules)
      doing->rules_problem = replace(doing->rules_file, *doing->rules);
    if (!doing->lines.empty())
      doing->audit_problem = append(doing->audit_file, doing->lines);
    g_task_return_boolean(task, TRUE);
  };
  const auto done = [] (GObject *, GAsyncResult *result, gpointer) noexcept {
    const auto *did = static_cast<const Job *>(g_task_get_task_data(G_TASK(result)));
    if (const auto owner = did->owner.lock())
      owner->written(*did);
  };
  const ObjectPtr<GTask> task(g_task_new(nullptr, nullptr, done, nullptr));
  g_task_set_task_data(task.get(), job.release(),
                       [] (gpointer data) noexcept { delete static_cast<Job *>(data); });
  g_task_run_in_thread(task.get(), write);
}

void StateDir::written(const Job &job) {
  writing_ = false;
  if (!job.audit_problem.empty())
    g_warning("The audit log of %s: %s; what it should have told is in this log alone",
              path_.c_str(), job.audit_problem.c_str());
  if (left_out_ > 0)
    g_warning(
        "The audit log of %s: %u lines came while the disk stood still; they are in this log "
        "alone",
        path_.c_str(), std::exchange(left_out_, 0));
  if (!job.rules_problem.empty()) {
    g_warning("The operator's rules aren't kept over a restart, trying again: %s",
              job.rules_problem.c_str());
    rules_due_ = true;
    again_.in(try_again_ms);
    return;
  }
  work();
  if (idle() && callbacks_.idle)
    callbacks_.idle();
}

}  // namespace agora::gateway

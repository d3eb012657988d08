// SPDX-License-Identifier: LGPL-2.1-or-later
#include "signaling/gateway/operator/state-file.hpp"

#include <gio/gio.h>

#include "signaling/support/glib-ptr.hpp"

namespace agora::gateway {

namespace {

constexpr std::size_t most_state_bytes = 64 * 1024 * 1024;
constexpr int own_alone = 0600;

}  // namespace

struct StateFile::Job {
  std::shared_ptr<StateFile *> owner;
  std::string path;
  std::string text;
  std::vector<Done> done;
  std::string problem;
};

StateFile::StateFile(std::string path)
    : path_(std::move(path)), self_(std::make_shared<StateFile *>(this)) {
}

StateFile::~StateFile() {
  *self_ = nullptr;
}

std::variant<StateFile::Text, std::string> StateFile::read() const {
  g_autofree char *text = nullptr;
  gsize size = 0;
  g_autoptr(GError) error = nullptr;
  if (g_file_get_contents(path_.c_str(), &text, &size, &error)) {
    if (size > most_state_bytes)
      return "expected " + std::to_string(most_state_bytes) + " bytes at most";
    return Text{std::string(text, size)};
  }
  if (g_error_matches(error, G_FILE_ERROR, G_FILE_ERROR_NOENT))
    return Text{};
  return std::string(error->message);
}

void StateFile::write(std::string text, Done done) {
  next_ = std::move(text);
  waiting_.push_back(std::move(done));
  if (!writing_)
    begin();
}

void StateFile::begin() {
  writing_ = true;
  auto job =
      std::make_unique<Job>(Job{self_, path_, std::move(next_), std::exchange(waiting_, {}), ""});
  ObjectPtr<GTask> task(g_task_new(
      nullptr, nullptr,
      [] (GObject *, GAsyncResult *result, gpointer) noexcept {
        auto &written = *static_cast<Job *>(g_task_get_task_data(G_TASK(result)));
        // The thread may be the last that holds the task: what is to be called stays here.
        const std::vector<Done> done = std::exchange(written.done, {});
        if (*written.owner)
          (*written.owner)->finished(done, written.problem);
      },
      nullptr));
  g_task_set_task_data(task.get(), job.release(),
                       [] (gpointer data) noexcept { delete static_cast<Job *>(data); });
  g_task_run_in_thread(
      task.get(), [] (GTask *running, gpointer, gpointer data, GCancellable *) noexcept {
        auto &work = *static_cast<Job *>(data);
        g_autoptr(GError) error = nullptr;
        if (!g_file_set_contents_full(
                work.path.c_str(), work.text.data(), static_cast<gssize>(work.text.size()),
                static_cast<GFileSetContentsFlags>(G_FILE_SET_CONTENTS_CONSISTENT |
                                                   G_FILE_SET_CONTENTS_DURABLE),
                own_alone, &error))
          work.problem = error->message;
        g_task_return_boolean(running, TRUE);
      });
}

void StateFile::finished(const std::vector<Done> &done, const std::string &problem) {
  writing_ = false;
  const auto self = self_;
  for (const Done &each : done) {
    each(problem);
    if (!*self)
      return;
  }
  if (!writing_ && !waiting_.empty())
    begin();
}

}  // namespace agora::gateway

// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/recorder/folder.hpp"

#include <fcntl.h>
#include <gio/gio.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include <cerrno>
#include <cstdio>

#include "signaling/support/glib-ptr.hpp"

namespace agora::recorder {

namespace {

// Recordings that begin in one second.
constexpr int kMostOfASecond = 100;
constexpr mode_t kFolderMode = 0777;
constexpr mode_t kFileMode = 0666;

std::string now_as_name () {
  g_autoptr(GDateTime) now = g_date_time_new_now_utc();
  const CharPtr text(g_date_time_format(now, "%Y%m%dT%H%M%SZ"));
  return text.get();
}

bool write_all (int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t done = write(fd, text.data(), text.size());
    if (done < 0 && errno == EINTR)
      continue;
    if (done <= 0)
      return false;
    text.remove_prefix(static_cast<std::size_t>(done));
  }
  return true;
}

std::string numbered (std::int64_t segment, bool rotates) {
  if (!rotates)
    return {};
  char text[32];
  std::snprintf(text, sizeof text, "-%06lld", static_cast<long long>(segment));
  return text;
}

}  // namespace

bool Folder::make(const std::string &parent, std::string &reason) {
  const auto failed = [&] (const std::string &what) {
    reason = what + ": " + g_strerror(errno);
    return false;
  };
  if (g_mkdir_with_parents(parent.c_str(), kFolderMode) != 0)
    return failed(parent);
  const std::string name = parent + "/" + now_as_name();
  for (int number = 1; number <= kMostOfASecond; number++) {
    path_ = name;
    if (number > 1)
      path_.append("-").append(std::to_string(number));
    if (mkdir(path_.c_str(), kFolderMode) == 0) {
      fd_.reset(open(path_.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
      return fd_ ? true : failed(path_);
    }
    if (errno != EEXIST)
      break;
  }
  return failed(path_);
}

int Folder::create(const std::string &name) const {
  return openat(fd_.get(), name.c_str(), O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                kFileMode);
}

void Folder::remove(const std::string &name) const {
  unlinkat(fd_.get(), name.c_str(), 0);
}

bool Folder::replace(const std::string &name, std::string_view text) const {
  const std::string fresh = "." + name + ".new";
  Descriptor file(openat(fd_.get(), fresh.c_str(),
                         O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, kFileMode));
  if (!file)
    return false;
  if (write_all(file.get(), text) &&
      renameat(fd_.get(), fresh.c_str(), fd_.get(), name.c_str()) == 0)
    return true;
  const int why = errno;
  unlinkat(fd_.get(), fresh.c_str(), 0);
  errno = why;
  return false;
}

std::uint64_t Folder::free() const {
  struct statvfs room {};
  if (fstatvfs(fd_.get(), &room) != 0)
    return 0;
  return static_cast<std::uint64_t>(room.f_bavail) * room.f_frsize;
}

std::string file_name (std::uint32_t uid, std::int64_t segment, unsigned part, bool rotates,
                       std::string_view extension) {
  std::string name = uid ? "speaker-" + std::to_string(uid) : "mix";
  name += numbered(segment, rotates);
  if (part > 1)
    name += "-part" + std::to_string(part);
  return name.append(1, '.').append(extension);
}

std::string cue_name (std::int64_t segment, bool rotates) {
  return "cues" + numbered(segment, rotates) + ".json";
}

}  // namespace agora::recorder

// SPDX-License-Identifier: LGPL-2.1-or-later
#define G_LOG_DOMAIN "agora-gateway"
#include "signaling/gateway/media/nginx-folder.hpp"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <grp.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <vector>

#include "signaling/support/glib-ptr.hpp"

namespace agora::gateway {

namespace {

namespace fs = std::filesystem;

constexpr const char *prefix = "agora-gateway-";
constexpr const char *lock_name = "lock";

void remove_folder (const std::string &path) {
  std::error_code error;
  fs::remove_all(path, error);
  if (error)
    g_warning("Could not remove %s: %s", path.c_str(), error.message().c_str());
}

int take_lock (const std::string &folder) {
  int fd =
      g_open((folder + "/" + lock_name).c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) != 0) {
    close(fd);
    fd = -1;
  }
  return fd;
}

// The process id in a folder's name; 0: the name is none of ours.
pid_t owner_of (std::string_view name) {
  if (!name.starts_with(prefix))
    return 0;
  name.remove_prefix(std::string_view(prefix).size());
  auto dash = name.find('-');
  if (dash == std::string_view::npos || dash == 0 || dash > 9 || name.size() - dash != 7)
    return 0;
  auto digits = name.substr(0, dash);
  if (!std::all_of(digits.begin(), digits.end(), [] (char c) { return g_ascii_isdigit(c); }))
    return 0;
  return std::stoi(std::string(digits));
}

// Master and workers of the nginx that runs in `folder`, the master first; empty if none does.
std::vector<pid_t> nginx_of (const std::string &folder) {
  g_autofree char *text = nullptr;
  if (!g_file_get_contents((folder + "/nginx.pid").c_str(), &text, nullptr, nullptr))
    return {};
  const auto master = static_cast<pid_t>(g_ascii_strtoll(text, nullptr, 10));
  const std::string process = "/proc/" + std::to_string(master);
  g_autofree char *words = nullptr;
  gsize size = 0;
  // The process id may have been given to another process.
  if (master <= 1 || !g_file_get_contents((process + "/cmdline").c_str(), &words, &size, nullptr) ||
      std::string_view(words, size).find(folder) == std::string_view::npos)
    return {};
  std::vector<pid_t> all = {master};
  std::ifstream children(process + "/task/" + std::to_string(master) + "/children");
  all.insert(all.end(), std::istream_iterator<pid_t>(children), {});
  return all;
}

// Ends an nginx that outlived its gateway. The parent-death signal ends it too, but not at once,
// and not while it is stopped; until then it holds the port.
void end_nginx (const std::string &folder) {
  constexpr int limit_ms = 1000;
  const std::vector<pid_t> all = nginx_of(folder);
  if (all.empty())
    return;
  std::vector<int> ends;
  ends.reserve(all.size());
  // glibc 2.36 declares pidfd_open() for C alone.
  for (const pid_t pid : all)
    ends.push_back(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
  kill(-all.front(), SIGKILL);
  for (const int fd : ends) {
    pollfd end = {fd, POLLIN, 0};
    if (fd >= 0 && poll(&end, 1, limit_ms) == 0)
      g_warning("nginx of %s, left by a gateway that was killed, does not end", folder.c_str());
    if (fd >= 0)
      close(fd);
  }
}

// Containers that share the folder don't share process ids, so the file lock decides.
void sweep (const std::string &parent) {
  std::error_code error;
  for (fs::directory_iterator each(parent, error), end; !error && each != end;
       each.increment(error)) {
    pid_t owner = owner_of(each->path().filename().native());
    if (owner == 0 || kill(owner, 0) == 0 || errno != ESRCH)
      continue;
    const auto &path = each->path().native();
    GStatBuf info;
    if (g_lstat(path.c_str(), &info) != 0 || !S_ISDIR(info.st_mode) || info.st_uid != geteuid())
      continue;
    int lock = take_lock(path);
    if (lock < 0)
      continue;
    end_nginx(path);
    remove_folder(path);
    close(lock);
    g_message("Removed %s, left by a gateway that was killed", path.c_str());
  }
}

bool is_file (const std::string &path) {
  return g_file_test(path.c_str(), G_FILE_TEST_IS_REGULAR);
}

// The user that nginx's worker runs as. It needs no file, so it gets no rights. Distributions name
// it differently.
std::string worker_user () {
  if (geteuid() != 0)
    return "";
  const auto *user = getpwnam("nobody");
  if (user == nullptr)
    return "";
  std::string line = std::string("user ") + user->pw_name;
  if (const auto *found = getgrgid(user->pw_gid))
    line += std::string(" ") + found->gr_name;
  return line + ";\n";
}

unsigned worker_connections () {
  constexpr rlim_t most = 16384;
  rlimit files{};
  getrlimit(RLIMIT_NOFILE, &files);
  return static_cast<unsigned>(std::min(files.rlim_cur, most));
}

}  // namespace

std::variant<std::unique_ptr<NginxFolder>, std::string> NginxFolder::make() {
  std::string parent = g_get_tmp_dir();
  sweep(parent);
  std::string path = parent + "/" + prefix + std::to_string(getpid()) + "-XXXXXX";
  if (path.size() + sizeof "/socket" > sizeof sockaddr_un{}.sun_path)
    return "The folder for temporary files, " + parent +
           ", has too long a name for a socket; set TMPDIR to a shorter one";
  if (g_mkdtemp_full(path.data(), 0700) == nullptr)
    return "Could not make a folder in " + parent + ": " + g_strerror(errno) +
           "; TMPDIR chooses another place";
  int lock = take_lock(path);
  return std::unique_ptr<NginxFolder>(new NginxFolder(path, lock));
}

NginxFolder::~NginxFolder() {
  remove_folder(path_);
  if (lock_ >= 0)
    close(lock_);
}

std::variant<NginxPaths, std::string> find_nginx (const Options &options) {
  NginxPaths paths{options.nginx, options.rtmp_module};
  if (paths.program.empty()) {
    CharPtr found(g_find_program_in_path("nginx"));
    if (found)
      paths.program = found.get();
    for (const char *place : {"/usr/sbin/nginx", "/usr/local/sbin/nginx",
                              "/usr/local/nginx/sbin/nginx", "/opt/nginx/sbin/nginx"})
      if (paths.program.empty() && is_file(place))
        paths.program = place;
    if (paths.program.empty())
      return "nginx was not found: install it (Debian: packages nginx and libnginx-mod-rtmp), or "
             "name it with --nginx=FILE";
  } else if (!g_file_test(paths.program.c_str(), G_FILE_TEST_IS_EXECUTABLE)) {
    return "--nginx=" + paths.program + ": no such program (Debian: package nginx)";
  }
  if (paths.module.empty()) {
    constexpr const char *name = "ngx_rtmp_module.so";
    for (const char *place :
         {"/usr/lib/nginx/modules", "/usr/lib64/nginx/modules", "/usr/share/nginx/modules",
          "/usr/local/nginx/modules", "/usr/local/lib/nginx/modules", "/etc/nginx/modules"}) {
      auto file = std::string(place) + "/" + name;
      if (paths.module.empty() && is_file(file))
        paths.module = file;
    }
    if (paths.module.empty())
      return "nginx has no ngx_rtmp_module.so: install Debian's package libnginx-mod-rtmp, or name "
             "the file with --rtmp-module=FILE";
  } else if (!is_file(paths.module)) {
    return "--rtmp-module=" + paths.module + ": no such file (Debian: package libnginx-mod-rtmp)";
  }
  return paths;
}

// Replaces each path that is compiled into nginx, so that it reads and writes nothing elsewhere.
// No `interleave` or `wait_video`: an audio-only listener would get nothing.
std::string nginx_configuration (const NginxConfig &config) {
  std::ostringstream text;
  text << "load_module \"" << config.paths.module << "\";\n"
       << worker_user()
       << "daemon off;\n"
          "master_process on;\n"
          "worker_processes 1;\n"
          "pid nginx.pid;\n"
          "lock_file nginx.lock;\n"
          "error_log stderr warn;\n"
       << "events { worker_connections " << worker_connections()
       << "; }\n"
          "rtmp {\n"
          "  access_log off;\n"
          "  server {\n"
       << "    listen " << to_string(config.rtmp)
       << ";\n"
          "    chunk_size 4096;\n"
       << "    application " << config.app
       << " {\n"
          "      live on;\n"
          "      drop_idle_publisher 4s;\n"
          "      notify_method post;\n"
       << "      on_publish " << config.hooks << "/on_publish;\n"
       << "      on_play " << config.hooks << "/on_play;\n"
       << "      on_publish_done " << config.hooks << "/on_publish_done;\n"
       << "      on_play_done " << config.hooks << "/on_play_done;\n"
       << "    }\n"
          "  }\n"
          "}\n"
          "http {\n"
          "  access_log off;\n"
          "  client_body_temp_path http;\n"
          "  proxy_temp_path http;\n"
          "  fastcgi_temp_path http;\n"
          "  uwsgi_temp_path http;\n"
          "  scgi_temp_path http;\n"
          "  server {\n"
       << "    listen \"unix:" << config.socket
       << "\";\n"
          "    location = /stat { rtmp_stat global; }\n"
          "    location = /sessions { rtmp_stat all; }\n"
          "    location /control { rtmp_control drop; }\n"
          "  }\n"
          "}\n";
  return text.str();
}

}  // namespace agora::gateway

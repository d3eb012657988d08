// SPDX-License-Identifier: LGPL-2.1-or-later
// The temporary folder of one embedded nginx, and what its configuration says. Blocking file calls:
// short, on a local disk, at start and end only.
#pragma once

#include <gio/gio.h>

#include <cstdint>
#include <memory>
#include <string>
#include <variant>

#include "signaling/gateway/options/options.hpp"

namespace agora::gateway {

// Mode 0700 below the folder for temporary files, locked while its owner lives; removed with it.
class NginxFolder {
 public:
  // A folder, or why there is none. Removes the folders that killed gateways of this user left.
  static std::variant<std::unique_ptr<NginxFolder>, std::string> make ();
  ~NginxFolder();
  NginxFolder(const NginxFolder &) = delete;
  NginxFolder &operator=(const NginxFolder &) = delete;

  std::string file (const char *name) const { return path_ + "/" + name; }

 private:
  NginxFolder(std::string path, int lock) : path_(std::move(path)), lock_(lock) {}
  std::string path_;
  int lock_;
};

struct NginxPaths {
  std::string program;
  std::string module;
};
// Where nginx and its rtmp module are, or a sentence that says what to install.
std::variant<NginxPaths, std::string> find_nginx (const Options &options);

struct NginxConfig {
  NginxPaths paths;
  Endpoint rtmp;
  std::string app;
  std::string hooks;  // URL, ends in the secret
  std::string socket;
};
std::string nginx_configuration (const NginxConfig &config);

}  // namespace agora::gateway

// SPDX-License-Identifier: LGPL-2.1-or-later
// The control module of an nginx-rtmp that runs elsewhere: cuts sessions by HTTP.
#pragma once

#include <libsoup/soup.h>

#include <functional>
#include <memory>
#include <string>

#include "signaling/gateway/channel/commands.hpp"
#include "signaling/support/glib-ptr.hpp"

namespace agora::gateway {

class MediaControl {
 public:
  MediaControl(std::string control_url, std::string app);
  ~MediaControl();
  MediaControl(const MediaControl &) = delete;
  MediaControl &operator=(const MediaControl &) = delete;

  void drop (const DropMedia &what, std::function<void()> done);

 private:
  struct Drop;
  using Answer = std::function<void(bool ok, std::string_view body)>;
  // After the end no callback is called.
  void get (const std::string &url, Answer answer);
  void try_drop (const std::shared_ptr<Drop> &drop);

  std::string control_url_;
  std::string app_;
  ObjectPtr<SoupSession> session_;
  ObjectPtr<GCancellable> cancellable_;
  std::shared_ptr<bool> here_ = std::make_shared<bool>(true);
};

}  // namespace agora::gateway

// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// Requests to the HTTP side of a media server that runs elsewhere. Main loop only.
#pragma once

#include <libsoup/soup.h>

#include <functional>
#include <string>
#include <string_view>

#include "signaling/support/glib-ptr.hpp"

namespace agora::gateway {

class ControlHttp {
 public:
  // `ok`: the status says so. No answer within two seconds is none.
  using Answer = std::function<void(bool ok, std::string_view body)>;

  ControlHttp();
  // After the end no answer is called.
  ~ControlHttp();
  ControlHttp(const ControlHttp &) = delete;
  ControlHttp &operator=(const ControlHttp &) = delete;

  void request (const char *method, const std::string &url, Answer answer);

 private:
  ObjectPtr<SoupSession> session_;
  ObjectPtr<GCancellable> cancellable_;
};

}  // namespace agora::gateway

// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// A request of the operator's and its answer: who may ask, and what is in the body or the query. No
// I/O.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "signaling/gateway/channel/commands.hpp"
#include "signaling/gateway/operator/deed.hpp"
#include "signaling/protocol/json.hpp"

namespace agora::gateway {

inline constexpr std::size_t kAdminBodyBytes = 16 * 1024;

struct AdminRequest {
  std::string method;
  std::string path;  // still percent-encoded: a channel's name may hold a slash
  std::map<std::string, std::string, std::less<>> query;
  std::string authorization;  // the header
  std::string content_type;   // and these, which browsers write for pages
  std::string origin;
  std::string fetch_site;
  std::string cookie;
  std::string address;                   // whose it is, without port
  std::string own_origin;                // as the caller reached us: http://HOST:PORT
  std::optional<std::string_view> body;  // nothing: it was too long
  Now now;
};

struct AdminAnswer {
  unsigned status = 200;
  std::string body;   // JSON
  std::string type;   // of the body; "": JSON
  std::string allow;  // with 405: the methods that the path has
  std::vector<std::pair<std::string, std::string>> headers;
  bool guessed = false;      // a wrong token was shown
  bool streams = false;      // an event stream follows in place of a body
  Commands commands;         // to be run before the answer goes out
  std::optional<Deed> deed;  // what was done, for the audit log; nothing: only asked
  // Of all gateways: what their store is asked first. Its answer makes this one.
  std::optional<cluster::Operation> query;
  std::function<AdminAnswer(const cluster::Answer &)> then;
  // What is to be in its file before the answer goes out, if it has one; and what is called where
  // that fails.
  enum class Saves { nothing, stream_keys };
  Saves saves = Saves::nothing;
  std::function<void()> unsaved;
};

AdminAnswer admin_failure (unsigned status, std::string_view message, std::string_view field = {});

// Whether it is a page of another site that lets a browser ask, with the operator's password. A
// page can't write these headers itself, and programs send none.
bool is_cross_site (const AdminRequest &request);
// Whether a body is said to be JSON. A page's form can't say that.
bool says_json (std::string_view content_type);

// Of a Cookie header; "": there is none of that name.
std::string_view cookie_of (std::string_view header, std::string_view name);

// Whether the Authorization `header` shows `token`: as a Bearer token, or as the password of Basic.
bool shows_token (std::string_view header, std::string_view token);

// The segments of a path, unescaped. Nothing: an escape is broken.
std::optional<std::vector<std::string>> split_path (std::string_view path);

// What was asked, from a JSON body or, where there is none, from the query; and the first thing
// that is wrong with it. It is read as strictly as members' frames are.
class AdminFields {
 public:
  AdminFields(const AdminRequest &request, bool query_is_good);

  bool good () const { return failure_.reason.empty(); }
  // Texts that are empty count as absent.
  bool has (const char *name) const;
  std::string text (const char *name, protocol::Need need);
  const protocol::JsonNode *list (const char *name);
  std::string app () { return text("appid", protocol::Need::required); }
  // From `low` to `high`, as a number or a numeric text.
  std::uint64_t whole (const char *name, std::uint64_t low, std::uint64_t high);
  // What is left out is false.
  bool flag (const char *name);
  // A number that is not negative.
  double amount (const char *name);

  void fail (const char *name, const std::string &expected);
  AdminAnswer refusal () const;

 private:
  std::string shown (std::string_view name) const;

  std::string copy_;
  protocol::Failure failure_;
  protocol::JsonDocumentPtr root_;
  std::optional<protocol::Fields> fields_;
};

}  // namespace agora::gateway

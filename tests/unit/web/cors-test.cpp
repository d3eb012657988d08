// SPDX-License-Identifier: LGPL-2.1-or-later
#include "signaling/gateway/web/cors.hpp"

#include <glib.h>

#include "same.hpp"
#include "tests/suite.hpp"

namespace cors_test {

using namespace agora::gateway;

namespace {

WebRequest from (const char *origin) {
  WebRequest request;
  request.origin = origin;
  request.own_origin = "https://voice.example";
  return request;
}

std::string header (const WebAnswer &answer, const std::string &name) {
  for (const auto &[each, value] : answer.headers)
    if (each == name)
      return value;
  return "";
}

void test_who_may_ask () {
  const std::vector<std::string> listed{"https://other.example:8443"};
  g_assert_true(page_may_ask(from(""), {}));
  g_assert_true(page_may_ask(from("https://voice.example"), {}));
  g_assert_true(page_may_ask(from("HTTPS://Voice.Example"), {}));
  g_assert_true(page_may_ask(from("https://other.example:8443"), listed));
  g_assert_true(page_may_ask(from("https://any.example"), {"*"}));
  for (const char *origin :
       {"http://voice.example", "https://voice.example:444", "https://voice.example.evil",
        "https://other.example", "null", "https://voice.example, https://other.example:8443"})
    g_assert_false(page_may_ask(from(origin), listed));
  // Behind a proxy that speaks TLS, the browser knows better than we do.
  auto behind = from("https://proxy.example");
  behind.own_origin = "http://10.0.0.5:8080";
  g_assert_false(page_may_ask(behind, {}));
  behind.fetch_site = "same-site";
  g_assert_false(page_may_ask(behind, {}));
  behind.fetch_site = "same-origin";
  g_assert_true(page_may_ask(behind, {}));
}

void test_headers () {
  WebAnswer plain;
  add_cors(plain, "");
  assert_same(header(plain, "Vary"), "Origin");
  assert_same(header(plain, "Access-Control-Allow-Origin"), "");

  WebAnswer answer;
  add_cors(answer, "https://a.example");
  assert_same(header(answer, "Access-Control-Allow-Origin"), "https://a.example");
  for (const char *name : {"Location", "ETag", "Link", "Retry-After"})
    g_assert_nonnull(strstr(header(answer, "Access-Control-Expose-Headers").c_str(), name));
}

void test_preflight () {
  auto request = from("https://a.example");
  WebAnswer answer;
  add_preflight(answer, request, "OPTIONS, POST");
  // Not asked for by a browser's preflight.
  g_assert_true(answer.headers.empty());
  request.ask_method = "POST";
  add_preflight(answer, request, "OPTIONS, POST");
  assert_same(header(answer, "Access-Control-Allow-Methods"), "OPTIONS, POST");
  for (const char *name : {"Authorization", "Content-Type", "If-Match"})
    g_assert_nonnull(strstr(header(answer, "Access-Control-Allow-Headers").c_str(), name));
  g_assert_cmpint(std::stoi(header(answer, "Access-Control-Max-Age")), >, 0);
}

}  // namespace

static const agora::Suite suite("cors", [] {
  g_test_add_func("/web/cors/who-may-ask", test_who_may_ask);
  g_test_add_func("/web/cors/headers", test_headers);
  g_test_add_func("/web/cors/preflight", test_preflight);
});

}  // namespace cors_test

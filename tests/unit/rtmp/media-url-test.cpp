// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/rtmp/media-url.hpp"

#include <glib.h>

#include <string>

namespace {

void test_good () {
  for (const char *url :
       {"rtmp://127.0.0.1:1935/live/x", "rtmps://media.example/live/x?token=a%2Fb&c=d",
        "rtmp://[::1]:19350/live/x", "rtmp://host/live/deeper/x", "rtmp://host:65535/live/a-b_c"}) {
    g_autoptr(GError) error = nullptr;
    g_assert_true(agora::check_media_url(url, &error));
    g_assert_no_error(error);
  }
}

void test_bad () {
  const struct {
    std::string url;
    const char *says;
  } all[] = {
      {"", "rtmp://"},
      {"x", "rtmp://"},
      {"file:///etc/passwd", "rtmp://"},
      {"http://host/live/x", "rtmp://"},
      {"rtmp://", "no host"},
      {"rtmp:///live/x", "no host"},
      {"rtmp://host:99999/live/x", "port"},
      {"rtmp://host:-1/live/x", "port"},
      {"rtmp://host:0/live/x", "port is 0"},
      {"rtmp://[::1/live/x", "no URL"},
      {"rtmp://host", "no application"},
      {"rtmp://host/x", "no application"},
      {"rtmp://host/live/", "no application"},
      {"rtmp://host/live/" + std::string(5000, 'x'), "longer than 4096"},
      {std::string("rtmp://host/live/x\0y", 20), "U+0000"},
  };
  for (const auto &each : all) {
    g_autoptr(GError) error = nullptr;
    g_assert_false(agora::check_media_url(each.url, &error));
    g_assert_error(error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT);
    g_test_message("%s", error->message);
    g_assert_nonnull(g_strstr_len(error->message, -1, each.says));
    // The URL itself is a secret.
    g_assert_null(g_strstr_len(error->message, -1, "passwd"));
  }
}

}  // namespace

int main (int argc, char **argv) {
  g_test_init(&argc, &argv, nullptr);
  g_test_add_func("/media-url/good", test_good);
  g_test_add_func("/media-url/bad", test_bad);
  return g_test_run();
}

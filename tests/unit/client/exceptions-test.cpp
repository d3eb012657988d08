// SPDX-License-Identifier: LGPL-2.1-or-later
// No C++ exception gets out of the library: memory runs out in it, at each place in turn.
#include <atomic>
#include <cstdlib>
#include <new>

#include "signaling/agora-signaling.h"

namespace {

// Counts down; at 0 memory has run out. Below: there is enough.
std::atomic<int> left = -1;

}  // namespace

void *operator new(std::size_t size) {
  if (left >= 0 && left-- == 0)
    throw std::bad_alloc();
  if (void *memory = std::malloc(size ? size : 1))
    return memory;
  throw std::bad_alloc();
}
void operator delete(void *memory) noexcept {
  std::free(memory);
}
void operator delete(void *memory, std::size_t) noexcept {
  std::free(memory);
}

namespace {

static_assert(noexcept(agora_client_new("")));
static_assert(noexcept(agora_client_join_async(nullptr, "", "", 0, nullptr, nullptr, nullptr)));
static_assert(noexcept(agora_client_join_finish(nullptr, nullptr, nullptr)));
static_assert(noexcept(agora_client_destroy(nullptr)));
static_assert(noexcept(agora_token_parse("", nullptr)));
static_assert(noexcept(agora_error_is_final(nullptr)));
static_assert(noexcept(agora_log_set_level(AGORA_LOG_LEVEL_NONE)));

// As C does it: from where no exception is caught.
void make () {
  left = 0;
  agora_client_new("ws://127.0.0.1:1/api");
}

void call () {
  AgoraClient *client = agora_client_new("ws://127.0.0.1:1/api");
  left = 0;
  agora_client_init_async(client, "an app id that is longer than what a string holds in itself",
                          nullptr, nullptr, nullptr);
}

// Within what the machine and the core do.
void call_further_in () {
  AgoraClient *client = agora_client_new("ws://127.0.0.1:1/api");
  left = 3;
  agora_client_init_async(client, "an app id that is longer than what a string holds in itself",
                          nullptr, nullptr, nullptr);
}

void destroy () {
  AgoraClient *client = agora_client_new("ws://127.0.0.1:1/api");
  agora_client_init_async(client, "app", nullptr, nullptr, nullptr);
  agora_client_join_async(client, nullptr, "hall", 7, nullptr, nullptr, nullptr);
  left = 0;
  agora_client_destroy(client);
}

void ends_clearly (void (*what)()) {
  if (g_test_subprocess()) {
    try {
      what();
    } catch (...) {
      // What a program in C can't do.
      std::_Exit(0);
    }
    std::_Exit(0);
  }
  g_test_trap_subprocess(nullptr, 0, static_cast<GTestSubprocessFlags>(0));
  g_test_trap_assert_failed();
  g_test_trap_assert_stderr("*AgoraClient*std::bad_alloc*");
}

}  // namespace

int main (int argc, char **argv) {
  g_test_init(&argc, &argv, nullptr);
  agora_log_set_level(AGORA_LOG_LEVEL_NONE);
  g_test_add_func("/exceptions/make", [] { ends_clearly(make); });
  g_test_add_func("/exceptions/call", [] { ends_clearly(call); });
  g_test_add_func("/exceptions/call-further-in", [] { ends_clearly(call_further_in); });
  g_test_add_func("/exceptions/destroy", [] { ends_clearly(destroy); });
  return g_test_run();
}

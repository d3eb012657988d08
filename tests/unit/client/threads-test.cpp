// SPDX-License-Identifier: LGPL-2.1-or-later
// An AgoraClient whose last reference is dropped in another thread than the one that runs it.
#include <atomic>
#include <future>
#include <memory>
#include <thread>

#include "signaling/client/thread-default.hpp"
#include "tests/suite.hpp"
#include "tests/unit/client/rig.hpp"

namespace threads_test {

using rig::Gateway;
using rig::Plain;
namespace protocol = agora::protocol;
namespace client = agora::client;

namespace {

// A thread that runs a context of its own, until stop().
class Elsewhere {
 public:
  Elsewhere()
      : thread_([this] {
          g_main_context_push_thread_default(context_.get());
          g_main_loop_run(loop_);
          g_main_context_pop_thread_default(context_.get());
        }) {}
  ~Elsewhere() {
    stop();
    g_main_loop_unref(loop_);
  }
  Elsewhere(const Elsewhere &) = delete;
  Elsewhere &operator=(const Elsewhere &) = delete;

  // Does it there. The gateway goes on in this thread meanwhile.
  void run (const std::function<void()> &what) {
    std::atomic<bool> done = false;
    post([&] {
      what();
      done = true;
      g_main_context_wakeup(nullptr);
    });
    WAIT_FOR(done.load());
  }
  void post (std::function<void()> what) { client::do_there(context_.get(), std::move(what)); }
  void stop () {
    if (!thread_.joinable())
      return;
    post([this] { g_main_loop_quit(loop_); });
    thread_.join();
  }

 private:
  agora::ContextPtr context_{g_main_context_new()};
  GMainLoop *loop_ = g_main_loop_new(context_.get(), FALSE);
  std::thread thread_;
};

struct Watch {
  std::atomic<bool> over = false;  // no handler may be called any more
  std::atomic<int> told = 0;
  std::atomic<bool> gone = false;
};

void on_signal (Watch *watch) {
  g_assert_false(watch->over);
  watch->told++;
}

AgoraClient *make (Elsewhere &elsewhere, const std::string &gateway, Watch &watch) {
  AgoraClient *made = nullptr;
  elsewhere.run([&] {
    made = agora_client_new(gateway.c_str());
    client::Limits &limits = client::core_of(made).limits();
    limits.ping = 5;
    limits.first_retry = 20;
    for (const char *name : {"notify::state", "stream-added", "mute-audio", "reconnecting"})
      g_signal_connect_swapped(made, name, G_CALLBACK(on_signal), &watch);
    // Weak references are told of the dropping, this of the end.
    g_object_set_data_full(G_OBJECT(made), "watch", &watch.gone, [] (gpointer data) {
      *static_cast<std::atomic<bool> *>(data) = true;
      g_main_context_wakeup(nullptr);
    });
    // No task waits for them, which would hold another reference.
    client::core_of(made).happen(client::CallInit{0, "app"});
  });
  return made;
}

void join (Elsewhere &elsewhere, AgoraClient *made) {
  elsewhere.run([&] {
    client::core_of(made).happen(client::CallJoin{0, "", "hall", "7", 0, std::nullopt});
  });
}

AgoraState state_of (Elsewhere &elsewhere, AgoraClient *made) {
  AgoraState state = AGORA_STATE_IDLE;
  elsewhere.run([&] { state = agora_client_get_state(made); });
  return state;
}

struct Row {
  const char *name;
  AgoraState state;
  std::function<void(Elsewhere &, AgoraClient *, Gateway &, Plain &)> bring;
};

void join_well (Elsewhere &elsewhere, AgoraClient *made) {
  join(elsewhere, made);
  WAIT_FOR(state_of(elsewhere, made) == AGORA_STATE_JOINED);
}

const Row rows[] = {
    {"idle", AGORA_STATE_IDLE, [] (auto &, auto *, auto &, auto &) {}},
    {"opening", AGORA_STATE_CONNECTING,
     [] (Elsewhere &elsewhere, AgoraClient *made, Gateway &, Plain &mute) {
       elsewhere.run([&] { g_object_set(made, "gateway", mute.url().c_str(), nullptr); });
       join(elsewhere, made);
     }},
    {"joining", AGORA_STATE_CONNECTING,
     [] (Elsewhere &elsewhere, AgoraClient *made, Gateway &gateway, Plain &) {
       gateway.script = [] (Gateway::Socket &, const protocol::ClientMessage &) { return true; };
       join(elsewhere, made);
       WAIT_FOR(gateway.count<protocol::Join>() == 1);
     }},
    {"joined", AGORA_STATE_JOINED,
     [] (Elsewhere &elsewhere, AgoraClient *made, Gateway &, Plain &) {
       join_well(elsewhere, made);
     }},
    {"joined, and told a lot", AGORA_STATE_JOINED,
     [] (Elsewhere &elsewhere, AgoraClient *made, Gateway &gateway, Plain &) {
       join_well(elsewhere, made);
       for (unsigned i = 0; i < 500; i++)
         Gateway::send(gateway.socket(),
                       protocol::Event{protocol::EventKind::stream_added, 100 + i, {}, 0, false});
       g_main_context_iteration(nullptr, FALSE);
     }},
    {"waiting", AGORA_STATE_RECONNECTING,
     [] (Elsewhere &elsewhere, AgoraClient *made, Gateway &gateway, Plain &) {
       join_well(elsewhere, made);
       elsewhere.run([&] { client::core_of(made).limits().first_retry = 10'000; });
       Gateway::cut(gateway.socket());
       WAIT_FOR(state_of(elsewhere, made) == AGORA_STATE_RECONNECTING);
     }},
    {"reopening", AGORA_STATE_RECONNECTING,
     [] (Elsewhere &elsewhere, AgoraClient *made, Gateway &gateway, Plain &mute) {
       join_well(elsewhere, made);
       elsewhere.run([&] { g_object_set(made, "gateway", mute.url().c_str(), nullptr); });
       Gateway::cut(gateway.socket());
       const auto phase = [&] {
         client::Phase now{};
         elsewhere.run([&] { now = client::core_of(made).machine().phase(); });
         return now;
       };
       WAIT_FOR(phase() == client::Phase::reopening);
     }},
    {"leaving", AGORA_STATE_LEAVING,
     [] (Elsewhere &elsewhere, AgoraClient *made, Gateway &gateway, Plain &) {
       join_well(elsewhere, made);
       gateway.script = [] (Gateway::Socket &, const protocol::ClientMessage &) { return true; };
       elsewhere.run([&] {
         client::core_of(made).limits().leave = 10'000;
         client::core_of(made).happen(client::CallLeave{0});
       });
     }},
    {"failed", AGORA_STATE_FAILED,
     [] (Elsewhere &elsewhere, AgoraClient *made, Gateway &gateway, Plain &) {
       join_well(elsewhere, made);
       Gateway::send(gateway.socket(),
                     protocol::Event{protocol::EventKind::banned, 0, {}, 0, false});
       WAIT_FOR(state_of(elsewhere, made) == AGORA_STATE_FAILED);
     }},
};

// Its connection goes with it, unless that was cut before.
void closes (const Row &row, Gateway &gateway) {
  if (row.state == AGORA_STATE_RECONNECTING)
    return;
  for (Gateway::Socket *socket : gateway.sockets)
    WAIT_FOR(socket->closed);
}

// While the other thread is in the middle of something, nothing is taken away beneath it.
void while_it_is_busy (const Row &row) {
  Gateway gateway;
  Plain mute("");
  Watch watch;
  Elsewhere elsewhere;
  AgoraClient *made = make(elsewhere, gateway.url(), watch);
  row.bring(elsewhere, made, gateway, mute);
  g_assert_cmpint(state_of(elsewhere, made), ==, row.state);
  std::promise<void> begun, gate;
  elsewhere.post([&] {
    begun.set_value();
    gate.get_future().wait();
  });
  begun.get_future().wait();
  g_object_unref(made);
  watch.over = true;
  g_assert_false(watch.gone);
  gate.set_value();
  WAIT_FOR(watch.gone.load());
  closes(row, gateway);
}

// At any moment.
void while_it_runs (const Row &row) {
  Gateway gateway;
  Plain mute("");
  Watch watch;
  Elsewhere elsewhere;
  AgoraClient *made = make(elsewhere, gateway.url(), watch);
  row.bring(elsewhere, made, gateway, mute);
  g_object_unref(made);
  elsewhere.run([] {});  // a handler that was running has returned
  watch.over = true;
  WAIT_FOR(watch.gone.load());
  closes(row, gateway);
}

// Nobody runs its context any more: it goes at once.
void after_its_thread (const Row &row) {
  Gateway gateway;
  Plain mute("");
  Watch watch;
  Elsewhere elsewhere;
  AgoraClient *made = make(elsewhere, gateway.url(), watch);
  row.bring(elsewhere, made, gateway, mute);
  elsewhere.stop();
  watch.over = true;
  g_object_unref(made);
  g_assert_true(watch.gone);
}

void in_each_state () {
  for (const Row &row : rows) {
    g_test_message("%s", row.name);
    while_it_is_busy(row);
    after_its_thread(row);
    for (int i = 0; i < 10; i++)
      while_it_runs(row);
  }
}

// A call holds the client, and gives its reference back where it ends: in its own thread.
void under_a_call () {
  Gateway gateway;
  Watch watch;
  Elsewhere elsewhere;
  AgoraClient *made = make(elsewhere, gateway.url(), watch);
  elsewhere.run(
      [&] { agora_client_join_async(made, nullptr, "hall", 7, nullptr, nullptr, nullptr); });
  g_object_unref(made);
  WAIT_FOR(watch.gone.load());
}

}  // namespace

static const agora::Suite suite("threads", [] {
  agora_log_set_level(AGORA_LOG_LEVEL_NONE);
  // What is waited for may happen in the other thread alone.
  g_timeout_add(
      2, [] (gpointer) -> gboolean { return G_SOURCE_CONTINUE; }, nullptr);
  g_test_add_func("/client-threads/in-each-state", in_each_state);
  g_test_add_func("/client-threads/under-a-call", under_a_call);
});

}  // namespace threads_test

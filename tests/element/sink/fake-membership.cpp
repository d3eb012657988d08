// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tests/element/sink/fake-membership.hpp"

#include <thread>

#include "gst/common/handoff.hpp"
#include "signaling/agora-error.h"

namespace agora::test {

namespace {

Script *script;

// The signalling thread.
class Loop {
 public:
  Loop() : context_(g_main_context_new()), loop_(g_main_loop_new(context_, FALSE)) {
    thread_ = std::thread([this] { g_main_loop_run(loop_); });
  }
  ~Loop() {
    invoke([this] { g_main_loop_quit(loop_); });
    thread_.join();
    g_main_loop_unref(loop_);
    g_main_context_unref(context_);
  }

  void invoke (std::function<void()> what) {
    GSource *source = g_idle_source_new();
    g_source_set_priority(source, G_PRIORITY_DEFAULT);
    g_source_set_callback(
        source,
        [] (gpointer data) -> gboolean {
          Work::run(data);
          return G_SOURCE_REMOVE;
        },
        new Work(std::move(what)), Work::discard);
    g_source_attach(source, context_);
    g_source_unref(source);
  }

 private:
  GMainContext *context_;
  GMainLoop *loop_;
  std::thread thread_;
};

Loop &loop () {
  static Loop only;
  return only;
}

class FakeMembership final : public Membership,
                             public std::enable_shared_from_this<FakeMembership> {
 public:
  explicit FakeMembership(Member *member) : member_(member) {}

  void tell (std::function<void(Member &)> what) {
    loop().invoke([self = shared_from_this(), what = std::move(what)] {
      std::lock_guard lock(self->mutex_);
      if (self->member_)
        what(*self->member_);
    });
  }

  void enter (Member *) override {
    if (!script->refuse_later.empty()) {
      end(script->refuse_later.c_str());
      return;
    }
    if (script->url.empty())
      return;
    tell([] (Member &member) {
      member.joined(77);
      member.push_urls({{VoiceCodec::aac, script->url}});
    });
  }

  void end (const char *text) {
    tell([text = std::string(text)] (Member &member) {
      g_autoptr(GError) error =
          g_error_new_literal(AGORA_ERROR, AGORA_ERROR_INVALID_APP, text.c_str());
      member.failed(*error);
    });
  }

  bool leave (Member *, GstClockTime) override {
    {
      std::lock_guard lock(mutex_);
      member_ = nullptr;
    }
    note([] { script->left = true; });
    return true;
  }
  void push_broke (Member *) override {
    note([] { script->broke++; });
    if (script->silences)
      tell([] (Member &member) { member.silenced(true); });
    else if (!script->next_url.empty())
      tell([] (Member &member) { member.push_urls({{VoiceCodec::aac, script->next_url}}); });
  }
  void update_push_url (Member *) override {}
  void unpublish (Member *) override {
    note([] { script->unpublished = true; });
    if (script->while_unpublishing)
      script->while_unpublishing();
  }
  void republish (Member *) override {
    note([] { script->republished++; });
    if (!script->next_url.empty())
      tell([] (Member &member) { member.push_urls({{VoiceCodec::aac, script->next_url}}); });
  }
  void mute_local (Member *, bool mute) override {
    note([mute] { script->muted = mute; });
  }
  void renew_token (Member *, const std::string &token) override {
    note([&] { script->token = token; });
  }
  void run (std::function<void()> what) override { loop().invoke(std::move(what)); }
  void run (Member *, std::function<void()> what) override {
    tell([what = std::move(what)] (Member &) { what(); });
  }
  std::uint32_t uid () const override { return 77; }
  const char *state () const override { return "joined"; }

 private:
  template <typename F>
  static void note (F what) {
    std::lock_guard lock(script->mutex);
    what();
    script->changed.notify_all();
  }

  std::mutex mutex_;
  Member *member_;
};

std::weak_ptr<FakeMembership> current;

}  // namespace

void set_script (Script *next) {
  script = next;
}

void want_codecs (const VoiceCodecs &codecs) {
  if (const auto session = current.lock())
    session->tell([codecs] (Member &member) { member.codecs_wanted(codecs); });
}

void give_url (const std::string &url) {
  give_urls({{VoiceCodec::aac, url}});
}

void give_urls (const PushUrls &urls) {
  if (const auto session = current.lock())
    session->tell([urls] (Member &member) { member.push_urls(urls); });
}

void end_silence (const std::string &url) {
  if (const auto session = current.lock())
    session->tell([url] (Member &member) {
      member.silenced(false);
      member.push_urls({{VoiceCodec::aac, url}});
    });
}

void end_membership (const char *text) {
  if (const auto session = current.lock())
    session->end(text);
}

}  // namespace agora::test

namespace agora {

std::shared_ptr<Membership> Membership::join(GstElement *element, const ChannelSettings &, Part,
                                             Member *member, GError **error) {
  if (!test::script->refuse_at_once.empty()) {
    g_set_error_literal(error, AGORA_ERROR, AGORA_ERROR_INVALID_ARGUMENT,
                        test::script->refuse_at_once.c_str());
    return nullptr;
  }
  if (test::script->while_joining)
    test::script->while_joining(element);
  auto session = std::make_shared<test::FakeMembership>(member);
  test::current = session;
  return session;
}

}  // namespace agora

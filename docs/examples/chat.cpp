// SPDX-License-Identifier: LGPL-2.1-or-later
// chat GATEWAY APP CHANNEL [VOICE [EAR]]: an audio chat. The microphone goes into the channel, all
// others come out of the loudspeaker; both elements are one member, who doesn't hear itself. An
// empty line on standard input mutes the microphone, another one opens it again.
//
//   c++ -std=c++17 chat.cpp -o chat $(pkg-config --cflags --libs gstreamer-1.0)
//
// VOICE and EAR are pieces of a pipeline. As they are, webrtcdsp takes out of the microphone what
// the loudspeaker says. chat.vala and chat.rs are the same in other languages.
#include <glib-unix.h>
#include <gst/gst.h>

#include <iostream>
#include <memory>
#include <string>
#include <string_view>

namespace {

struct Unref {
  void operator()(gpointer object) const { gst_object_unref(object); }
};
template <typename T>
using Ref = std::unique_ptr<T, Unref>;

constexpr char default_voice[] =
    "autoaudiosrc ! audioconvert ! audioresample ! audio/x-raw,rate=48000 ! webrtcdsp";
constexpr char default_ear[] =
    "audioconvert ! audioresample ! audio/x-raw,rate=48000 ! webrtcechoprobe ! autoaudiosink";

class Chat {
 public:
  Chat(const std::string &voice, const std::string &ear) {
    std::string text = voice + " ! agorasink name=mouth  agorasrc name=ears latency=60 ! " + ear;
    g_autoptr(GError) error = nullptr;
    pipeline_.reset(gst_parse_launch(text.c_str(), &error));
    if (error != nullptr) {
      fail(error->message);
      return;
    }
    mouth_.reset(gst_bin_get_by_name(GST_BIN(pipeline_.get()), "mouth"));
    ears_.reset(gst_bin_get_by_name(GST_BIN(pipeline_.get()), "ears"));
  }
  Chat(const Chat &) = delete;
  Chat &operator=(const Chat &) = delete;
  ~Chat() { g_main_loop_unref(loop_); }

  void join (const char *gateway, const char *app, const char *channel) {
    for (GstElement *element : {mouth_.get(), ears_.get()})
      g_object_set(element, "gateway", gateway, "app-id", app, "channel", channel, nullptr);
  }

  int run () {
    if (status_ != 0)
      return status_;
    Ref<GstBus> bus{gst_element_get_bus(pipeline_.get())};
    gst_bus_add_watch(bus.get(), on_message, this);
    GIOChannel *input = g_io_channel_unix_new(0);
    g_io_add_watch(input, static_cast<GIOCondition>(G_IO_IN | G_IO_HUP), on_line, this);
    g_io_channel_unref(input);
    g_unix_signal_add(SIGINT, on_signal, loop_);
    g_unix_signal_add(SIGTERM, on_signal, loop_);
    gst_element_set_state(pipeline_.get(), GST_STATE_PLAYING);
    g_main_loop_run(loop_);
    gst_element_set_state(pipeline_.get(), GST_STATE_NULL);  // leaves the channel
    gst_bus_remove_watch(bus.get());
    return status_;
  }

 private:
  void fail (const char *text) {
    std::cerr << "chat: " << text << std::endl;
    status_ = 1;
    g_main_loop_quit(loop_);
  }

  // Both elements are one member, and both tell; the ears are enough.
  void on_news (const GstStructure *news) {
    std::string_view name = gst_structure_get_name(news);
    guint uid = 0;
    gst_structure_get_uint(news, "uid", &uid);
    if (name == "agora-stream-added")
      std::cout << uid << " speaks" << std::endl;
    else if (name == "agora-stream-removed")
      std::cout << uid << " has stopped" << std::endl;
    else if (name == "agora-mute-audio")
      std::cout << uid << " is muted" << std::endl;
    else if (name == "agora-unmute-audio")
      std::cout << uid << " is open" << std::endl;
  }

  static gboolean on_message (GstBus *, GstMessage *message, gpointer data) {
    auto *self = static_cast<Chat *>(data);
    if (GST_MESSAGE_TYPE(message) == GST_MESSAGE_ERROR) {
      g_autoptr(GError) error = nullptr;
      gst_message_parse_error(message, &error, nullptr);
      self->fail(error->message);
    } else if (GST_MESSAGE_TYPE(message) == GST_MESSAGE_ELEMENT &&
               GST_MESSAGE_SRC(message) == GST_OBJECT(self->ears_.get())) {
      self->on_news(gst_message_get_structure(message));
    }
    return G_SOURCE_CONTINUE;
  }

  static gboolean on_line (GIOChannel *input, GIOCondition, gpointer data) {
    auto *self = static_cast<Chat *>(data);
    g_autofree char *line = nullptr;
    if (g_io_channel_read_line(input, &line, nullptr, nullptr, nullptr) != G_IO_STATUS_NORMAL)
      return G_SOURCE_REMOVE;
    self->muted_ = !self->muted_;
    g_object_set(self->mouth_.get(), "muted", self->muted_ ? TRUE : FALSE, nullptr);
    std::cout << (self->muted_ ? "muted" : "open") << std::endl;
    return G_SOURCE_CONTINUE;
  }

  static gboolean on_signal (gpointer loop) {
    g_main_loop_quit(static_cast<GMainLoop *>(loop));
    return G_SOURCE_CONTINUE;
  }

  GMainLoop *loop_ = g_main_loop_new(nullptr, FALSE);
  Ref<GstElement> pipeline_, mouth_, ears_;
  bool muted_ = false;
  int status_ = 0;
};

}  // namespace

int main (int argc, char **argv) {
  gst_init(&argc, &argv);
  if (argc < 4 || argc > 6) {
    std::cerr << "usage: chat GATEWAY APP CHANNEL [VOICE [EAR]]" << std::endl;
    return 2;
  }
  Chat chat(argc > 4 ? argv[4] : default_voice, argc > 5 ? argv[5] : default_ear);
  chat.join(argv[1], argv[2], argv[3]);
  return chat.run();
}

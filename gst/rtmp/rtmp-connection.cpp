// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/rtmp/rtmp-connection.hpp"

#include <utility>

GST_DEBUG_CATEGORY_STATIC(agora_rtmp_debug);
#define GST_CAT_DEFAULT agora_rtmp_debug

namespace agora {

RtmpConnection::RtmpConnection(GstElement *session, GstElement *whole, Failed failed)
    : session_(GST_ELEMENT(gst_object_ref(session))),
      whole_(GST_ELEMENT(gst_object_ref(whole))),
      // Read by its handler alone: without a queue that somebody could wait for, and its
      // descriptors.
      bus_(GST_BUS(g_object_new(GST_TYPE_BUS, "enable-async", FALSE, nullptr))),
      failed_(std::move(failed)) {
  static const bool registered = [] {
    GST_DEBUG_CATEGORY_INIT(agora_rtmp_debug, "agorartmp", 0, "RTMP connections of the elements");
    return true;
  }();
  (void)registered;
  gst_bus_set_sync_handler(bus_.get(), message, this, nullptr);
  gst_element_set_bus(whole, bus_.get());
}

RtmpConnection::~RtmpConnection() {
  close(told_by());
  gst_element_set_bus(whole_.get(), nullptr);
}

GstBusSyncReply RtmpConnection::message(GstBus *, GstMessage *message, gpointer data) noexcept {
  auto *self = static_cast<RtmpConnection *>(data);
  if (GST_MESSAGE_TYPE(message) == GST_MESSAGE_ERROR) {
    g_autoptr(GError) error = nullptr;
    g_autofree char *debug = nullptr;
    gst_message_parse_error(message, &error, &debug);
    GST_INFO_OBJECT(self->whole_.get(), "%s: %s (%s)", GST_MESSAGE_SRC_NAME(message),
                    error->message, debug);
    const ErrorPtr refusal = self->socket_.refusal();
    if (!self->ending_)
      self->failed_(refusal ? *refusal : *error);
  }
  gst_message_unref(message);
  return GST_BUS_DROP;
}

// Of open() and close() at the same time, one at least sees the other, whichever gets to the
// elements first: so they are always stopped in the end.
bool RtmpConnection::open(AuthoritiesPtr authorities, const LastMedia *media) {
  opened_ = true;
  if (ending_)
    return true;
  socket_.apply(session_.get(), std::move(authorities), media);
  const bool opens =
      gst_element_set_state(whole_.get(), GST_STATE_PLAYING) != GST_STATE_CHANGE_FAILURE;
  if (!ending_)
    return opens;
  socket_.cut();
  socket_.await_told(told_by());
  stop();
  return true;
}

std::uint64_t RtmpConnection::received() const {
  return stat_of(session_.get(), "in-bytes-total");
}

void RtmpConnection::cut() {
  ending_ = true;
  if (opened_ && !accepted())
    socket_.cut();
}

// Whoever comes second waits in the state change until the first one is through.
void RtmpConnection::close(Deadline until) {
  ending_ = true;
  if (!opened_ || closed_)
    return;
  if (!accepted())
    socket_.cut();
  socket_.await_told(until);
  stop();
  closed_ = true;
}

// Its thread first, which may be linking a decoder: on its way to READY a GstBin forgets which pads
// are at that, and finds a loop in what it sees half done.
void RtmpConnection::stop() {
  gst_element_set_state(session_.get(), GST_STATE_NULL);
  gst_element_set_state(whole_.get(), GST_STATE_NULL);
}

}  // namespace agora

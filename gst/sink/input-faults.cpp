// SPDX-License-Identifier: LGPL-2.1-or-later
// What is said of an agorasink's input that can't be sent, and of input of which nothing comes.
#include <algorithm>
#include <utility>

#include "gst/common/aac-format.hpp"
#include "gst/common/flv-silence.hpp"
#include "gst/sink/flv-intake.hpp"
#include "gst/sink/input-chain.hpp"

namespace agora {

void InputChain::refuse(const std::string &why, const char *more) {
  refused_ = true;
  GST_ELEMENT_ERROR(bin_, STREAM, FORMAT,
                    ("Can't send this sound to the channel: %s.", why.c_str()),
                    ("%s", more ? more : ""));
}

void InputChain::refuse(const GstCaps *caps) {
  g_autofree char *text = gst_caps_to_string(caps);
  if (is_aac(caps)) {
    std::string why = aac_fault(caps);
    if (why.empty())
      why = "nothing that is installed decodes it: " + describe_aac(caps);
    refuse(why, text);
    return;
  }
  refused_ = true;
  GST_ELEMENT_ERROR(bin_, STREAM, WRONG_TYPE, ("Can't send %s to the channel. %s", text, kExpected),
                    (nullptr));
}

// Where a decoder, behind `before`, doesn't take its caps, the source says "Internal data stream
// error", which tells nobody anything.
void InputChain::tell_if_refused(GstPad *before) {
  const auto on_event = [] (GstPad *pad, GstPadProbeInfo *info, gpointer self) noexcept {
    GstEvent *event = GST_PAD_PROBE_INFO_EVENT(info);
    ObjectPtr<GstPad> peer(gst_pad_get_peer(pad));
    if (GST_EVENT_TYPE(event) != GST_EVENT_CAPS || !peer)
      return GST_PAD_PROBE_OK;
    GstCaps *caps = nullptr;
    gst_event_parse_caps(event, &caps);
    if (!gst_pad_send_event(peer.get(), gst_event_ref(event)) && !GST_PAD_IS_FLUSHING(peer.get()))
      static_cast<InputChain *>(self)->refuse(caps);
    gst_event_unref(event);
    return GST_PAD_PROBE_HANDLED;
  };
  gst_pad_add_probe(before, GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM, on_event, this, nullptr);
}

void InputChain::ended() {
  ObjectPtr<GstPad> entry(gst_element_get_static_pad(exit_, "sink"));
  if (refused_ || (gst_pad_is_linked(entry.get()) && !starvation_.in_vain()))
    return;
  refused_ = true;
  GST_ELEMENT_ERROR(
      bin_, STREAM, TYPE_NOT_FOUND,
      ("The stream ended, and there was no sound in it: %s. %s", why_silent().c_str(), kExpected),
      (nullptr));
}

// What is known of why nothing comes out.
std::string InputChain::why_silent() const {
  if (kind_ == Kind::none)
    return "no data came";
  if (came_out_)
    return "its timestamps are outside its segment";
  if (!intake_)
    return kind_ == Kind::unknown ? "nothing in it was recognised"
                                  : "what was made of it gave no sound";
  const FlvAudioFilter &filter = flv_filter_of(intake_);
  if (!filter.is_flv() && filter.header_size() > 0)
    return "its FLV header says it is " + std::to_string(filter.header_size()) +
           " bytes long, where 9 to " + std::to_string(FlvAudioFilter::kMostHeader) + " are valid";
  if (!filter.is_flv())
    return "it doesn't begin as FLV does";
  return agora::why_silent(filter.arrivals());
}

bool InputChain::explain(GstMessage *message) {
  const auto is_source = [message] (const ObjectPtr<GstElement> &element) {
    return GST_OBJECT(element.get()) == GST_MESSAGE_SRC(message);
  };
  if (GST_MESSAGE_TYPE(message) != GST_MESSAGE_ERROR)
    return false;
  {
    std::lock_guard lock(mutex_);
    if (std::none_of(elements_.begin(), elements_.end(), is_source))
      return false;
  }
  if (refused_.exchange(true))
    return true;
  g_autoptr(GError) error = nullptr;
  g_autofree char *debug = nullptr;
  gst_message_parse_error(message, &error, &debug);
  g_autofree char *name = gst_object_get_name(GST_MESSAGE_SRC(message));
  gst_element_message_full(
      GST_ELEMENT(bin_), GST_MESSAGE_ERROR, error->domain, error->code,
      g_strdup_printf("Can't send what came to the channel: \"%s\" %s", error->message, kExpected),
      g_strdup_printf("%s: %s", name, debug ? debug : ""), __FILE__, GST_FUNCTION, __LINE__);
  return true;
}

}  // namespace agora

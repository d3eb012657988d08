// SPDX-License-Identifier: LGPL-2.1-or-later
// What is said of an agorasink's input that can't be sent, and of input of which nothing comes.
#include <algorithm>
#include <utility>

#include "gst/sink/input-chain.hpp"

namespace agora {

void InputChain::refuse(const GstCaps *caps) {
  g_autofree char *text = gst_caps_to_string(caps);
  refused_ = true;
  GST_ELEMENT_ERROR(bin_, STREAM, WRONG_TYPE, ("Can't send %s to the channel. %s", text, kExpected),
                    (nullptr));
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
  if (!filter_)
    return kind_ == Kind::unknown ? "nothing in it was recognised"
                                  : "what was made of it gave no sound";
  const FlvAudioFilter::Counts &counts = filter_->counts();
  if (!filter_->is_flv() && filter_->header_size() > 0)
    return "its FLV header says it is " + std::to_string(filter_->header_size()) +
           " bytes long, where 9 to " + std::to_string(FlvAudioFilter::kMostHeader) + " are valid";
  if (!filter_->is_flv())
    return "it doesn't begin as FLV does";
  if (counts.passed > 0)
    return "its audio tags could not be decoded";
  if (counts.without_config > 0)
    return "its AAC has no configuration (sequence header)";
  if (counts.unknown_codec > 0)
    return "its audio is of SoundFormat " + std::to_string(filter_->left_out().value_or(0)) +
           ", which nothing here knows";
  if (counts.video > 0)
    return "there is only video in it";
  return "there are no audio tags in it";
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
      g_strdup_printf("Can't send what came to the channel: %s %s", error->message, kExpected),
      g_strdup_printf("%s: %s", name, debug ? debug : ""), __FILE__, GST_FUNCTION, __LINE__);
  return true;
}

}  // namespace agora

// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/common/messages.hpp"

#include <cstring>
#include <string>

namespace agora {
// The blocks below are named after agorasrc; the signals are agorasink's, too. They are emitted on
// the signalling thread; a handler must not wait.
void install_event_signals (GObjectClass *klass) {
  const auto about_somebody = [klass] (const char *name) {
    g_signal_new(name, G_OBJECT_CLASS_TYPE(klass), G_SIGNAL_RUN_LAST, 0, nullptr, nullptr, nullptr,
                 G_TYPE_NONE, 1, G_TYPE_UINT);
  };
  const auto about_us = [klass] (const char *name) {
    g_signal_new(name, G_OBJECT_CLASS_TYPE(klass), G_SIGNAL_RUN_LAST, 0, nullptr, nullptr, nullptr,
                 G_TYPE_NONE, 0);
  };
  /**
   * GstAgoraSrc::stream-added:
   * @element: the element
   * @uid: the uid of that member
   *
   * Another member has begun to speak.
   *
   * Since: 0.1
   */
  about_somebody("stream-added");
  /**
   * GstAgoraSrc::stream-removed:
   * @element: the element
   * @uid: the uid of that member
   *
   * Another member has stopped speaking, or has left the channel.
   *
   * Since: 0.1
   */
  about_somebody("stream-removed");
  /**
   * GstAgoraSrc::member-left:
   * @element: the element
   * @uid: the uid of that member
   *
   * With #GstAgoraSrc:list-members: a member that #GstAgoraSrc::member-joined has told of is in the
   * channel no more, or the gateway doesn't tell of it any more.
   *
   * Since: 0.2
   */
  about_somebody("member-left");
  /**
   * GstAgoraSrc::mute-audio:
   * @element: the element
   * @uid: the uid of that member
   *
   * Another member is silent on purpose.
   *
   * Since: 0.1
   */
  about_somebody("mute-audio");
  /**
   * GstAgoraSrc::unmute-audio:
   * @element: the element
   * @uid: the uid of that member
   *
   * Another member that was silent on purpose is so no longer.
   *
   * Since: 0.1
   */
  about_somebody("unmute-audio");
  /**
   * GstAgoraSrc::mute-video:
   * @element: the element
   * @uid: the uid of that member
   *
   * Another member has switched its picture off. These elements don't carry pictures.
   *
   * Since: 0.1
   */
  about_somebody("mute-video");
  /**
   * GstAgoraSrc::unmute-video:
   * @element: the element
   * @uid: the uid of that member
   *
   * Another member has switched its picture on. These elements don't carry pictures.
   *
   * Since: 0.1
   */
  about_somebody("unmute-video");
  /**
   * GstAgoraSrc::token-privilege-will-expire:
   * @element: the element
   *
   * The token ends within 30 s. Set #GstAgoraSrc:token to another one before that.
   *
   * Since: 0.1
   */
  about_us("token-privilege-will-expire");
  /**
   * GstAgoraSrc::token-privilege-did-expire:
   * @element: the element
   *
   * The token has ended, and the membership with it. An ERROR follows.
   *
   * Since: 0.1
   */
  about_us("token-privilege-did-expire");
  /**
   * GstAgoraSrc::client-banned:
   * @element: the element
   *
   * The operator of the channel has removed this member. An ERROR follows.
   *
   * Since: 0.1
   */
  about_us("client-banned");
  /**
   * GstAgoraSrc::silenced:
   * @element: the element
   *
   * A rule of the channel's operator takes this member off the air. An agorasink stays as it is and
   * sends nothing; agorasrc hears on.
   *
   * Since: 0.2
   */
  about_us("silenced");
  /**
   * GstAgoraSrc::unsilenced:
   * @element: the element
   *
   * That rule has ended: an agorasink is on the air again by itself.
   *
   * Since: 0.2
   */
  about_us("unsilenced");
}

void announce_event (GstElement *element, const char *name, std::uint32_t uid) {
  const std::string message = std::string("agora-") + name;
  GstStructure *s = gst_structure_new_empty(message.c_str());
  GSignalQuery query;
  g_signal_query(g_signal_lookup(name, G_OBJECT_TYPE(element)), &query);
  if (query.signal_id == 0) {
    gst_structure_free(s);
    return;
  }
  if (query.n_params == 1) {
    gst_structure_set(s, "uid", G_TYPE_UINT, uid, nullptr);
    g_signal_emit(element, query.signal_id, 0, uid);
  } else {
    g_signal_emit(element, query.signal_id, 0);
  }
  gst_element_post_message(element, gst_message_new_element(GST_OBJECT(element), s));
}

namespace {

using SendData = gboolean (*)(GstElement *element, const char *text, const UidList &to);

// As the wire's.
constexpr std::size_t most_data = 256;
constexpr std::size_t most_receivers = 16;

// What is no text of that length, or no such list, isn't sent at all. To a list that is empty by
// mistake, all would get it.
void send_data (GClosure *closure, GValue *sent, guint, const GValue *values, gpointer,
                gpointer) noexcept {
  const char *text = g_value_get_string(values + 1);
  const char *to = g_value_get_string(values + 2);
  const auto uids = parse_uids(to);
  const std::size_t length = text ? strlen(text) : 0;
  const bool good = length > 0 && length <= most_data && g_utf8_validate(text, -1, nullptr) &&
                    uids && uids->size() <= most_receivers && (!uids->empty() || !to || !*to);
  const auto send = reinterpret_cast<SendData>(closure->data);
  auto *element = GST_ELEMENT(g_value_get_object(values));
  g_value_set_boolean(sent, good && send(element, text, *uids));
}

}  // namespace

void install_data_signals (GObjectClass *klass, SendData send) {
  const GType type = G_OBJECT_CLASS_TYPE(klass);
  /**
   * GstAgoraSrc::data:
   * @element: the element
   * @uid: the uid of that member
   * @text: what it says, up to 256 bytes
   *
   * Another member has sent a few words to this one, or to all, such as by
   * #GstAgoraSrc::send-data. Emitted on the signalling thread; a handler must not wait.
   *
   * Since: 0.2
   */
  g_signal_new("data", type, G_SIGNAL_RUN_LAST, 0, nullptr, nullptr, nullptr, G_TYPE_NONE, 2,
               G_TYPE_UINT, G_TYPE_STRING);
  /**
   * GstAgoraSrc::member-named:
   * @element: the element
   * @uid: the uid of that member
   * @name: its name, by its own word; "": it has none any more
   *
   * A speaker has a name (#GstAgoraSrc:display-name): before its #GstAgoraSrc::stream-added, and
   * whenever it comes back with another one.
   *
   * Since: 0.2
   */
  g_signal_new("member-named", type, G_SIGNAL_RUN_LAST, 0, nullptr, nullptr, nullptr, G_TYPE_NONE,
               2, G_TYPE_UINT, G_TYPE_STRING);
  /**
   * GstAgoraSrc::member-joined:
   * @element: the element
   * @uid: the uid of that member
   * @name: its name, by its own word; "": it has none
   *
   * With #GstAgoraSrc:list-members: another member is in the channel, or has another name than it
   * had. Emitted on the signalling thread; a handler must not wait.
   *
   * Since: 0.2
   */
  g_signal_new("member-joined", type, G_SIGNAL_RUN_LAST, 0, nullptr, nullptr, nullptr, G_TYPE_NONE,
               2, G_TYPE_UINT, G_TYPE_STRING);
  /**
   * GstAgoraSrc::send-data:
   * @element: the element
   * @text: 1 to 256 bytes of UTF-8
   * @to: the uids of those that it is for, separated by commas, 16 at most; "" or %NULL: everybody
   *   else
   *
   * Action signal: sends a few words to other members, for cue lights and chat. Returns at once,
   * %FALSE for another text or list, or while the element isn't started. What the gateway doesn't
   * pass on, such as more than 5 a second, is a WARNING. From any thread.
   *
   * Since: 0.2
   */
  GClosure *closure = g_closure_new_simple(sizeof(GClosure), reinterpret_cast<gpointer>(send));
  g_closure_set_marshal(closure, send_data);
  const GType types[] = {G_TYPE_STRING, G_TYPE_STRING};
  g_signal_newv("send-data", type, static_cast<GSignalFlags>(G_SIGNAL_RUN_LAST | G_SIGNAL_ACTION),
                closure, nullptr, nullptr, nullptr, G_TYPE_BOOLEAN, 2, const_cast<GType *>(types));
}

void announce_name (GstElement *element, std::uint32_t uid, const std::string &name) {
  g_signal_emit_by_name(element, "member-named", uid, name.c_str());
  gst_element_post_message(
      element,
      gst_message_new_element(GST_OBJECT(element),
                              gst_structure_new("agora-member-named", "uid", G_TYPE_UINT, uid,
                                                "name", G_TYPE_STRING, name.c_str(), nullptr)));
}

void announce_member (GstElement *element, std::uint32_t uid, const std::string &name) {
  g_signal_emit_by_name(element, "member-joined", uid, name.c_str());
  GstStructure *member = gst_structure_new("agora-member-joined", "uid", G_TYPE_UINT, uid, nullptr);
  if (!name.empty())
    gst_structure_set(member, "name", G_TYPE_STRING, name.c_str(), nullptr);
  gst_element_post_message(element, gst_message_new_element(GST_OBJECT(element), member));
}

void announce_data (GstElement *element, std::uint32_t uid, const std::string &text) {
  g_signal_emit_by_name(element, "data", uid, text.c_str());
  gst_element_post_message(
      element,
      gst_message_new_element(GST_OBJECT(element),
                              gst_structure_new("agora-data", "uid", G_TYPE_UINT, uid, "text",
                                                G_TYPE_STRING, text.c_str(), nullptr)));
}

static void post (GstElement *element, GstStructure *structure) {
  gst_element_post_message(element, gst_message_new_element(GST_OBJECT(element), structure));
}

void announce_reconnecting (GstElement *element, const GError &cause) {
  post(element,
       gst_structure_new("agora-reconnecting", "cause", G_TYPE_STRING, cause.message, nullptr));
}

void announce_reconnected (GstElement *element, GstClockTime duration) {
  post(element,
       gst_structure_new("agora-reconnected", "duration", G_TYPE_UINT64, duration, nullptr));
}

void announce_lost (GstElement *element, std::uint32_t uid, const char *cause) {
  post(element, gst_structure_new("agora-reconnecting", "cause", G_TYPE_STRING, cause, "uid",
                                  G_TYPE_UINT, uid, nullptr));
}

void announce_found (GstElement *element, std::uint32_t uid, GstClockTime duration) {
  post(element, gst_structure_new("agora-reconnected", "duration", G_TYPE_UINT64, duration, "uid",
                                  G_TYPE_UINT, uid, nullptr));
}

}  // namespace agora

// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// GstURIHandler of both elements: the scheme agora:// stands for properties that they share.
#pragma once

#include <gst/gst.h>

#include "gst/common/channel-settings.hpp"

namespace agora {

// For G_IMPLEMENT_INTERFACE. `store` finds the settings of an element.
template <GstURIType kType, ChannelSettingsStore &(*store)(gpointer element)>
void implement_uri_handler (gpointer iface, gpointer) {
  auto *handler = static_cast<GstURIHandlerInterface *>(iface);
  handler->get_type = [] (GType) noexcept { return kType; };
  handler->get_protocols = [] (GType) noexcept {
    static const gchar *const protocols[] = {"agora", nullptr};
    return static_cast<const gchar *const *>(protocols);
  };
  handler->get_uri = [] (GstURIHandler *element) noexcept {
    return store(element).uri(G_OBJECT(element));
  };
  handler->set_uri = [] (GstURIHandler *element, const gchar *uri,
                         GError **error) noexcept -> gboolean {
    return store(element).set_uri(G_OBJECT(element), uri, error);
  };
}

}  // namespace agora

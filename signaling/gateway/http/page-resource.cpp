// SPDX-License-Identifier: LGPL-2.1-or-later
#include "signaling/gateway/http/page-resource.hpp"

#include "signaling/support/glib-ptr.hpp"

namespace agora::gateway {

namespace {

struct Type {
  std::string_view ending;
  const char *type;
};
// Browsers take no module of another type.
constexpr Type types[] = {{".html", "text/html; charset=utf-8"},
                          {".js", "text/javascript; charset=utf-8"},
                          {".css", "text/css; charset=utf-8"},
                          {".svg", "image/svg+xml"},
                          {".png", "image/png"},
                          {".json", "application/json"},
                          {".webmanifest", "application/manifest+json"}};

const char *type_of (std::string_view name) {
  for (const auto &[ending, type] : types)
    if (name.ends_with(ending))
      return type;
  return "text/plain; charset=utf-8";
}

constexpr std::size_t etag_digits = 32;

}  // namespace

std::optional<PageResource> find_page (GResource *resource, const std::string &folder,
                                       std::string_view name) {
  // Names as they are: none of ours needs an escape, and nothing is looked for in a file system.
  // GIO would take a name with a slash at its end, too.
  if (name.empty() || name.find('/') != std::string_view::npos)
    return {};
  const BytesPtr bytes(g_resource_lookup_data(resource, (folder + std::string(name)).c_str(),
                                              G_RESOURCE_LOOKUP_FLAGS_NONE, nullptr));
  if (!bytes)
    return {};
  gsize size = 0;
  const auto *data = static_cast<const char *>(g_bytes_get_data(bytes.get(), &size));
  const CharPtr sum(g_compute_checksum_for_bytes(G_CHECKSUM_SHA256, bytes.get()));
  return PageResource{type_of(name), std::string(data, size),
                      '"' + std::string(sum.get()).substr(0, etag_digits) + '"'};
}

}  // namespace agora::gateway

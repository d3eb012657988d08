// SPDX-License-Identifier: LGPL-2.1-or-later
#include "signaling/support/certificate.hpp"

namespace agora {

namespace {

// A certificate may name hundreds of hosts, and each in 250 letters.
constexpr guint most_names = 4;
constexpr std::size_t most_letters = 100;

// What a peer wrote, for a log: no control characters, and not too long.
std::string printable (std::string_view text) {
  std::string clean;
  for (const char c : text.substr(0, most_letters))
    clean += g_ascii_iscntrl(c) ? '?' : c;
  if (text.size() > most_letters)
    clean += "…";
  g_autofree char *valid = g_utf8_make_valid(clean.c_str(), -1);
  return valid;
}

std::string text_of (GTlsCertificate *certificate, const char *property) {
  g_autofree char *text = nullptr;
  g_object_get(certificate, property, &text, nullptr);
  return text != nullptr ? printable(text) : std::string();
}

std::string date_of (GTlsCertificate *certificate, const char *property) {
  g_autoptr(GDateTime) when = nullptr;
  g_object_get(certificate, property, &when, nullptr);
  if (when == nullptr)
    return "a time that it doesn't say";
  g_autoptr(GDateTime) utc = g_date_time_to_utc(when);
  g_autofree char *text = g_date_time_format(utc, "%Y-%m-%d %H:%M:%S UTC");
  return text;
}

// The hosts that it is for.
std::string names_of (GTlsCertificate *certificate) {
  g_autoptr(GPtrArray) names = nullptr;
  g_autoptr(GPtrArray) addresses = nullptr;
  g_object_get(certificate, "dns-names", &names, "ip-addresses", &addresses, nullptr);
  std::string all;
  guint count = 0;
  auto add = [&] (const std::string &name) {
    if (++count <= most_names)
      all += (all.empty() ? "" : ", ") + printable(name);
  };
  for (guint i = 0; names != nullptr && i < names->len; i++) {
    gsize size = 0;
    const auto *name = static_cast<const char *>(
        g_bytes_get_data(static_cast<GBytes *>(g_ptr_array_index(names, i)), &size));
    add({name, size});
  }
  for (guint i = 0; addresses != nullptr && i < addresses->len; i++) {
    g_autofree char *address =
        g_inet_address_to_string(static_cast<GInetAddress *>(g_ptr_array_index(addresses, i)));
    add(address);
  }
  if (count > most_names)
    all += " and " + std::to_string(count - most_names) + " more";
  return all.empty() ? text_of(certificate, "subject-name") : all;
}

}  // namespace

std::string why_untrusted (GTlsCertificate *certificate, GTlsCertificateFlags flags,
                           const std::string &host, const std::string &ca_file,
                           const std::string &setting) {
  std::string all;
  auto say = [&all] (const std::string &text) { all += (all.empty() ? "" : "; ") + text; };
  if (flags & G_TLS_CERTIFICATE_UNKNOWN_CA) {
    const std::string issuer = "its issuer, " + text_of(certificate, "issuer-name") + ", is ";
    say(ca_file.empty() ? issuer + "no authority that this system knows: set " + setting +
                              " to the PEM file of yours"
                        : issuer + "not among the authorities of " + setting + " " + ca_file);
  }
  if (flags & G_TLS_CERTIFICATE_BAD_IDENTITY)
    say("it is for " + names_of(certificate) + ", not for " + host);
  if (flags & G_TLS_CERTIFICATE_NOT_ACTIVATED)
    say("it is not valid before " + date_of(certificate, "not-valid-before") +
        ": is this machine's clock right?");
  if (flags & G_TLS_CERTIFICATE_EXPIRED)
    say("it expired on " + date_of(certificate, "not-valid-after"));
  if (flags & G_TLS_CERTIFICATE_REVOKED)
    say("it has been revoked");
  if (flags & G_TLS_CERTIFICATE_INSECURE)
    say("its key or its signature is too weak");
  if (all.empty())
    say("it could not be checked");
  return all;
}

}  // namespace agora

// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/recorder/options.hpp"

#include <gio/gio.h>

#include <algorithm>
#include <cstdio>
#include <cstring>

#include "agora-config.h"
#include "signaling/support/glib-ptr.hpp"

namespace agora::recorder {

namespace {

constexpr int kWrongUse = 2;
// Seconds.
constexpr gint64 kLeastRotation = 2;
constexpr gint64 kMostSeconds = 30LL * 24 * 3600;
constexpr gint kMostSpeakers = 1000;
constexpr gint kLeastLatency = 20;
constexpr gint kMostLatency = 10'000;
constexpr gsize kMostToken = 64 << 10;
constexpr gint kNotGiven = G_MININT;

struct FormatName {
  Format format;
  const char *name;
};
constexpr FormatName kFormats[] = {{Format::wav, "wav"},
                                   {Format::flac, "flac"},
                                   {Format::mka, "mka"},
                                   {Format::ogg, "ogg"},
                                   {Format::adts, "adts"}};

// As GOption fills them.
struct Raw {
  CharPtr gateway, app_id, channel, token, token_file, ca_file, folder, format;
  gint64 uid = 0;
  gint64 rotate = 0;
  gint64 duration = 0;
  gint64 min_free = 64;
  gint channels = kNotGiven;
  gint depth = kNotGiven;
  gint max_speakers = 64;
  gint latency = 1000;
  gboolean mix = FALSE;
  gboolean version = FALSE;
};

std::string text_of (const CharPtr &text) {
  return text ? text.get() : "";
}

bool wrong (const char *text) {
  std::fprintf(stderr, "agora-recorder: %s\nagora-recorder --help lists the options\n", text);
  return false;
}

bool in_range (gint64 value, gint64 least, gint64 most, const char *text) {
  return (value >= least && value <= most) || wrong(text);
}

// The secret is the file's first line.
bool read_token (const Raw &raw, Options &options) {
  options.token = text_of(raw.token);
  if (!raw.token_file)
    return true;
  if (raw.token)
    return wrong("--token and --token-file exclude each other");
  gchar *text = nullptr;
  gsize length = 0;
  GError *error = nullptr;
  if (!g_file_get_contents(raw.token_file.get(), &text, &length, &error)) {
    const ErrorPtr owned(error);
    return wrong(error->message);
  }
  const CharPtr owned(text);
  if (length > kMostToken || std::strlen(text) != length)
    return wrong("--token-file holds no token");
  options.token.assign(text, std::strcspn(text, "\r\n"));
  return true;
}

bool read_format (const Raw &raw, Options &options) {
  if (!raw.format)
    return true;
  for (const auto &[format, name] : kFormats)
    if (std::strcmp(name, raw.format.get()) == 0) {
      options.format = format;
      return true;
    }
  return wrong("--format is wav, flac, mka, ogg or adts");
}

bool check (const Raw &raw, Options &options) {
  const bool named = raw.gateway || raw.app_id || raw.channel;
  if (options.uri.empty() && (!raw.app_id || !raw.channel))
    return wrong("--app-id and --channel, or an agora:// URI, say what to record");
  if (!options.uri.empty() && named)
    return wrong("--gateway, --app-id and --channel are in the URI already");
  if (!in_range(raw.uid, 0, G_MAXUINT32, "--uid is 0 to 4294967295") ||
      (raw.channels != kNotGiven && !in_range(raw.channels, 1, 2, "--channels is 1 or 2")) ||
      !in_range(raw.max_speakers, 1, kMostSpeakers, "--max-speakers is 1 to 1000") ||
      !in_range(raw.latency, kLeastLatency, kMostLatency, "--latency is 20 to 10000 ms") ||
      !in_range(raw.min_free, 0, G_MAXINT64 >> 20, "--min-free is a number of MiB") ||
      !in_range(raw.duration, 0, kMostSeconds, "--duration is at most 30 days"))
    return false;
  if (raw.rotate != 0 &&
      !in_range(raw.rotate, kLeastRotation, kMostSeconds, "--rotate is 2 s to 30 days"))
    return false;
  if (raw.depth != kNotGiven && raw.depth != 16 && raw.depth != 24)
    return wrong("--depth is 16 or 24");
  if (options.coded() && (raw.channels != kNotGiven || raw.depth != kNotGiven))
    return wrong(
        "sound as it was sent keeps its own: --channels and --depth need --format=wav or "
        "flac");
  if (options.coded() && raw.mix)
    return wrong("the mix is nobody's sound as it was sent: --mix needs --format=wav or flac");
  return true;
}

}  // namespace

const char *Options::extension() const {
  const auto *found =
      std::find_if(std::begin(kFormats), std::end(kFormats),
                   [this] (const FormatName &each) { return each.format == format; });
  return format == Format::adts ? "aac" : found->name;
}

std::optional<Options> read_options (int count, char **words, int &status) {
  Raw raw;
  gchar *gateway = nullptr, *app_id = nullptr, *channel = nullptr, *token = nullptr,
        *token_file = nullptr, *ca_file = nullptr, *folder = nullptr, *format = nullptr;
  const GOptionEntry entries[] = {
      {"gateway", 0, 0, G_OPTION_ARG_STRING, &gateway,
       "the gateway; default: $AGORA_GATEWAY, or ws://127.0.0.1:8080/api", "URL"},
      {"app-id", 0, 0, G_OPTION_ARG_STRING, &app_id, "the app", "ID"},
      {"channel", 0, 0, G_OPTION_ARG_STRING, &channel, "the channel to record", "NAME"},
      {"uid", 0, 0, G_OPTION_ARG_INT64, &raw.uid, "the recorder's own; 0: assigned", "NUMBER"},
      {"token", 0, 0, G_OPTION_ARG_STRING, &token, "seen by others on this machine", "TOKEN"},
      {"token-file", 0, 0, G_OPTION_ARG_FILENAME, &token_file, "a file with the token", "FILE"},
      {"ca-file", 0, 0, G_OPTION_ARG_FILENAME, &ca_file, "the only authorities that are trusted",
       "FILE"},
      {"folder", 'o', 0, G_OPTION_ARG_FILENAME, &folder,
       "where each recording has a folder of its own; default: here", "DIR"},
      {"format", 'f', 0, G_OPTION_ARG_STRING, &format,
       "wav, flac; as it was sent: mka, ogg (Opus), adts (AAC)", "NAME"},
      {"channels", 0, 0, G_OPTION_ARG_INT, &raw.channels, "of a speaker's file: 1 (default) or 2",
       "N"},
      {"depth", 0, 0, G_OPTION_ARG_INT, &raw.depth, "bits a sample: 16 (default) or 24", "BITS"},
      {"mix", 'm', 0, G_OPTION_ARG_NONE, &raw.mix, "a file of the mix beside", nullptr},
      {"rotate", 'r', 0, G_OPTION_ARG_INT64, &raw.rotate, "new files so often", "SECONDS"},
      {"duration", 'd', 0, G_OPTION_ARG_INT64, &raw.duration, "ends by itself", "SECONDS"},
      {"max-speakers", 0, 0, G_OPTION_ARG_INT, &raw.max_speakers,
       "whoever comes beyond isn't recorded; default 64", "N"},
      {"min-free", 0, 0, G_OPTION_ARG_INT64, &raw.min_free,
       "stops writing where less is free; default 64", "MIB"},
      {"latency", 0, 0, G_OPTION_ARG_INT, &raw.latency,
       "what the network makes up for within it is no gap; default 1000", "MS"},
      {"version", 0, 0, G_OPTION_ARG_NONE, &raw.version, "prints it", nullptr},
      {}};
  GOptionContext *context = g_option_context_new("[agora://…]");
  g_option_context_set_summary(
      context, "Records a voice channel: a file for each speaker, all from a common zero.");
  g_option_context_add_main_entries(context, entries, nullptr);
  GError *error = nullptr;
  const bool parsed = g_option_context_parse(context, &count, &words, &error);
  g_option_context_free(context);
  raw.gateway.reset(gateway);
  raw.app_id.reset(app_id);
  raw.channel.reset(channel);
  raw.token.reset(token);
  raw.token_file.reset(token_file);
  raw.ca_file.reset(ca_file);
  raw.folder.reset(folder);
  raw.format.reset(format);

  status = kWrongUse;
  if (!parsed) {
    const ErrorPtr owned(error);
    wrong(error->message);
    return std::nullopt;
  }
  if (raw.version) {
    std::puts("agora-recorder " AGORA_VERSION);
    status = 0;
    return std::nullopt;
  }
  if (count > 2) {
    wrong("one URI at most");
    return std::nullopt;
  }
  Options options;
  if (count == 2)
    options.uri = words[1];
  if (!read_format(raw, options) || !check(raw, options) || !read_token(raw, options))
    return std::nullopt;
  options.gateway = text_of(raw.gateway);
  options.app_id = text_of(raw.app_id);
  options.channel = text_of(raw.channel);
  options.ca_file = text_of(raw.ca_file);
  if (raw.folder)
    options.folder = raw.folder.get();
  options.uid = static_cast<std::uint32_t>(raw.uid);
  if (raw.channels != kNotGiven)
    options.channels = raw.channels;
  if (raw.depth != kNotGiven)
    options.depth = raw.depth;
  options.mix = raw.mix;
  options.rotate_s = raw.rotate;
  options.duration_s = raw.duration;
  options.max_speakers = static_cast<std::uint32_t>(raw.max_speakers);
  options.min_free = static_cast<std::uint64_t>(raw.min_free) << 20;
  options.latency_ms = static_cast<std::uint32_t>(raw.latency);
  return options;
}

}  // namespace agora::recorder

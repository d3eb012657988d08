// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// agora-recorder: a voice channel as files, one for each speaker. docs/agora-recorder.1.
#include <glib-unix.h>
#include <gst/gst.h>

#include <csignal>
#include <cstdio>

#include "gst/common/own-elements.hpp"
#include "gst/recorder/cue-book.hpp"
#include "gst/recorder/disk.hpp"
#include "gst/recorder/folder.hpp"
#include "gst/recorder/options.hpp"
#include "gst/recorder/recording.hpp"
#include "gst/recorder/terminal.hpp"
#include "signaling/agora-log.h"
#include "signaling/support/descriptor-limit.hpp"

namespace agora::recorder {
namespace {

constexpr int kIncomplete = 1;
// What is in the lanes is in the cue sheet by then; seconds.
constexpr double kRounds = 1;

// The recorder itself tells that it reconnects, and of what ends it.
void on_log (AgoraLogLevel level, const char *text, gpointer terminal) {
  if (level == AGORA_LOG_LEVEL_WARNING && !g_str_has_prefix(text, "reconnecting: ") &&
      !g_str_has_prefix(text, "reconnected after "))
    static_cast<Terminal *>(terminal)->complain(text);
}

gboolean on_signal (gpointer recording) noexcept {
  static_cast<Recording *>(recording)->stop();
  return G_SOURCE_CONTINUE;
}

int record (const Options &options) {
  Terminal terminal;
  g_autoptr(GMainLoop) loop = g_main_loop_new(nullptr, FALSE);
  Recording recording(options, terminal, loop);
  const std::int64_t zero_us = g_get_real_time() - recording.now() / 1000;
  std::string reason;
  if (!recording.prepare(reason)) {
    terminal.complain(reason);
    return kIncomplete;
  }
  Folder folder;
  if (!folder.make(options.folder, reason)) {
    terminal.complain(reason);
    return kIncomplete;
  }
  terminal.say("recording into " + folder.path());
  CueBook cues({recording.app_id(), recording.channel(), options.extension(), zero_us,
                static_cast<double>(options.rotate_s), kRounds + options.latency_ms / 1e3});
  Disk disk(options, folder, cues,
            {[&recording] { return recording.now(); },
             [&terminal] (const Progress &progress) { terminal.show(progress); },
             [&terminal] (const std::string &text) { terminal.complain(text); }});
  disk.start();
  agora_log_set_handler(on_log, &terminal, nullptr);
  const guint sources[] = {g_unix_signal_add(SIGTERM, on_signal, &recording),
                           g_unix_signal_add(SIGINT, on_signal, &recording)};
  cues.note("begins", 0);
  recording.start(cues, disk);
  recording.run();
  recording.close();
  agora_log_set_handler(nullptr, nullptr, nullptr);
  disk.finish(recording.end());
  for (const guint source : sources)
    g_source_remove(source);
  terminal.say("recorded " + clock_text(recording.end()) + " into " + folder.path());
  if (!disk.whole())
    terminal.complain("not all sound found its place: the cue sheet tells where");
  return recording.failed() || !disk.whole() ? kIncomplete : 0;
}

}  // namespace
}  // namespace agora::recorder

int main (int count, char **words) {
  int status = 0;
  const auto options = agora::recorder::read_options(count, words, status);
  if (!options)
    return status;
  // What is beyond a limit on a file's size is an error like any other.
  std::signal(SIGXFSZ, SIG_IGN);
  agora::raise_descriptor_limit();
  gst_init(nullptr, nullptr);
  agora::register_own_elements();
  status = agora::recorder::record(*options);
  gst_deinit();
  return status;
}

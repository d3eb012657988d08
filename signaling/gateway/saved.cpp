// SPDX-License-Identifier: LGPL-2.1-or-later
// The file of the stream keys, and what stands against there being any.
#define G_LOG_DOMAIN "agora-gateway"
#include <utility>

#include "signaling/gateway/gateway.hpp"

namespace agora::gateway {

void Gateway::forbid_stream_keys(const Options &options) {
  if (!options.rtmp.empty())
    admin_->forbid_stream_keys("stream keys are agora-relay's: there are none with --rtmp");
  if (!options.store.empty())
    admin_->forbid_stream_keys(
        "gateways of one --store share no stream keys: run a gateway without it for encoders");
}

std::string Gateway::open_stream_keys(const std::string &folder) {
  const std::string file = folder + "/stream-keys";
  const std::string where = "--state-dir: " + file + ": ";
  stream_keys_ = std::make_unique<StateFile>(file);
  const auto read = stream_keys_->read();
  if (const auto *problem = std::get_if<std::string>(&read))
    return where + *problem;
  const std::string &text = std::get<StateFile::Text>(read).text;
  if (text.empty())
    return "";
  auto keys = StreamKeys::parse(text);
  if (const auto *problem = std::get_if<std::string>(&keys))
    return where + *problem;
  book_->set_stream_keys(std::get<StreamKeys>(std::move(keys)));
  return "";
}

// Whoever is told of a key may rely on it.
void Gateway::save_first(const AdminAnswer &answer, AdminReply reply) {
  if (!stream_keys_ || answer.saves == AdminAnswer::Saves::nothing)
    return reply(answer);
  stream_keys_->write(book_->stream_keys_text(), [this, answer, reply = std::move(reply)] (
                                                     const std::string &problem) {
    if (problem.empty()) {
      reply(answer);
    } else {
      g_warning("The file of the stream keys can't be written: %s", problem.c_str());
      if (answer.unsaved)
        answer.unsaved();
      reply(admin_failure(500, "the stream keys could not be written to their file: " + problem));
    }
    maybe_stopped();
  });
}

}  // namespace agora::gateway

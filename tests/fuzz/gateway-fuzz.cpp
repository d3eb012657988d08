// SPDX-License-Identifier: LGPL-2.1-or-later
// Any bytes as the request that opens a WebSocket, as the form of a media server's hook, and as the
// arguments of a media URL: what strangers write into each of them. And as the operator's rules of
// an earlier gateway, whose file may be torn.
#include <glib.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "signaling/gateway/channel/hook-form.hpp"
#include "signaling/gateway/channel/media-url.hpp"
#include "signaling/gateway/channel/rule-text.hpp"
#include "signaling/gateway/front/opening.hpp"
#include "signaling/gateway/media/srs-hook.hpp"

namespace {

using namespace agora::gateway;

constexpr std::string_view path = "/api";
constexpr std::string_view head_end = "\r\n\r\n";
// What the seed with a good signature was made with.
constexpr std::string_view stream = "0123456789abcdef0123456789abcdef";

void require (bool good, const char *what) {
  if (!good)
    g_error("%s", what);
}

void check_opening (std::string_view bytes) {
  const auto opening = read_opening(bytes, path);
  if (!opening)
    return;
  require(opening->size <= bytes.size(), "longer than what came");
  const std::string_view request = bytes.substr(0, opening->size);
  require(request.ends_with(head_end), "ends in the middle of a line");
  // How TCP cuts what comes makes no difference.
  require(!read_opening(request.substr(0, request.size() - 1), path), "taken before it was whole");
  const auto alone = read_opening(request, path);
  require(alone && alone->answer == opening->answer, "what follows it changes it");
  require(opening->answer.find(head_end) == opening->answer.size() - head_end.size(),
          "the answer holds more than one");
  const char *host = soup_message_headers_get_one(opening->headers.get(), "Host");
  require(host && !host_of(host).empty(), "taken without a host");
}

void check_url (std::string_view args) {
  const auto read = parse_url_args(args);
  if (!read)
    return;
  const UrlSigner signer("a secret of the fuzzer's", "live");
  require(read->expires_at >= 0, "ends before time began");
  const std::string written =
      signer.write(Direction::push, stream, read->member, read->grant, read->expires_at);
  require(signer.verify(Direction::push, stream, *read) == (args == written),
          "good in another form than the one that is written");
  require(!signer.verify(Direction::play, stream, *read) || args != written,
          "good in the other direction");
}

void check_hook (const std::variant<HookRequest, HookRefusal> &verdict) {
  if (const auto *refusal = std::get_if<HookRefusal>(&verdict)) {
    require(!refusal->reason.empty(), "refused without a reason");
    return;
  }
  const auto &request = std::get<HookRequest>(verdict);
  require(request.client_id != 0, "from nobody");
  for (const std::string *text : {&request.app, &request.stream, &request.args, &request.address})
    require(text->find('\0') == std::string::npos, "holds the end of a C string");
  check_url(request.args);
}

void check_kept (std::string_view bytes) {
  const ReadRules read = read_kept(bytes);
  require(read.problem.empty() == (read.bad == 0), "bad without a reason");
  const std::string text = kept_text(read.kept);
  const ReadRules again = read_kept(text);
  require(again.bad == 0, "what is written can't be read");
  require(kept_text(again.kept) == text, "has two forms");
  require(again.kept.rules.size() == read.kept.rules.size(), "a rule is lost");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput (const std::uint8_t *data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char *>(data), size);
  check_opening(bytes);
  check_hook(parse_hook_form(bytes));
  check_hook(parse_srs_hook(bytes));
  check_url(bytes);
  check_kept(bytes);
  return 0;
}

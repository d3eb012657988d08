// SPDX-License-Identifier: LGPL-2.1-or-later
// WebSocket's frames and the gateway's messages from a member's side, as cheap as they get.
#pragma once

#include <algorithm>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace bench {

inline std::string client_frame (std::string_view text) {
  constexpr std::size_t short_size = 126;
  std::string frame(1, '\x81');
  if (text.size() < short_size) {
    frame += static_cast<char>(0x80 | text.size());
  } else {
    frame += '\xfe';
    frame += static_cast<char>(text.size() >> 8);
    frame += static_cast<char>(text.size());
  }
  // A mask of zeros is as good as any to a server.
  frame.append(4, '\0');
  return frame.append(text);
}

// The text of the frame at `from` of what a server sent, which is moved behind it; nothing: not all
// of it is there.
inline std::optional<std::string_view> server_frame (std::string_view got, std::size_t &from) {
  const auto left = got.size() - from;
  const auto *bytes = reinterpret_cast<const unsigned char *>(got.data()) + from;
  if (left < 2)
    return std::nullopt;
  std::size_t head = 2, length = bytes[1] & 127;
  if (length == 126) {
    if (left < 4)
      return std::nullopt;
    head = 4;
    length = static_cast<std::size_t>(bytes[2]) << 8 | bytes[3];
  }
  if (left < head + length)
    return std::nullopt;
  from += head + length;
  return got.substr(from - length, length);
}

// Which member is in which channel, and what each says there. In small channels everyone speaks and
// hears the others, in large ones all hear the first.
struct Rooms {
  // A report has no more.
  static constexpr std::size_t most_heard = 16;

  std::size_t members;
  std::size_t size = 0;  // 0: all of them are in one, and none reports

  std::size_t first (std::size_t id) const { return size > 0 ? id - id % size : 0; }
  bool small () const { return size > 0 && size <= most_heard + 1; }
  bool speaks (std::size_t id) const { return id == first(id) || small(); }
  std::string channel (std::size_t id) const {
    return size > 0 ? "load" + std::to_string(id / size) : "load";
  }

  // From one `{` to the next: what a message begins with.
  std::string envelope (std::size_t id, int request) const {
    return R"({"appId":"demo","cname":")" + channel(id) + R"(","uid":")" + std::to_string(id + 1) +
           R"(","sid":"E1ABA8D212E9D2BE7F613B396C0CA543","sdkVersion":"1.1.0","requestId":)" +
           std::to_string(request) + R"(,"ts":1700000000,)";
  }

  std::string join (std::size_t id) const {
    return std::string(R"({"action":"join","role":")") + (speaks(id) ? "broadcaster" : "audience") +
           R"(","appId":"demo","customAudioCodec":null,"key_vos":"demo","key_vocs":"demo",)"
           R"("channel_name":")" +
           channel(id) + R"(","uid":")" + std::to_string(id + 1) +
           R"(","vid":"1","device":"test","os":"linux","version":"2.6.4",)"
           R"("clientType":"test","audio_only":true,"uidType":0)" +
           (size > 0 ? R"(,"features":["quality"]})" : "}");
  }

  // As agorasink and agorasrc have it: the own voice, where there is one, and the speakers heard.
  std::string report (std::size_t id, int lost_ms) const {
    std::string text = R"({"action":"report","reconnects":0)";
    if (speaks(id))
      text += R"(,"sent":{"peak":-7,"rms":-19,"dropped":0,"outages":0})";
    text += R"(,"heard":[)";
    const std::size_t end = small() ? std::min(first(id) + size, members) : first(id) + 1;
    const char *comma = "";
    for (std::size_t each = first(id); each < end; each++)
      if (each != id)
        text += std::exchange(comma, ",") + (R"({"uid":)" + std::to_string(each + 1)) +
                R"(,"peak":-9,"rms":-21,"delay":62,"latency":121,"jitter":3,"dropped":0,)"
                R"("concealed":)" +
                std::to_string(lost_ms) + "}";
    return text + "]}";
  }
};

}  // namespace bench

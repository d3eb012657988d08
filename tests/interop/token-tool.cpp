// SPDX-License-Identifier: LGPL-2.1-or-later
// The token code as a program, for tests in other languages: a line of words in, a line of JSON
// out.
#include <algorithm>
#include <cstdlib>
#include <iostream>
#include <string>
#include <vector>

#include "signaling/protocol/token.hpp"

namespace {

using namespace agora::protocol;

using Words = std::vector<std::string>;

constexpr char usage[] =
    "expected lines, with tabs between the words:\n"
    "  verify TOKEN APP CERTIFICATE CHANNEL UID NOW\n"
    "  read TOKEN\n"
    "  build KIND APP CERTIFICATE CHANNEL UID ROLE ISSUED EXPIRES SALT\n";

// What the texts of the tests hold needs no more.
std::string quoted (const std::string &text) {
  std::string json = "\"";
  for (char c : text) {
    if (c == '"' || c == '\\')
      json += '\\';
    json += c;
  }
  return json + "\"";
}

void print (const Grant &grant) {
  std::cout << "\"ends_at\":" << grant.token_ends_at << ",\"privileges\":{";
  const char *comma = "";
  for (int which = 1; which <= 4; which++) {
    const auto &item = grant[static_cast<Privilege>(which)];
    if (!item.allowed)
      continue;
    std::cout << comma << '"' << which << "\":" << item.ends_at;
    comma = ",";
  }
  std::cout << "}";
}

void print (const TokenError &error) {
  std::cout << "{\"code\":" << static_cast<int>(error.code)
            << ",\"reason\":" << quoted(error.reason) << "}\n";
}

void verify (const Words &words) {
  auto verdict = verify_token(words[1], {words[2], words[3], words[4], words[5]},
                              std::strtoll(words[6].c_str(), nullptr, 10));
  if (auto *error = std::get_if<TokenError>(&verdict))
    return print(*error);
  std::cout << "{\"code\":200,";
  print(std::get<Grant>(verdict));
  std::cout << "}\n";
}

void read (const Words &words) {
  auto reading = read_token(words[1]);
  if (auto *error = std::get_if<TokenError>(&reading))
    return print(*error);
  const auto &content = std::get<TokenContent>(reading);
  std::cout << "{\"code\":200,\"app\":" << quoted(content.app_id)
            << ",\"issued_at\":" << content.issued_at << ",\"salt\":" << content.salt;
  if (content.channel)
    std::cout << ",\"channel\":" << quoted(*content.channel);
  if (content.uid)
    std::cout << ",\"uid\":" << quoted(*content.uid);
  std::cout << ",";
  print(content.grant);
  std::cout << "}\n";
}

void build (const Words &words) {
  TokenSpec spec;
  spec.kind = words[1] == "005"   ? TokenKind::channel_key_005
              : words[1] == "006" ? TokenKind::access_token_006
                                  : TokenKind::access_token_007;
  spec.app_id = words[2];
  spec.certificate = words[3];
  spec.channel = words[4];
  spec.uid = words[5];
  spec.role = words[6] == "publisher" ? Role::broadcaster : Role::audience;
  spec.issued_at = std::strtoll(words[7].c_str(), nullptr, 10);
  spec.expires_in = std::strtoll(words[8].c_str(), nullptr, 10);
  spec.salt = static_cast<std::uint32_t>(std::strtoul(words[9].c_str(), nullptr, 10));
  auto result = build_token(spec);
  if (auto *error = std::get_if<TokenError>(&result))
    return print(*error);
  std::cout << "{\"code\":200,\"token\":" << quoted(std::get<std::string>(result)) << "}\n";
}

int serve () {
  std::string line;
  while (std::getline(std::cin, line)) {
    Words words;
    for (std::size_t from = 0; from <= line.size();) {
      std::size_t tab = std::min(line.find('\t', from), line.size());
      words.push_back(line.substr(from, tab - from));
      from = tab + 1;
    }
    if (words[0] == "verify" && words.size() == 7) {
      verify(words);
    } else if (words[0] == "read" && words.size() == 2) {
      read(words);
    } else if (words[0] == "build" && words.size() == 10) {
      build(words);
    } else {
      std::cerr << usage;
      return 2;
    }
    std::cout.flush();
  }
  return 0;
}

}  // namespace

int main () {
  try {
    return serve();
  } catch (...) {
    return 1;
  }
}

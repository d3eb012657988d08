// SPDX-License-Identifier: LGPL-2.1-or-later
// The relay's TLS against OpenSSL's own client, both in memory: in pieces of every size, by every
// version, with tickets, over a change of the certificate, and with peers that misbehave. And its
// client against its server.
#include "signaling/support/tls.hpp"

#include <glib.h>
#include <malloc.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

namespace {

using agora::Tls;
using agora::TlsIdentity;
using agora::TlsTrust;

std::string text_of (BIO *bio) {
  char *data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  std::string text(data, static_cast<std::size_t>(size));
  BIO_free(bio);
  return text;
}

// A certificate that signs itself, and its key.
struct Pair {
  std::string certificate;
  std::string key;

  // `host`: that it is for, such as IP:192.0.2.1; null: none.
  explicit Pair(const char *name, const char *host = nullptr) {
    EVP_PKEY *pkey = EVP_EC_gen("P-256");
    X509 *x509 = X509_new();
    X509_set_version(x509, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(x509), 1);
    X509_gmtime_adj(X509_getm_notBefore(x509), -60);
    X509_gmtime_adj(X509_getm_notAfter(x509), 3600);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(x509), "CN", MBSTRING_ASC,
                               reinterpret_cast<const unsigned char *>(name), -1, -1, 0);
    X509_set_issuer_name(x509, X509_get_subject_name(x509));
    X509_set_pubkey(x509, pkey);
    if (host != nullptr) {
      X509_EXTENSION *names = X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, host);
      X509_add_ext(x509, names, -1);
      X509_EXTENSION_free(names);
    }
    X509_sign(x509, pkey, EVP_sha256());
    BIO *bio = BIO_new(BIO_s_mem());
    PEM_write_bio_X509(bio, x509);
    certificate = text_of(bio);
    bio = BIO_new(BIO_s_mem());
    PEM_write_bio_PrivateKey(bio, pkey, nullptr, nullptr, 0, nullptr, nullptr);
    key = text_of(bio);
    X509_free(x509);
    EVP_PKEY_free(pkey);
  }
};

const Pair &pair () {
  static const Pair one("one");
  return one;
}

TlsIdentity::Ptr identity (const Pair &of = pair()) {
  auto made = TlsIdentity::make(of.certificate, of.key);
  g_assert_true(std::holds_alternative<TlsIdentity::Ptr>(made));
  return std::get<TlsIdentity::Ptr>(made);
}

using TlsSession = std::unique_ptr<SSL_SESSION, decltype(&SSL_SESSION_free)>;

class Client {
 public:
  explicit Client(int least = 0, int most = 0, SSL_SESSION *session = nullptr)
      : context_(SSL_CTX_new(TLS_client_method())) {
    SSL_CTX_set_security_level(context_, 0);
    SSL_CTX_set_min_proto_version(context_, least);
    SSL_CTX_set_max_proto_version(context_, most);
    ssl_ = SSL_new(context_);
    in_ = BIO_new(BIO_s_mem());
    out_ = BIO_new(BIO_s_mem());
    BIO_set_mem_eof_return(in_, -1);
    SSL_set_bio(ssl_, in_, out_);
    SSL_set_connect_state(ssl_);
    if (session != nullptr)
      SSL_set_session(ssl_, session);
  }
  ~Client() {
    SSL_free(ssl_);
    SSL_CTX_free(context_);
  }
  Client(const Client &) = delete;
  Client &operator=(const Client &) = delete;

  bool done () {
    ERR_clear_error();
    SSL_do_handshake(ssl_);
    return SSL_is_init_finished(ssl_) == 1;
  }
  std::string take () {
    std::string text(BIO_ctrl_pending(out_), 0);
    if (!text.empty())
      BIO_read(out_, text.data(), static_cast<int>(text.size()));
    return text;
  }
  void give (std::string_view ciphertext) {
    if (!ciphertext.empty())
      BIO_write(in_, ciphertext.data(), static_cast<int>(ciphertext.size()));
  }
  void say (std::string_view text) {
    g_assert_cmpint(SSL_write(ssl_, text.data(), static_cast<int>(text.size())), ==, text.size());
  }
  std::string hear () {
    std::string all;
    char buffer[4096];
    for (int size = 0; (size = SSL_read(ssl_, buffer, sizeof buffer)) > 0;)
      all.append(buffer, static_cast<std::size_t>(size));
    return all;
  }
  SSL *ssl () const { return ssl_; }
  TlsSession session () const { return {SSL_get1_session(ssl_), SSL_SESSION_free}; }
  std::string peer_name () const {
    X509 *x509 = SSL_get1_peer_certificate(ssl_);
    char name[64] = "";
    X509_NAME_get_text_by_NID(X509_get_subject_name(x509), NID_commonName, name, sizeof name);
    X509_free(x509);
    return name;
  }

 private:
  SSL_CTX *context_;
  SSL *ssl_ = nullptr;
  BIO *in_ = nullptr;
  BIO *out_ = nullptr;
};

// What the server reads of these bytes, given in pieces.
std::string give (Tls &server, std::string_view bytes, std::size_t piece = SIZE_MAX) {
  std::string plaintext;
  std::vector<std::uint8_t> buffer(Tls::record_bytes);
  while (!bytes.empty()) {
    const std::string_view some = bytes.substr(0, piece);
    bytes.remove_prefix(some.size());
    server.feed({reinterpret_cast<const std::uint8_t *>(some.data()), some.size()});
    while (const std::size_t size = server.read(buffer))
      plaintext.append(reinterpret_cast<const char *>(buffer.data()), size);
  }
  return plaintext;
}

std::string take (Tls &server) {
  std::string output(server.output());
  server.sent(output.size());
  g_assert_true(server.output().empty());
  return output;
}

bool shake_hands (Tls &server, Client &client, std::size_t piece = SIZE_MAX) {
  for (int i = 0; i < 10 && !server.over(); i++) {
    if (client.done() && server.established() && server.output().empty())
      return true;
    give(server, client.take(), piece);
    client.give(take(server));
  }
  return false;
}

std::size_t write (Tls &server, std::string_view text) {
  return server.write({reinterpret_cast<const std::uint8_t *>(text.data()), text.size()});
}

void test_both_ways () {
  std::string long_text(100'000, 'x');
  for (std::size_t i = 0; i < long_text.size(); i++)
    long_text[i] = static_cast<char>(i * 7 + i / 251);
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION})
    for (const std::size_t piece : {std::size_t{1}, std::size_t{7}, std::size_t{1460}, SIZE_MAX}) {
      Tls server(identity());
      Client client(version, version);
      g_assert_cmpuint(write(server, "early"), ==, 0);
      g_assert_true(shake_hands(server, client, piece));
      g_assert_cmpint(SSL_version(client.ssl()), ==, version);
      client.say("hello");
      client.say(long_text);
      g_assert_true(give(server, client.take(), piece) == "hello" + long_text);
      // No more than a record at once, and the next when that is gone.
      std::string_view rest = long_text;
      std::string heard;
      while (!rest.empty()) {
        const std::size_t size = write(server, rest);
        g_assert_cmpuint(size, >, 0);
        g_assert_cmpuint(size, <=, Tls::record_bytes);
        g_assert_cmpuint(write(server, rest), ==, 0);
        g_assert_cmpuint(server.output().size(), <, size + 512);
        rest.remove_prefix(size);
        // In part, as a socket takes it.
        const std::string half(server.output().substr(0, server.output().size() / 2));
        server.sent(half.size());
        client.give(half);
        g_assert_cmpuint(write(server, rest), ==, 0);
        client.give(take(server));
        heard += client.hear();
      }
      g_assert_true(heard == long_text);
      server.close();
      client.give(take(server));
      client.hear();
      g_assert_cmpint(SSL_get_shutdown(client.ssl()) & SSL_RECEIVED_SHUTDOWN, !=, 0);
      SSL_shutdown(client.ssl());
      g_assert_true(give(server, client.take()).empty());
      g_assert_true(server.over());
      g_assert_true(server.reason() == "");
    }
}

void test_old_versions () {
  for (const int version : {TLS1_VERSION, TLS1_1_VERSION}) {
    Tls server(identity());
    Client client(version, version);
    g_assert_false(shake_hands(server, client));
    g_assert_true(server.over());
    g_assert_nonnull(strstr(server.reason().c_str(), "protocol"));
  }
}

void test_no_tls_at_all () {
  const std::string rtmp = std::string(1, '\3') + std::string(1536, 'r');
  for (const std::string &bytes : {std::string("GET / HTTP/1.1\r\nHost: x\r\n\r\n"), rtmp,
                                   std::string(5000, '\0'), std::string(5000, '\x16')}) {
    Tls server(identity());
    give(server, bytes);
    g_assert_true(server.over());
    g_assert_cmpstr(server.reason().c_str(), !=, "");
    g_assert_cmpuint(server.output().size(), <, 64);
    g_assert_cmpuint(write(server, "x"), ==, 0);
  }
  // One that was changed on the way.
  Tls server(identity());
  Client client;
  g_assert_true(shake_hands(server, client));
  client.say("hello");
  std::string bytes = client.take();
  bytes[bytes.size() / 2] ^= 1;
  g_assert_true(give(server, bytes) == "");
  g_assert_true(server.over());
}

// Handshakes of all kinds, cut short or changed anywhere: an end, and no more output than a few.
void test_broken_handshakes () {
  Client first;
  first.done();
  const std::string hello = first.take();
  for (std::size_t i = 0; i < hello.size(); i++)
    for (const int bit : {0, 3, 7}) {
      std::string changed = hello;
      changed[i] = static_cast<char>(changed[i] ^ (1 << bit));
      Tls server(identity());
      give(server, changed);
      g_assert_cmpuint(server.output().size(), <, 8192);
      g_assert_false(server.established());
    }
}

void test_tickets () {
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    const auto same = identity();
    TlsSession session(nullptr, SSL_SESSION_free);
    {
      Tls server(same);
      Client client(version, version);
      g_assert_true(shake_hands(server, client));
      write(server, "x");
      client.give(take(server));
      g_assert_true(client.hear() == "x");
      g_assert_false(SSL_session_reused(client.ssl()));
      session = client.session();
      SSL_shutdown(client.ssl());
    }
    {
      Tls server(same);
      Client client(version, version, session.get());
      g_assert_true(shake_hands(server, client));
      g_assert_true(SSL_session_reused(client.ssl()));
      SSL_shutdown(client.ssl());
    }
    // Of another identity it opens nothing, and holds up nothing.
    Tls server(identity());
    Client client(version, version, session.get());
    g_assert_true(shake_hands(server, client));
    g_assert_false(SSL_session_reused(client.ssl()));
  }
}

void test_another_certificate () {
  const Pair other("two");
  TlsIdentity::Ptr current = identity();
  Tls old(current);
  Client its_client;
  g_assert_true(shake_hands(old, its_client));
  current = identity(other);
  Tls fresh(current);
  Client next;
  g_assert_true(shake_hands(fresh, next));
  g_assert_true(its_client.peer_name() == "one");
  g_assert_true(next.peer_name() == "two");
  its_client.say("still here");
  g_assert_true(give(old, its_client.take()) == "still here");
}

void refused (const std::string &certificate, const std::string &key, const char *expected) {
  const auto made = TlsIdentity::make(certificate, key);
  g_assert_true(std::holds_alternative<std::string>(made));
  const std::string &why = std::get<std::string>(made);
  if (strstr(why.c_str(), expected) == nullptr)
    g_error("“%s” doesn't say “%s”", why.c_str(), expected);
}

void test_bad_pem () {
  const Pair other("two");
  refused("", pair().key, "expected a certificate");
  refused(pair().key, pair().key, "expected a certificate");
  refused(pair().certificate, "", "expected a private key");
  refused(pair().certificate, pair().certificate, "expected a private key");
  refused(pair().certificate, other.key, "not the certificate's");
  refused("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", pair().key,
          "expected a certificate");
  // A chain is sent whole.
  const auto made = TlsIdentity::make(pair().certificate + other.certificate, pair().key);
  g_assert_true(std::holds_alternative<TlsIdentity::Ptr>(made));
  Tls server(std::get<TlsIdentity::Ptr>(made));
  Client client;
  g_assert_true(shake_hands(server, client));
  g_assert_cmpint(sk_X509_num(SSL_get_peer_cert_chain(client.ssl())), ==, 2);
}

// A peer that makes us answer, and reads nothing.
void test_flood_of_answers () {
  Tls server(identity());
  Client client(TLS1_3_VERSION, TLS1_3_VERSION);
  g_assert_true(shake_hands(server, client));
  for (int i = 0; i < 20'000 && !server.over(); i++) {
    SSL_key_update(client.ssl(), SSL_KEY_UPDATE_REQUESTED);
    SSL_do_handshake(client.ssl());
    give(server, client.take());
    g_assert_cmpuint(server.output().size(), <=, Tls::output_bytes);
  }
  g_assert_true(server.over());
  g_test_message("ended with %zu bytes unread: %s", server.output().size(),
                 server.reason().c_str());
}

// Ciphertext of the one for the other, both ways, until nothing is under way. What `to` reads.
std::string carry (Tls &from, Tls &to, std::size_t piece) {
  std::string heard;
  for (int i = 0; i < 10; i++) {
    heard += give(to, take(from), piece);
    give(from, take(to), piece);
  }
  return heard;
}

TlsTrust::Ptr trust (const Pair &authority) {
  auto made = TlsTrust::make(pair().certificate + authority.certificate);
  g_assert_true(std::holds_alternative<TlsTrust::Ptr>(made));
  return std::get<TlsTrust::Ptr>(made);
}

void test_client () {
  for (const std::string kind : {"IP:192.0.2.1", "IP:2001:db8::1", "DNS:one.example.org"})
    for (const std::size_t piece : {std::size_t{1}, std::size_t{1460}, SIZE_MAX}) {
      const Pair own("origin", kind.c_str());
      Tls server(identity(own));
      Tls client(trust(own), kind.substr(kind.find(':') + 1));
      g_assert_false(client.output().empty());
      g_assert_cmpuint(write(client, "early"), ==, 0);
      carry(client, server, piece);
      g_assert_true(client.established() && server.established() && !client.over());
      g_assert_cmpuint(write(client, "hello"), ==, 5);
      g_assert_true(carry(client, server, piece) == "hello");
      const std::string record(Tls::record_bytes, 'x');
      g_assert_cmpuint(write(server, record), ==, record.size());
      g_assert_true(carry(server, client, piece) == record);
      server.close();
      carry(server, client, piece);
      g_assert_true(client.over() && client.reason().empty());
    }
}

void test_whom_a_client_trusts () {
  const Pair own("origin", "IP:192.0.2.1"), nameless("origin"), other("other", "IP:192.0.2.1");
  const Pair named("named", "DNS:one.example.org");
  const struct {
    const Pair &server, &authority;
    const char *address, *expected;
  } cases[] = {{own, other, "192.0.2.1", "certificate verify failed: self-signed certificate"},
               {own, own, "192.0.2.2", "certificate verify failed: IP address mismatch"},
               {nameless, nameless, "192.0.2.1", "certificate verify failed: IP address mismatch"},
               {named, named, "192.0.2.1", "certificate verify failed: IP address mismatch"},
               {named, named, "two.example.org", "certificate verify failed: hostname mismatch"},
               {own, own, "one.example.org", "certificate verify failed: hostname mismatch"}};
  for (const auto &each : cases) {
    Tls server(identity(each.server));
    Tls client(trust(each.authority), each.address);
    carry(client, server, SIZE_MAX);
    g_assert_true(client.over() && !client.established());
    g_assert_cmpstr(client.reason().c_str(), ==, each.expected);
  }
  // A server that isn't one.
  Tls client(trust(own), "192.0.2.1");
  take(client);
  give(client, "HTTP/1.1 400 Bad Request\r\n\r\n");
  g_assert_true(client.over());
  g_assert_cmpstr(client.reason().c_str(), !=, "");
  for (const std::string &text : {std::string(), pair().key, std::string("nonsense")})
    g_assert_true(std::holds_alternative<std::string>(TlsTrust::make(text)));
}

// What they give back when they go. A sanitizer's allocator doesn't say.
void test_memory () {
#ifdef __SANITIZE_ADDRESS__
  g_test_skip("not with AddressSanitizer");
  return;
#endif
  const auto same = identity();
  constexpr std::size_t count = 200;
  using Servers = std::vector<std::unique_ptr<Tls>>;
  auto each_of = [] (Servers &servers) {
    const std::size_t before = mallinfo2().uordblks;
    for (auto &server : servers)
      server.reset();
    return (before - mallinfo2().uordblks) / count;
  };
  Servers mute, idle;
  std::vector<std::unique_ptr<Client>> clients;
  for (std::size_t i = 0; i < count; i++) {
    mute.push_back(std::make_unique<Tls>(same));
    idle.push_back(std::make_unique<Tls>(same));
    clients.push_back(std::make_unique<Client>());
    g_assert_true(shake_hands(*idle.back(), *clients.back()));
    write(*idle.back(), "a frame");
    take(*idle.back());
    clients.back()->say("an answer");
    give(*idle.back(), clients.back()->take());
  }
  const std::size_t of_mute = each_of(mute), of_idle = each_of(idle);
  g_test_message("%zu bytes of a peer that said nothing, %zu of an idle one", of_mute, of_idle);
  // OpenSSL's, but for a few hundred bytes: 3.5 takes 16.5 and 30.4 KB.
  g_assert_cmpuint(of_mute, <, 20'480);
  g_assert_cmpuint(of_idle, <, 32'768);
}

}  // namespace

int main (int argc, char **argv) {
  agora::init_tls();
  g_test_init(&argc, &argv, nullptr);
  g_test_add_func("/tls/both-ways", test_both_ways);
  g_test_add_func("/tls/old-versions", test_old_versions);
  g_test_add_func("/tls/no-tls-at-all", test_no_tls_at_all);
  g_test_add_func("/tls/broken-handshakes", test_broken_handshakes);
  g_test_add_func("/tls/tickets", test_tickets);
  g_test_add_func("/tls/another-certificate", test_another_certificate);
  g_test_add_func("/tls/bad-pem", test_bad_pem);
  g_test_add_func("/tls/flood-of-answers", test_flood_of_answers);
  g_test_add_func("/tls/client", test_client);
  g_test_add_func("/tls/whom-a-client-trusts", test_whom_a_client_trusts);
  g_test_add_func("/tls/memory", test_memory);
  return g_test_run();
}

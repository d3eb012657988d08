// SPDX-License-Identifier: LGPL-2.1-or-later
#include "signaling/support/tls.hpp"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <cstring>
#include <ctime>
#include <utility>

namespace agora {

namespace {

struct Free {
  void operator()(BIO *bio) const { BIO_free(bio); }
  void operator()(X509 *certificate) const { X509_free(certificate); }
  void operator()(EVP_PKEY *key) const { EVP_PKEY_free(key); }
  void operator()(SSL_CTX *context) const { SSL_CTX_free(context); }
  void operator()(X509_STORE *store) const { X509_STORE_free(store); }
};
using BioPtr = std::unique_ptr<BIO, Free>;
using X509Ptr = std::unique_ptr<X509, Free>;
using KeyPtr = std::unique_ptr<EVP_PKEY, Free>;
using ContextPtr = std::unique_ptr<SSL_CTX, Free>;
using StorePtr = std::unique_ptr<X509_STORE, Free>;

// Of TLS 1.2; those of 1.3 are all of this kind.
constexpr char forward_secret[] = "ECDHE+AESGCM:ECDHE+CHACHA20";
constexpr unsigned char session_group[] = "agora-relay";

// The last thing that went wrong in OpenSSL, in its words.
std::string last_error () {
  const unsigned long code = ERR_peek_last_error();
  const char *text = code != 0 ? ERR_reason_error_string(code) : nullptr;
  ERR_clear_error();
  return text != nullptr ? text : "unexpected end";
}

// Nobody is there to be asked for a passphrase.
int no_passphrase (char *, int, int, void *) noexcept {
  return -1;
}

BioPtr reader (const std::string &text) {
  return BioPtr(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

// What both sides have in common. Null: out of memory.
ContextPtr make_context (const SSL_METHOD *method) {
  ContextPtr context(SSL_CTX_new(method));
  if (!context)
    return context;
  SSL_CTX *raw = context.get();
  SSL_CTX_set_min_proto_version(raw, TLS1_2_VERSION);
  SSL_CTX_set_cipher_list(raw, forward_secret);
  SSL_CTX_set_options(raw, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                               SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
  // An idle session holds no buffer. Where a write wasn't taken whole, the rest comes again from
  // another place.
  SSL_CTX_set_mode(raw, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                            SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_session_cache_mode(raw, SSL_SESS_CACHE_OFF);
  return context;
}

// Whether all of the chain is taken: the first one is the server's own.
std::string use_chain (SSL_CTX *context, const std::string &pem) {
  const BioPtr in = reader(pem);
  int count = 0;
  while (X509Ptr next{PEM_read_bio_X509(in.get(), nullptr, no_passphrase, nullptr)}) {
    if (count == 0 && SSL_CTX_use_certificate(context, next.get()) != 1)
      return "the certificate is of no use: " + last_error();
    // Takes it over where it succeeds.
    if (count > 0 && SSL_CTX_add0_chain_cert(context, next.get()) == 1)
      static_cast<void>(next.release());
    count++;
  }
  ERR_clear_error();
  return count > 0 ? "" : "expected a certificate in PEM";
}

}  // namespace

// Ciphertext in memory, in place of a socket.
struct TlsBio {
  static int read (BIO *bio, char *to, std::size_t size, std::size_t *taken) noexcept {
    auto &input = static_cast<Tls *>(BIO_get_data(bio))->input_;
    BIO_clear_retry_flags(bio);
    if (input.empty()) {
      BIO_set_retry_read(bio);
      return 0;
    }
    *taken = std::min(size, input.size());
    std::memcpy(to, input.data(), *taken);
    input = input.subspan(*taken);
    return 1;
  }
  // A peer that makes us answer and reads no answer is at fault: it fails for good.
  static int write (BIO *bio, const char *from, std::size_t size, std::size_t *taken) noexcept {
    auto *tls = static_cast<Tls *>(BIO_get_data(bio));
    BIO_clear_retry_flags(bio);
    if (tls->output().size() + size > Tls::output_bytes) {
      tls->overflowed_ = true;
      return 0;
    }
    tls->output_.append(from, size);
    *taken = size;
    return 1;
  }
  static long control (BIO *, int command, long, void *) noexcept {
    return command == BIO_CTRL_FLUSH;
  }

  static const BIO_METHOD *method () {
    static BIO_METHOD *const made = [] {
      BIO_METHOD *method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "tls");
      BIO_meth_set_read_ex(method, read);
      BIO_meth_set_write_ex(method, write);
      BIO_meth_set_ctrl(method, control);
      return method;
    }();
    return made;
  }
};

void init_tls () {
  OPENSSL_init_ssl(OPENSSL_INIT_LOAD_SSL_STRINGS | OPENSSL_INIT_LOAD_CONFIG, nullptr);
  // Makes the random generators, and fetches what a handshake needs.
  const ContextPtr context(SSL_CTX_new(TLS_server_method()));
  TlsBio::method();
}

std::variant<TlsIdentity::Ptr, std::string> TlsIdentity::make(const std::string &certificate,
                                                              const std::string &key) {
  ERR_clear_error();
  ContextPtr context = make_context(TLS_server_method());
  if (!context)
    return "TLS is not available: " + last_error();
  SSL_CTX *raw = context.get();
  // Whoever comes back brings its session itself, in a ticket: nothing is kept for it here.
  SSL_CTX_set_session_id_context(raw, session_group, sizeof session_group - 1);
  SSL_CTX_set_num_tickets(raw, 1);
  SSL_CTX_set_verify(raw, SSL_VERIFY_NONE, nullptr);

  if (std::string problem = use_chain(raw, certificate); !problem.empty())
    return problem;
  const BioPtr in = reader(key);
  const KeyPtr private_key(PEM_read_bio_PrivateKey(in.get(), nullptr, no_passphrase, nullptr));
  if (!private_key)
    return "expected a private key in PEM, without a passphrase: " + last_error();
  if (SSL_CTX_use_PrivateKey(raw, private_key.get()) != 1 || SSL_CTX_check_private_key(raw) != 1)
    return "the key is not the certificate's: " + last_error();
  return Ptr(new TlsIdentity(context.release()));
}

std::int64_t TlsIdentity::expires_at() const {
  const X509 *certificate = SSL_CTX_get0_certificate(context_);
  const ASN1_TIME *end = certificate != nullptr ? X509_get0_notAfter(certificate) : nullptr;
  std::tm parts{};
  if (end == nullptr || ASN1_TIME_to_tm(end, &parts) != 1)
    return 0;
  return timegm(&parts);
}

TlsIdentity::~TlsIdentity() {
  SSL_CTX_free(context_);
}

std::variant<TlsTrust::Ptr, std::string> TlsTrust::make(const std::string &authorities) {
  ERR_clear_error();
  ContextPtr context = make_context(TLS_client_method());
  StorePtr store(X509_STORE_new());
  if (!context || !store)
    return "TLS is not available: " + last_error();
  const BioPtr in = reader(authorities);
  int count = 0;
  while (const X509Ptr next{PEM_read_bio_X509(in.get(), nullptr, no_passphrase, nullptr)}) {
    if (X509_STORE_add_cert(store.get(), next.get()) != 1)
      return "an authority is of no use: " + last_error();
    count++;
  }
  ERR_clear_error();
  if (count == 0)
    return "expected certificates of authorities in PEM";
  SSL_CTX_set_cert_store(context.get(), store.release());
  SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, nullptr);
  return Ptr(new TlsTrust(context.release()));
}

TlsTrust::~TlsTrust() {
  SSL_CTX_free(context_);
}

Tls::Tls(const TlsIdentity::Ptr &identity) : holds_(identity) {
  if (begin(identity->context()))
    SSL_set_accept_state(ssl_);
}

Tls::Tls(const TlsTrust::Ptr &trust, const std::string &host) : holds_(trust) {
  if (!begin(trust->context()))
    return;
  SSL_set_connect_state(ssl_);
  if (X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl_), host.c_str()) != 1 &&
      (SSL_set1_host(ssl_, host.c_str()) != 1 ||
       SSL_set_tlsext_host_name(ssl_, host.c_str()) != 1)) {
    over_ = true;
    reason_ = "no name of a host";
    return;
  }
  ERR_clear_error();
  fail(SSL_do_handshake(ssl_));
}

bool Tls::begin(ssl_ctx_st *context) {
  ssl_ = SSL_new(context);
  BIO *bio = ssl_ != nullptr ? BIO_new(TlsBio::method()) : nullptr;
  if (bio == nullptr) {
    over_ = true;
    reason_ = "out of memory";
    return false;
  }
  BIO_set_data(bio, this);
  BIO_set_init(bio, 1);
  SSL_set_bio(ssl_, bio, bio);
  return true;
}

Tls::~Tls() {
  // Without a goodbye that nobody would send.
  if (ssl_ != nullptr)
    SSL_set_quiet_shutdown(ssl_, 1);
  SSL_free(ssl_);
}

void Tls::feed(std::span<const std::uint8_t> ciphertext) {
  input_ = ciphertext;
}

std::size_t Tls::read(std::span<std::uint8_t> plaintext) noexcept {
  if (over_)
    return 0;
  ERR_clear_error();
  std::size_t size = 0;
  const int result = SSL_read_ex(ssl_, plaintext.data(), plaintext.size(), &size);
  if (!established_)
    established_ = SSL_is_init_finished(ssl_) == 1;
  if (result == 1)
    return size;
  fail(result);
  return 0;
}

// Unless it only wants more of the peer.
void Tls::fail(int result) {
  const int error = SSL_get_error(ssl_, result);
  if (error == SSL_ERROR_WANT_READ)
    return;
  over_ = true;
  if (error != SSL_ERROR_ZERO_RETURN)
    reason_ = overflowed_ ? "reads none of its answers" : problem();
  ERR_clear_error();
}

// Of a certificate, what is wrong with it.
std::string Tls::problem() const {
  const long verdict = SSL_get_verify_result(ssl_);
  const std::string error = last_error();
  return verdict == X509_V_OK ? error : error + ": " + X509_verify_cert_error_string(verdict);
}

std::size_t Tls::write(std::span<const std::uint8_t> plaintext) noexcept {
  if (over_ || !established_ || !output().empty() || plaintext.empty())
    return 0;
  ERR_clear_error();
  std::size_t size = 0;
  const int result =
      SSL_write_ex(ssl_, plaintext.data(), std::min(plaintext.size(), record_bytes), &size);
  if (result == 1)
    return size;
  fail(result);
  return 0;
}

void Tls::close() {
  if (over_ || !established_)
    return;
  ERR_clear_error();
  SSL_shutdown(ssl_);
  ERR_clear_error();
}

void Tls::sent(std::size_t bytes) {
  sent_ += bytes;
  if (sent_ < output_.size())
    return;
  // Frames of sound are short: their memory is kept for the next one, a handshake's isn't.
  constexpr std::size_t kept = 1024;
  sent_ = 0;
  if (output_.capacity() > kept)
    output_ = std::string();
  output_.clear();
}

}  // namespace agora

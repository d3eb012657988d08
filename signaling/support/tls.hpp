// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// TLS without a socket, a server's side or a client's: ciphertext in and out, plaintext in and out.
// TLS 1.2 and 1.3, without client certificates, renegotiation and compression. Nothing here waits,
// and nothing grows beyond a bound, whatever a peer sends or doesn't read.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <variant>

struct ssl_ctx_st;
struct ssl_st;

namespace agora {

// OpenSSL's tables, and its configuration file: for a process that can open no files later.
void init_tls ();

// A certificate with its key. Sessions keep the one with which they began, so that another one can
// take its place at any time. Its session tickets are good for itself alone.
class TlsIdentity {
 public:
  using Ptr = std::shared_ptr<const TlsIdentity>;
  // From PEM: the certificate with its chain, and its key, without a passphrase. Or a sentence that
  // says what is wrong.
  static std::variant<Ptr, std::string> make (const std::string &certificate,
                                              const std::string &key);
  ~TlsIdentity();
  TlsIdentity(const TlsIdentity &) = delete;
  TlsIdentity &operator=(const TlsIdentity &) = delete;
  ssl_ctx_st *context () const { return context_; }
  // When the certificate expires: wall clock, seconds; 0: it doesn't say so in a way that is known.
  std::int64_t expires_at () const;

 private:
  explicit TlsIdentity(ssl_ctx_st *context) : context_(context) {}
  ssl_ctx_st *context_;
};

// Whom a client trusts: authorities that sign servers' certificates.
class TlsTrust {
 public:
  using Ptr = std::shared_ptr<const TlsTrust>;
  // From PEM: one or more certificates. Or a sentence that says what is wrong.
  static std::variant<Ptr, std::string> make (const std::string &authorities);
  ~TlsTrust();
  TlsTrust(const TlsTrust &) = delete;
  TlsTrust &operator=(const TlsTrust &) = delete;
  ssl_ctx_st *context () const { return context_; }

 private:
  explicit TlsTrust(ssl_ctx_st *context) : context_(context) {}
  ssl_ctx_st *context_;
};

class Tls {
 public:
  // Longest plaintext that one call takes or gives: a record's.
  static constexpr std::size_t record_bytes = 16 * 1024;
  // Most that output() ever holds: a record, or the server's part of a handshake, and answers.
  static constexpr std::size_t output_bytes = 64 * 1024;

  explicit Tls(const TlsIdentity::Ptr &identity);
  // A client's: the server's certificate has to be for this name, or numeric address. What begins
  // the handshake is in output().
  Tls(const TlsTrust::Ptr &trust, const std::string &host);
  ~Tls();
  Tls(const Tls &) = delete;
  Tls &operator=(const Tls &) = delete;

  // What has come from the peer. It is not copied: read() until that gives 0, before anything else
  // comes.
  void feed (std::span<const std::uint8_t> ciphertext);
  // Plaintext of it. 0: there is no more for now, or never again if over().
  std::size_t read (std::span<std::uint8_t> plaintext) noexcept;
  // How much of it was taken, a record at most; its ciphertext is in output(). 0 before the
  // handshake is done, and while output() isn't empty.
  std::size_t write (std::span<const std::uint8_t> plaintext) noexcept;
  // No plaintext follows: says so to the peer.
  void close ();

  // Ciphertext for the peer, and that so much of it has been sent.
  std::string_view output () const { return std::string_view(output_).substr(sent_); }
  void sent (std::size_t bytes);

  bool established () const { return established_; }
  // The peer has closed it, or broken it. What output() has, an alert, may still be sent.
  bool over () const { return over_; }
  // What it broke; "" where it closed.
  const std::string &reason () const { return reason_; }

 private:
  friend struct TlsBio;
  bool begin (ssl_ctx_st *context);
  void fail (int result);
  std::string problem () const;

  const std::shared_ptr<const void> holds_;  // the context
  ssl_st *ssl_ = nullptr;
  std::span<const std::uint8_t> input_;
  std::string output_;
  std::size_t sent_ = 0;
  bool established_ = false;
  bool over_ = false;
  bool overflowed_ = false;
  std::string reason_;
};

}  // namespace agora

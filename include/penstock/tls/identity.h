// Identity: a certificate chain with its private key, read and checked. Made by the configuration
// (files) and by the demo (in memory), given to tls::Context. Used by the supervisor only.
#pragma once

#include <chrono>
#include <cstdint>
#include <expected>
#include <memory>
#include <string>
#include <vector>

#include "penstock/base/result.h"

namespace penstock::tls {

/// Which of the two inputs an identity error is about, so that the configuration can point at its
/// place.
enum class IdentityPart : std::uint8_t { chain, key };

struct IdentityError {
  IdentityPart part = IdentityPart::chain;
  Error error;
};

class Identity {
 public:
  Identity(Identity&&) noexcept;
  Identity& operator=(Identity&&) noexcept;
  ~Identity();

  /// Reads PEM files; both may be the same. The server's own certificate comes first, its issuers
  /// after it, in any order. Never asks for a passphrase. `now` is the wall clock. Errors: a file
  /// that cannot be read or holds no certificate or no key; a damaged, expired or not yet valid
  /// certificate; one that belongs to another chain; an encrypted or malformed key; a key that does
  /// not fit the first certificate; a key that is too weak for OpenSSL's security level.
  [[nodiscard]] static std::expected<Identity, IdentityError> load(
      const std::string& chain_path, const std::string& key_path,
      std::chrono::system_clock::time_point now);
  /// A self-signed P-256 certificate for localhost, 127.0.0.1 and ::1, valid for 30 days from
  /// `now`. Error: a name that is empty or longer than 64 characters (RFC 5280, ub-common-name).
  [[nodiscard]] static Result<Identity> make_self_signed(const std::string& common_name,
                                                         std::chrono::system_clock::time_point now);
  /// Another owner of the same chain and key; nothing is copied.
  [[nodiscard]] Identity clone() const;
  /// The names that clients can ask for it by: the DNS names of the first certificate's
  /// subjectAltName, in lower case.
  [[nodiscard]] std::vector<std::string> dns_names() const;
  /// "RSA", "EC", "ED25519": OpenSSL shows a client one certificate of each kind.
  [[nodiscard]] std::string key_kind() const;
  /// When the first of its certificates expires.
  [[nodiscard]] std::chrono::system_clock::time_point expiry() const;
  /// "CN=www.example.com", of the first certificate.
  [[nodiscard]] std::string subject() const;
  /// The chain in PEM, for a client that wants to trust it.
  [[nodiscard]] std::string chain_pem() const;

 private:
  friend class Context;
  struct Parts;
  explicit Identity(std::unique_ptr<Parts> parts) noexcept;
  std::unique_ptr<Parts> parts_;
};

}  // namespace penstock::tls

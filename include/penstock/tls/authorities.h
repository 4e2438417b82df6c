// Authorities: whom to believe about a peer's identity, read and checked: certificates of CAs, and
// lists of what they have revoked. Made by the configuration, given to tls::Context.
#pragma once

#include <chrono>
#include <cstdint>
#include <expected>
#include <memory>
#include <string>

#include "penstock/base/result.h"

namespace penstock::tls {

/// Which of the two inputs an error is about.
enum class AuthoritiesPart : std::uint8_t { ca, crl };

struct AuthoritiesError {
  AuthoritiesPart part = AuthoritiesPart::ca;
  Error error;
};

class Authorities {
 public:
  Authorities(Authorities&&) noexcept;
  Authorities& operator=(Authorities&&) noexcept;
  ~Authorities();

  /// Reads PEM files. Every certificate in the first is trusted, also one that is no root; the
  /// second may be empty: then nothing counts as revoked. With a list, each CA of a peer's chain
  /// has to have one (RFC 5280, 6.3). `now` is the wall clock. Errors: a file that cannot be read
  /// or does not hold what it should; an expired or not yet valid CA; a list that is out of date or
  /// that none of the CAs has signed.
  [[nodiscard]] static std::expected<Authorities, AuthoritiesError> load(
      const std::string& ca_path, const std::string& crl_path,
      std::chrono::system_clock::time_point now);

 private:
  friend class Context;
  struct Parts;
  explicit Authorities(std::unique_ptr<Parts> parts) noexcept;
  std::unique_ptr<Parts> parts_;
};

}  // namespace penstock::tls

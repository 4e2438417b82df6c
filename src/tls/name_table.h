// NameTable: which certificate answers to a server name (SNI). Filled from the certificates' own
// subjectAltName entries when a Context is made, then only read, without allocating. Private to
// tls.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "openssl_handles.h"

namespace penstock::tls {

/// The DNS names of a certificate's subjectAltName, in lower case; nullopt when they cannot be
/// read, because they are malformed or memory ran out.
[[nodiscard]] std::optional<std::vector<std::string>> dns_names(const X509& certificate);

class NameTable {
 public:
  /// Enters the DNS names of `certificate`; a name that is there already keeps its owner. False:
  /// they cannot be read, because they are malformed or memory ran out.
  [[nodiscard]] bool add(const X509& certificate, SSL_CTX* owner);
  /// The owner of `name`: an exact entry first, then one with a wildcard as its whole first label
  /// (RFC 6125, 6.4.3). Null: none, or not a host name.
  [[nodiscard]] SSL_CTX* find(std::string_view name) const noexcept;

 private:
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view name) const noexcept {
      return std::hash<std::string_view>{}(name);
    }
  };
  using Map = std::unordered_map<std::string, SSL_CTX*, Hash, std::equal_to<>>;
  Map exact_;
  Map wildcard_;  ///< keyed by what follows the "*."
};

}  // namespace penstock::tls

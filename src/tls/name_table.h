// NameTable: which site a server name (SNI) gets. Filled when a Context is made, then only read,
// without allocating. And the names in certificates. Private to the tls module.
#pragma once

#include <array>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "openssl_handles.h"

namespace penstock::tls {

struct Site;

/// The DNS names of a certificate's subjectAltName, in lower case; nullopt when they cannot be
/// read, because they are malformed or memory ran out.
[[nodiscard]] std::optional<std::vector<std::string>> dns_names(const X509& certificate);

/// All by which a client may be known, in lower case: the DNS names, addresses of mail and URIs of
/// its subjectAltName, and the CN of its subject. Nullopt as above.
[[nodiscard]] std::optional<std::vector<std::string>> identity_names(const X509& certificate);

/// Whether `pattern` is `name`, or is "*." and all of it behind its first label (RFC 6125, 6.4.3).
[[nodiscard]] bool covers(std::string_view pattern, std::string_view name) noexcept;

class NameTable {
 public:
  /// A client's name as it is looked up: in lower case, without a dot at its end; empty when it is
  /// longer than names are.
  class Lowered {
   public:
    explicit Lowered(std::string_view name) noexcept;
    [[nodiscard]] std::string_view text() const noexcept { return {buffer_.data(), size_}; }

   private:
    static constexpr std::size_t longest_name = 255;  // RFC 1035, 2.3.4
    std::array<char, longest_name> buffer_{};
    std::size_t size_ = 0;
  };

  /// `name` is in lower case; one that begins with "*." stands for one label.
  void add(const std::string& name, const Site& owner);
  /// The owner of `name`: an exact entry first, then one with a wildcard as its whole first label
  /// (RFC 6125, 6.4.3). Null: none, or not a host name.
  [[nodiscard]] const Site* find(std::string_view name) const noexcept;

 private:
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view name) const noexcept {
      return std::hash<std::string_view>{}(name);
    }
  };
  using Map = std::unordered_map<std::string, const Site*, Hash, std::equal_to<>>;
  Map exact_;
  Map wildcard_;  ///< keyed by what follows the "*."
};

}  // namespace penstock::tls

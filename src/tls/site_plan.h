// SitePlan: which certificates are shown for which name, and what is asked of clients there. Pure.
// Private to the tls module; made once, with a Context.
#pragma once

#include <cstddef>
#include <map>
#include <span>
#include <string>
#include <vector>

namespace penstock::tls {

/// What a certificate can answer to.
struct Offer {
  std::vector<std::string> names;  ///< in lower case, "*." for one label
  int key_kind = 0;                ///< OpenSSL shows one certificate of each kind
};

struct SitePlan {
  /// Positions of certificates, each of another kind of key. The first decides in case of doubt.
  using Certificates = std::vector<std::size_t>;

  std::map<std::string, Certificates> by_name;  ///< "*." for one label
  Certificates rest;                            ///< for every other name, and none
};

/// For each name of a certificate and each of `more`: its certificates, one a kind; the exact ones
/// first, then those whose wildcard covers it; without any, those for the rest: the first, and
/// those of other kinds for the same name. A name is owned by the first certificate of a kind.
[[nodiscard]] SitePlan plan_sites(std::span<const Offer> offers, std::span<const std::string> more);

/// "*.b.example" for "a.b.example"; empty: nothing covers it.
[[nodiscard]] std::string covering(const std::string& name);

}  // namespace penstock::tls

// Which names of algorithms OpenSSL knows, one by one: its lists pass over those that it does not.
// Used while a configuration is read.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace penstock::tls {

enum class Algorithm : std::uint8_t {
  cipher,  ///< of TLS 1.2
  cipher_suite,
  group,
  signature,
};

/// Whether `name` is one that may stand in a list of Terms.
[[nodiscard]] bool is_known(Algorithm kind, const std::string& name);

/// "openssl ciphers -tls1_2 -s"
[[nodiscard]] std::string_view command_that_lists(Algorithm kind) noexcept;

}  // namespace penstock::tls

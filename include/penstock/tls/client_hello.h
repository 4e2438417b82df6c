// ClientHello: what a client asks for before anything is encrypted, read without OpenSSL so that a
// connection can be routed that is not decrypted. Pure: bytes in, an answer out.
// RFC 8446 (4.1.2, 5.1), RFC 6066 (3), RFC 7301 (3.1).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace penstock::tls {

struct ClientHello {
  std::string server_name;             ///< in lower case, without a last dot; empty: none
  std::vector<std::string> protocols;  ///< ALPN, in the client's order
  std::uint16_t version = 0;           ///< the highest offered: 0x0303 TLS 1.2, 0x0304 TLS 1.3
};

/// Takes a connection's bytes as they come, in pieces of any size, until the ClientHello is whole.
class ClientHelloReader {
 public:
  /// Of the records that carry the message, headers counted. OpenSSL's clients stay below 3 KiB,
  /// with a post-quantum key share in it.
  static constexpr std::size_t most_bytes = 16384;

  enum class Status : std::uint8_t {
    incomplete,
    complete,   ///< hello() is there
    not_tls,    ///< the first byte begins no TLS record
    malformed,  ///< problem() says what is wrong
    too_long,
  };

  /// The next bytes of the connection. Once the status is another than `incomplete` it stays so,
  /// and further bytes are ignored.
  Status read(std::span<const std::byte> bytes);

  [[nodiscard]] Status status() const noexcept { return status_; }
  [[nodiscard]] const ClientHello& hello() const noexcept { return hello_; }
  /// Of a malformed one, a phrase such as "an extension is cut off".
  [[nodiscard]] std::string_view problem() const noexcept { return problem_; }

 private:
  [[nodiscard]] Status take_header();
  [[nodiscard]] Status take_message();
  [[nodiscard]] Status refuse(std::string_view problem) noexcept;

  Status status_ = Status::incomplete;
  std::vector<std::byte> header_;   // of the record that is being read
  std::vector<std::byte> message_;  // what the records have carried so far
  std::size_t record_left_ = 0;     // bytes of the record that are still to come
  std::size_t total_ = 0;
  ClientHello hello_;
  std::string_view problem_;
};

}  // namespace penstock::tls

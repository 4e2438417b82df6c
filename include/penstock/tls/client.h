// The client's side of TLS: what its Context is made from, what one connection adds to that, and a
// Session to resume. The connection itself is an Engine, as a server's is.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "penstock/tls/context.h"
#include "penstock/tls/identity.h"

namespace penstock::tls {

/// What a server's certificate is checked against. When it is checked, so are its dates and the
/// server's name, which has to be in its subjectAltName (RFC 9525, 6.1; the subject's CN does not
/// count).
enum class Verification : std::uint8_t {
  off,
  system,   ///< OpenSSL's default store: a file read at once, and a folder read when looked into
  ca_file,  ///< the certificates in a PEM file; those that are no roots are trusted as well
};

struct ClientOptions {
  Verification verification = Verification::system;
  std::string ca_file = {};            ///< for Verification::ca_file
  std::vector<std::string> alpn = {};  ///< in order of preference; empty: not offered
  Terms terms = {};
  std::optional<Identity> identity = std::nullopt;  ///< shown to a server that asks for it
};

/// What a client has to know to resume a session. In TLS 1.3 a server, or who watches, can tell
/// connections that use the same one (RFC 8446, C.4), but it may be used any number of times, also
/// on several threads at once, and with other Contexts than the one that it came with.
class Session {
 public:
  Session() noexcept;  ///< empty
  Session(Session&&) noexcept;
  Session& operator=(Session&&) noexcept;
  ~Session();

  [[nodiscard]] bool empty() const noexcept { return parts_ == nullptr; }

 private:
  friend class Engine;
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

struct ClientConnect {
  /// The host name to ask for (SNI) and to verify, or the IP address to verify, which is not sent
  /// (RFC 6066, 3). May be empty only where nothing is verified.
  std::string server_name = {};
  /// Offered to the server when not null; it decides. An empty one is not offered, nor is, where
  /// this Context verifies, one whose server was not verified by that name against the same
  /// authorities, since a resumed handshake shows no certificate.
  const Session* session = nullptr;
};

}  // namespace penstock::tls

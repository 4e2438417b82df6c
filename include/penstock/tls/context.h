// Context: what all TLS connections of one listener on one shard share, or all that one thread
// opens as a client. Its SSL_CTX objects and its copies of the keys are that thread's own, since
// OpenSSL 3 locks and counts references in what is shared. Built and destroyed by the supervisor,
// used by one shard.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "penstock/base/result.h"
#include "penstock/tls/identity.h"

namespace penstock::tls {

enum class Version : std::uint8_t { tls12, tls13 };

struct ClientOptions;  // in client.h

struct ServerOptions {
  std::vector<Identity>
      certificates;  ///< at least one; the first is the default, others are chosen by SNI
  std::vector<std::string> alpn;  ///< in order of preference; empty: the extension is ignored
  Version min_version = Version::tls12;
};

class Context {
 public:
  /// Makes a server's context. Cipher suites: AEAD with forward secrecy only. No renegotiation, no
  /// compression, no session cache; one ticket a connection, good for every Context of this process
  /// that was made from the same certificates. Errors: no certificate, a protocol name that is
  /// empty or longer than 255 bytes, a key that OpenSSL refuses, out of memory.
  [[nodiscard]] static Result<std::unique_ptr<Context>> create_server(const ServerOptions& options);
  /// Makes a client's context. No renegotiation, no compression; sessions are kept by the engines
  /// that receive them. Errors: a CA file that cannot be read or holds no certificate; a protocol
  /// name that is empty or longer than 255 bytes; versions, algorithms or an identity that OpenSSL
  /// refuses, by name; out of memory.
  [[nodiscard]] static Result<std::unique_ptr<Context>> create_client(const ClientOptions& options);
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;
  ~Context();

 private:
  friend class Engine;
  Context() noexcept;
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace penstock::tls

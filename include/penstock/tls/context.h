// Context: what all TLS connections of one listener on one shard share, or all that one thread
// opens as a client. Its SSL_CTX objects and its copies of the keys are that thread's own, since
// OpenSSL 3 locks and counts references in what is shared. Built and destroyed by the supervisor,
// used by one shard.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "penstock/base/log.h"
#include "penstock/base/result.h"
#include "penstock/tls/authorities.h"
#include "penstock/tls/identity.h"

namespace penstock::tls {

enum class Version : std::uint8_t { tls12, tls13 };

struct ClientOptions;  // in client.h
struct Site;           // private
struct Sites;

/// What a connection may agree on. Lists are OpenSSL's, with colons; empty: penstock's choice, and
/// for signatures OpenSSL's own. OpenSSL passes over unknown ciphers and suites as long as it knows
/// one.
struct Terms {
  Version min_version = Version::tls12;
  Version max_version = Version::tls13;
  std::string ciphers = {};        ///< of TLS 1.2
  std::string cipher_suites = {};  ///< of TLS 1.3
  std::string groups = {};         ///< of a client, a share of the first goes with the ClientHello
  std::string signature_algorithms = {};
};

/// Whether clients have to show a certificate, and which ones are taken.
struct ClientVerification {
  enum class Mode : std::uint8_t {
    off,       ///< none is asked for
    optional,  ///< who shows one must show a good one
    required,
  };
  Mode mode = Mode::off;
  std::shared_ptr<const Authorities> authorities;  ///< not null unless `off`
  int depth = 3;  ///< intermediates between the client's certificate and one that is trusted
  /// One of them has to be among the client's names: DNS names, addresses of mail and URIs of its
  /// subjectAltName, the CN of its subject. In lower case; "*." stands for one label. Empty: any.
  std::vector<std::string> names = {};
};

/// Session tickets (RFC 5077; RFC 8446, 4.6.1). Their keys follow from the secret and the clock, so
/// all who know the secret take each other's tickets: those of this rotation, the one before, and
/// the one after, since clocks differ.
struct Tickets {
  std::uint8_t count = 2;   ///< a full handshake in TLS 1.3; 0: nothing is ever resumed
  std::string secret = {};  ///< at least least_secret bytes; empty: made once a process
  std::chrono::seconds rotation{12 * 3600};  ///< the same for all of them
  std::chrono::system_clock::time_point (*clock)() = log::wall_clock;

  static constexpr std::size_t least_secret = 32;
};

struct ServerOptions {
  /// At least one; the first is the default. Which one is shown is decided by the name that the
  /// client asks for, and of those for one name by what kinds of keys the client takes.
  std::vector<Identity> certificates;
  bool strict_names = false;  ///< a name that no certificate has, and none, is refused
  Terms terms;
  std::vector<std::string> alpn;  ///< in order of preference; empty: the extension is ignored
  ClientVerification clients;
  /// Instead of `clients` where this name is asked for, in lower case; "*." stands for one label.
  std::map<std::string, ClientVerification> clients_by_name;
  Tickets tickets;
};

class Context {
 public:
  /// Makes a server's context. Without other terms, cipher suites are AEAD with forward secrecy
  /// only. No renegotiation, no compression, no session cache; a ticket is good for the name that
  /// it was given for, where the same certificates are shown and the same is asked of clients.
  /// Errors: no certificate; a protocol name that is empty or longer than 255 bytes; terms or a key
  /// that OpenSSL refuses; out of memory.
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
  [[nodiscard]] static Result<std::unique_ptr<Site>> make_site(
      const ServerOptions& options, const std::vector<std::size_t>& certificates,
      const ClientVerification& clients, Sites& all);
  Context() noexcept;
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace penstock::tls

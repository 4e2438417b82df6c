// What an Engine holds, on either side. Private to the tls module: engine.cpp moves the bytes,
// client.cpp knows what only clients do.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "openssl_handles.h"
#include "penstock/tls/engine.h"
#include "port.h"

namespace penstock::tls {

/// What only a client's engine holds.
struct ClientParts {
  SessionPtr received;  ///< the newest, until it is taken
  std::string scope;    ///< of the sessions to come, see Session::Parts
  unsigned hellos = 0;  ///< ClientHello messages sent
};

struct Sites;

/// What callbacks note of a handshake; an SSL's app data.
struct HandshakeNotes {
  ClientParts* client = nullptr;  ///< null: a server's
  std::string_view refusal;       ///< ours, which OpenSSL has no words for; empty: none
  std::string refused_name;       ///< that was asked for then
  int alert_sent = -1;
  /// Of the site and the name that were chosen by the first ClientHello.
  std::optional<std::array<unsigned char, 32>> scope = std::nullopt;
};

struct Engine::Parts {
  Port port;  // before the SSL, whose BIO points here
  std::unique_ptr<ClientParts>
      client;            ///< null: a server's engine; before the SSL, which refers to it
  HandshakeNotes notes;  ///< before the SSL, too
  SslPtr ssl;
  std::string failure;
  Status ended =
      Status::ok;  // `failed` or `truncated` once that happened; OpenSSL is left alone then
  std::optional<std::uint8_t> alert;
  HandshakeFault fault = HandshakeFault::malformed;
  std::shared_ptr<const Sites> sites;  ///< a server's, while it shakes hands
  bool handshake_done = false;
  bool close_sent = false;

  /// An SSL of `context` with a port, not yet told its side. Error: out of memory.
  [[nodiscard]] static Result<std::unique_ptr<Parts>> create(SSL_CTX* context);
  /// What stands in the way of a call, or ok. Sends out what is held in any case.
  [[nodiscard]] Status begin() noexcept;
  /// What a call of OpenSSL that moved nothing means.
  [[nodiscard]] Status explain(int outcome) noexcept;
  Status end_by_error() noexcept;
  Status end(Status status, std::string why) noexcept;
};

}  // namespace penstock::tls

// Engine: one TLS connection as bytes in, bytes out. It owns no socket: every call gets a Window on
// ciphertext that came from the socket and on room for ciphertext that goes there, and moves both
// ends forward. Used by one shard; OpenSSL's error queue is cleared before each call, so
// connections do not see each other's errors.
//
// Ciphertext that does not fit into `output` (the rest of a handshake's flight, an alert) is held
// back and comes out first in the next call, whichever it is; until it is out, calls return
// want_output.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "penstock/base/result.h"
#include "penstock/tls/context.h"
#include "penstock/tls/handshake_fault.h"

namespace penstock::tls {

/// Ciphertext on both sides of an engine. Calls consume from the front of `input` and fill the
/// front of `output`. The engine keeps no view of either after a call.
struct Window {
  std::span<const std::byte> input;
  bool input_ended = false;  ///< the peer's FIN follows `input`
  std::span<std::byte> output;
};

enum class Status : std::uint8_t {
  ok,  ///< done: handshake complete, plaintext filled, plaintext taken, close_notify written
  want_input,   ///< nothing more happens without more ciphertext
  want_output,  ///< `output` is too small: send it and call again (the same call, the rest of its
                ///< bytes)
  closed,       ///< close_notify came: the peer's direction has ended properly; ours goes on
  truncated,    ///< the input ended without close_notify; final
  failed,  ///< protocol violation, bad record or the peer's alert; an alert may be in `output`;
           ///< final
};

struct Outcome {
  Status status = Status::ok;
  std::size_t bytes = 0;  ///< plaintext bytes moved; may be > 0 with any status
};

/// What both sides agreed on, in OpenSSL's words; they live as long as the engine.
struct Negotiated {
  Version version = Version::tls13;
  std::string_view cipher;    ///< "TLS_AES_128_GCM_SHA256", "ECDHE-RSA-AES128-GCM-SHA256"
  std::string_view group;     ///< "x25519"; empty: keys were not exchanged by group
  std::string_view protocol;  ///< by ALPN; empty: none
  bool resumed = false;
  /// The server wanted another ClientHello, which cost a round trip. Only a client's engine tells.
  bool hello_retried = false;
};

struct ClientConnect;  // in client.h
class Session;         // in client.h

class Engine {
 public:
  /// Ciphertext bytes that a record adds at most to its plaintext: 29 with the AEADs of TLS 1.2, 22
  /// in TLS 1.3 (RFC 5246, 6.2.3; RFC 8446, 5.2), rounded up with room for suites to come and for
  /// the 27 of a KeyUpdate that a client of TLS 1.3 may owe before it.
  static constexpr std::size_t record_overhead = 96;
  static constexpr std::size_t record_size = 16384;  ///< plaintext of one record at most

  /// Error: out of memory. `context` must be a server's; the engine does without it from then on.
  [[nodiscard]] static Result<std::unique_ptr<Engine>> create_server(Context& context);
  /// Errors: a server name that is neither a host name in ASCII nor an IP address, or that is
  /// missing where it has to be verified; out of memory. `context` must be a client's; the engine
  /// does without it from then on; nothing of `connect` is kept.
  [[nodiscard]] static Result<std::unique_ptr<Engine>> create_client(Context& context,
                                                                     const ClientConnect& connect);
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;
  ~Engine();

  /// Goes on with the handshake: ok once it is complete and all of its bytes are in `output`. What
  /// follows the handshake in `input` is left there for read().
  [[nodiscard]] Status handshake(Window& window) noexcept;
  /// The handshake is complete; its last bytes may still be held.
  [[nodiscard]] bool handshake_done() const noexcept;
  /// Decrypts into `plaintext` until it is full (ok) or the input is used up (want_input). May
  /// produce output (a server's KeyUpdate answers, alerts; a client answers with its next write());
  /// works with an empty `output` as long as it does not.
  [[nodiscard]] Outcome read(Window& window, std::span<std::byte> plaintext) noexcept;
  /// Encrypts `plaintext` in whole records while they fit into `output`. Takes only what is
  /// entirely in `output`; needs room for more than record_overhead bytes to take any. Does not
  /// touch `input`; fails with want_input in the rare case that the peer is in the middle of a
  /// handshake message that read() has to finish first. Not after close_notify().
  [[nodiscard]] Outcome write(Window& window, std::span<const std::byte> plaintext) noexcept;
  /// Writes close_notify. ok: it is in `output`; want_output: call again. read() still works
  /// afterwards. Only after a done handshake. After `failed` or `truncated` it says so again and
  /// writes nothing: a broken connection must not look properly ended.
  [[nodiscard]] Status close_notify(Window& window) noexcept;
  /// Decrypted bytes are held inside: read() will yield plaintext without new input.
  [[nodiscard]] bool has_pending() const noexcept;
  /// Why the engine failed or was truncated, for a log record, for example "tlsv1 alert unknown
  /// ca"; empty while it did not.
  [[nodiscard]] const std::string& failure() const noexcept;
  /// The number of the peer's fatal alert (RFC 8446, 6) when that is why the engine failed.
  [[nodiscard]] std::optional<std::uint8_t> alert() const noexcept;
  /// What kind of failure it is; only once a handshake has failed.
  [[nodiscard]] HandshakeFault fault() const noexcept;
  /// The number of the fatal alert that was sent because of it.
  [[nodiscard]] std::optional<std::uint8_t> sent_alert() const noexcept;
  /// The name that the client asks for, as far as that is known; a client's own.
  [[nodiscard]] std::string_view server_name() const noexcept;
  /// Only after a done handshake.
  [[nodiscard]] Negotiated negotiated() const noexcept;
  /// A name of the peer's in its verified certificate: the first DNS name, address of mail or URI
  /// of the subjectAltName, else the CN of the subject; empty: it showed none, or nobody verified
  /// it.
  [[nodiscard]] std::string peer_name() const;
  /// The newest session that the server has given since the last call. In TLS 1.3 sessions come
  /// after the handshake, with read(); in TLS 1.2 with the handshake, unless that resumed one.
  /// Empty: none came, it did not fit into memory, this is a server's engine, or the connection has
  /// failed (RFC 5246, 7.2.2); one that was truncated still gives its session.
  [[nodiscard]] Session take_session();

 private:
  struct Parts;
  explicit Engine(std::unique_ptr<Parts> parts) noexcept;
  std::unique_ptr<Parts> parts_;
};

}  // namespace penstock::tls

// TlsEnd: TLS over a simulated stream, as a real client or server speaks it (OpenSSL), one step
// at a time and never waiting. It keeps which ciphertext carries which plaintext, so that the
// oracles know what of a stream that was cut off has arrived. The randomness of the whole process,
// production's engines included, comes from seed_tls().
#pragma once

#include <openssl/ssl.h>

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "network.h"
#include "penstock/tls/identity.h"

namespace penstock::sim {

/// Makes OpenSSL's random numbers a stream of this seed, from now on.
void seed_tls(std::uint64_t seed);

/// The certificate of every simulated listener, made once; it does not depend on any seed.
[[nodiscard]] tls::Identity tls_identity();

class TlsEnd {
 public:
  struct Options {
    bool server = false;
    bool tls13 = true;
    /// The byte of its ciphertext that is flipped on the way; 0: none. Counted from 1.
    std::uint64_t corrupts = 0;
    double key_updates = 0;        ///< chance per receive to ask for new keys, both ways (TLS 1.3)
    std::size_t trickle = 0;       ///< ciphertext bytes that go out at a time; 0: all
    bool fin_after_notify = true;  ///< ends the TCP stream with the TLS stream, not when it is done
  };
  TlsEnd(Stream& stream, const Options& options);

  // Results are bytes or -errno, as Stream's. -EPROTO: the TLS stream broke or ended improperly.

  /// Plaintext, 0 after close_notify, -EAGAIN. Does the handshake on the way.
  int receive(std::span<std::byte> to);
  /// The number of plaintext bytes taken; one record at most.
  int send(std::span<const std::byte> from);
  /// Sends close_notify: 0 once it is out, -EAGAIN: call it again.
  int finish();
  /// Ends the TCP stream with the TLS stream, now if that has ended: a peer that waits for the
  /// rest of a record whose length was corrupted would do so for good.
  void end_connection();

  /// Asks the peer to answer with new keys of its own (TLS 1.3). What it takes goes out with the
  /// next call.
  void update_keys();

  /// Plaintext bytes in those records that have arrived at the peer's kernel whole and undamaged.
  [[nodiscard]] std::uint64_t arrived() const noexcept;
  /// close_notify has arrived there.
  [[nodiscard]] bool end_arrived() const noexcept;
  /// A corrupted byte has been sent.
  [[nodiscard]] bool corrupted() const noexcept {
    return options_.corrupts != 0 && sent_ >= options_.corrupts;
  }

 private:
  [[nodiscard]] int explain(int outcome);
  [[nodiscard]] int fetch();
  [[nodiscard]] int flush();
  void encrypted();

  struct Releaser {
    void operator()(SSL* ssl) const noexcept { SSL_free(ssl); }
  };
  Stream& stream_;
  Options options_;
  std::unique_ptr<SSL, Releaser> ssl_;
  std::string outgoing_;         // ciphertext that the stream has not taken
  std::uint64_t sent_ = 0;       // ciphertext bytes that it has taken
  std::uint64_t encrypted_ = 0;  // ciphertext bytes made
  std::uint64_t plaintext_ = 0;  // plaintext bytes in them
  std::vector<std::pair<std::uint64_t, std::uint64_t>> records_;  // both, after each record
  std::uint64_t notified_at_ = 0;  // ciphertext bytes with close_notify; 0: not made
  bool shut_ = false;
};

}  // namespace penstock::sim

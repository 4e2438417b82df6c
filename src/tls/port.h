// Port: the BIO between OpenSSL and the Window of the call in progress. What OpenSSL writes beyond
// the window's room is held here and goes out first next time, so OpenSSL never meets a full BIO: a
// record, once begun, is complete, and an alert or a KeyUpdate answer cannot stand in the way of
// other records (OpenSSL fails a connection with "bad write retry" there). Private to the tls
// module.
#pragma once

#include <cstddef>
#include <vector>

#include "openssl_handles.h"
#include "penstock/tls/engine.h"

namespace penstock::tls {

class Port {
 public:
  Port() noexcept = default;
  Port(const Port&) = delete;
  Port& operator=(const Port&) = delete;

  /// A BIO over this port, for both directions of one SSL. Null: out of memory.
  [[nodiscard]] BioPtr make_bio() noexcept;

  /// Lends `window` to the BIO until the Loan is destroyed; nothing of it is kept afterwards.
  class Loan {
   public:
    Loan(Port& port, Window& window) noexcept : port_(port) { port.window_ = &window; }
    Loan(const Loan&) = delete;
    Loan& operator=(const Loan&) = delete;
    ~Loan() { port_.window_ = nullptr; }

   private:
    Port& port_;
  };

  /// Moves held ciphertext into the window. True: none is left.
  [[nodiscard]] bool drain() noexcept;
  [[nodiscard]] bool holds() const noexcept { return !held_.empty(); }
  /// Drops what OpenSSL writes from here on: after close_notify nothing may follow (RFC 8446, 6.1).
  void end_output() noexcept { output_ended_ = true; }
  /// While hidden, the BIO looks dry: write() must not consume the peer's records.
  void hide_input(bool hidden) noexcept { input_hidden_ = hidden; }

 private:
  friend struct PortMethod;
  [[nodiscard]] int read(char* to, int size) noexcept;
  [[nodiscard]] int write(const char* from, int size) noexcept;
  [[nodiscard]] bool at_end() const noexcept;

  Window* window_ = nullptr;
  /// Bounded: reads are dry while something is held, so at most one flight of the handshake (about
  /// the chain's size) or the answers to one record of the peer gather here.
  std::vector<std::byte> held_;
  bool output_ended_ = false;
  bool input_hidden_ = false;
};

}  // namespace penstock::tls

// CheckedServer: the server's engine between two wires, with windows of the fuzzer's sizes. After
// each call it checks that what the engine said is true: it asks for input only when it has eaten
// all, for room only when it has filled what there was, and what is over stays over.
#pragma once

#include <cstddef>
#include <span>

#include "input.h"
#include "tls_client.h"

namespace penstock::fuzz {

class CheckedServer {
 public:
  explicit CheckedServer(tls::Context& context) : server_(context) {}

  tls::Status handshake();
  tls::Outcome read(std::size_t room);
  tls::Outcome write(std::span<const std::byte> plaintext);
  tls::Status close_notify();

  void deliver(std::span<const std::byte> ciphertext) { server_.deliver(ciphertext); }
  [[nodiscard]] tls::test::Bytes take() { return server_.take(); }
  /// The client's FIN follows what has been delivered.
  void end_input() noexcept { server_.ended = true; }
  [[nodiscard]] bool input_ended() const noexcept { return server_.ended; }
  void set_windows(std::size_t input, std::size_t output) noexcept;
  /// Windows from a few bytes to more than anything that is there.
  void draw_windows(Input& input) noexcept;

  [[nodiscard]] bool handshake_done() const { return server_.engine->handshake_done(); }
  /// Broken or cut off; it has told so.
  [[nodiscard]] bool over() const noexcept { return over_; }
  /// close_notify has come.
  [[nodiscard]] bool peer_closed() const noexcept { return peer_closed_; }
  /// close_notify was called, and perhaps written; write() must not be called any more.
  [[nodiscard]] bool closing() const noexcept { return closing_; }
  [[nodiscard]] const tls::test::Bytes& received() const noexcept { return server_.received; }
  [[nodiscard]] std::size_t consumed() const noexcept { return consumed_; }
  [[nodiscard]] const std::string& failure() const { return server_.engine->failure(); }

 private:
  /// What the windows were before a call.
  struct Before {
    std::size_t input;
    std::size_t output;
  };
  [[nodiscard]] Before look() const noexcept {
    return {server_.input.size() - server_.consumed, server_.output.size()};
  }
  void check(const Before& before, tls::Status status);
  [[nodiscard]] std::size_t room_left(const Before& before) const;

  tls::test::Server server_;
  std::size_t consumed_ = 0;
  bool over_ = false;
  tls::Status how_over_ = tls::Status::ok;
  bool peer_closed_ = false;
  bool closing_ = false;
};

}  // namespace penstock::fuzz

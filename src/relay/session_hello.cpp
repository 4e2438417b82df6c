// The ClientHello of a listener with routes: it is read before anything else, decides on the pool
// and whether the connection is decrypted, and goes on unchanged, to our own engine or to the
// backend. What cannot be decided is refused: it never falls back to terms that were meant for
// others.
#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include "session.h"

namespace penstock::relay {
namespace {

using Status = tls::ClientHelloReader::Status;

// RFC 8446, 6.2
constexpr std::byte decode_error{50};
constexpr std::byte unrecognized_name{112};

/// Why a ClientHello cannot be read.
std::pair<tls::HandshakeFault, std::string_view> fault_of(const tls::ClientHelloReader& reader) {
  switch (reader.status()) {
    case Status::not_tls:
      return {tls::HandshakeFault::not_tls, "it does not speak TLS"};
    case Status::too_long:
      return {tls::HandshakeFault::malformed, "its ClientHello is too long"};
    default:
      return {tls::HandshakeFault::malformed, reader.problem()};
  }
}

}  // namespace

void Session::await_hello() {
  hello_ = std::make_unique<Hello>();
  front_.arm_receive(context_.buffers, context_.ring);
}

void Session::pump_hello() {
  Hello& hello = *hello_;
  const auto bytes = front_.incoming.readable();
  hello.raw.insert(hello.raw.end(), bytes.begin(), bytes.end());
  const Status status = hello.reader.read(bytes);
  front_.incoming.clear();
  if (status == Status::complete) return route();
  if (status != Status::incomplete) {
    const auto [fault, cause] = fault_of(hello.reader);
    explain(fault, cause, {.sent = std::to_integer<std::uint8_t>(decode_error)});
    return refuse(CloseReason::handshake_failed, decode_error);
  }
  if (front_.input_ended) return close(CloseReason::client_gone, Ending::abort);
  if (front_.receive_op.in_flight) return;
  front_.expect_little();  // so that what has been read fits one large buffer
  front_.arm_receive(context_.buffers, context_.ring);
}

void Session::route() {
  const tls::ClientHello& asked = hello_->reader.hello();
  const RouteTable::Route* route = listener().routes.find(asked.server_name, asked.protocols);
  const bool passes = front_tls() == nullptr || (route != nullptr && route->passthrough);
  const auto pool = route != nullptr ? route->pool : listener().pool;
  if (!pool) return refuse(CloseReason::no_route, unrecognized_name);

  static_assert(tls::ClientHelloReader::most_bytes +
                    io::BufferPool::receive_size(io::BufferClass::small) <=
                io::BufferPool::capacity(io::BufferClass::large));
  const bool small = hello_->raw.size() <= io::BufferPool::capacity(io::BufferClass::small);
  io::Buffer buffer =
      context_.buffers.take(small ? io::BufferClass::small : io::BufferClass::large);
  if (!buffer) return close(CloseReason::internal_error, Ending::abort);
  std::ranges::copy(hello_->raw, buffer.bytes().begin());
  front_.incoming = wire::Slice(std::move(buffer), hello_->raw.size());
  if (!passes) {
    hello_->raw = {};
    return begin_tls();
  }
  if (!asked.server_name.empty()) passed_name_ = std::make_unique<std::string>(asked.server_name);
  hello_.reset();
  serve_from(*pool);
  dial();
}

/// The pool of a session whose TLS ends here, once it has agreed on a protocol.
std::optional<PoolId> Session::pool_after_handshake() {
  if (!hello_) return listener().pool;
  const std::array agreed = {std::string(front_.engine->negotiated().protocol)};
  const std::size_t known = agreed[0].empty() ? 0 : 1;
  const RouteTable::Route* route =
      listener().routes.find(hello_->reader.hello().server_name, std::span(agreed).first(known));
  hello_.reset();
  if (route == nullptr) return listener().pool;
  // By what it offered it was not to pass: now it is too late for that.
  return route->passthrough ? std::nullopt : std::optional(route->pool);
}

/// Ends a connection that is not TLS of ours yet with a fatal alert.
void Session::refuse(CloseReason reason, std::byte alert) {
  const std::array record = {std::byte{21}, std::byte{3}, std::byte{3}, std::byte{0},
                             std::byte{2},  std::byte{2}, alert};
  if (io::Buffer buffer = context_.buffers.take(io::BufferClass::small)) {
    std::ranges::copy(record, buffer.bytes().begin());
    front_.outgoing = wire::Slice(std::move(buffer), record.size());
    front_.arm_send(context_.ring);
  }
  close(reason, Ending::flush);
}

}  // namespace penstock::relay

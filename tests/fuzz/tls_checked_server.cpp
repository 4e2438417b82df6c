// The calls and what is checked after each.
#include "tls_checked_server.h"

#include <algorithm>

#include "penstock/base/assert.h"

namespace penstock::fuzz {
namespace {

using tls::Status;

/// write() may leave that much room: too little for a record, or for one worth its overhead.
constexpr std::size_t idle_room = tls::Engine::record_overhead + 1024;

bool is_end(Status status) { return status == Status::failed || status == Status::truncated; }

}  // namespace

Status CheckedServer::handshake() {
  const Before before = look();
  const Status status = server_.handshake();
  PENSTOCK_ASSERT(status != Status::ok || handshake_done());
  PENSTOCK_ASSERT(status != Status::want_output || room_left(before) == 0);
  check(before, status);
  return status;
}

tls::Outcome CheckedServer::read(std::size_t room) {
  const Before before = look();
  const tls::Outcome outcome = server_.read(room);
  PENSTOCK_ASSERT(outcome.bytes <= room);
  PENSTOCK_ASSERT(outcome.status != Status::ok || outcome.bytes == room);
  PENSTOCK_ASSERT(outcome.status != Status::want_output || room_left(before) == 0);
  PENSTOCK_ASSERT(outcome.status != Status::want_input || !server_.engine->has_pending());
  PENSTOCK_ASSERT(!peer_closed_ || outcome.bytes == 0);  // nothing follows close_notify
  check(before, outcome.status);
  return outcome;
}

tls::Outcome CheckedServer::write(std::span<const std::byte> plaintext) {
  PENSTOCK_ASSERT(!closing_);
  const Before before = look();
  const tls::Outcome outcome = server_.write(plaintext);
  PENSTOCK_ASSERT(outcome.bytes <= plaintext.size());
  PENSTOCK_ASSERT(outcome.status != Status::ok || outcome.bytes == plaintext.size());
  PENSTOCK_ASSERT(outcome.status != Status::want_output || room_left(before) <= idle_room);
  PENSTOCK_ASSERT(look().input == before.input);
  if (outcome.status != Status::want_input) check(before, outcome.status);
  return outcome;
}

Status CheckedServer::close_notify() {
  closing_ = true;
  const Before before = look();
  const Status status = server_.close_notify();
  PENSTOCK_ASSERT(status != Status::want_output || room_left(before) == 0);
  if (status != Status::want_input) check(before, status);
  return status;
}

void CheckedServer::set_windows(std::size_t input, std::size_t output) noexcept {
  server_.input_limit = input;
  server_.output_limit = output;
}

void CheckedServer::draw_windows(Input& input) noexcept {
  constexpr std::size_t sizes[] = {1, 6, 100, 700, 20000, 65536};
  const auto draw = [&] { return input.below(1 + sizes[input.below(std::size(sizes))]); };
  const std::size_t shown = draw();
  set_windows(shown, draw());
}

std::size_t CheckedServer::room_left(const Before& before) const {
  const std::size_t filled = server_.output.size() - before.output;
  PENSTOCK_ASSERT(filled <= server_.output_limit);
  return server_.output_limit - filled;
}

void CheckedServer::check(const Before& before, Status status) {
  const std::size_t eaten = before.input - look().input;
  const std::size_t shown = std::min(before.input, server_.input_limit);
  PENSTOCK_ASSERT(eaten <= shown);
  consumed_ += eaten;
  if (status == Status::want_input) {
    PENSTOCK_ASSERT(eaten == shown);
    PENSTOCK_ASSERT(!server_.ended || shown < before.input);  // it knows that no more will come
  }
  PENSTOCK_ASSERT(!over_ || status == how_over_);
  PENSTOCK_ASSERT(is_end(status) == !failure().empty());
  if (status == Status::closed) peer_closed_ = true;
  if (!is_end(status)) return;
  over_ = true;
  how_over_ = status;
}

}  // namespace penstock::fuzz

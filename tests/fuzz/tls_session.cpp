// What can happen to a session, and what must have come of it.
#include "tls_session.h"

#include <openssl/ssl.h>

#include <algorithm>
#include <array>

#include "penstock/base/assert.h"

namespace penstock::fuzz {
namespace {

using tls::Status;
using tls::test::Bytes;

/// The most plaintext that one direction carries; what is in a record's middle looks like the rest.
constexpr std::size_t longest_stream = std::size_t{256} << 10U;

enum class Direction : std::uint8_t { up, down };

/// What stands at a position of a stream: no two directions and no near positions look alike.
std::byte byte_at(Direction direction, std::size_t position) {
  const std::size_t mixed = (position + 1) * 0x9e3779b97f4a7c15 + static_cast<unsigned>(direction);
  return static_cast<std::byte>(mixed >> 40U);
}

Bytes stretch(Direction direction, std::size_t from, std::size_t size) {
  Bytes bytes(size);
  for (std::size_t i = 0; i < size; ++i) bytes[i] = byte_at(direction, from + i);
  return bytes;
}

void check_beginning(const Bytes& received, Direction direction, std::size_t sent) {
  PENSTOCK_ASSERT(received.size() <= sent);
  PENSTOCK_ASSERT(received == stretch(direction, 0, received.size()));
}

std::size_t draw_size(Input& input) {
  constexpr std::array<std::size_t, 4> sizes = {1, 40, 5000, 40000};
  return 1 + input.below(sizes[input.below(sizes.size())]);
}

}  // namespace

void Session::act(Input& input) {
  server_.draw_windows(input);
  const std::uint8_t what = input.byte();
  switch (what % 18) {
    case 0:
    case 1:
      step_client();
      break;
    case 2:
      write_client(draw_size(input));
      break;
    case 3:
      close_client();
      break;
    case 4:
      change_keys(input.byte() % 2 == 0);
      break;
    case 5:
      if (input.byte() % 8 == 0) renegotiate();
      break;
    case 6:
    case 7:
      deliver_up(draw_size(input));
      break;
    case 8:
      deliver_up(up_.size());
      break;
    case 9:
      deliver_down(draw_size(input));
      break;
    case 10:
      deliver_down(down_.size());
      break;
    case 11:
    case 12:
      step_server(draw_size(input));
      break;
    case 13:
      write_server(draw_size(input));
      break;
    case 14:
      if (server_.handshake_done()) server_closed_ = server_.close_notify() == Status::ok;
      break;
    case 15:
      (what < 128 ? up_ : down_).flip(input);
      break;
    case 16:
      (what < 128 ? up_ : down_).insert(input);
      break;
    default:
      (what < 128 ? up_ : down_).cut(input);
      break;
  }
  collect();
}

void Session::step_client() {
  if (!client_.error().empty()) return;
  if (client_done_ && !client_stuck_) return client_.read();
  client_done_ = client_.handshake() || client_done_;
}

void Session::write_client(std::size_t size) {
  if (!client_done_ || client_closing_ || !client_goes_on()) return;
  size = std::min(size, longest_stream - client_sent_);
  if (size == 0) return;
  client_.write(stretch(Direction::up, client_sent_, size));
  client_sent_ += size;
}

void Session::close_client() {
  if (!client_done_ || client_closing_ || !client_goes_on()) return;
  client_closing_ = true;
  client_.close_notify();
}

void Session::change_keys(bool both) {
  if (!options_.changes_keys || !client_done_ || client_closing_ || !client_goes_on()) return;
  SSL_key_update(client_.ssl(), both ? SSL_KEY_UPDATE_REQUESTED : SSL_KEY_UPDATE_NOT_REQUESTED);
  client_.handshake();  // sends it; SSL_shutdown() would refuse to work before
}

/// TLS 1.2. The client gives up when it is told no.
void Session::renegotiate() {
  if (options_.changes_keys || !client_done_ || client_closing_ || !client_goes_on()) return;
  if (SSL_renegotiate(client_.ssl()) != 1) return;
  client_stuck_ = true;
  client_.handshake();
}

void Session::step_server(std::size_t room) {
  if (!server_.handshake_done()) {
    server_.handshake();
  } else {
    server_.read(room);
  }
}

void Session::write_server(std::size_t size) {
  if (!server_.handshake_done() || server_.closing()) return;
  size = std::min(size, longest_stream - server_sent_);
  server_sent_ += server_.write(stretch(Direction::down, server_sent_, size)).bytes;
}

void Session::collect() {
  const Bytes up = client_.take();
  const Bytes down = server_.take();
  up_.put(up);
  down_.put(down);
  moved_ += up.size() + down.size();
}

void Session::deliver_up(std::size_t most) {
  if (!server_.input_ended()) server_.deliver(up_.take(most));
  if (up_.is_cut() && up_.size() == 0) server_.end_input();
}

std::size_t Session::moved() const {
  return moved_ + server_.consumed() + server_.received().size() + client_.received.size();
}

/// Lets both sides go on with large windows until nothing moves any more.
void Session::settle() {
  server_.set_windows(65536, 65536);
  for (int idle = 0; idle < 3;) {
    const std::size_t before = moved();
    step_client();
    close_client();
    collect();
    deliver_up(up_.size());
    step_server(65536);
    if (server_.handshake_done() && !server_closed_) {
      server_closed_ = server_.close_notify() == Status::ok;
    }
    collect();
    deliver_down(down_.size());
    idle = moved() == before ? idle + 1 : 0;
  }
}

void Session::finish() {
  settle();
  server_.end_input();  // the client, content or not, lets go
  settle();
  told_ = summary();
  set_assert_context(told_.c_str());
  check_end();
  set_assert_context(nullptr);
}

void Session::check_end() {
  check_beginning(server_.received(), Direction::up, client_sent_);
  check_beginning(client_.received, Direction::down, server_sent_);
  if (server_.peer_closed()) PENSTOCK_ASSERT(server_.received().size() == client_sent_);
  if (client_.closed() && client_done_) PENSTOCK_ASSERT(client_.received.size() == server_sent_);
  // The client has let go, so the engine knows how it ended.
  PENSTOCK_ASSERT(server_.over() || server_.peer_closed());
  if (!up_.whole() || !down_.whole() || client_stuck_) return;
  PENSTOCK_ASSERT(client_done_ && client_.error().empty() && client_.closed());
  PENSTOCK_ASSERT(server_.peer_closed() && !server_.over() && server_closed_);
}

std::string Session::summary() {
  return "server \"" + server_.failure() + "\", client \"" + client_.error() + "\", " +
         SSL_state_string(client_.ssl());
}

}  // namespace penstock::fuzz

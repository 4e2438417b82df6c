// One end of a connection. The order of the checks in receive() and send() is that of Linux's
// tcp_recvmsg_locked() and tcp_sendmsg_locked(): data first; then a FIN hides an error; the error
// is told once, to whichever call asks first; after it a receive says 0 and a send says EPIPE.
#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "network.h"
#include "penstock/base/assert.h"

namespace penstock::sim {

Stream::Stream(Network& network, Endpoint local, Endpoint remote)
    : network_(network),
      local_(local),
      remote_(remote),
      send_buffer_(
          network.random().between(network.wire().send_buffer_min, network.wire().send_buffer_max)),
      receive_buffer_(network.random().between(network.wire().receive_buffer_min,
                                               network.wire().receive_buffer_max)) {}

int Stream::receive(std::span<std::byte> to) {
  PENSTOCK_ASSERT(!closed_);
  if (!in_.empty()) {
    const std::size_t count = std::min(to.size(), in_.size());
    std::memcpy(to.data(), in_.data(), count);
    in_.erase(0, count);
    waiting_since_ = network_.timeline().now();
    peer_->kick();  // the window opens
    if (is_unix()) peer_->note_room();
    last_moved_ = network_.timeline().now();
    return static_cast<int>(count);
  }
  if (fin_received_ && !is_unix()) return 0;
  if (error_ != 0) return -std::exchange(error_, 0);
  return fin_received_ || dead_ ? 0 : -EAGAIN;
}

int Stream::send(std::span<const std::byte> from) {
  PENSTOCK_ASSERT(!closed_);
  const int result = is_unix() ? send_unix(from) : send_tcp(from);
  if (result > 0) last_moved_ = network_.timeline().now();
  return result;
}

int Stream::send_tcp(std::span<const std::byte> from) {
  if (error_ != 0) return -std::exchange(error_, 0);
  if (write_shut_ || dead_) return -EPIPE;
  const std::size_t count = std::min(from.size(), room());
  room_wanted_ = room_wanted_ || count < from.size();
  if (count == 0 && !from.empty()) return -EAGAIN;
  out_.append(reinterpret_cast<const char*>(from.data()), count);
  kick();
  return static_cast<int>(count);
}

int Stream::send_unix(std::span<const std::byte> from) {
  if (write_shut_ || dead_ || peer_->closed_) return -EPIPE;
  const std::size_t count = std::min(from.size(), room());
  room_wanted_ = room_wanted_ || count < from.size();
  if (count == 0 && !from.empty()) return -EAGAIN;
  peer_->arrive({reinterpret_cast<const char*>(from.data()), count});
  arrived_ += count;
  return static_cast<int>(count);
}

int Stream::shut_write() {
  PENSTOCK_ASSERT(!closed_);
  if (is_unix()) {
    write_shut_ = fin_delivered_ = true;
    peer_->receive_fin();
    return 0;
  }
  if (dead()) return -ENOTCONN;
  write_shut_ = true;
  kick();
  return 0;
}

void Stream::close() {
  PENSTOCK_ASSERT(!closed_);
  if (is_unix()) return close_unix();
  if (!in_.empty() && !dead_) return abort();
  closed_ = true;
  in_.clear();
  write_shut_ = true;
  if (!dead_) kick();
}

void Stream::abort() {
  PENSTOCK_ASSERT(!closed_);
  if (is_unix()) return close_unix();
  closed_ = true;
  in_.clear();
  const bool was_dead = dead();
  // What the peer's window admits may be on its way already; the rest never leaves.
  const std::size_t window =
      peer_->receive_buffer_ - std::min(peer_->in_.size(), peer_->receive_buffer_);
  const std::size_t on_the_wire = network_.wire().latency_max == Duration::zero()
                                      ? 0
                                      : network_.random().below(std::min(out_.size(), window) + 1);
  out_.resize(was_dead ? 0 : on_the_wire);
  dead_ = true;
  if (was_dead) return;
  reset_queued_ = true;
  kick();
}

void Stream::close_unix() {
  closed_ = true;
  if (!in_.empty()) peer_->error_ = ECONNRESET;
  in_.clear();
  dead_ = fin_delivered_ = true;
  peer_->write_shut_ = true;
  peer_->receive_fin();
}

void Stream::vanish() {
  vanished_ = true;
  // Keepalive or the user timeout: the other end gives up some time after it last heard of us.
  network_.timeline().after(network_.wire().user_timeout, [this] {
    if (!peer_->dead()) peer_->fail(ETIMEDOUT);
  });
}

bool Stream::readable() const noexcept {
  return !in_.empty() || fin_received_ || error_ != 0 || dead_;
}

bool Stream::ready() const noexcept {
  if (in_.empty()) return readable();
  return in_.size() >= std::min(low_watermark_, receive_buffer_) || fin_received_ || error_ != 0 ||
         dead_;
}

/// Linux: at most half of what the socket may hold. A unix socket does not care.
void Stream::set_low_watermark(std::size_t bytes) noexcept {
  low_watermark_ = is_unix() ? 1 : std::clamp<std::size_t>(bytes, 1, receive_buffer_ / 2);
}

void Stream::arrive(std::string_view bytes) {
  if (in_.empty()) waiting_since_ = network_.timeline().now();
  in_.append(bytes);
}

bool Stream::writable() const noexcept {
  return error_ != 0 || write_shut_ || dead_ || (is_unix() && peer_->closed_) ||
         room() >= send_buffer_ / 3;
}

void Stream::starve() {
  room_wanted_ = true;
  network_.timeline().after(network_.latency() + 1us, [this] { note_room(); });
}

void Stream::note_room() noexcept {
  if (!room_wanted_ || !writable()) return;
  room_wanted_ = false;
  ++writable_events_;
}

void Stream::receive_fin() noexcept {
  fin_received_ = true;
  ++writable_events_;
}

std::size_t Stream::unacknowledged() const noexcept {
  if (is_unix()) return peer_->in_.size();
  if (dead()) return 0;
  return out_.size() + (write_shut_ && !fin_delivered_ ? 1 : 0);
}

std::size_t Stream::room() const noexcept {
  const std::size_t used = is_unix() ? peer_->in_.size() : out_.size();
  return send_buffer_ - std::min(used, send_buffer_);
}

/// The peer's RST came, or the connection was given up: sk_err is set, what was queued is dropped,
/// what was received stays readable.
void Stream::fail(int error) noexcept {
  if (dead_) return;
  // Linux: a RST in CLOSE_WAIT, that is after the peer's FIN and before ours, reads as EPIPE.
  error_ = error == ECONNRESET && fin_received_ && !write_shut_ ? EPIPE : error;
  dead_ = true;
  out_.clear();
  ++writable_events_;
}

void Stream::kick() {
  if (delivery_due_ || is_unix()) return;
  const bool has_data = !out_.empty();
  const bool has_fin = write_shut_ && !fin_delivered_ && !dead_;
  if (!has_data && !has_fin && !reset_queued_) return;
  delivery_due_ = true;
  network_.timeline().after(network_.latency(), [this] {
    delivery_due_ = false;
    deliver();
  });
}

void Stream::deliver() {
  if (vanished_ || peer_->vanished_) return;
  if (reset_queued_) {
    reset_queued_ = false;
    if (!peer_->closed_) peer_->arrive(out_);
    arrived_ += out_.size();
    out_.clear();
    peer_->fail(ECONNRESET);
    return;
  }
  if (dead_) return;
  if (!out_.empty() && !deliver_data()) return;
  if (!out_.empty()) {
    if (peer_->in_.size() < peer_->receive_buffer_) kick();  // else the peer's next receive() does
    return;
  }
  if (!write_shut_ || fin_delivered_ || dead_) return;
  fin_delivered_ = true;
  if (!peer_->dead_) peer_->receive_fin();
}

/// False when the answer is RST.
bool Stream::deliver_data() {
  if (peer_->closed_ || peer_->dead_) {  // nobody is there to take it, and the answer is RST
    out_.clear();
    drained_at_ = network_.timeline().now();
    peer_->dead_ = true;
    peer_->out_.clear();
    network_.timeline().after(network_.latency(), [this] { fail(ECONNRESET); });
    return false;
  }
  const std::size_t window =
      peer_->receive_buffer_ - std::min(peer_->in_.size(), peer_->receive_buffer_);
  std::size_t count = std::min(out_.size(), window);
  if (count > 1 && network_.random().chance(network_.wire().split)) {
    count = network_.random().between(1, count);
  }
  peer_->arrive(std::string_view(out_).substr(0, count));
  arrived_ += count;
  out_.erase(0, count);
  drained_at_ = network_.timeline().now();
  note_room();
  return true;
}

}  // namespace penstock::sim

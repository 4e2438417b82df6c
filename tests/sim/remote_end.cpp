// The moves of a remote end.
#include "remote_end.h"

#include <algorithm>
#include <cerrno>
#include <string_view>
#include <utility>

#include "penstock/base/assert.h"

namespace penstock::sim {
namespace {

constexpr std::uint64_t name_size = 8;  // a stream begins with its sender's id

}  // namespace

RemoteEnd::RemoteEnd(Network& network, Stream& stream, std::uint64_t id, const Script& script)
    : network_(network),
      stream_(stream),
      id_(id),
      born_(network.timeline().now()),
      script_(script) {
  PENSTOCK_ASSERT(id != 0 && (script.total == 0 || script.total >= name_size));
  if (script_.tls) tls_ = std::make_unique<TlsEnd>(stream_, *script_.tls);
}

int RemoteEnd::receive(std::span<std::byte> to) {
  return tls_ ? tls_->receive(to) : stream_.receive(to);
}

int RemoteEnd::send(std::span<const std::byte> from) {
  return tls_ ? tls_->send(from) : stream_.send(from);
}

/// 0 once the stream has ended, -EAGAIN while that takes longer.
int RemoteEnd::finish() { return tls_ ? tls_->finish() : stream_.shut_write(); }

void RemoteEnd::cooperate() {
  if (done_) return;
  if (tls_) tls_->end_connection();
  was_silent_ = was_silent_ || std::exchange(script_.silent, false);
  script_.fin_after_peer = false;
  script_.leave_after = std::numeric_limits<std::uint64_t>::max();
  script_.stall = 0;
  script_.total = sent_;
  script_.read_chunk = 65536;
  script_.pace_min = 20us;
  script_.pace_max = 1ms;
}

std::uint64_t RemoteEnd::peer_id() const noexcept {
  if (received_ < name_size || is_check_ || script_.garbage) return 0;
  std::uint64_t id = 0;
  for (const unsigned char byte : peer_name_) id = (id << 8) | byte;
  return id;
}

void RemoteEnd::move_later() {
  Random& random = network_.random();
  Duration pause = random.duration(script_.pace_min, script_.pace_max);
  if (random.chance(script_.stall)) pause += random.duration(Duration::zero(), script_.stall_max);
  network_.timeline().after(pause, [this] { move(); });
}

void RemoteEnd::move() {
  if (sent_ + received_ >= script_.leave_after) return leave();
  if (!script_.silent) {
    read();
    if (error_ == 0) write();
  }
  if (left_) return;
  if ((error_ != 0 && read_ended_) || (fin_seen_ && fin_sent_)) {
    stream_.close();
    done_ = true;
    return;
  }
  move_later();
}

void RemoteEnd::leave() {
  left_ = done_ = true;
  if (script_.leave == Leave::reset) stream_.abort();
  if (script_.leave == Leave::close) stream_.close();
  if (script_.leave == Leave::vanish) stream_.vanish();
}

void RemoteEnd::read() {
  if (read_ended_) return;
  std::string bytes(network_.random().between(1, script_.read_chunk), '\0');
  const int result = receive(std::as_writable_bytes(std::span(bytes)));
  if (result > 0) return check(std::string_view(bytes).substr(0, static_cast<std::size_t>(result)));
  if (result == -EAGAIN) return;
  read_ended_ = true;
  if (result < 0) error_ = -result;
  fin_seen_ = error_ == 0;  // after a write has met the reset, an end of 0 is none
}

void RemoteEnd::write() {
  if (is_check_) return answer_check();
  if (script_.answers && received_ == 0 && !fin_seen_) return;
  if (sent_ < script_.total) {
    const std::uint64_t wanted = network_.random().between(1, script_.write_chunk);
    std::string bytes(std::min(wanted, script_.total - sent_), '\0');
    for (std::size_t i = 0; i < bytes.size(); ++i) {
      bytes[i] = static_cast<char>(byte_at(id_, sent_ + i));
    }
    const int result = send(std::as_bytes(std::span(bytes)));
    if (result > 0) sent_ += static_cast<std::uint64_t>(result);
    if (result < 0 && result != -EAGAIN) error_ = -result;
    return;
  }
  if (fin_sent_ || (script_.fin_after_peer && !fin_seen_)) return;
  const int result = finish();
  fin_sent_ = result == 0;
  if (result < 0 && result != -EAGAIN) error_ = -result;
}

/// As a backend answers a health check, well or badly. The other end hangs up when it has heard
/// enough.
void RemoteEnd::answer_check() {
  if (std::exchange(check_answered_, true)) {
    if (check_closes_ || fin_seen_) finish_check();
    return;
  }
  const auto say = [this](std::string_view text) { (void)send(std::as_bytes(std::span(text))); };
  switch (script_.check_answer) {
    case CheckAnswer::passes:
      say("HTTP/1.1 204 No Content\r\n\r\n");
      break;
    case CheckAnswer::fails:
      say("HTTP/1.1 503 Service Unavailable\r\n\r\n");
      break;
    case CheckAnswer::garbage:
      say("SSH-2.0-nothing here\r\n");
      break;
    case CheckAnswer::half:
      return say("HTTP/1.1 2");
    case CheckAnswer::hangs_up:
      break;
    case CheckAnswer::resets:
      script_.leave = Leave::reset;
      return leave();
    case CheckAnswer::silent:
      return;
  }
  check_closes_ = true;
  finish_check();
}

void RemoteEnd::finish_check() {
  if (fin_sent_) return;
  const int result = finish();
  fin_sent_ = result == 0;
  if (result < 0 && result != -EAGAIN) error_ = -result;
}

void RemoteEnd::check(std::string_view bytes) {
  // No stream of ours begins like that: the ids are small numbers.
  if (received_ == 0 && bytes.front() == 'G') is_check_ = true;
  if (is_check_ || script_.garbage) {  // whoever speaks no TLS makes nothing of it
    received_ += bytes.size();
    return;
  }
  for (const char byte : bytes) {
    if (received_ < name_size) {
      peer_name_[received_] = static_cast<unsigned char>(byte);
    } else {
      PENSTOCK_ASSERT(static_cast<std::byte>(byte) == byte_at(peer_id(), received_));
    }
    ++received_;
  }
}

std::byte RemoteEnd::byte_at(std::uint64_t id, std::uint64_t position) const noexcept {
  if (position < name_size) return static_cast<std::byte>(id >> (8 * (name_size - 1 - position)));
  return static_cast<std::byte>(position * 131 + (position >> 8) * 17 + id * 29);
}

}  // namespace penstock::sim

// Dialling: from the hash key to a connected backend. A try that fails is invisible to the client:
// the next backend in hash order is dialled, up to connect_tries, and what was read from the client
// is still there. After a byte was sent to a backend nothing is ever dialled again.
#include <algorithm>
#include <cerrno>
#include <span>
#include <utility>

#include "penstock/base/planted.h"
#include "session.h"

namespace penstock::relay {
namespace {

constexpr Duration shortage_pause = 20ms;   ///< before a socket is asked for again
constexpr Duration shortage_patience = 3s;  ///< where no connect_timeout says it
constexpr Duration cancel_pause = 10ms;     ///< before a cancel that came too early is repeated

stats::CloseReason reason_of(int result) noexcept {
  switch (io::fate_of(result)) {
    case io::Fate::timed_out:
      return stats::CloseReason::connect_timeout;
    case io::Fate::unreachable:
      return stats::CloseReason::connect_unreachable;
    case io::Fate::exhausted:
    case io::Fate::no_buffer:
      return stats::CloseReason::connect_failed;
    default:
      return stats::CloseReason::connect_refused;
  }
}

bool is_shortage(int result) noexcept {
  const io::Fate fate = io::fate_of(result);
  return fate == io::Fate::exhausted || fate == io::Fate::no_buffer;
}

}  // namespace

void Session::dial() {
  if (phase_ == Phase::preface) {
    phase_ = Phase::dialing;
    dial_began_ = context_.now;
    context_.timers.cancel(timer_);  // the handshake's deadline
  }
  while (const auto backend = choose()) {
    const auto result = start_connect(*backend);
    if (!result) return;  // under way
    if (*result == 0) return on_connected();
    if (back_.fd < 0 && is_shortage(*result)) return wait_for_descriptor();
    connect_failed(reason_of(*result));
  }
  close(connect_failure_, Ending::abort);
}

std::optional<BackendId> Session::choose() noexcept {
  const auto allowed = std::min(static_cast<std::size_t>(pool().connect_tries), max_tries);
  if (tries_ >= allowed) return std::nullopt;
  const std::size_t excluded = planted(Planted::tried_again) ? 0 : tries_;
  if (planted(Planted::liveness_ignored)) {
    const balance::Liveness all(context_.routing.backends.size());
    return pool().table->pick(key_, all, std::span(tried_).first(excluded));
  }
  return pool().table->pick(key_, context_.liveness, std::span(tried_).first(excluded));
}

/// No socket was to be had, which is no fault of the backend's and no try: it is dialled again a
/// little later, or the session is given up.
void Session::wait_for_descriptor() {
  const Duration limit =
      pool().connect_timeout > Duration::zero() ? pool().connect_timeout : shortage_patience;
  --tries_;
  if (context_.now >= dial_began_ + limit) return close(CloseReason::connect_failed, Ending::abort);
  wake_at(context_.now + shortage_pause);
}

/// Begins a connect: nullopt while it is under way, else its result.
std::optional<int> Session::start_connect(BackendId backend) {
  tried_[tries_++] = backend;
  try_began_ = context_.now;
  const Endpoint& peer = context_.routing.backends[backend.value];
  const int fd = context_.kernel.open_socket(peer, listener().connection);
  if (fd < 0) return fd;
  back_.fd = fd;
  if (peer.is_unix()) {
    // IORING_OP_CONNECT would block a worker thread while the backlog is full; connect(2) says
    // EAGAIN.
    const int result = context_.kernel.connect_now(fd, peer);
    return result == -EAGAIN ? -ECONNREFUSED : result;
  }
  connect_cancelled_ = false;
  context_.ring.connect(back_.send_op, fd, peer);
  if (pool().connect_timeout > Duration::zero()) wake_at(context_.now + pool().connect_timeout);
  return std::nullopt;
}

/// The connect, or its cancellation, has completed.
void Session::on_dialed() {
  if (back_.busy()) {  // both must be over before the socket is used or closed
    // A cancel may find the request running and leave it be: it is tried again.
    if (connect_cancelled_ && !timer_.scheduled()) wake_at(context_.now + cancel_pause);
    return;
  }
  context_.timers.cancel(timer_);
  if (try_failure_) {
    connect_failed(*std::exchange(try_failure_, std::nullopt));
    return dial();
  }
  if (connect_result_ == 0) return on_connected();  // a cancel that came too late changes nothing
  connect_failed(reason_of(connect_result_ == -ECANCELED ? -ETIMEDOUT : connect_result_));
  dial();
}

/// The try has come to nothing; the kernel holds nothing of it.
void Session::connect_failed(CloseReason reason) {
  connect_failure_ = reason;
  context_.counters.backend[tried_[tries_ - 1U].value].failed_connects.add();
  if (back_.fd >= 0) context_.kernel.close(back_.fd);
  back_.fd = -1;
  if (!planted(Planted::try_remembered)) back_.renew();
  if (planted(Planted::retry_loses_bytes)) front_.incoming.clear();
}

void Session::on_connected() {
  if (back_tls() != nullptr && !planted(Planted::secured_late)) return secure();
  relay();
}

/// The backend is there, and is who it should be: bytes may pass.
void Session::relay() {
  backend_ = tried_[tries_ - 1U];
  connected_ = last_activity_ = context_.now;
  stats::BackendCounters& counters = context_.counters.backend[backend_->value];
  counters.connections.add();
  counters.active.add();
  context_.by_backend[backend_->value].push_back(*this);
  phase_ = Phase::relaying;
  if (listener().idle_timeout > Duration::zero()) wake_at(context_.now + listener().idle_timeout);
  pump(Side::front);
  pump(Side::back);
}

}  // namespace penstock::relay

// The steps of a probe. How it closes: after both streams have ended, plainly; otherwise with a
// reset. A tcp check would leave a socket in TIME_WAIT per probe if it closed plainly, on ports
// that sessions need, and a backend that answers nothing would keep a half-open connection. An http
// check reads its answer to the end before it closes, since a reset in the middle of an answer
// fills a backend's log with errors.
#include "penstock/health/probe.h"

#include <cerrno>
#include <span>
#include <string_view>

#include "penstock/io/fate.h"

namespace penstock::health {
namespace {

// How much of an answer is read only to be polite, and for how long from a backend that ignores
// "Connection: close".
constexpr std::size_t drain_limit = std::size_t{64} * 1024;
constexpr Duration drain_time = 100ms;
constexpr Duration cancel_again_after = 100ms;

bool is_temporary(int result) noexcept {
  return result < 0 && io::fate_of(result) == io::Fate::again;
}

}  // namespace

Probe::Probe(ProbeHost& host, const Environment& environment, const Dialect& dialect,
             const config::Backend& backend) noexcept
    : host_(host),
      environment_(environment),
      dialect_(dialect),
      health_(*dialect.health),
      backend_(backend),
      op_(this),
      cancel_op_(this) {}

void Probe::start(Scratch& scratch, Instant now) {
  PENSTOCK_ASSERT(state_ == State::idle && !op_.in_flight && !cancel_op_.in_flight);
  scratch_ = &scratch;
  started_ = now;
  decided_ = false;
  peer_finished_ = false;
  sent_ = 0;
  received_ = 0;
  state_ = State::connecting;
  io::Kernel& kernel = environment_.ring.kernel();
  const int fd = kernel.open_socket(backend_.address, {});
  if (fd < 0) {
    // A family that this kernel lacks is as good as a backend without a route; all else is a
    // shortage of ours.
    const bool no_family = fd == -EAFNOSUPPORT;
    end_with({.cause = no_family ? Cause::unreachable : Cause::own_shortage, .errno_value = -fd});
    return;
  }
  fd_ = fd;
  environment_.wheel.schedule(timer_, now + health_.timeout);
  if (backend_.address.is_unix()) {
    // Through the ring it would block a worker thread while the backlog is full.
    connected(kernel.connect_now(fd_, backend_.address));
  } else {
    environment_.ring.connect(op_, fd_, backend_.address);
  }
}

void Probe::on_completion(const io::Completion& completion) {
  if (state_ == State::ending) {
    close_when_joined();
    return;
  }
  PENSTOCK_ASSERT(&completion.op == &op_);  // only an ending probe cancels
  switch (state_) {
    case State::connecting:
      connected(completion.result);
      break;
    case State::securing:
      on_shaken(completion.result);
      break;
    case State::sending:
      on_sent(completion.result);
      break;
    case State::receiving:
      on_received(completion.result);
      break;
    case State::draining:
      on_drained(completion.result);
      break;
    case State::idle:
    case State::ending:
      PENSTOCK_ASSERT(false);
      break;
  }
}

void Probe::connected(int result) {
  if (result < 0) {
    end_with(connect_failure(result));
    return;
  }
  if (is_tls()) {
    secure();
  } else {
    ask();
  }
}

void Probe::ask() {
  if (health_.type == config::HealthType::tcp) {
    end_with({.cause = Cause::connected, .passed = true});
    return;
  }
  scratch_->request = http_request(health_, backend_.address);
  state_ = State::sending;
  if (is_tls()) seal_request();
  if (state_ == State::sending) send_more();
}

void Probe::send_more() {
  const std::span<const char> rest = std::span(scratch_->request).subspan(sent_);
  environment_.ring.send(op_, fd_, std::as_bytes(rest));
}

void Probe::on_sent(int result) {
  if (is_temporary(result)) {
    send_more();
    return;
  }
  if (result < 0) {
    end_with(exchange_failure(result));
    return;
  }
  sent_ += static_cast<std::size_t>(result);
  PENSTOCK_ASSERT(sent_ <= scratch_->request.size());
  if (sent_ < scratch_->request.size()) {
    send_more();
    return;
  }
  state_ = State::receiving;
  receive_more();
}

void Probe::receive_more() {
  if (is_tls()) {
    Scratch::Sealed& sealed = *scratch_->sealed;
    environment_.ring.receive_into(op_, fd_, std::span(sealed.input).subspan(sealed.input_size));
    return;
  }
  environment_.ring.receive_into(op_, fd_, std::span(scratch_->answer).subspan(received_));
}

void Probe::on_received(int result) {
  if (is_temporary(result)) {
    receive_more();
  } else if (result < 0) {
    end_with(exchange_failure(result));
  } else if (is_tls()) {
    peer_finished_ = result == 0;
    if (unseal(static_cast<std::size_t>(result), result == 0)) judge_answer();
  } else if (result == 0) {
    peer_finished_ = true;
    end_with({.cause = Cause::closed_early});
  } else {
    received_ += static_cast<std::size_t>(result);
    judge_answer();
  }
}

void Probe::judge_answer() {
  const auto* text = reinterpret_cast<const char*>(scratch_->answer.data());
  const StatusLine line = parse_status_line({text, received_});
  switch (line.state) {
    case StatusLine::State::incomplete:
      receive_more();
      break;
    case StatusLine::State::malformed:
      end_with({.cause = Cause::not_http});
      break;
    case StatusLine::State::complete:
      decide({.cause = Cause::status,
              .passed = expected(health_, line.status),
              .status = line.status});
      drain();
      break;
  }
}

void Probe::drain() {
  state_ = State::draining;
  const Instant until = environment_.ring.kernel().now() + drain_time;
  if (until < timer_.deadline()) environment_.wheel.schedule(timer_, until);
  environment_.ring.receive_into(op_, fd_, scratch_->answer);
}

void Probe::on_drained(int result) {
  if (result > 0) received_ += static_cast<std::size_t>(result);
  peer_finished_ = result == 0;
  if (is_temporary(result) || (result > 0 && received_ < drain_limit)) {
    environment_.ring.receive_into(op_, fd_, scratch_->answer);
  } else {
    end();
  }
}

void Probe::on_deadline(Instant now) {
  switch (state_) {
    case State::connecting:
      end_with({.cause = Cause::connect_timed_out, .elapsed = health_.timeout});
      break;
    case State::securing:
    case State::sending:
    case State::receiving:
      end_with({.cause = Cause::no_answer, .elapsed = health_.timeout});
      break;
    case State::draining:
      end();
      break;
    case State::ending:
      // The cancel found nothing although the op is out: it was between two places in the kernel.
      if (!cancel_op_.in_flight) environment_.ring.cancel_all(cancel_op_, fd_);
      environment_.wheel.schedule(timer_, now + cancel_again_after);
      break;
    case State::idle:
      PENSTOCK_ASSERT(false);
      break;
  }
}

void Probe::abort() {
  if (!running()) return;
  decided_ = true;
  if (state_ != State::ending) end();
}

void Probe::decide(Outcome outcome) {
  PENSTOCK_ASSERT(!decided_);
  decided_ = true;
  if (outcome.elapsed == Duration::zero())
    outcome.elapsed = environment_.ring.kernel().now() - started_;
  host_.decided(outcome);
}

void Probe::end_with(const Outcome& outcome) {
  decide(outcome);
  end();
}

void Probe::end() {
  state_ = State::ending;
  environment_.wheel.cancel(timer_);
  if (op_.in_flight) {
    environment_.ring.cancel_all(cancel_op_, fd_);
    environment_.wheel.schedule(timer_, environment_.ring.kernel().now() + cancel_again_after);
  }
  close_when_joined();
}

void Probe::close_when_joined() {
  if (op_.in_flight || cancel_op_.in_flight) return;
  environment_.wheel.cancel(timer_);
  io::Kernel& kernel = environment_.ring.kernel();
  if (fd_ >= 0) {
    if (peer_finished_)
      kernel.close(fd_);
    else
      kernel.close_with_reset(fd_);
  }
  fd_ = -1;
  scratch_->sealed.reset();
  scratch_ = nullptr;
  state_ = State::idle;
  host_.closed();
}

}  // namespace penstock::health

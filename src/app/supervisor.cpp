// The loop of the main thread and the way down. It sleeps in poll(2) until a signal comes, a shard
// has something to say, or a deadline of the shutdown passes.
#include "supervisor.h"

#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <cstdlib>

#include "penstock/app/command_line.h"
#include "penstock/base/assert.h"
#include "penstock/base/log.h"
#include "penstock/config/values.h"
#include "service_manager.h"
#include "words.h"

namespace penstock::app {
namespace {

// How long the last handshakes that had begun may take to finish: their ACK is one round trip away.
constexpr Duration handshake_grace = 100ms;
// Aborting waits for nothing but completions that the kernel owes.
constexpr Duration cut_limit = 10s;
constexpr Duration output_patience = 1s;

const char* name_of(int signal) { return signal == SIGINT ? "SIGINT" : "SIGTERM"; }

}  // namespace

Supervisor::~Supervisor() { take_down(); }

int Supervisor::run() {
  while (!shards_ended()) {
    wait();
    take_signals();
    look_at_shards();
    failures_->tell(kernel_.now());
    pass_deadlines();
  }
  return finish();
}

void Supervisor::wait() {
  std::array<pollfd, 2> waited{{{.fd = signals_.fd(), .events = POLLIN, .revents = 0},
                                {.fd = event_.get(), .events = POLLIN, .revents = 0}}};
  int timeout = -1;
  if (const Instant until = next_deadline(); until != never) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - kernel_.now()).count();
    timeout = static_cast<int>(std::clamp<std::int64_t>(left, 0, 60'000));
  }
  ::poll(waited.data(), waited.size(), timeout);
  std::uint64_t notifications = 0;
  [[maybe_unused]] const auto count = ::read(event_.get(), &notifications, sizeof notifications);
}

void Supervisor::take_signals() {
  while (const auto signal = signals_.next()) {
    if (*signal == SIGUSR2) {
      print_counters();
    } else if (*signal == SIGHUP) {
      log::warn("SIGHUP: reloading the configuration has not landed yet; restart to apply changes");
    } else {
      on_stop_signal(*signal);
    }
  }
}

void Supervisor::on_stop_signal(int number) {
  if (phase_ == Phase::serving) {
    begin_stop(number);
    return;
  }
  exit_code_ = exit_failed;
  if (phase_ != Phase::cutting) cut(fmt::format("a second signal, {}", name_of(number)));
}

void Supervisor::begin_stop(int number) {
  const Duration timeout = config_.process.shutdown_timeout;
  log::info("stopping on {}: new connections are refused; {} {}", name_of(number),
            counted(active_sessions(), "session"),
            timeout == Duration::zero()
                ? std::string("may take any time to end")
                : fmt::format("may take {} to end", config::duration_text(timeout)));
  tell_service_manager("STOPPING=1");
  sockets_.refuse_new();
  const Instant now = kernel_.now();
  phase_ = Phase::refusing;
  release_at_ = sockets_.have_handshakes() ? now + handshake_grace : now;
  if (timeout > Duration::zero()) cut_at_ = now + timeout;
}

void Supervisor::look_at_shards() {
  for (std::size_t i = 0; i < shards_.size(); ++i) {
    if (!shards_[i]->ended()) continue;
    const Result<void>& outcome = shards_[i]->outcome();
    if (!outcome) {
      log::error("shard {} cannot go on: {}", i, outcome.error().message);
      give_up();
    }
    PENSTOCK_ASSERT(phase_ != Phase::serving);  // nobody has told it to stop
  }
  const bool released = std::ranges::all_of(
      shards_, [](const auto& shard) { return shard->object().listeners_released(); });
  if (phase_ == Phase::releasing && released) {
    sockets_.close();
    phase_ = Phase::ending;
  }
}

void Supervisor::pass_deadlines() {
  const Instant now = kernel_.now();
  if (phase_ == Phase::refusing && now >= release_at_) {
    phase_ = Phase::releasing;
    release_at_ = never;
    for (const auto& shard : shards_) shard->object().stop_accepting();
  }
  if (phase_ != Phase::cutting && now >= cut_at_) {
    cut(fmt::format("shutdown_timeout, {}",
                    config::duration_text(config_.process.shutdown_timeout)));
  }
  if (now >= give_up_at_ && !shards_ended()) {
    log::error("sessions did not end within {} after they were cut",
               config::duration_text(cut_limit));
    give_up();
  }
}

void Supervisor::cut(std::string_view why) {
  log::warn("{}: cutting {}", why, counted(active_sessions(), "session"));
  phase_ = Phase::cutting;
  release_at_ = cut_at_ = never;
  give_up_at_ = kernel_.now() + cut_limit;
  for (const auto& shard : shards_) shard->object().cut_sessions();
}

int Supervisor::finish() {
  take_down();
  if (const std::uint64_t number = cut_sessions(); number == 0) {
    log::info("stopped: every session has ended");
  } else {
    log::warn("stopped: {} cut", counted(number, "session"));
  }
  if (options_.counters_at_end) print_counters();
  return exit_code_;
}

// Ends every thread, in the order in which they use each other. Shards that still run are cut.
void Supervisor::take_down() {
  tls_files_.reset();
  if (health_) health_->object().stop();
  health_.reset();
  for (const auto& shard : shards_) {
    if (!shard->ended()) shard->object().cut_sessions();
  }
  shards_.clear();
  access_log_.reset();
  sockets_.close();
}

// The end of a process whose ring is broken: what is in flight in the kernel can neither be waited
// for nor be freed, so nothing is destroyed.
void Supervisor::give_up() {
  sockets_.refuse_new();
  if (options_.counters_at_end) print_counters();
  std::_Exit(exit_failed);
}

Instant Supervisor::next_deadline() const noexcept {
  return std::min({release_at_, cut_at_, give_up_at_, failures_->due()});
}

bool Supervisor::shards_ended() const noexcept {
  return std::ranges::all_of(shards_, [](const auto& shard) { return shard->ended(); });
}

std::uint64_t Supervisor::active_sessions() const noexcept {
  return process_sessions_.load(std::memory_order_relaxed);
}

std::uint64_t Supervisor::cut_sessions() const noexcept {
  constexpr auto reason = static_cast<std::size_t>(stats::CloseReason::shutdown);
  std::uint64_t total = 0;
  for (const auto& shard : counters_) {
    for (const stats::ListenerCounters& listener : shard->listener) {
      total += listener.closed[reason].get();
    }
  }
  return total;
}

void Supervisor::print_counters() {
  const std::string line = stats::to_json(counters_, names_).dump() + "\n";
  if (const auto written = standard_output_.write(line, output_patience); !written) {
    log::warn("the counters could not be written to stdout: {}", written.error().message);
  }
}

}  // namespace penstock::app

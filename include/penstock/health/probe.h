// Probe: one check of one backend at a time, as a state machine over ring operations:
// idle → connecting → (TLS: securing) → (http: sending → receiving → draining) → ending → idle. It
// finds out; what a finding means for the backend is its host's business. Belongs to the checker's
// thread. It never closes a socket on which something is in flight: it cancels, waits until both
// its ops have come back, then closes.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "penstock/config/config.h"
#include "penstock/health/http_check.h"
#include "penstock/health/outcome.h"
#include "penstock/io/ring.h"
#include "penstock/time/timer_wheel.h"
#include "penstock/tls/client.h"
#include "penstock/tls/engine.h"

namespace penstock::health {

/// What only a running probe needs, so that ten thousand idle ones do not hold it.
struct Scratch {
  /// Of a backend that speaks TLS: its engine, and ciphertext that came and that is to be sent.
  struct Sealed {
    std::unique_ptr<tls::Engine> engine;
    std::array<std::byte, 16384> input{};
    std::size_t input_size = 0;
    std::array<std::byte, 4096> output{};
    std::size_t output_size = 0;
  };
  std::array<std::byte, answer_limit> answer{};
  std::string request;
  std::unique_ptr<Sealed> sealed;
};

/// How backends of a pool are spoken to.
struct Dialect {
  const config::Health* health = nullptr;
  /// Its value may change between two probes; null: plaintext.
  const std::unique_ptr<tls::Context>* tls = nullptr;
  std::string server_name;  ///< see config::BackendTls
};

class ProbeHost {
 public:
  /// The finding. At most once between start() and closed(), not after abort(). The probe may still
  /// be busy.
  virtual void decided(const Outcome& outcome) = 0;
  /// The probe is idle, its socket closed, its scratch free for others, its timer the host's again.
  virtual void closed() = 0;

 protected:
  ~ProbeHost() = default;
};

class Probe {
 public:
  struct Environment {
    io::Ring& ring;
    TimerWheel& wheel;
  };
  /// `dialect` and `backend` must outlive the probe.
  Probe(ProbeHost& host, const Environment& environment, const Dialect& dialect,
        const config::Backend& backend) noexcept;
  Probe(const Probe&) = delete;
  Probe& operator=(const Probe&) = delete;

  [[nodiscard]] bool running() const noexcept { return state_ != State::idle; }
  /// The host's while the probe is idle (for the next start), the probe's own while it runs: when
  /// it fires then, the host calls on_deadline(). The host sets its owner.
  [[nodiscard]] Timer& timer() noexcept { return timer_; }
  /// Begins a check. Both calls of the host may come before this returns.
  void start(Scratch& scratch, Instant now);
  /// A completion of one of the probe's ops.
  void on_completion(const io::Completion& completion);
  /// The timer fired while the probe was running.
  void on_deadline(Instant now);
  /// Ends a running check without a finding. closed() follows, maybe before this returns.
  void abort();

 private:
  enum class State : std::uint8_t {
    idle,
    connecting,
    securing,
    sending,
    receiving,
    draining,
    ending
  };

  void connected(int result);
  void secure();
  void shake();
  void on_shaken(int result);
  void ask();
  void seal_request();
  [[nodiscard]] bool is_tls() const noexcept { return *dialect_.tls != nullptr; }
  [[nodiscard]] bool unseal(std::size_t bytes, bool ended);
  [[nodiscard]] tls::Window open_window(bool ended = false) const noexcept;
  void close_window(const tls::Window& window) noexcept;
  void send_more();
  void receive_more();
  void on_sent(int result);
  void on_received(int result);
  void on_drained(int result);
  void judge_answer();
  void decide(Outcome outcome);
  void drain();
  void end();
  void end_with(const Outcome& outcome);
  void close_when_joined();

  ProbeHost& host_;
  Environment environment_;
  const Dialect& dialect_;
  const config::Health& health_;
  const config::Backend& backend_;
  io::Op op_;  // connect, send or receive: never two of them at once
  io::Op cancel_op_;
  Timer timer_;
  State state_ = State::idle;
  bool decided_ = false;
  bool peer_finished_ = false;
  int fd_ = -1;
  Instant started_{};
  Scratch* scratch_ = nullptr;
  tls::Session session_;  // to resume
  std::size_t sent_ = 0;
  std::size_t received_ = 0;
};

}  // namespace penstock::health

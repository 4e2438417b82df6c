// Exchange: requests and answers: on connections that stay (rr, http), or on a connection for each
// (conn, tls). Open loop: operations begin when the timeline says, and one that finds no free
// connection waits in a queue, its latency counted from when it was meant to begin. Closed loop:
// one begins when another ends. One worker's.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <vector>

#include "codec.h"
#include "connection.h"
#include "dialer.h"
#include "engine.h"
#include "penstock/load/arrivals.h"
#include "penstock/load/recorder.h"

namespace penstock::load {

/// How many requests a connection lives for, drawn anew for each; zero: as many as there are.
struct RequestRange {
  std::uint64_t least = 0;
  std::uint64_t most = 0;
};

struct ExchangeOptions {
  const Codec* codec = nullptr;    ///< borrowed; null: an operation ends with the connection open
  std::uint32_t connections = 1;   ///< at most so many at once
  std::uint64_t first_number = 0;  ///< of its places; numbers go over all workers
  RequestRange requests_each{};
  std::uint32_t depth = 1;        ///< requests on a connection that are not answered yet
  bool one_each = false;          ///< a connection for each operation
  Ending ending = Ending::plain;  ///< of a connection that has done its operation
  bool closed_loop = false;
  std::uint64_t operations = UINT64_MAX;  ///< at most so many
  std::uint64_t most_waiting = 1'000'000;
  bool catch_up = true;  ///< begin operations whose time has passed, too
  std::uint64_t seed = 1;
  Duration timeout = 10s;         ///< from an operation's first byte on
  Duration redial_after = 100ms;  ///< when a connection was lost or could not be had
  Duration warmup{};              ///< what is meant to begin before is not measured
};

class Exchange final : public Engine, private User {
 public:
  /// `timeline`: for the open loop.
  Exchange(Context& context, const ExchangeOptions& options, Dialer dialer,
           std::optional<Timeline> timeline);
  ~Exchange() override;

  void prepare() override;
  [[nodiscard]] bool prepared() const noexcept override { return unsettled_ == 0; }
  void begin(Instant at) override;
  [[nodiscard]] Instant next_tick() const noexcept override;
  void tick() override;
  void stop() override;
  void abandon() override;
  [[nodiscard]] bool done() const noexcept override;
  [[nodiscard]] bool exhausted() const noexcept override;
  void measure_to(Recorder& recorder) override { recorder_ = &recorder; }
  [[nodiscard]] std::uint64_t waiting() const noexcept override { return waiting_.size(); }
  [[nodiscard]] std::uint64_t in_flight() const noexcept override { return in_flight_; }

 private:
  struct Ready;
  struct Operation {
    Instant intended;
    Instant sent{};  // its first byte; zero: not yet
  };
  /// A connection that is had again and again, or the place of one that is.
  struct Slot final : ListHook<Ready>, Waiter {
    void on_due() override { exchange->try_again(*this); }
    Exchange* exchange = nullptr;
    std::uint64_t index = 0;
    Connection* connection = nullptr;
    std::deque<Operation> operations{};  // not answered yet, the oldest first
    std::uint32_t unwritten = 0;         // the last of them
    CodecState codec{};
    DialTimes times{};
    std::uint64_t generation = 0;
    std::uint64_t requests_left = UINT64_MAX;  // that may still begin on the connection
    bool answer_begun = false;
    bool settled = false;  // its first connection was there, or could not be had
  };

  [[nodiscard]] Slot& slot(Connection& connection) noexcept {
    return *static_cast<Slot*>(connection.of_user);
  }
  [[nodiscard]] bool measured(Instant intended) const noexcept {
    return intended >= measured_from_;
  }
  [[nodiscard]] bool measured(const Operation& operation) const noexcept {
    return measured(operation.intended);
  }
  [[nodiscard]] bool may_begin() const noexcept {
    return begun_ < options_.operations && !stopped_;
  }
  [[nodiscard]] bool has_room(const Slot& slot) const noexcept {
    return slot.operations.size() < options_.depth && slot.requests_left > 0;
  }
  [[nodiscard]] std::uint64_t draw_requests(std::uint64_t number) const noexcept;
  void try_again(Slot& slot);
  void dial(Slot& slot);
  void assign(Instant intended);
  void issue(Slot& slot, Instant intended);
  void offer(Slot& slot);
  void next_for(Slot& slot);
  void conclude(Slot& slot, const Answer& answer, Instant now);
  [[nodiscard]] Operation take_operation(Slot& slot);
  void complete(Slot& slot, Instant now);
  void fail_operation(Slot& slot, ErrorClass error, int errno_value);
  void fail_all(Slot& slot, const Failure& failure);
  void give_up(Slot& slot);
  void let_go(Slot& slot, Ending ending);
  void lost(Slot& slot);
  void record_lag(const Operation& operation) noexcept;
  [[nodiscard]] Instant patience_ends(const Operation& operation) const noexcept;
  void watch(Slot& slot);
  void settle(Slot& slot) noexcept;
  [[nodiscard]] std::size_t write_requests(Slot& slot, std::span<std::byte> to);

  void on_connected(Connection& connection) override;
  void on_open(Connection& connection) override;
  std::size_t produce(Connection& connection, std::span<std::byte> to) override;
  void consume(Connection& connection, std::span<const std::byte> bytes) override;
  void on_end(Connection& connection) override;
  void on_failure(Connection& connection, const Failure& failure) override;
  void on_wake(Connection& connection) override;
  void on_closed(Connection& connection) override;

  Context& context_;
  ExchangeOptions options_;
  Dialer dialer_;
  std::optional<Timeline> timeline_;
  Recorder* recorder_ = nullptr;
  std::vector<std::unique_ptr<Slot>> slots_;
  IntrusiveList<Slot, Ready> ready_;
  std::deque<Instant> waiting_;
  Instant began_ = never;
  Instant measured_from_ = never;
  std::uint64_t begun_ = 0;
  std::uint64_t in_flight_ = 0;
  std::size_t unsettled_ = 0;
  std::size_t open_connections_ = 0;  // until on_closed()
  bool running_ = false;              // the closed loop
  bool stopped_ = false;
};

}  // namespace penstock::load

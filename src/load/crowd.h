// Crowd: connections that are there for their own sake, not for operations: bulk streams, idle
// ones, hostile ones. It opens them at a pace, opens another where one has ended, and asks a Part
// what to do on each. One worker's.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "dialer.h"
#include "engine.h"
#include "part.h"

namespace penstock::load {

struct CrowdOptions {
  std::uint32_t connections = 1;
  std::uint64_t first_number = 0;  ///< of its places; numbers go over all workers
  double dials_per_second = 0;     ///< 0: as fast as it goes
  bool dials_before = true;        ///< the connections are there before the load begins
  Duration redial_after = 100ms;   ///< when one was lost or could not be had
  std::uint64_t seed = 1;
};

class Crowd final : public Engine, private User {
 public:
  using MakePart = std::function<std::unique_ptr<Part>(Member& member)>;
  Crowd(Context& context, const CrowdOptions& options, Dialer dialer, MakePart make_part);
  ~Crowd() override;

  void prepare() override;
  [[nodiscard]] bool prepared() const noexcept override { return untried_ == 0; }
  void begin(Instant at) override { began_ = at; }
  [[nodiscard]] Instant next_tick() const noexcept override;
  void tick() override;
  void stop() override;
  void abandon() override;
  [[nodiscard]] bool done() const noexcept override { return stopped_ && open_ == 0; }
  void measure_to(Recorder& recorder) override { recorder_ = &recorder; }

 private:
  struct ToDial;
  /// A connection after the other.
  struct Place final : ListHook<ToDial>, Waiter {
    Place(Crowd& its_crowd, std::uint64_t number) noexcept
        : crowd(its_crowd),
          member{.context = crowd.context_,
                 .recorder = crowd.recorder_,
                 .connection = connection,
                 .number = number} {}
    void on_due() override { crowd.redial(*this, {}); }
    Crowd& crowd;
    Connection* connection = nullptr;
    Member member;
    std::unique_ptr<Part> part{};
    DialTimes times{};
    std::uint64_t generation = 0;
    bool tried = false;
  };

  [[nodiscard]] static Place& place(Connection& connection) noexcept {
    return *static_cast<Place*>(connection.of_user);
  }
  void dial(Place& place);
  void redial(Place& place, Duration after);
  void note_tried(Place& place) noexcept;
  void run(Place& place);

  void on_connected(Connection& connection) override;
  void on_open(Connection& connection) override;
  std::size_t produce(Connection& connection, std::span<std::byte> to) override;
  void consume(Connection& connection, std::span<const std::byte> bytes) override;
  void on_end(Connection& connection) override;
  void on_failure(Connection& connection, const Failure& failure) override;
  void on_wake(Connection& connection) override;
  void on_closed(Connection& connection) override;

  Context& context_;
  CrowdOptions options_;
  Dialer dialer_;
  MakePart make_part_;
  Recorder* recorder_ = nullptr;
  std::vector<std::unique_ptr<Place>> places_;
  IntrusiveList<Place, ToDial> to_dial_;
  Instant next_dial_{};
  Instant began_ = never;
  std::size_t untried_ = 0;
  std::size_t open_ = 0;  // until on_closed()
  bool running_ = false;
  bool stopped_ = false;
};

}  // namespace penstock::load

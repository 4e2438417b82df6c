// Timeline: when one worker of an open loop intends to start its operations. Latency counts from
// these times, whatever kept an operation from starting. Owned by the worker, on its thread; pure:
// it asks no clock and its times are offsets from the start of the run. The same options give the
// same times on every machine.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "penstock/load/random.h"
#include "penstock/load/rate_profile.h"
#include "penstock/time/instant.h"

namespace penstock::load {

enum class Arrival : std::uint8_t {
  uniform,  ///< evenly spaced over all workers together
  poisson,  ///< as from many clients that do not know each other
};

struct TimelineOptions {
  RateProfile profile;  ///< of all workers together
  Arrival arrival = Arrival::uniform;
  std::uint32_t burst = 1;  ///< starts at each instant; the rate stays that of the starts
  std::uint64_t seed = 0;   ///< of the run; each worker makes its own of it
  std::uint32_t worker = 0;
  std::uint32_t workers = 1;
};

class Timeline {
 public:
  explicit Timeline(const TimelineOptions& options);

  /// The next intended start, never before the last one; nullopt at the end of the profile.
  [[nodiscard]] std::optional<Duration> next() const noexcept { return next_; }
  /// Goes on to the one after. Only while next() is one.
  void advance() noexcept;

 private:
  /// A segment, and where it begins and ends in time and in starts.
  struct Piece {
    RateSegment segment;
    Duration begin;
    double starts_before;
    double starts_after;
  };

  [[nodiscard]] double draw() noexcept;
  void find_next() noexcept;

  std::vector<Piece> pieces_;
  std::size_t piece_ = 0;
  Arrival arrival_;
  std::uint32_t burst_;
  std::uint32_t workers_;
  std::uint64_t number_;    // uniform: of the next start, over all workers
  std::uint32_t left_ = 0;  // poisson: starts to come at the same instant
  double gaps_ = 0;         // poisson: the sum of this worker's
  Random random_;
  std::optional<Duration> next_;
};

}  // namespace penstock::load

// Histogram: durations from 1 ns to 1 h with three significant digits, log-linear as HdrHistogram
// has it, so that its plotters read what is exported (hgrm.h). Recording is an addition in a table
// that exists from the start; merging is exact. One thread's.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "penstock/time/instant.h"

namespace penstock::load {

class Histogram {
 public:
  /// Values below are recorded as this, values above as `highest`.
  static constexpr Duration lowest = 1ns;
  static constexpr Duration highest = 1h;

  Histogram();

  /// 1.7 ns (measured: g++ 12 -O2, one core of an EPYC, table in the cache).
  void record(Duration value) noexcept { record(value, 1); }
  void record(Duration value, std::uint64_t times) noexcept;
  /// Adds all of `from`.
  void merge(const Histogram& from) noexcept;
  void clear() noexcept;

  [[nodiscard]] std::uint64_t count() const noexcept { return count_; }
  /// Zero when nothing was recorded, as are those below. Exact: the values themselves are kept.
  [[nodiscard]] Duration min() const noexcept;
  [[nodiscard]] Duration max() const noexcept;
  [[nodiscard]] Duration mean() const noexcept;
  [[nodiscard]] Duration deviation() const noexcept;  ///< standard deviation
  /// The smallest recorded value that at least `percent` (0 to 100) of all do not exceed; as the
  /// bucket has it, at most 0.1 % above, and never above max().
  [[nodiscard]] Duration percentile(double percent) const noexcept;
  /// Calls on_bucket(Duration value, std::uint64_t times) for each bucket that is not empty,
  /// ascending; `value` is the largest that the bucket stands for.
  template <class F>
  void for_each(F&& on_bucket) const;

  /// The table behind it, for who writes it down (hgrm.h). Below `linear` a bucket is 1 ns wide;
  /// from there each doubling of the value has `linear / 2` buckets, the upper half of a table of
  /// `linear`. 2048 is the power of two that gives 3 digits: half of it is above 10^3.
  static constexpr std::size_t linear = 2048;
  static constexpr std::size_t doublings =
      static_cast<std::size_t>(std::bit_width(static_cast<std::uint64_t>(highest.count())) -
                               std::bit_width(linear - 1)) +
      1;
  static constexpr std::size_t buckets = (doublings + 1) * (linear / 2);

  /// Where a value from `lowest` to `highest` is counted.
  [[nodiscard]] static constexpr std::size_t bucket_of(Duration value) noexcept;
  /// The largest value that is counted there.
  [[nodiscard]] static constexpr Duration last_of(std::size_t bucket) noexcept;
  [[nodiscard]] std::uint64_t count_in(std::size_t bucket) const noexcept {
    return (*counts_)[bucket];
  }

 private:
  // An hour's square takes 84 bits; what is left over holds the sum of 10^13 of them.
  __extension__ using Wide = unsigned __int128;

  std::unique_ptr<std::array<std::uint64_t, buckets>> counts_;
  std::uint64_t count_ = 0;
  Duration min_ = highest;  // neutral for std::min
  Duration max_ = Duration::zero();
  Wide sum_ = 0;
  Wide sum_of_squares_ = 0;
};

constexpr std::size_t Histogram::bucket_of(Duration value) noexcept {
  // g++ 12's bit_width gives back its argument's type, newer ones an int.
  constexpr auto linear_bits = static_cast<std::size_t>(std::bit_width(linear - 1));
  const auto ns = static_cast<std::uint64_t>(value.count());
  const auto bits = static_cast<std::size_t>(std::bit_width(ns | (linear - 1)));
  const std::size_t doubling = bits - linear_bits;
  return (doubling * (linear / 2)) + (ns >> doubling);
}

constexpr Duration Histogram::last_of(std::size_t bucket) noexcept {
  if (bucket < linear) return Duration(bucket);
  const std::size_t doubling = (bucket / (linear / 2)) - 1;
  const std::uint64_t first_of_next = bucket - (doubling * (linear / 2)) + 1;
  return Duration((first_of_next << doubling) - 1);
}

inline void Histogram::record(Duration value, std::uint64_t times) noexcept {
  if (times == 0) return;
  value = std::clamp(value, lowest, highest);
  (*counts_)[bucket_of(value)] += times;
  count_ += times;
  min_ = std::min(min_, value);
  max_ = std::max(max_, value);
  const auto ns = static_cast<Wide>(value.count());
  sum_ += ns * times;
  sum_of_squares_ += ns * ns * times;
}

template <class F>
void Histogram::for_each(F&& on_bucket) const {
  if (count_ == 0) return;
  for (std::size_t bucket = bucket_of(min_); bucket <= bucket_of(max_); ++bucket) {
    if (count_in(bucket) != 0) on_bucket(last_of(bucket), count_in(bucket));
  }
}

}  // namespace penstock::load

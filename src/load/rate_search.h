// RateSearch: which rate to try next, to find the highest that holds: twice as much until one does
// not, then between the two. What fails is tried once more, since a machine has hiccups. Pure.
#pragma once

#include <optional>

namespace penstock::load {

class RateSearch {
 public:
  /// `precision`: of the result, as a share.
  explicit RateSearch(double start, double precision = 0.05) noexcept
      : next_(start), precision_(precision) {}

  /// Operations a second; nullopt: the search is over.
  [[nodiscard]] std::optional<double> next() const noexcept;
  /// How next() went.
  void tell(bool holds) noexcept;
  /// The highest rate that held.
  [[nodiscard]] std::optional<double> best() const noexcept { return best_; }

 private:
  double next_;
  double precision_;
  bool again_ = false;  // next() has failed once
  std::optional<double> best_;
  std::optional<double> lowest_failed_;
};

}  // namespace penstock::load

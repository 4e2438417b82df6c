// What is asked of a Histogram after the recording: once per interval or run, so nothing is kept
// ready for it.
#include "penstock/load/histogram.h"

#include <cmath>
#include <limits>

#include "penstock/base/assert.h"

namespace penstock::load {
namespace {

static_assert(Histogram::bucket_of(Histogram::highest) < Histogram::buckets);
static_assert(Histogram::last_of(Histogram::buckets - 1) >= Histogram::highest);

}  // namespace

Histogram::Histogram() : counts_(std::make_unique<std::array<std::uint64_t, buckets>>()) {}

void Histogram::merge(const Histogram& from) noexcept {
  if (from.count_ == 0) return;
  for (std::size_t bucket = bucket_of(from.min_); bucket <= bucket_of(from.max_); ++bucket) {
    (*counts_)[bucket] += from.count_in(bucket);
  }
  count_ += from.count_;
  min_ = std::min(min_, from.min_);
  max_ = std::max(max_, from.max_);
  sum_ += from.sum_;
  sum_of_squares_ += from.sum_of_squares_;
}

void Histogram::clear() noexcept {
  counts_->fill(0);
  count_ = 0;
  min_ = highest;
  max_ = Duration::zero();
  sum_ = 0;
  sum_of_squares_ = 0;
}

Duration Histogram::min() const noexcept { return count_ == 0 ? Duration::zero() : min_; }

Duration Histogram::max() const noexcept { return max_; }

Duration Histogram::mean() const noexcept {
  if (count_ == 0) return Duration::zero();
  return Duration(static_cast<Duration::rep>((sum_ + count_ / 2) / count_));
}

Duration Histogram::deviation() const noexcept {
  if (count_ == 0) return Duration::zero();
  const auto number = static_cast<long double>(count_);
  const auto mean = static_cast<long double>(sum_) / number;
  const auto variance = (static_cast<long double>(sum_of_squares_) / number) - (mean * mean);
  return Duration(std::llround(std::sqrt(std::max(variance, 0.0L))));
}

Duration Histogram::percentile(double percent) const noexcept {
  PENSTOCK_ASSERT(percent >= 0 && percent <= 100);
  if (count_ == 0) return Duration::zero();
  // 99.9 is a little above 99.9 % as a double; without the step down, the 999th of 1000 values
  // would not be enough for it.
  const double stepped = std::nextafter(percent, -std::numeric_limits<double>::infinity());
  const long double share = static_cast<long double>(stepped) / 100;
  const long double wanted = std::ceil(share * static_cast<long double>(count_));
  const auto rank = static_cast<std::uint64_t>(std::max(wanted, 1.0L));
  std::uint64_t seen = 0;
  for (std::size_t bucket = bucket_of(min_); bucket < bucket_of(max_); ++bucket) {
    seen += count_in(bucket);
    if (seen >= rank) return last_of(bucket);
  }
  return max_;
}

}  // namespace penstock::load

// The histogram against what sorting all values gives, and its edges.
#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <cmath>
#include <random>
#include <utility>
#include <vector>

#include "penstock/load/histogram.h"

namespace penstock::load {
namespace {

/// Latencies as services have them: log-normal, median 300 us, a long tail.
std::vector<Duration> log_normal(std::size_t number, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::lognormal_distribution<double> distribution(std::log(300e3), 1.5);
  std::vector<Duration> values(number);
  for (Duration& value : values) value = Duration(std::llround(distribution(random)) + 1);
  return values;
}

Histogram histogram_of(const std::vector<Duration>& values) {
  Histogram histogram;
  for (const Duration value : values) histogram.record(value);
  return histogram;
}

std::vector<std::pair<Duration, std::uint64_t>> contents(const Histogram& histogram) {
  std::vector<std::pair<Duration, std::uint64_t>> all;
  histogram.for_each([&](Duration value, std::uint64_t times) { all.emplace_back(value, times); });
  return all;
}

bool same(const Histogram& a, const Histogram& b) {
  return a.count() == b.count() && a.min() == b.min() && a.max() == b.max() &&
         a.mean() == b.mean() && a.deviation() == b.deviation() && contents(a) == contents(b);
}

Duration exact_percentile(const std::vector<Duration>& sorted, std::size_t per_100_000) {
  const std::size_t rank = (sorted.size() * per_100_000 + 99'999) / 100'000;
  return sorted[std::max<std::size_t>(rank, 1) - 1];
}

}  // namespace

TEST_CASE("a percentile is the exact one or at most 0.1 % above", "[load]") {
  std::vector<Duration> values = log_normal(2'000'000, 1);
  const Histogram histogram = histogram_of(values);
  std::ranges::sort(values);
  for (const std::size_t per_100_000 :
       {0U, 1U, 100U, 1'000U, 10'000U, 25'000U, 33'333U, 50'000U, 75'000U, 90'000U, 95'000U,
        99'000U, 99'900U, 99'990U, 99'999U, 100'000U}) {
    CAPTURE(per_100_000);
    const double exact = static_cast<double>(exact_percentile(values, per_100_000).count());
    const double percent = static_cast<double>(per_100_000) / 1000;
    const double found = static_cast<double>(histogram.percentile(percent).count());
    CHECK(found >= exact);
    CHECK(found <= exact * 1.001);
  }
  CHECK(histogram.min() == values.front());
  CHECK(histogram.max() == values.back());
  CHECK(histogram.percentile(100) == values.back());
}

TEST_CASE("mean and deviation are those of the values, not of the buckets", "[load]") {
  const std::vector<Duration> values = log_normal(100'000, 2);
  const Histogram histogram = histogram_of(values);
  long double sum = 0;
  for (const Duration value : values) sum += static_cast<long double>(value.count());
  const long double mean = sum / 100'000;
  long double squares = 0;
  for (const Duration value : values) {
    squares += std::pow(static_cast<long double>(value.count()) - mean, 2.0L);
  }
  CHECK(histogram.mean() == Duration(std::llround(mean)));
  const auto deviation = std::llround(std::sqrt(squares / 100'000));
  CHECK(std::abs(histogram.deviation().count() - deviation) <= 1);
}

TEST_CASE("every value's bucket holds it within 0.1 %, and buckets ascend", "[load]") {
  std::size_t last_bucket = 0;
  for (Duration value = Histogram::lowest; value <= Histogram::highest;
       value += std::max(1ns, value / 3001)) {
    const std::size_t bucket = Histogram::bucket_of(value);
    REQUIRE(bucket >= last_bucket);
    REQUIRE(bucket <= last_bucket + 1);
    REQUIRE(Histogram::last_of(bucket) >= value);
    REQUIRE(Histogram::last_of(bucket) - value <= value / 1000);
    REQUIRE(Histogram::bucket_of(Histogram::last_of(bucket) + 1ns) == bucket + 1);
    last_bucket = bucket;
  }
}

TEST_CASE("values up to two microseconds are kept exactly", "[load]") {
  Histogram histogram;
  for (int ns = 1; ns <= 2000; ++ns) histogram.record(Duration(ns));
  CHECK(histogram.percentile(50) == 1000ns);
  CHECK(histogram.percentile(99.9) == 1998ns);
  CHECK(histogram.percentile(99.95) == 1999ns);
  CHECK(histogram.percentile(0) == 1ns);
}

TEST_CASE("the 999th of 1000 values is the 99.9th percentile", "[load]") {
  Histogram histogram;
  histogram.record(1us, 999);
  histogram.record(1ms);
  CHECK(histogram.percentile(99.9) == 1us);
  CHECK(histogram.percentile(99.91) == 1ms);
}

TEST_CASE("merging is recording everything in one, in any order", "[load]") {
  const std::vector<Duration> values = log_normal(300'000, 3);
  const auto part = [&](std::ptrdiff_t from) {
    return histogram_of({values.begin() + from, values.begin() + from + 100'000});
  };
  const Histogram whole = histogram_of(values);

  Histogram left = part(0);
  left.merge(part(100'000));
  left.merge(part(200'000));
  CHECK(same(left, whole));

  Histogram tail = part(100'000);
  tail.merge(part(200'000));
  Histogram right = part(0);
  right.merge(tail);
  CHECK(same(right, whole));

  right.merge(Histogram());
  CHECK(same(right, whole));
  Histogram from_empty;
  from_empty.merge(whole);
  CHECK(same(from_empty, whole));
}

TEST_CASE("values outside of the range are recorded at its ends", "[load]") {
  Histogram histogram;
  histogram.record(-5s);
  histogram.record(0ns);
  histogram.record(2h);
  histogram.record(Duration::max());
  CHECK(histogram.count() == 4);
  CHECK(histogram.min() == Histogram::lowest);
  CHECK(histogram.max() == Histogram::highest);
  CHECK(histogram.percentile(50) == Histogram::lowest);
  CHECK(histogram.percentile(51) == Histogram::highest);
  CHECK(histogram.mean() == Duration(1'800'000'000'001));
}

TEST_CASE("an empty histogram answers zero", "[load]") {
  Histogram histogram;
  const auto is_empty = [&] {
    return histogram.count() == 0 && histogram.min() == 0ns && histogram.max() == 0ns &&
           histogram.mean() == 0ns && histogram.deviation() == 0ns &&
           histogram.percentile(50) == 0ns && contents(histogram).empty();
  };
  CHECK(is_empty());
  histogram.record(1ms, 0);
  CHECK(is_empty());
  histogram.record(1ms, 7);
  CHECK_FALSE(is_empty());
  histogram.clear();
  CHECK(is_empty());
  CHECK(same(histogram, Histogram()));
}

TEST_CASE("many recordings at once are as many recordings", "[load]") {
  Histogram at_once;
  Histogram singly;
  at_once.record(123'456'789ns, 1000);
  for (int i = 0; i < 1000; ++i) singly.record(123'456'789ns);
  CHECK(same(at_once, singly));
}

TEST_CASE("the sums hold a million million hours", "[load]") {
  Histogram histogram;
  histogram.record(Histogram::highest, 1'000'000'000'000);
  CHECK(histogram.mean() == Histogram::highest);
  CHECK(histogram.deviation() <= 1us);
}

}  // namespace penstock::load

// Timelines: counts, spacing, ramps, workers that share a rate, and the randomness of Poisson ones.
#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <cmath>
#include <vector>

#include "penstock/load/arrivals.h"

namespace penstock::load {
namespace {

std::vector<Duration> starts_of(const TimelineOptions& options) {
  std::vector<Duration> starts;
  for (Timeline timeline(options); timeline.next(); timeline.advance()) {
    starts.push_back(*timeline.next());
  }
  return starts;
}

std::ptrdiff_t starts_before(const std::vector<Duration>& starts, Duration end) {
  return std::ranges::lower_bound(starts, end) - starts.begin();
}

/// All workers' starts together, in order.
std::vector<Duration> merged(TimelineOptions options) {
  std::vector<Duration> all;
  for (options.worker = 0; options.worker < options.workers; ++options.worker) {
    const std::vector<Duration> own = starts_of(options);
    REQUIRE(std::ranges::is_sorted(own));
    all.insert(all.end(), own.begin(), own.end());
  }
  std::ranges::sort(all);
  return all;
}

const RateProfile bumpy = {{0, 2000, 2s},       {2000, 2000, 1s},      {0, 0, 3s},
                           {5000, 100, 1500ms}, {333.3, 333.3, 700ms}, {90, 0, 1s}};

/// The largest distance between the distribution of gaps and the exponential one, times the root
/// of their number (Kolmogorov and Smirnov).
double distance_from_exponential(const std::vector<Duration>& starts, double per_second) {
  std::vector<double> gaps;
  Duration last = 0ns;
  for (const Duration start : starts) {
    gaps.push_back(seconds(start - last) * per_second);
    last = start;
  }
  std::ranges::sort(gaps);
  const auto number = static_cast<double>(gaps.size());
  double distance = 0;
  for (std::size_t i = 0; i < gaps.size(); ++i) {
    const double expected = 1 - std::exp(-gaps[i]);
    const auto rank = static_cast<double>(i);
    distance = std::max({distance, expected - (rank / number), ((rank + 1) / number) - expected});
  }
  return distance * std::sqrt(number);
}

}  // namespace

TEST_CASE("a uniform timeline has exactly the rate's starts, evenly spaced", "[load]") {
  const std::vector<Duration> starts = starts_of({.profile = {{5000, 5000, 10s}}});
  REQUIRE(starts.size() == 50'000);
  for (std::size_t i = 0; i < starts.size(); ++i) REQUIRE(starts[i] == i * 200us);
}

TEST_CASE("a burst is so many starts at once, and the rate stays", "[load]") {
  const std::vector<Duration> starts = starts_of({.profile = {{5000, 5000, 1s}}, .burst = 10});
  REQUIRE(starts.size() == 5000);
  for (std::size_t i = 0; i < starts.size(); ++i) REQUIRE(starts[i] == i / 10 * 2ms);
  CHECK(merged({.profile = {{5000, 5000, 1s}}, .burst = 10, .workers = 3}) == starts);
}

TEST_CASE("bursts at random times are as many starts in the mean", "[load]") {
  const std::vector<Duration> starts = starts_of(
      {.profile = {{5000, 5000, 100s}}, .arrival = Arrival::poisson, .burst = 10, .seed = 1});
  REQUIRE(starts.size() % 10 == 0);
  // 50,000 bursts, and six times the standard deviation of their number.
  CHECK(std::abs(static_cast<double>(starts.size()) - 500'000) < 6 * 10 * std::sqrt(50'000));
  std::vector<Duration> instants;
  for (std::size_t i = 0; i < starts.size(); ++i) {
    REQUIRE(starts[i] == starts[i / 10 * 10]);
    if (i % 10 == 0) instants.push_back(starts[i]);
  }
  CHECK(distance_from_exponential(instants, 500) < 1.95);  // of which one in a thousand is larger
}

TEST_CASE("a rate that divides no second is kept over the whole run", "[load]") {
  const std::vector<Duration> starts = starts_of({.profile = {{333.3, 333.3, 1000s}}});
  REQUIRE(starts.size() == 333'300);
  for (std::size_t i = 0; i < starts.size(); ++i) {
    const auto exact = std::llround(static_cast<long double>(i) * 1e10L / 3333);
    REQUIRE(std::abs(starts[i].count() - exact) <= 1);
  }
}

TEST_CASE("a million starts a second do not drift in an hour", "[load]") {
  // One of a thousand workers, so that the test need not look at all of them.
  const std::vector<Duration> starts =
      starts_of({.profile = {{1e6, 1e6, 1h}}, .worker = 7, .workers = 1000});
  REQUIRE(starts.size() == 3'600'000);
  CHECK(starts.front() == 7us);
  CHECK(starts.back() == 1h - 993us);
}

TEST_CASE("a ramp has the area below it at every moment", "[load]") {
  const std::vector<Duration> up = starts_of({.profile = {{1000, 10'000, 30s}}});
  REQUIRE(up.size() == 165'000);
  for (int second = 1; second < 30; ++second) {
    CHECK(starts_before(up, second * 1s) == (1000 * second) + (150 * second * second));
  }
  const std::vector<Duration> down = starts_of({.profile = {{10'000, 0, 10s}}});
  REQUIRE(down.size() == 50'000);
  for (int second = 1; second < 10; ++second) {
    CHECK(starts_before(down, second * 1s) == (10'000 * second) - (500 * second * second));
  }
  const std::vector<Duration> from_zero = starts_of({.profile = {{0, 100, 2s}}});
  REQUIRE(from_zero.size() == 100);
  CHECK(from_zero[0] == 0s);
  CHECK(from_zero[25] == 1s);
}

TEST_CASE("a slight ramp is as exact as a constant rate", "[load]") {
  const std::vector<Duration> flat = starts_of({.profile = {{1000, 1000, 100s}}});
  const std::vector<Duration> slight = starts_of({.profile = {{1000, 1000 + 1e-9, 100s}}});
  REQUIRE(slight.size() == flat.size());
  for (std::size_t i = 0; i < flat.size(); ++i) REQUIRE(flat[i] - slight[i] < 60ns);
}

TEST_CASE("steps follow each other without a gap or an extra start", "[load]") {
  const std::vector<Duration> starts =
      starts_of({.profile = {{1000, 1000, 10s}, {2000, 2000, 10s}, {4000, 4000, 10s}}});
  REQUIRE(starts.size() == 70'000);
  CHECK(starts_before(starts, 10s) == 10'000);
  CHECK(starts_before(starts, 20s) == 30'000);
  CHECK(starts[9'999] == 9'999ms);
  CHECK(starts[10'000] == 10s);
  CHECK(starts[10'001] == 10s + 500us);
  CHECK(starts[30'001] == 20s + 250us);
}

TEST_CASE("nothing starts while the rate is zero", "[load]") {
  const RateProfile profile = {{0, 0, 1s}, {100, 100, 1s}, {0, 0, 5s}, {100, 100, 1s}, {0, 0, 1s}};
  const auto arrival = GENERATE(Arrival::uniform, Arrival::poisson);
  const std::vector<Duration> starts =
      starts_of({.profile = profile, .arrival = arrival, .seed = 3});
  CHECK(starts_before(starts, 1s) == 0);
  CHECK(starts_before(starts, 2s) == starts_before(starts, 7s));
  CHECK(starts_before(starts, 8s) == std::ssize(starts));
  if (arrival == Arrival::uniform) {
    REQUIRE(starts.size() == 200);
    CHECK(starts.front() == 1s);
    CHECK(starts[100] == 7s);
  }
}

TEST_CASE("without a rate, or without a profile, nothing ever starts", "[load]") {
  const auto arrival = GENERATE(Arrival::uniform, Arrival::poisson);
  CHECK(starts_of({.profile = {}, .arrival = arrival}).empty());
  CHECK(starts_of({.profile = {{0, 0, 1h}}, .arrival = arrival}).empty());
}

TEST_CASE("uniform workers together are one worker", "[load]") {
  const std::vector<Duration> alone = starts_of({.profile = bumpy});
  CHECK(alone.size() == 8104);  // 2000 + 2000 + 3825 + 233.31 + 45, and what is left of a start
  const auto workers = GENERATE(2U, 3U, 16U, 10'000U);
  CAPTURE(workers);
  CHECK(merged({.profile = bumpy, .workers = workers}) == alone);
}

TEST_CASE("uniform workers take turns", "[load]") {
  const RateProfile profile = {{1000, 1000, 1s}};
  CHECK(starts_of({.profile = profile, .worker = 0, .workers = 4})[1] == 4ms);
  CHECK(starts_of({.profile = profile, .worker = 1, .workers = 4})[0] == 1ms);
  CHECK(starts_of({.profile = profile, .worker = 3, .workers = 4})[2] == 11ms);
}

TEST_CASE("Poisson starts have exponential gaps and the asked rate", "[load]") {
  const std::uint64_t seed = GENERATE(1U, 2U, 3U, 4U, 5U);
  CAPTURE(seed);
  const std::vector<Duration> starts =
      starts_of({.profile = {{5000, 5000, 20s}}, .arrival = Arrival::poisson, .seed = seed});
  CHECK(std::abs(std::ssize(starts) - 100'000) < 1000);   // three deviations
  CHECK(distance_from_exponential(starts, 5000) < 1.95);  // one seed in a thousand exceeds it
}

TEST_CASE("Poisson workers together are a Poisson process of the whole rate", "[load]") {
  const std::vector<Duration> starts = merged(
      {.profile = {{5000, 5000, 20s}}, .arrival = Arrival::poisson, .seed = 9, .workers = 7});
  CHECK(std::abs(std::ssize(starts) - 100'000) < 1000);
  CHECK(distance_from_exponential(starts, 5000) < 1.95);
}

TEST_CASE("uniform starts are no Poisson process", "[load]") {
  CHECK(distance_from_exponential(starts_of({.profile = {{5000, 5000, 20s}}}), 5000) > 100);
}

TEST_CASE("a Poisson ramp has its share of starts in each part", "[load]") {
  const std::vector<Duration> starts =
      starts_of({.profile = {{0, 10'000, 20s}}, .arrival = Arrival::poisson, .seed = 4});
  CHECK(std::abs(std::ssize(starts) - 100'000) < 1000);
  CHECK(std::abs(starts_before(starts, 10s) - 25'000) < 500);
}

TEST_CASE("a seed's timeline is the same every time, another seed's or worker's is another",
          "[load]") {
  TimelineOptions options = {
      .profile = bumpy, .arrival = Arrival::poisson, .seed = 42, .workers = 2};
  const std::vector<Duration> first = starts_of(options);
  CHECK(starts_of(options) == first);
  options.worker = 1;
  CHECK(starts_of(options) != first);
  options.worker = 0;
  options.seed = 43;
  CHECK(starts_of(options) != first);
}

TEST_CASE("seed 42's timeline is the same on every machine", "[load]") {
  const std::vector<Duration> starts =
      starts_of({.profile = bumpy, .arrival = Arrival::poisson, .seed = 42});
  REQUIRE(starts.size() > 8000);
  // A second implementation, which bisects, agrees on these.
  CHECK(starts[0] == 24'958'329ns);
  CHECK(starts[1] == 73'513'154ns);
  CHECK(starts[100] == 431'222'436ns);
  CHECK(starts[8000] == 7'819'235'862ns);
}

}  // namespace penstock::load

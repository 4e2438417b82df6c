// What was measured by step, with times as the coordinator would say them.
#include <catch2/catch_test_macros.hpp>
#include <cstdint>
#include <vector>

#include "../../src/load/step_log.h"

namespace penstock::load {
namespace {

Recorder measured(int operations, Duration latency) {
  Recorder recorder;
  for (int i = 0; i < operations; ++i) recorder.record(Measure::latency, latency);
  recorder.count.operations = static_cast<std::uint64_t>(operations);
  return recorder;
}

const RateProfile three_steps = {{100, 100, 2s}, {200, 200, 2s}, {400, 400, 2s}};

TEST_CASE("a single rate has no steps and its intervals end when they like") {
  StepLog log({{100, 100, 10s}}, 0s);
  log.add(measured(5, 1ms), 0s);
  CHECK(log.cut(0s, 70s) == 70s);
  CHECK(log.steps(10s).empty());
}

TEST_CASE("an interval ends with the step that it began in") {
  const StepLog log(three_steps, 0s);
  CHECK(log.cut(0s, 1500ms) == 1500ms);
  CHECK(log.cut(1500ms, 3s) == 2s);
  CHECK(log.cut(2s, 3500ms) == 3500ms);
  CHECK(log.cut(5s, 9s) == 6s);
  CHECK(log.cut(6s, 7s) == 7s);
}

TEST_CASE("each step has its own operations, errors and latencies") {
  StepLog log(three_steps, 0s);
  Recorder first = measured(150, 1ms);
  first.fail(ErrorClass::timeout);
  log.add(first, 0s);
  log.add(measured(50, 3ms), 1500ms);
  log.add(measured(380, 7ms), 2s);
  log.add(measured(800, 9ms), 4s);
  log.add(measured(20, 50ms), 6s);  // after the deadline
  const std::vector<Step> steps = log.steps(6s);
  REQUIRE(steps.size() == 3);
  CHECK(steps[0].asked_per_second == 100);
  CHECK(steps[0].achieved_per_second == 100);
  CHECK(steps[0].errors == 1);
  CHECK(steps[0].latency_max == 3ms);
  CHECK(steps[1].achieved_per_second == 190);
  CHECK(steps[1].errors == 0);
  CHECK(steps[1].latency_p50 > 6ms);
  CHECK(steps[1].latency_max == 7ms);
  CHECK(steps[2].operations == 820);
  CHECK(steps[2].latency_max == 50ms);
}

TEST_CASE("of a run that is broken off there are only the steps that it came to") {
  StepLog log(three_steps, 0s);
  log.add(measured(200, 1ms), 0s);
  log.add(measured(100, 1ms), 2s);
  const std::vector<Step> steps = log.steps(2500ms);
  REQUIRE(steps.size() == 2);
  CHECK(steps[1].achieved_per_second == 200);
}

TEST_CASE("what the warm-up takes of a step does not count as measured time") {
  StepLog log(three_steps, 3s);
  log.add(measured(0, 1ms), 0s);
  log.add(measured(200, 1ms), 2s);
  log.add(measured(800, 1ms), 4s);
  const std::vector<Step> steps = log.steps(6s);
  REQUIRE(steps.size() == 2);
  CHECK(steps[0].asked_per_second == 200);
  CHECK(steps[0].achieved_per_second == 200);
}

}  // namespace
}  // namespace penstock::load

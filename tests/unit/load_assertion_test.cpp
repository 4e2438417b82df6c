// Conditions on a run: what can be written, what the errors say, and what holds.
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include "penstock/load/assertion.h"

namespace penstock::load {
namespace {

std::string error_of(std::string_view text) {
  const auto conditions = parse_conditions(text);
  return conditions ? "none" : conditions.error().message;
}

/// 1000 operations, the i-th took i microseconds, lag a tenth of that; 2 failed, 980 a second of
/// 1000.
struct Run {
  Run() {
    for (int us = 1; us <= 1000; ++us) {
      latency.record(us * 1us);
      lag.record(us * 100ns);
    }
    measured = {.latency = &latency,
                .lag = &lag,
                .operations = 1000,
                .errors = 2,
                .lost = 0,
                .asked_per_second = 1000,
                .achieved_per_second = 980};
  }

  [[nodiscard]] Finding find(std::string_view text) const {
    const auto conditions = parse_conditions(text);
    REQUIRE(conditions.has_value());
    REQUIRE(conditions->size() == 1);
    return evaluate(conditions->front(), measured);
  }
  [[nodiscard]] bool holds(std::string_view text) const { return find(text).holds; }

  Histogram latency;
  Histogram lag;
  Measured measured;
};

}  // namespace

TEST_CASE("conditions are separated by commas, and spaces do not matter", "[load]") {
  const auto conditions = parse_conditions("p99<2ms, err == 0 ,rate>=0.99");
  REQUIRE(conditions.has_value());
  REQUIRE(conditions->size() == 3);
  CHECK((*conditions)[0].text == "p99 < 2ms");
  CHECK((*conditions)[0].metric == Metric::percentile);
  CHECK((*conditions)[0].percent == 99);
  CHECK((*conditions)[0].bound == 2e6);
  CHECK((*conditions)[1].text == "err == 0");
  CHECK((*conditions)[1].metric == Metric::errors);
  CHECK((*conditions)[2].text == "rate >= 0.99");
  CHECK((*conditions)[2].comparison == Comparison::at_least);
}

TEST_CASE("every metric is compared with what was measured", "[load]") {
  const Run run;
  const auto* text = GENERATE(
      "p50<501us", "p50>499us", "p99.9<=1ms", "p100==1ms", "p0==1us", "mean<501us", "mean>499us",
      "max==1ms", "min==1us", "err==2", "err!=0", "err<=0.2%", "err<1%", "rate>=0.98", "rate>=98%",
      "rate<0.99", "ops>979", "ops<=1k", "lag<100us", "lag>98us", "lost==0");
  CAPTURE(text);
  CHECK(run.holds(text));
}

TEST_CASE("what is not so does not hold", "[load]") {
  const Run run;
  const auto* text = GENERATE("p50<499us", "p99.9>1ms", "mean>501us", "max!=1ms", "min>1us",
                              "err==0", "err<0.2%", "rate>=0.99", "ops>=1k", "lag<98us", "lost>0");
  CAPTURE(text);
  CHECK_FALSE(run.holds(text));
}

TEST_CASE("a finding shows the condition and what was measured", "[load]") {
  const Run run;
  CHECK(run.find("p90<2ms").text == "p90 < 2ms: 900us");
  CHECK(run.find("err==0").text == "err == 0: 2");
  CHECK(run.find("err<0.1%").text == "err < 0.1%: 0.2%");
  CHECK(run.find("rate>=99%").text == "rate >= 99%: 0.98");
  CHECK(run.find("ops>=1k").text == "ops >= 1k: 980/s");
}

TEST_CASE("what misses a bound by little is not shown as the bound", "[load]") {
  Run run;
  run.latency.clear();
  run.latency.record(2'000'001ns);
  CHECK(run.find("max<=2ms").text == "max <= 2ms: 2.000001ms");
  run.measured.achieved_per_second = 989.999;
  CHECK(run.find("rate>=0.99").text == "rate >= 0.99: 0.989999");
}

TEST_CASE("nothing that was not measured holds", "[load]") {
  const Histogram empty;
  const auto* text =
      GENERATE("p99<1h", "mean<1h", "min<1h", "max<1h", "lag<1h", "err<100%", "rate>=0");
  CAPTURE(text);
  const auto condition = parse_conditions(text);
  REQUIRE(condition.has_value());
  CHECK_FALSE(evaluate(condition->front(), {}).holds);
  const Finding found = evaluate(condition->front(), {.latency = &empty, .lag = &empty});
  CHECK_FALSE(found.holds);
  CHECK(found.text.find("no") != std::string::npos);
}

TEST_CASE("the error of a condition says what was given, what is wrong and what is right",
          "[load]") {
  CHECK(error_of("p99") ==
        "\"p99\" does not compare: write a metric, one of < <= > >= == !=, and a bound, such as "
        "\"p99<2ms\"");
  CHECK(error_of("p95x<2ms") ==
        "\"p95x\" is not a metric; there are p0 to p100 (such as p99.9), mean, min, max, lag, err, "
        "lost, rate, ops");
  CHECK(error_of("p99<2") ==
        "the bound of p99: \"2\" has no unit: a duration is a whole number and one of ns, us, ms, "
        "s, m, h, such as \"250us\"");
  CHECK(error_of("err<x%").starts_with("the bound of err: \"x\" is not a number"));
  CHECK(error_of("lost<1%").starts_with("the bound of lost: \"1%\" is not a number"));
}

TEST_CASE("anything else is no condition", "[load]") {
  const auto* text =
      GENERATE("", ",", "p99<2ms,", "p99=2ms", "p99<", "<2ms", "p99<<2ms", "p101<1ms", "p<1ms",
               "p.<1ms", "p9.9.9<1ms", "P99<1ms", "p99<2ms err==0", "err==", "rate>=99%%");
  CAPTURE(text);
  CHECK_FALSE(parse_conditions(text).has_value());
}

}  // namespace penstock::load

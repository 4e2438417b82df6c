// What Prometheus reads: names, classes and the buckets of a histogram.
#include <catch2/catch_test_macros.hpp>
#include <string>

#include "../../src/load/metrics.h"

namespace penstock::load {
namespace {

bool has_line(const std::string& text, const std::string& line) {
  return ("\n" + text).find("\n" + line + "\n") != std::string::npos;
}

TEST_CASE("metrics have every class of errors and cumulative buckets", "[load]") {
  Recorder recorder;
  recorder.count.operations = 3;
  recorder.fail(ErrorClass::timeout);
  recorder.record(Measure::latency, 90us);
  recorder.record(Measure::latency, 1ms);
  recorder.record(Measure::latency, 30s);
  const std::string text = metrics_text(recorder);
  CHECK(has_line(text, "# TYPE penstock_load_operations_total counter"));
  CHECK(has_line(text, "penstock_load_operations_total 3"));
  for (const ErrorInfo& info : all_errors()) {
    INFO(info.name);
    CHECK(has_line(text, "penstock_load_errors_total{class=\"" + std::string(info.name) + "\"} " +
                             (info.error == ErrorClass::timeout ? "1" : "0")));
  }
  CHECK(has_line(text, "# TYPE penstock_load_latency_seconds histogram"));
  CHECK(has_line(text, "penstock_load_latency_seconds_bucket{le=\"0.0001\"} 1"));
  CHECK(has_line(text, "penstock_load_latency_seconds_bucket{le=\"0.002\"} 2"));
  CHECK(has_line(text, "penstock_load_latency_seconds_bucket{le=\"10\"} 2"));
  CHECK(has_line(text, "penstock_load_latency_seconds_bucket{le=\"+Inf\"} 3"));
  CHECK(has_line(text, "penstock_load_latency_seconds_count 3"));
  CHECK(has_line(text, "penstock_load_service_seconds_count 0"));
}

TEST_CASE("a sample in the bucket of a bound counts as within it", "[load]") {
  Recorder recorder;
  recorder.record(Measure::latency, 1ms);
  CHECK(has_line(metrics_text(recorder), "penstock_load_latency_seconds_bucket{le=\"0.001\"} 1"));
}

}  // namespace
}  // namespace penstock::load

// Made-up runs for the tests of the load tool's reports.
#pragma once

#include <cerrno>
#include <string>

#include "penstock/load/run_result.h"

namespace penstock::load {

inline RunSettings made_up_settings() {
  return {.mode = "rr",
          .target = "127.0.0.1:9000",
          .rate = "1k",
          .threads = 2,
          .connections = 64,
          .request_size = 64,
          .answer_size = 64,
          .tls = "",
          .seed = 1,
          .command_line = "penstock-load run 127.0.0.1:9000 --rate 1k -d 10s --warmup 1s",
          .labels = {{.name = "name", .text = "base"}},
          .host = "somewhere",
          .kernel = "6.18.0",
          .cpus = 2,
          .version = "0.1.0",
          .started_at = "2025-03-01T12:00:00Z"};
}

inline Interval made_up_interval(int second) {
  return {.offset = 1s * second,
          .length = 1s,
          .count = {.operations = 1000, .bytes_in = 64000, .bytes_out = 64000},
          .latency_p50 = 100us,
          .latency_p99 = 990us + 10us * second,
          .latency_max = 2ms,
          .lag_p99 = 5us,
          .latency_buckets = {{.up_to = 98'303ns, .count = 500},
                              {.up_to = 131'071ns, .count = 490},
                              {.up_to = 2'097'151ns, .count = 10}}};
}

/// 10,000 operations in 10 s: latencies 1us, 2us … 10ms, the service half of it.
inline RunResult made_up_run() {
  RunResult run{.facts = {.settings = made_up_settings(),
                          .duration = 10s,
                          .warmup = 1s,
                          .planned = 11s,
                          .asked_per_second = 1000,
                          .achieved_per_second = 1000,
                          .in_flight_at_deadline = 3,
                          .health = {.lag_p99 = 5us,
                                     .worker_cpu_shares = {0.25, 0.31},
                                     .cpu_time = 5600ms,
                                     .unfit_reasons = {}},
                          .intervals = {},
                          .steps = {},
                          .assertions = {{.text = "p99 < 20ms: 9.9ms", .holds = true}},
                          .notes = {}},
                .total = {}};
  for (int i = 1; i <= 10'000; ++i) {
    run.total.record(Measure::latency, 1us * i);
    run.total.record(Measure::service, 500ns * i);
    run.total.record(Measure::lag, 5us);
  }
  for (int i = 0; i < 64; ++i) run.total.record(Measure::connect, 80us);
  run.total.count = {
      .operations = 10'000, .bytes_in = 640'000, .bytes_out = 640'000, .connections = 64};
  for (int second = 1; second <= 10; ++second) {
    run.facts.intervals.push_back(made_up_interval(second));
  }
  return run;
}

inline RunResult run_with_errors() {
  RunResult run = made_up_run();
  run.facts.start = 2s;
  for (int i = 0; i < 12; ++i) run.total.fail(ErrorClass::connect_refused, ECONNREFUSED);
  run.total.fail(ErrorClass::corrupt);
  run.total.count.corrupt_streams = 1;
  run.total.count.lost_bytes = 17;
  run.total.count.unsent = 4;
  run.total.alerted(40);
  run.total.answered(200);
  run.total.answered(503);
  run.facts.intervals[4].errors = 13;
  run.facts.intervals[5].waiting = 7;
  run.facts.assertions = {{.text = "err == 0: 13", .holds = false}};
  run.facts.steps = {{.asked_per_second = 1000,
                      .achieved_per_second = 999,
                      .operations = 5000,
                      .errors = 0,
                      .latency_p50 = 100us,
                      .latency_p99 = 1ms,
                      .latency_max = 2ms,
                      .findings = {{.text = "p99 < 5ms: 1ms", .holds = true}}}};
  run.facts.notes = {{.name = "retransmits", .text = "12"}};
  run.facts.health.unfit_reasons = {"worker 1 was busy 97 % of the time: use more threads"};
  run.facts.exit_code = 1;
  return run;
}

inline RunResult run_without_operation() {
  RunResult run;
  run.facts.settings = made_up_settings();
  run.facts.duration = 10s;
  run.facts.asked_per_second = 1000;
  run.facts.exit_code = 1;
  run.total.fail(ErrorClass::connect_refused, ECONNREFUSED);
  return run;
}

/// A closed loop that was interrupted.
inline RunResult interrupted_run() {
  RunResult run = made_up_run();
  run.facts.settings.loop = Loop::closed;
  run.facts.asked_per_second = 0;
  run.facts.planned = 60s;
  run.facts.interrupted = true;
  return run;
}

}  // namespace penstock::load

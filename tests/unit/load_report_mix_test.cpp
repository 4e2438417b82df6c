// What is told of several loads together.
#include <catch2/catch_test_macros.hpp>
#include <string>
#include <vector>

#include "../../src/load/report_mix.h"
#include "../../src/load/scenario_command.h"
#include "load_report_runs.h"
#include "penstock/load/command_line.h"

namespace penstock::load {
namespace {

TEST_CASE("the loads of a scenario in a table", "[load]") {
  const RunSummary good = summarize(made_up_run());
  const RunSummary bad = summarize(run_with_errors());
  const RunSummary nothing = summarize(run_without_operation());
  const MixRow rows[] = {{.name = "api", .start = 0s, .run = &good},
                         {.name = "downloads", .start = 10s, .run = &bad},
                         {.name = "idle", .start = 90s, .run = &nothing},
                         {.name = "never", .start = 1500ms}};
  CHECK(mix_table(rows) == R"(load       start operations     rate     p50     p99  errors  verdict
api           0s      10000     1k/s     5ms   9.9ms       0  OK
downloads    10s      10000     1k/s     5ms   9.9ms      13  FAILED: bytes were lost or wrong
idle         90s          0      0/s       -       -       1  FAILED: no operation went well
never       1.5s          -        -       -       -       -  did not begin
)");
}

TEST_CASE("a load's report has its name above it") {
  const std::string title = mix_title("api");
  CHECK(title.starts_with("== api ===="));
  CHECK(title.ends_with("=\n"));
  CHECK(title.size() == 101);
}

TEST_CASE("of several exit codes 1 comes before 3 before 4 before 0", "[load]") {
  RunSummary runs[4];
  const int codes[] = {exit_done, exit_unfit, exit_assertion, exit_wrong};
  std::vector<MixRow> rows = {{.name = "never"}};
  CHECK(worst_exit_code(rows) == exit_done);
  for (std::size_t i = 0; i < 4; ++i) {
    runs[i].facts.exit_code = codes[i];
    rows.insert(rows.begin(), {.name = "a", .run = &runs[i]});
    CHECK(worst_exit_code(rows) == codes[i]);
  }
  rows.insert(rows.begin(), {.name = "a", .run = &runs[1]});
  CHECK(worst_exit_code(rows) == exit_wrong);
}

TEST_CASE("a load's file is named like the scenario's, with its name before the extension") {
  CHECK(path_of_load("out.json", "api") == "out-api.json");
  CHECK(path_of_load("a.b/out", "api") == "a.b/out-api");
  CHECK(path_of_load("/tmp/x.y.csv", "a_1") == "/tmp/x.y-a_1.csv");
  CHECK(path_of_load("", "api").empty());
}

}  // namespace
}  // namespace penstock::load

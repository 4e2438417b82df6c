// Calibration: what this tool can do at most on this machine, against a server of its own with no
// proxy between them, and how exact it is at half of that: what a figure of a run has to be held
// against.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "selftest_bench.h"

namespace penstock::load {

/// A way to load a server.
struct CalibrationCase {
  std::string_view name;  ///< as --only takes it
  std::string_view text;
  Mode mode = Mode::rr;
  std::uint32_t connections = 1;
  std::size_t size = 64;  ///< bytes of a request and of an answer
  bool secure = false;
  Direction direction = Direction::up;
};
[[nodiscard]] std::span<const CalibrationCase> calibration_cases() noexcept;

/// Latencies of the open loop.
struct NoiseFloor {
  double rate = 0;  ///< operations a second that were asked for
  Duration p50{};
  Duration p99{};
  Duration p999{};
  Duration max{};
  Duration lag_p99{};
};

struct Calibration {
  const CalibrationCase* of = nullptr;
  double ceiling = 0;               ///< operations a second; of bulk: bits a second
  Duration cpu_each{};              ///< the client's CPU time for an operation; of bulk: for a GB
  std::optional<NoiseFloor> floor;  ///< of bulk there is none
};

/// Measures one. `server_cpu` and `client_cpu`: where either side runs. Error: it could not be
/// measured, or there were errors where there is nothing that makes any.
[[nodiscard]] Result<Calibration> calibrate(Bench& bench, const CalibrationCase& one,
                                            int server_cpu, int client_cpu);

/// The head of the table and a line of it, at most 100 columns.
[[nodiscard]] std::string calibration_head();
[[nodiscard]] std::string text_of(const Calibration& calibration);

}  // namespace penstock::load

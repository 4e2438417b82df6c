// The loads of a scenario as text for a person, beside what each says of itself. Pure.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "penstock/load/run_result.h"

namespace penstock::load {

struct MixRow {
  std::string_view name;
  Duration start{};                 ///< as it was asked for
  const RunSummary* run = nullptr;  ///< null: it did not begin
};

/// A line above a load's own report, with its newline.
[[nodiscard]] std::string mix_title(std::string_view name);
/// A line for each load, and what became of it.
[[nodiscard]] std::string mix_table(std::span<const MixRow> rows);
/// Of several loads: 1 before 3 before 4 before 0.
[[nodiscard]] int worst_exit_code(std::span<const MixRow> rows) noexcept;

}  // namespace penstock::load

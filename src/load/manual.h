// What --help and the manual page say beyond the definitions of the options: examples, modes, exit
// codes.
#pragma once

#include <span>
#include <string>

#include "penstock/cli/manual.h"

namespace penstock::load {

/// Together they show every option of the command.
[[nodiscard]] std::span<const cli::Example> run_examples() noexcept;
[[nodiscard]] std::span<const cli::Example> serve_examples() noexcept;
[[nodiscard]] std::span<const cli::Example> report_examples() noexcept;
[[nodiscard]] std::span<const cli::Example> selftest_examples() noexcept;
[[nodiscard]] std::span<const cli::Example> calibrate_examples() noexcept;

/// penstock-load(1). `app` has all commands.
[[nodiscard]] std::string manual_page(const CLI::App& app);

}  // namespace penstock::load

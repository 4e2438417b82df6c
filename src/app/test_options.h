// The options of `penstock run` that make memory hostile for a test; builds without PENSTOCK_CHECKS
// do not have them. What they do is in base/test_switches.h. Used by the command line only.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <string>

#include "penstock/base/result.h"

namespace penstock::app {

/// What --version says, which is how a test finds out whether this build has the options.
[[nodiscard]] const char* version_text() noexcept;

class TestOptions {
 public:
  /// Adds the options, if this build has them. The object must outlive the parsing.
  void add_to(CLI::App& run_command);
  /// Once, before anything is loaded, so that all memory is under the switches.
  [[nodiscard]] Result<void> apply() const;
  /// Once, when the process is ready.
  void on_ready() const noexcept;

 private:
  void let_allocations_fail() const noexcept;

  bool poison_ = false;
  double fail_percent_ = 0;
  std::uint64_t fail_seed_ = 1;
  std::string fail_from_ = "start";
};

}  // namespace penstock::app

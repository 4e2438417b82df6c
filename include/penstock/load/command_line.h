// The load tool's command line: which command, with which options, and the exit code.
#pragma once

namespace penstock::load {

/// Exit codes, the contract with scripts. Of several that apply, 1 comes before 3 before 4.
enum ExitCode : int {
  exit_done = 0,
  exit_wrong = 1,      ///< lost, short or corrupt bytes, or no operation went well, or refused
  exit_assertion = 3,  ///< a condition of --assert does not hold
  exit_unfit = 4,      ///< the conditions hold, but the generator was too busy to say so
  exit_usage = 64,     ///< EX_USAGE of sysexits.h
};

/// Runs `penstock-load` with these arguments on the calling thread; returns the exit code.
[[nodiscard]] int run_command_line(int argc, char** argv);

}  // namespace penstock::load

// The program's command line: which command, with which options, and the exit code. Everything
// that the commands do is elsewhere in this module.
#pragma once

namespace penstock::app {

/// Exit codes, the contract with scripts and service managers.
enum ExitCode : int {
  exit_done = 0,
  exit_failed = 1,        ///< invalid config, port in use, cut by a second signal
  exit_usage = 64,        ///< EX_USAGE of sysexits.h
  exit_unavailable = 69,  ///< EX_UNAVAILABLE: no io_uring that penstock can use
};

/// Runs `penstock` with these arguments on the calling thread; returns the exit code.
[[nodiscard]] int run_command_line(int argc, char** argv);

}  // namespace penstock::app

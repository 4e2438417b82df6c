// Commands: the command line of the load tool as CLI11 knows it, from which it is read, and --help
// and the manual page are made.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "calibrate_command.h"
#include "run_command.h"
#include "scenario_command.h"
#include "selftest_command.h"
#include "serve_command.h"

namespace penstock::load {

struct Commands {
  Commands();
  Commands(const Commands&) = delete;
  Commands& operator=(const Commands&) = delete;

  CLI::App app;
  RunCommand run;
  ScenarioCommand scenario;  ///< an option of `run` more, and what it does
  ServeCommand serve;
  SelftestCommand selftest;
  CalibrateCommand calibrate;
  std::vector<std::string> reports;
  std::string page;
  CLI::App* run_app;
  CLI::App* serve_app;
  CLI::App* report_app;
  CLI::App* selftest_app;
  CLI::App* calibrate_app;
  CLI::App* manual_app;  ///< not in --help: it is for whoever installs the page
};

}  // namespace penstock::load

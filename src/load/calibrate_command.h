// `penstock-load calibrate`: the tool's own ceiling and noise floor on this machine, as a table.
#pragma once

#include <string>
#include <vector>

#include "penstock/base/result.h"
#include "penstock/time/instant.h"

namespace CLI {  // NOLINT(readability-identifier-naming): the library's
class App;
}

namespace penstock::load {

class CalibrateCommand {
 public:
  void add_to(CLI::App& command);
  /// Measures until it is done, or until SIGINT or SIGTERM. The exit code.
  [[nodiscard]] int run() const;

 private:
  std::vector<std::string> only_;
  std::vector<int> cpus_;
  std::string duration_ = "2s";
};

}  // namespace penstock::load

// `penstock-load selftest`: the accuracy checks, each tried until it holds, and what they came to.
#pragma once

#include <string>
#include <vector>

#include "penstock/base/result.h"
#include "penstock/time/instant.h"

namespace CLI {  // NOLINT(readability-identifier-naming): the library's
class App;
}

namespace penstock::load {

class SelftestCommand {
 public:
  void add_to(CLI::App& command);
  /// Runs the checks until they are done, or until SIGINT or SIGTERM. The exit code.
  [[nodiscard]] int run() const;

 private:
  /// Error: a sentence about what is wrong with --duration.
  [[nodiscard]] Result<Duration> duration() const;

  std::vector<std::size_t> only_;
  int tries_ = 3;
  std::string duration_ = "5s";
};

}  // namespace penstock::load

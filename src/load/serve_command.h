// `penstock-load serve`: servers to put a load on, with counters of their own.
#pragma once

#include <cstdint>
#include <string>

#include "serving.h"

namespace CLI {  // NOLINT(readability-identifier-naming): the library's
class App;
}

namespace penstock::load {

class ServeCommand {
 public:
  void add_to(CLI::App& command);
  /// Serves until SIGINT or SIGTERM, then prints what it has seen. The exit code.
  [[nodiscard]] int run() const;

 private:
  /// Error: a sentence about the first option that is wrong or does not fit the kind.
  [[nodiscard]] Result<ServeOptions> options() const;
  [[nodiscard]] Result<void> check_use(ServiceKind kind) const;

  const CLI::App* command_ = nullptr;
  std::string kind_ = "echo";
  std::string listen_ = "127.0.0.1:7000";
  std::uint32_t threads_ = 1;
  std::uint32_t connections_ = 4096;
  ServiceOptions service_;
  std::string delay_ = "5ms";
  std::string other_;
  bool exponential_ = false;
  std::string certificate_;
  std::string key_;
};

}  // namespace penstock::load

// `penstock-load serve`: servers to put a load on, with counters of their own.
#pragma once

#include <string>

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
  std::string listen_ = "127.0.0.1:7000";
  std::uint32_t threads_ = 1;
  std::uint32_t connections_ = 4096;
};

}  // namespace penstock::load

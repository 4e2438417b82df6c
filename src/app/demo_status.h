// DemoStatus: the live line of `penstock demo`. On a terminal one line that is written over once a
// second; elsewhere a plain line every few seconds, only when something has changed. Reads the
// shards' counters from a thread of its own.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "penstock/base/line_output.h"
#include "penstock/stats/counters.h"

namespace penstock::app {

class DemoStatus {
 public:
  using Counters = std::span<const std::unique_ptr<stats::ShardCounters>>;
  /// `counters` must outlive it; `backends` are their names by BackendId.
  DemoStatus(Counters counters, std::vector<std::string> backends);
  DemoStatus(const DemoStatus&) = delete;
  DemoStatus& operator=(const DemoStatus&) = delete;
  /// Ends the line.
  ~DemoStatus();

 private:
  struct Figures {
    std::uint64_t active = 0;
    std::uint64_t accepted = 0;
    std::vector<std::uint64_t> connections;  // by BackendId
  };
  void run(const std::stop_token& stop);
  [[nodiscard]] Figures read() const;
  [[nodiscard]] std::string text(const Figures& figures, double rate) const;
  void show(const std::string& text);

  Counters counters_;
  std::vector<std::string> backends_;
  LineOutput output_;
  bool on_terminal_;
  std::jthread thread_;
};

}  // namespace penstock::app

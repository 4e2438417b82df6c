// What was measured so far as Prometheus reads it, and the server that it is read from during a
// run.
#pragma once

#include <memory>
#include <mutex>
#include <string>

#include "penstock/base/result.h"
#include "penstock/load/recorder.h"
#include "penstock/net/endpoint.h"

namespace penstock::load {

/// The text format 0.0.4: counters, and histograms of latency and service time in seconds.
[[nodiscard]] std::string metrics_text(const Recorder& total);

/// Answers GET /metrics on threads of its own, from start() until it is destroyed.
class MetricsServer {
 public:
  MetricsServer();
  MetricsServer(const MetricsServer&) = delete;
  MetricsServer& operator=(const MetricsServer&) = delete;
  ~MetricsServer();

  /// Error: the address cannot be listened on.
  [[nodiscard]] Result<void> start(const Endpoint& at);
  /// Where it is (port 0 resolved). After start().
  [[nodiscard]] const Endpoint& at() const noexcept { return at_; }
  /// What is answered from now on.
  void publish(const Recorder& total);

 private:
  class Http;
  std::mutex mutex_;
  std::string text_;  // under mutex_
  Endpoint at_;
  std::unique_ptr<Http> http_;  // last: its threads use the others
};

}  // namespace penstock::load

// Serving: the load tool's servers: listening sockets, a thread each with a Service, and what they
// have seen together. Made and destroyed on one thread, which the functions are for.
#pragma once

#include <cstdint>
#include <vector>

#include "penstock/base/signals.h"
#include "penstock/base/unique_fd.h"
#include "penstock/load/histogram.h"
#include "penstock/net/endpoint.h"
#include "penstock/tls/context.h"
#include "service_options.h"
#include "station.h"

namespace penstock::load {

class Service;

struct ServeOptions {
  Endpoint listen{};
  std::uint32_t threads = 1;
  std::uint32_t connections = 4096;  ///< at once, on each thread
  ServiceOptions service{};
  tls::ServerOptions tls{};  ///< without a certificate: plain
};

class Serving {
 public:
  /// `options` are borrowed.
  explicit Serving(const ServeOptions& options) : options_(options) {}

  /// Once. Error: no such socket or thread can be had.
  [[nodiscard]] Result<void> open();
  /// Until everything has ended: the first signal lets connections end, the second does not.
  void wait(Signals& signals);

  /// Where it listens, port 0 resolved.
  [[nodiscard]] const Endpoint& at() const noexcept { return at_; }
  [[nodiscard]] Served served() const noexcept;
  /// Those that `delay` has really taken.
  [[nodiscard]] Histogram delays() const;
  /// Nobody else is accepted from now on, connections go on until their clients end them.
  void stop();
  void abandon();
  /// After stop(): everything has ended, and what was counted is all.
  [[nodiscard]] bool ended() const noexcept { return stations_.ended(); }

 private:
  [[nodiscard]] Result<std::unique_ptr<Station>> make_station(std::uint32_t number);

  const ServeOptions& options_;
  io::FeatureSet features_;
  Endpoint at_;
  std::vector<UniqueFd> listeners_;
  std::vector<const Service*> services_;  // the stations'
  Stations stations_;
};

}  // namespace penstock::load

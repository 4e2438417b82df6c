// Station: a worker and what it stands on, made, run and destroyed on its thread. Stations: all
// those of a run or of a server, as the main thread sees them.
#pragma once

#include <algorithm>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "penstock/base/own_thread.h"
#include "penstock/io/linux_kernel.h"
#include "penstock/tls/context.h"
#include "worker.h"

namespace penstock::load {

/// What all workers of this process may use. It does not change, so it is asked for once: a load or
/// a server that begins among others is not to disturb them. Error: as probe_features() says.
[[nodiscard]] const Result<io::FeatureSet>& kernel_features();

struct Station {
  io::LinuxKernel kernel;
  std::unique_ptr<tls::Context> context;
  std::unique_ptr<Worker> worker;

  /// Turns the worker until it is done. Error: its ring is broken.
  [[nodiscard]] Result<void> run() const;
};

class Stations {
 public:
  /// Makes the n-th, on its thread.
  using Make = std::function<Result<std::unique_ptr<Station>>(std::uint32_t number)>;

  Stations() = default;
  Stations(const Stations&) = delete;
  Stations& operator=(const Stations&) = delete;
  /// Abandons what is still under way, and waits for the threads.
  ~Stations();

  /// Makes them and lets them run, on threads called `name`-0, `name`-1, … Once. Error: what the
  /// first that could not be made said; none runs then.
  [[nodiscard]] Result<void> start(const std::string& name, std::uint32_t count, const Make& make);

  template <class F>
  void each(F&& what) {
    for (Worker* worker : workers_) what(*worker);
  }
  template <class F>
  [[nodiscard]] bool all(F&& is) const {
    return std::ranges::all_of(workers_, [&is](const Worker* worker) { return is(*worker); });
  }
  /// No worker turns any more.
  [[nodiscard]] bool ended() const noexcept;
  /// Of the workers that have ended. Error: a ring broke.
  [[nodiscard]] Result<void> outcome() const;

 private:
  std::vector<std::unique_ptr<OwnThread<Station>>> threads_;
  std::vector<Worker*> workers_;  // the threads'
};

}  // namespace penstock::load

// SimWorld: the simulator without faults and without latency, which is what loopback is like.
#pragma once

#include "sim_kernel.h"
#include "world.h"

namespace penstock::contract {

class SimWorld final : public World {
 public:
  SimWorld();
  [[nodiscard]] io::Kernel& kernel() override { return kernel_; }
  [[nodiscard]] io::FeatureSet features() override { return io::FeatureSet::all(); }
  [[nodiscard]] OwnListener listen(Family family) override;
  [[nodiscard]] std::unique_ptr<Remote> connect(const Endpoint& to) override;
  [[nodiscard]] std::unique_ptr<Server> serve(Family family, int backlog) override;
  [[nodiscard]] Endpoint refusing() override;
  void pause() override { kernel_.run_for(1ms); }
  void notify_later(int event_fd) override;
  void join_notifier() override {}

 private:
  [[nodiscard]] Endpoint free_address(Family family);

  sim::SimKernel kernel_;
  int addresses_ = 0;
};

}  // namespace penstock::contract

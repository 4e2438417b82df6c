// LinuxWorld: the real kernel, with real sockets on loopback as the far ends.
#pragma once

#include <thread>

#include "penstock/io/linux_kernel.h"
#include "world.h"

namespace penstock::contract {

class LinuxWorld final : public World {
 public:
  LinuxWorld();
  ~LinuxWorld() override;
  [[nodiscard]] io::Kernel& kernel() override { return kernel_; }
  [[nodiscard]] io::FeatureSet features() override { return features_; }
  [[nodiscard]] OwnListener listen(Family family) override;
  [[nodiscard]] std::unique_ptr<Remote> connect(const Endpoint& to) override;
  [[nodiscard]] std::unique_ptr<Server> serve(Family family, int backlog) override;
  [[nodiscard]] Endpoint refusing() override;
  void pause() override;
  void notify_later(int event_fd) override;
  void join_notifier() override { notifier_.join(); }

 private:
  [[nodiscard]] Endpoint free_address(Family family);

  io::LinuxKernel kernel_;
  io::FeatureSet features_;
  std::string folder_;  // for unix sockets
  int paths_ = 0;
  std::thread notifier_;
};

}  // namespace penstock::contract

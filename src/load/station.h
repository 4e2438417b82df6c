// Station: a worker and what it stands on, made, run and destroyed on its thread.
#pragma once

#include <memory>

#include "penstock/io/linux_kernel.h"
#include "penstock/tls/context.h"
#include "worker.h"

namespace penstock::load {

struct Station {
  io::LinuxKernel kernel;
  std::unique_ptr<tls::Context> context;
  std::unique_ptr<Worker> worker;

  /// Turns the worker until it is done. Error: its ring is broken.
  [[nodiscard]] Result<void> run() const {
    for (;;) {
      auto more = worker->turn();
      if (!more) return std::unexpected(more.error());
      if (!*more) return {};
    }
  }
};

}  // namespace penstock::load

// Threads that begin together or not at all.
#include "station.h"

#include <fmt/format.h>

namespace penstock::load {

const Result<io::FeatureSet>& kernel_features() {
  static const Result<io::FeatureSet> features = io::probe_features({});
  return features;
}

Result<void> Station::run() const {
  for (;;) {
    auto more = worker->turn();
    if (!more) return std::unexpected(more.error());
    if (!*more) return {};
  }
}

Stations::~Stations() {
  each([](Worker& worker) { worker.abandon(); });
}

Result<void> Stations::start(const std::string& name, std::uint32_t count, const Make& make) {
  PENSTOCK_ASSERT(threads_.empty());
  for (std::uint32_t i = 0; i < count; ++i) {
    threads_.push_back(std::make_unique<OwnThread<Station>>(
        OwnThread<Station>::Parts{.name = fmt::format("{}-{}", name, i),
                                  .make = [make, i] { return make(i); },
                                  .run = [](Station& station) { return station.run(); },
                                  .on_end = [] {}}));
  }
  // All are asked, so that those that were made are known and can be told to end.
  Result<void> first;
  for (const auto& thread : threads_) {
    if (auto made = thread->made(); made) {
      workers_.push_back(thread->object().worker.get());
    } else if (first) {
      first = made;
    }
  }
  if (!first) return first;
  for (const auto& thread : threads_) thread->go();
  return {};
}

bool Stations::ended() const noexcept {
  return std::ranges::all_of(threads_, [](const auto& thread) { return thread->ended(); });
}

Result<void> Stations::outcome() const {
  for (const auto& thread : threads_) {
    if (auto outcome = thread->outcome(); !outcome) return outcome;
  }
  return {};
}

}  // namespace penstock::load

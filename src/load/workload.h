// Workload: what the workers of a run do, by its mode: requests (Exchange), or connections for
// their own sake (Crowd) with requests beside them, by a worker of their own, that tell how a
// well-behaved client fares meanwhile.
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "codec.h"
#include "dialer.h"
#include "parts.h"
#include "run_options.h"
#include "worker.h"

namespace penstock::load {

class Workload {
 public:
  /// Error: TLS material that is needed beforehand, or the local ports, cannot be had.
  [[nodiscard]] static Result<std::unique_ptr<Workload>> create(const RunOptions& options);
  /// Raises the limit of descriptors to what these loads may need together. Error: it may not.
  [[nodiscard]] static Result<void> make_room(std::span<const RunOptions* const> loads);

  [[nodiscard]] std::uint32_t workers() const noexcept;
  /// Connections of that worker at once, those included that are closing.
  [[nodiscard]] std::uint32_t connections_of(std::uint32_t worker) const noexcept;
  /// `tls`: a client's, borrowed, or null. On the worker's thread.
  [[nodiscard]] Worker::Engines make_engines(Context& context, tls::Context* tls,
                                             std::uint32_t worker) const;

 private:
  explicit Workload(const RunOptions& options) : options_(options) {}
  /// That all workers together may need.
  [[nodiscard]] std::uint64_t descriptors() const noexcept;
  [[nodiscard]] bool beside(std::uint32_t worker) const noexcept;
  [[nodiscard]] std::uint32_t share_of(std::uint32_t worker) const noexcept;
  [[nodiscard]] Dialer make_dialer(Context& context, tls::Context* tls, std::uint32_t worker) const;
  [[nodiscard]] std::unique_ptr<Engine> make_exchange(Context& context, tls::Context* tls,
                                                      std::uint32_t worker) const;
  [[nodiscard]] std::unique_ptr<Engine> make_crowd(Context& context, tls::Context* tls,
                                                   std::uint32_t worker) const;
  void add_chaos(Worker::Engines& engines, Context& context, std::uint32_t worker) const;

  const RunOptions& options_;
  std::unique_ptr<Codec> codec_;
  ChaosMaterial chaos_;
};

}  // namespace penstock::load

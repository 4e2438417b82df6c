// One listening socket and one worker a thread; the kernel spreads connections over them.
#include "serving.h"

#include <poll.h>

#include <csignal>
#include <memory>
#include <span>

#include "penstock/base/descriptor_limit.h"
#include "penstock/net/socket.h"
#include "service.h"

namespace penstock::load {

Result<void> Serving::open() {
  const auto& features = kernel_features();
  if (!features) return std::unexpected(features.error());
  features_ = *features;
  (void)raise_descriptor_limit((std::uint64_t{options_.connections} * options_.threads) + 64);
  at_ = options_.listen;
  services_.resize(options_.threads);
  for (std::uint32_t i = 0; i < options_.threads; ++i) {
    auto listener = open_listener(at_, {.reuse_port = options_.threads > 1, .first = i == 0});
    if (!listener) return std::unexpected(listener.error());
    configure_connection(listener->get(), at_.family(), {});         // for those accepted on it
    if (auto bound = local_endpoint(listener->get())) at_ = *bound;  // port 0 once
    listeners_.push_back(std::move(*listener));
  }
  return stations_.start("serve", options_.threads,
                         [this](std::uint32_t number) { return make_station(number); });
}

void Serving::wait(Signals& signals) {
  for (int seen = 0; !stations_.ended();) {
    pollfd waited{.fd = signals.fd(), .events = POLLIN, .revents = 0};
    ::poll(&waited, 1, seen == 0 ? -1 : 20);
    while (const auto number = signals.next()) {
      if (*number != SIGINT && *number != SIGTERM) continue;
      seen++ == 0 ? stop() : abandon();
    }
  }
}

void Serving::stop() {
  stations_.each([](Worker& each) { each.stop(); });
}

void Serving::abandon() {
  stations_.each([](Worker& each) { each.abandon(); });
}

Served Serving::served() const noexcept {
  Served sum;
  for (const Service* each : services_) sum.add(each->read());
  return sum;
}

Histogram Serving::delays() const {
  Histogram sum;
  for (const Service* each : services_) each->merge_delays_into(sum);
  return sum;
}

Result<std::unique_ptr<Station>> Serving::make_station(std::uint32_t number) {
  auto station = std::make_unique<Station>();
  if (!options_.tls.certificates.empty()) {
    auto context = tls::Context::create_server(options_.tls);
    if (!context) return std::unexpected(context.error());
    station->context = std::move(*context);
  }
  auto worker = Worker::create(
      station->kernel, {.features = features_, .connections = options_.connections},
      [&](Context& context) -> Result<Worker::Engines> {
        const int listener = listeners_[number].get();
        auto service = std::make_unique<Service>(context, options_.service, std::span(&listener, 1),
                                                 station->context.get());
        services_[number] = service.get();
        Worker::Engines engines;
        engines.push_back(std::move(service));
        return engines;
      });
  if (!worker) return std::unexpected(worker.error());
  station->worker = std::move(*worker);
  return station;
}

}  // namespace penstock::load

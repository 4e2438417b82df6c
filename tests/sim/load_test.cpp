// The load tool's accuracy in virtual time: its client and its server over the simulated kernel,
// where nothing else has to be done and every delay is known. What `penstock-load selftest`
// measures by the clock of a machine (checks 1, 2, 3 and 7), without that machine's other business.
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "../../src/load/codec_rr.h"
#include "../../src/load/exchange.h"
#include "../../src/load/judge.h"
#include "../../src/load/selftest_figures.h"
#include "../../src/load/service.h"
#include "../../src/load/worker.h"
#include "penstock/load/command_line.h"
#include "sim_kernel.h"

namespace penstock::load {
namespace {

constexpr std::size_t message_size = 64;

struct Shape {
  double rate = 1000;
  Duration duration = 5s;
  Arrival arrival = Arrival::uniform;
  std::uint32_t connections = 100;
  ServiceOptions service{};
  sim::Wire wire{};
  Duration turn_cost_max{};
};

/// A client and a server, each with a ring of its own, on one thread: time passes when neither has
/// anything to do.
class Pair {
 public:
  explicit Pair(const Shape& shape)
      : shape_(shape),
        kernel_(1, shape.wire, {.turn_cost_max = shape.turn_cost_max}),
        codec_({.request_size = message_size, .answer_size = message_size}),
        at_(*Endpoint::parse("127.0.0.1:7000")),
        listener_(kernel_.listen(at_, 4096)) {
    server_ = make([this](Context& context) -> std::unique_ptr<Engine> {
      auto made =
          std::make_unique<Service>(context, shape_.service, std::span(&listener_, 1), nullptr);
      service_ = made.get();
      return made;
    });
    client_ = make([this](Context& context) -> std::unique_ptr<Engine> {
      return std::make_unique<Exchange>(
          context, ExchangeOptions{.codec = &codec_, .connections = shape_.connections},
          Dialer(context, {.targets = {at_}}, nullptr), timeline());
    });
  }
  Pair(const Pair&) = delete;
  Pair& operator=(const Pair&) = delete;
  ~Pair() {
    client_.reset();
    server_.reset();
    kernel_.close(listener_);
  }

  [[nodiscard]] Timeline timeline() const {
    return Timeline({.profile = {{shape_.rate, shape_.rate, shape_.duration}},
                     .arrival = shape_.arrival,
                     .seed = 1});
  }
  [[nodiscard]] Instant now() { return kernel_.now(); }
  [[nodiscard]] Duration since_begin() { return kernel_.now() - began_; }

  /// Operations begin a while after.
  void begin() {
    while (!client_->prepared()) turn();
    began_ = kernel_.now() + 20ms;
    client_->begin(began_);
  }
  void turn() {
    if (!server_done_) server_done_ = !more(*server_);
    if (!client_done_) client_done_ = !more(*client_);
  }
  template <class F>
  void turn_until(F&& reached) {
    while (!reached()) turn();
  }
  /// The server gets no processor; its kernel goes on.
  void stop_server(Duration length) {
    constexpr Duration step = 200us;
    for (const Instant end = now() + length; now() < end;) {
      if (!more(*client_)) FAIL("the client has ended");
      kernel_.run_for(step);
    }
  }
  /// What was measured, once everything has ended.
  std::unique_ptr<Recorder> finish() {
    turn_until([this] { return client_->exhausted(); });
    ended_ = kernel_.now();
    client_->stop();
    turn_until([this] { return client_done_; });
    server_->stop();
    turn_until([this] { return server_done_; });
    auto all = std::make_unique<Recorder>();
    for (const auto& part : client_->take_measured()) all->merge(*part);
    return all;
  }
  /// From the first intended start to the last answer.
  [[nodiscard]] Duration took() const { return ended_ - began_; }
  [[nodiscard]] Histogram delays() const {
    Histogram taken;
    service_->merge_delays_into(taken);
    return taken;
  }

 private:
  template <class F>
  [[nodiscard]] std::unique_ptr<Worker> make(F&& engine) {
    auto made = Worker::create(
        kernel_, {.features = io::FeatureSet::all(), .connections = 2 * shape_.connections},
        [&engine](Context& context) -> Result<Worker::Engines> {
          Worker::Engines all;
          all.push_back(engine(context));
          return all;
        });
    REQUIRE(made);
    return std::move(*made);
  }
  static bool more(Worker& worker) {
    const auto more = worker.turn();
    if (!more) FAIL(more.error().message);
    return *more;
  }

  Shape shape_;
  sim::SimKernel kernel_;
  CodecRr codec_;
  Endpoint at_;
  int listener_;
  Service* service_ = nullptr;
  std::unique_ptr<Worker> server_;
  std::unique_ptr<Worker> client_;
  Instant began_{};
  Instant ended_{};
  bool server_done_ = false;
  bool client_done_ = false;
};

std::uint64_t starts_of(const Pair& pair) {
  std::uint64_t count = 0;
  for (Timeline line = pair.timeline(); line.next(); line.advance()) ++count;
  return count;
}

void require_holds(const Figure& figure) {
  INFO(figure.name << ": expected " << figure.expected << ", measured " << figure.measured);
  REQUIRE(figure.verdict == Verdict::holds);
}

/// What judge() says of it, with a condition that holds.
int exit_code_of(Recorder total) {
  RunResult run;
  run.facts.health.lag_p99 = total.histogram(Measure::lag).percentile(99);
  run.total = std::move(total);
  judge(run, parse_conditions("err==0").value());
  return run.facts.exit_code;
}

TEST_CASE("quantiles of a known delay are those of the server's log, and the wire's",
          "[sim][load]") {
  using Kind = DelayOptions::Kind;
  const DelayOptions delay =
      GENERATE(DelayOptions{.kind = Kind::fixed, .usual = 5ms},
               DelayOptions{.kind = Kind::two_point, .usual = 1ms, .other = 50ms, .share = 0.1},
               DelayOptions{.kind = Kind::exponential, .usual = 5ms});
  Pair pair({.service = {.kind = ServiceKind::delay, .message_size = message_size, .delay = delay},
             .wire = {.latency_min = 5us, .latency_max = 10us},
             .turn_cost_max = 5us});
  pair.begin();
  const auto seen = pair.finish();
  REQUIRE(seen->errors() == 0);
  REQUIRE(seen->count.operations == starts_of(pair));
  const Histogram taken = pair.delays();
  REQUIRE(taken.count() == seen->count.operations);
  for (const double percent : {50.0, 75.0, 95.0, 99.0}) {
    const Duration latency = seen->histogram(Measure::latency).percentile(percent);
    require_holds(
        nearly("latency", taken.percentile(percent), latency, {.share = 0.01, .beyond = 50us}));
    REQUIRE(latency >= taken.percentile(percent));
  }
}

TEST_CASE("a server that is stopped shows as the closed form says, connections or not",
          "[sim][load]") {
  const std::uint32_t connections = GENERATE(4U, 600U);  // they wait in the tool, or in the server
  const Stall stall{.length = 1s, .run = 5s};
  Pair pair({.rate = 500,
             .duration = stall.run,
             .connections = connections,
             .wire = {.latency_min = 5us, .latency_max = 10us},
             .turn_cost_max = 2us});
  pair.begin();
  pair.turn_until([&pair] { return pair.since_begin() >= 1500ms; });
  pair.stop_server(stall.length);
  const auto seen = pair.finish();
  REQUIRE(seen->errors() == 0);
  REQUIRE(seen->count.operations == 2500);
  for (const double percent : {85.0, 90.0, 95.0, 99.0, 99.9}) {
    require_holds(nearly("latency", stalled_latency(stall, percent),
                         seen->histogram(Measure::latency).percentile(percent), {.share = 0.02}));
  }
}

TEST_CASE("operations begin when they are meant to, and as many as were asked for", "[sim][load]") {
  const Arrival arrival = GENERATE(Arrival::uniform, Arrival::poisson);
  Pair pair({.rate = 2000,
             .arrival = arrival,
             .wire = {.latency_min = 5us, .latency_max = 10us},
             .turn_cost_max = 20us});
  pair.begin();
  const auto seen = pair.finish();
  const std::uint64_t starts = starts_of(pair);
  REQUIRE(seen->errors() == 0);
  REQUIRE(seen->count.operations == starts);
  require_holds(nearly("rate", static_cast<double>(starts) / 5,
                       static_cast<double>(seen->count.operations) / seconds(pair.took()), 0.001));
  require_holds(below("lag", 100us, seen->histogram(Measure::lag).percentile(99)));
  REQUIRE(exit_code_of(std::move(*seen)) == exit_done);
}

TEST_CASE("a worker whose turns take long begins operations late, and is judged unfit",
          "[sim][load]") {
  Pair pair({.rate = 2000,
             .duration = 2s,
             .wire = {.latency_min = 5us, .latency_max = 10us},
             .turn_cost_max = 2ms});
  pair.begin();
  const auto seen = pair.finish();
  REQUIRE(seen->errors() == 0);
  REQUIRE(seen->count.operations == 4000);
  REQUIRE(seen->histogram(Measure::lag).percentile(99) > 200us);
  REQUIRE(exit_code_of(std::move(*seen)) == exit_unfit);
}

}  // namespace
}  // namespace penstock::load

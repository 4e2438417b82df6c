// What single steps of the data path cost, without a kernel: choosing a backend and moving a timer.
// Whole connections beside the peers are measured by scripts/bench.
#include <benchmark/benchmark.h>

#include <string>
#include <vector>

#include "penstock/balance/maglev.h"
#include "penstock/time/timer_wheel.h"

namespace penstock {
namespace {

std::vector<balance::Member> members(std::size_t count) {
  std::vector<balance::Member> all;
  for (std::uint32_t i = 0; i < count; ++i) {
    all.push_back({.name = "backend-" + std::to_string(i), .weight = 1, .id = BackendId{i}});
  }
  return all;
}

void build_table(benchmark::State& state) {
  const auto all = members(static_cast<std::size_t>(state.range(0)));
  for (auto _ : state) {
    benchmark::DoNotOptimize(balance::Maglev(all, balance::Maglev::default_size, 0));
  }
}
BENCHMARK(build_table)->Arg(3)->Arg(100)->Arg(1000)->Unit(benchmark::kMillisecond);

void pick_backend(benchmark::State& state) {
  const auto all = members(100);
  const balance::Maglev table(all, balance::Maglev::default_size, 0);
  balance::Liveness liveness(all.size());
  for (std::uint32_t i = 0; i < static_cast<std::uint32_t>(state.range(0)); ++i) {
    liveness.set(BackendId{i}, false);
  }
  const Endpoint client = *Endpoint::parse("192.0.2.1:40000");
  std::uint16_t port = 0;
  for (auto _ : state) {
    const auto key =
        balance::key_of(client.with_port(port++), balance::HashKey::source_ip_port, 0, 0);
    benchmark::DoNotOptimize(table.pick(key, liveness));
  }
}
BENCHMARK(pick_backend)->Arg(0)->Arg(50)->Arg(99);

void move_timer(benchmark::State& state) {
  TimerWheel wheel{Instant{}};
  std::vector<Timer> timers(10'000);
  std::size_t next = 0;
  Instant now{};
  for (auto _ : state) {
    wheel.schedule(timers[next], now + 10s);
    next = (next + 1) % timers.size();
    if (next == 0) {
      now += 1ms;
      wheel.advance(now, [](Timer&) {});
    }
  }
}
BENCHMARK(move_timer);

}  // namespace
}  // namespace penstock

BENCHMARK_MAIN();

// A leg over the simulated kernel, for what no seed reaches: a shard's large buffers all held.
#include "../../src/relay/leg.h"

#include <catch2/catch_test_macros.hpp>
#include <string>

#include "sim_kernel.h"

namespace penstock::relay {

TEST_CASE("a direction in bulk goes on with small buffers when the large ones are held",
          "[sim][leg]") {
  constexpr std::size_t size = 400'000;  // several large buffers
  sim::SimKernel kernel(1, {.send_buffer_min = size,
                            .send_buffer_max = size,
                            .receive_buffer_min = size,
                            .receive_buffer_max = size});
  auto ring = io::Ring::open(kernel, {.features = io::FeatureSet::all()});
  REQUIRE(ring.has_value());
  auto pool = io::BufferPool::create(
      **ring, {.small_count = 8, .large_count = 1, .small_posted = 8, .large_posted = 1});
  REQUIRE(pool.has_value());
  const auto at = Endpoint::parse("127.0.0.1:80");
  const int listener = kernel.listen(*at, 16);
  const auto dial = kernel.network().dial(Endpoint(), *at);
  kernel.run_for(1ms);
  const std::string bytes(size, 'b');
  REQUIRE(dial->stream->send(std::as_bytes(std::span(bytes))) == static_cast<int>(size));
  {
    Leg leg(nullptr, Side::front, 0);
    leg.fd = kernel.accept_now(listener);
    const io::Buffer reserve = (*pool)->take(io::BufferClass::large);
    std::vector<Slice> held;  // whatever large one is received into stays in use, too
    std::size_t received = 0;
    int shortages = 0;
    for (int turn = 0; turn < 200 && received < bytes.size(); ++turn) {
      if (!leg.receive_op.in_flight) leg.arm_receive(**pool, **ring);
      REQUIRE((*ring)->wait(kernel.now() + 1ms).has_value());
      (*ring)->drain([&](const io::Completion& completion) {
        if (leg.received(completion, **pool) == Leg::Received::no_buffer) ++shortages;
        received += leg.incoming.size();
        const bool large =
            leg.incoming.has_buffer() && leg.incoming.size_class() == io::BufferClass::large;
        if (large) held.push_back(std::move(leg.incoming));
        leg.incoming.clear();
      });
    }
    CHECK(received == bytes.size());
    CHECK(shortages <= 20);
    kernel.close(leg.fd);
  }
  dial->stream->close();
  kernel.close(listener);
}

}  // namespace penstock::relay

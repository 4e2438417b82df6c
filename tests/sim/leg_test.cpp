// A leg over the simulated kernel, for what seeds reach too seldom: a shard's large buffers all
// held, an answer of TLS that is encrypted behind a send in flight.
#include "penstock/wire/leg.h"

#include <catch2/catch_test_macros.hpp>
#include <memory>
#include <string>

#include "sim_kernel.h"
#include "tls_end.h"

namespace penstock::wire {
namespace {

/// A TLS leg that has done its handshake with a client, and the ring and pool that it works with.
class SecuredLeg {
 public:
  SecuredLeg() : kernel(1), leg(nullptr, Side::front, 0) {
    sim::seed_tls(1);
    ring = std::move(*io::Ring::open(kernel, {.features = io::FeatureSet::all()}));
    pool = std::move(*io::BufferPool::create(
        *ring, {.small_count = 32, .large_count = 4, .small_posted = 8, .large_posted = 2}));
    tls::ServerOptions options;
    options.certificates.push_back(sim::tls_identity());
    context = std::move(*tls::Context::create_server(options));
    const auto at = Endpoint::parse("127.0.0.1:443");
    listener = kernel.listen(*at, 16);
    dial = kernel.network().dial(Endpoint(), *at);
    kernel.run_for(1ms);
    client = std::make_unique<sim::TlsEnd>(*dial->stream, sim::TlsEnd::Options{});
    leg.fd = kernel.accept_now(listener);
    leg.engine = std::move(*tls::Engine::create_server(*context));
    REQUIRE(turn_until([this] { return leg.handshake(*pool) == Leg::Handshake::done; }));
    REQUIRE(turn_until([this] { return leg.flushed(); }));
  }
  SecuredLeg(const SecuredLeg&) = delete;
  SecuredLeg& operator=(const SecuredLeg&) = delete;
  ~SecuredLeg() {
    (void)turn_until([this] { return leg.quiesce(*ring); }, false);
    leg.incoming.clear();
    leg.outgoing.clear();
    kernel.close(leg.fd);
    kernel.close(listener);
  }

  /// Lets the leg work, the client read, and time pass, until `reached()`.
  template <class F>
  [[nodiscard]] bool turn_until(F&& reached, bool receives = true) {
    for (int i = 0; i < 3000; ++i) {
      if (reached()) return true;
      client_read();
      leg.arm_send(*ring);
      const bool arm = receives && !leg.receive_op.in_flight && leg.incoming.empty();
      if (arm && !leg.input_ended) leg.arm_receive(*pool, *ring);
      turn();
    }
    return reached();
  }
  void turn() {
    REQUIRE(ring->wait(kernel.now() + 1ms).has_value());
    ring->drain([this](const io::Completion& completion) {
      if (completion.op.kind == io::OpKind::receive) (void)leg.received(completion, *pool);
      if (completion.op.kind == io::OpKind::send) (void)leg.sent(completion.result, *ring);
      if (completion.op.kind == io::OpKind::writable) leg.became_writable();
    });
  }
  void client_read() {
    std::string bytes(65536, '\0');
    const int result = client->receive(std::as_writable_bytes(std::span(bytes)));
    if (result > 0) received += static_cast<std::size_t>(result);
  }
  /// Encrypts as much as the socket's side takes; the bytes of plaintext.
  std::size_t encode(std::size_t size) {
    Slice pipe(pool->take(io::BufferClass::small), size);
    const std::size_t taken = leg.encode(pipe, *pool);
    pipe.clear();
    return taken;
  }

  sim::SimKernel kernel;
  std::unique_ptr<io::Ring> ring;
  std::unique_ptr<io::BufferPool> pool;
  std::unique_ptr<tls::Context> context;
  std::shared_ptr<sim::Dial> dial;
  std::unique_ptr<sim::TlsEnd> client;
  Leg leg;
  int listener = -1;
  std::size_t received = 0;
};

}  // namespace

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

TEST_CASE("what is encrypted behind a send in flight does not make the socket count as full",
          "[sim][leg]") {
  SecuredLeg world;
  Leg& leg = world.leg;
  std::size_t sent = 0;
  // A client that does not read fills the socket, which is watched from then on.
  while (!leg.writable_op.in_flight) {
    sent += world.encode(2048);
    leg.arm_send(*world.ring);
    world.turn();
  }
  REQUIRE(world.turn_until([&] { return leg.flushed() && world.received == sent; }));
  world.turn();
  // The client asks for new keys, twice. OpenSSL 3.0 answers the first when it reads the second. By
  // then a record is being sent, and the answer lands behind it.
  constexpr std::size_t key_update_size = 27;
  world.client->update_keys();
  world.client->update_keys();
  REQUIRE(world.turn_until([&] { return leg.incoming.size() == 2 * key_update_size; }));
  sent += world.encode(100);
  leg.arm_send(*world.ring);
  REQUIRE(leg.send_op.in_flight);
  const std::size_t before = leg.outgoing.size();
  Slice pipe;
  CHECK(leg.decode(pipe, *world.pool) == Leg::Stream::open);
  REQUIRE(leg.outgoing.size() > before);
  CHECK(world.turn_until([&] { return leg.flushed() && world.received == sent; }));
}

}  // namespace penstock::wire

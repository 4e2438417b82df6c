// Splicing between sockets and pipes, waiting for input without taking it, and low watermarks. The
// first user of both is production's PipePool.
#include "fixture.h"
#include "penstock/io/pipe_pool.h"

namespace penstock::contract {
namespace {

constexpr std::size_t pipe_size = 65536;

/// A connection that does not wait, and a pipe.
template <class W>
struct Spliced : Connected<W> {
  explicit Spliced(Family family = Family::v4, std::uint64_t budget_bytes = 4 * pipe_size)
      : Connected<W>(family),
        budget(budget_bytes),
        pipes(this->world.kernel(), &budget, pipe_size),
        pipe(pipes.take()) {
    this->world.kernel().never_wait(this->fd);
  }
  /// Asks until there is an answer other than -EAGAIN.
  int fill() {
    int result = -EAGAIN;
    REQUIRE(this->driver.eventually([&] { return (result = pipe.fill(this->fd)) != -EAGAIN; }));
    return result;
  }

  io::PipeBudget budget;
  io::PipePool pipes;
  io::Pipe pipe;
};

}  // namespace

TEMPLATE_TEST_CASE("bytes pass from a socket into a pipe and from there to a socket", "[splice]",
                   LinuxWorld, SimWorld) {
  const Family family = GENERATE(Family::v4, Family::v6);
  Spliced<TestType> c(family);
  REQUIRE(c.pipe);
  CHECK(c.pipe.fill(c.fd) == -EAGAIN);
  CHECK(c.pipe.empty());
  c.remote->write("to be brought back");
  CHECK(c.fill() == 18);
  CHECK_FALSE(c.pipe.empty());
  CHECK(c.pipe.drain(c.fd) == 18);
  CHECK(c.pipe.empty());
  CHECK(c.remote_read(18) == "to be brought back");
}

TEMPLATE_TEST_CASE("a splice says 0 at the peer's FIN, after the data", "[splice]", LinuxWorld,
                   SimWorld) {
  Spliced<TestType> c;
  c.remote->write("last words");
  c.remote->send_fin();
  CHECK(c.fill() == 10);
  CHECK(c.fill() == 0);
  CHECK(c.driver.wait(c.driver.receive(c.fd)).result == 0);
  CHECK(c.pipe.drain(c.fd) == 10);
}

TEMPLATE_TEST_CASE("a splice says ECONNRESET once, after the data, then 0", "[splice]", LinuxWorld,
                   SimWorld) {
  Spliced<TestType> c;
  c.remote->write("last words");
  c.world.pause();
  c.remote->reset();
  REQUIRE(c.reset_has_arrived());
  CHECK(c.fill() == 10);
  CHECK(c.fill() == -ECONNRESET);
  CHECK(c.fill() == 0);
  CHECK(c.pipe.drain(c.fd) == -EPIPE);
}

TEMPLATE_TEST_CASE("a reset that a send was told of is an end of 0 for a splice", "[splice]",
                   LinuxWorld, SimWorld) {
  Spliced<TestType> c;
  c.remote->reset();
  REQUIRE(c.reset_has_arrived());
  CHECK(c.driver.wait(c.driver.send(c.fd, "x")).result == -ECONNRESET);
  CHECK(c.fill() == 0);
}

TEMPLATE_TEST_CASE("a splice into a full socket says EAGAIN, and a watch when there is room",
                   "[splice]", LinuxWorld, SimWorld) {
  Spliced<TestType> c;
  const std::size_t sent = c.Connected<TestType>::fill();
  io::Op& watch = c.driver.watch_writable(c.fd);
  while (!c.driver.stays_quiet(watch)) c.driver.wait(watch);
  c.remote->write("one more");
  CHECK(c.fill() == 8);
  CHECK(c.pipe.drain(c.fd) == -EAGAIN);
  CHECK_FALSE(c.pipe.empty());
  CHECK(c.remote_read(sent).size() == sent);
  CHECK(c.driver.wait(watch).result > 0);
  CHECK(c.pipe.drain(c.fd) == 8);
  CHECK(c.remote_read(8) == "one more");
}

TEMPLATE_TEST_CASE("a wait for input takes nothing and ends with data, FIN or reset", "[splice]",
                   LinuxWorld, SimWorld) {
  Connected<TestType> c;
  io::Op& wait = c.driver.wait_readable(c.fd);
  REQUIRE(c.driver.stays_quiet(wait));
  SECTION("data") {
    c.remote->write("x");
    CHECK(c.driver.wait(wait).result > 0);
    CHECK_FALSE(wait.in_flight);
    CHECK(c.driver.wait(c.driver.receive(c.fd)).data == "x");
  }
  SECTION("FIN") {
    c.remote->send_fin();
    CHECK(c.driver.wait(wait).result > 0);
  }
  SECTION("reset") {
    c.remote->reset();
    CHECK(c.driver.wait(wait).result > 0);
  }
  SECTION("a cancel") {
    CHECK(c.driver.wait(c.driver.cancel(wait)).result == 0);
    CHECK(c.driver.wait(wait).result == -ECANCELED);
  }
}

TEMPLATE_TEST_CASE("a wait for input and a watch for room can be in flight together", "[splice]",
                   LinuxWorld, SimWorld) {
  Connected<TestType> c;
  io::Op& wait = c.driver.wait_readable(c.fd);
  io::Op& watch = c.driver.watch_writable(c.fd);
  CHECK(c.driver.wait(watch).result > 0);
  REQUIRE(c.driver.stays_quiet(wait));
  c.remote->write("x");
  CHECK(c.driver.wait(wait).result > 0);
  CHECK(watch.in_flight);
}

TEMPLATE_TEST_CASE("below the low watermark nobody is woken, at it and at the end one is",
                   "[splice]", LinuxWorld, SimWorld) {
  Connected<TestType> c;
  c.world.kernel().set_low_watermark(c.fd, 1000);
  c.remote->write(std::string(999, 'a'));
  const bool waits = GENERATE(true, false);
  io::Op& op = waits ? c.driver.wait_readable(c.fd) : c.driver.receive(c.fd);
  REQUIRE(c.driver.stays_quiet(op));
  SECTION("the byte that was missing") { c.remote->write("b"); }
  SECTION("a FIN") { c.remote->send_fin(); }
  SECTION("a lower watermark") { c.world.kernel().set_low_watermark(c.fd, 1); }
  CHECK(c.driver.wait(op).result > 0);
}

TEMPLATE_TEST_CASE("a low watermark hides nothing from a splice", "[splice]", LinuxWorld,
                   SimWorld) {
  Spliced<TestType> c;
  c.world.kernel().set_low_watermark(c.fd, 1000);
  c.remote->write("short");
  CHECK(c.fill() == 5);
}

TEMPLATE_TEST_CASE("a receive through the ring waits on a socket that never waits", "[splice]",
                   LinuxWorld, SimWorld) {
  Connected<TestType> c;
  c.world.kernel().never_wait(c.fd);
  const bool expect_data = GENERATE(true, false);
  io::Op& receive = c.driver.receive(c.fd, expect_data);
  REQUIRE(c.driver.stays_quiet(receive));
  c.remote->write("later");
  CHECK(c.driver.wait(receive).data == "later");
}

TEMPLATE_TEST_CASE("pipes are lent within a budget, and one with bytes left is not lent again",
                   "[splice]", LinuxWorld, SimWorld) {
  Spliced<TestType> c(Family::v4, 2 * pipe_size);
  io::Pipe second = c.pipes.take();
  REQUIRE(second);
  CHECK_FALSE(c.pipes.take());
  CHECK(c.budget.left() == 0);
  second.reset();
  CHECK(c.budget.left() == 0);  // kept for the next one
  c.remote->write("left in it");
  CHECK(c.fill() == 10);
  c.pipe.reset();
  CHECK(c.budget.left() == pipe_size);
  c.pipes.trim();
  CHECK(c.budget.left() == pipe_size);  // free for less than an interval
  c.pipes.trim();
  CHECK(c.budget.left() == 2 * pipe_size);
  c.pipes.take().reset();
  CHECK(c.budget.left() == pipe_size);
  c.pipes.close_free();
  CHECK(c.budget.left() == 2 * pipe_size);
}

}  // namespace penstock::contract

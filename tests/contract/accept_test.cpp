// Accepting: what the shard's listeners rely on, to the last connection in the queue.
#include "fixture.h"

namespace penstock::contract {

TEMPLATE_TEST_CASE("a multishot accept reports that more will come", "[accept]", LinuxWorld,
                   SimWorld) {
  TestType world;
  Driver driver(world);
  const OwnListener listener = world.listen(Family::v4);
  driver.own(listener.fd);
  io::Op& accept = driver.accept(listener.fd);
  const auto first = world.connect(listener.at);
  const Outcome one = driver.wait(accept);
  driver.own(one.result);
  CHECK(one.more);
  const auto second = world.connect(listener.at);
  const Outcome two = driver.wait(accept);
  driver.own(two.result);
  CHECK(two.more);
  CHECK(one.result != two.result);
  CHECK(accept.in_flight);
}

TEMPLATE_TEST_CASE("an accept takes connections that were queued before it", "[accept]", LinuxWorld,
                   SimWorld) {
  TestType world;
  Driver driver(world);
  const OwnListener listener = world.listen(Family::v4);
  driver.own(listener.fd);
  const auto first = world.connect(listener.at);
  const auto second = world.connect(listener.at);
  io::Op& accept = driver.accept(listener.fd);
  CHECK(world.kernel().peer_of(driver.own(driver.wait(accept).result)) == first->local());
  CHECK(world.kernel().peer_of(driver.own(driver.wait(accept).result)) == second->local());
}

TEMPLATE_TEST_CASE("an accept on a non-blocking listener waits", "[accept]", LinuxWorld, SimWorld) {
  TestType world;
  Driver driver(world);
  const OwnListener listener = world.listen(Family::v4);
  driver.own(listener.fd);
  CHECK(driver.stays_quiet(driver.accept(listener.fd)));
}

TEMPLATE_TEST_CASE("a cancelled accept completes with ECANCELED, the last time", "[accept]",
                   LinuxWorld, SimWorld) {
  TestType world;
  Driver driver(world);
  const OwnListener listener = world.listen(Family::v4);
  driver.own(listener.fd);
  io::Op& accept = driver.accept(listener.fd);
  REQUIRE(driver.stays_quiet(accept));
  CHECK(driver.wait(driver.cancel(listener.fd)).result == 1);
  const Outcome last = driver.wait(accept);
  CHECK(last.result == -ECANCELED);
  CHECK_FALSE(last.more);
  CHECK_FALSE(accept.in_flight);
}

TEMPLATE_TEST_CASE("after a cancel the queue is taken by accept_now, until EAGAIN", "[accept]",
                   LinuxWorld, SimWorld) {
  TestType world;
  Driver driver(world);
  const OwnListener listener = world.listen(Family::v4);
  driver.own(listener.fd);
  io::Op& accept = driver.accept(listener.fd);
  REQUIRE(driver.stays_quiet(accept));
  driver.cancel(listener.fd);
  REQUIRE(driver.wait(accept).result == -ECANCELED);
  const auto first = world.connect(listener.at);
  const auto second = world.connect(listener.at);
  driver.own(world.kernel().accept_now(listener.fd));
  driver.own(world.kernel().accept_now(listener.fd));
  CHECK(world.kernel().accept_now(listener.fd) == -EAGAIN);
}

TEMPLATE_TEST_CASE("an accept can be armed again after a cancel", "[accept]", LinuxWorld,
                   SimWorld) {
  TestType world;
  Driver driver(world);
  const OwnListener listener = world.listen(Family::v4);
  driver.own(listener.fd);
  io::Op& cancelled = driver.accept(listener.fd);
  driver.cancel(listener.fd);
  REQUIRE(driver.wait(cancelled).result == -ECANCELED);
  io::Op& again = driver.accept(listener.fd);
  const auto remote = world.connect(listener.at);
  CHECK(driver.own(driver.wait(again).result) >= 0);
}

TEMPLATE_TEST_CASE("accept_now gives EAGAIN when nothing is queued", "[accept]", LinuxWorld,
                   SimWorld) {
  TestType world;
  Driver driver(world);
  const OwnListener listener = world.listen(Family::v4);
  driver.own(listener.fd);
  CHECK(world.kernel().accept_now(listener.fd) == -EAGAIN);
}

TEMPLATE_TEST_CASE("peer_of names the client, over IPv4 and IPv6", "[accept]", LinuxWorld,
                   SimWorld) {
  const Family family = GENERATE(Family::v4, Family::v6);
  Connected<TestType> c(family);
  CHECK(c.world.kernel().peer_of(c.fd) == c.remote->local());
}

TEMPLATE_TEST_CASE("the peer of a unix client is a nameless unix endpoint", "[accept]", LinuxWorld,
                   SimWorld) {
  Connected<TestType> c(Family::unix_path);
  const Endpoint peer = c.world.kernel().peer_of(c.fd);
  CHECK(peer.is_unix());
  CHECK(peer.path().empty());
}

TEMPLATE_TEST_CASE("bytes go both ways over every family", "[accept]", LinuxWorld, SimWorld) {
  const Family family = GENERATE(Family::v4, Family::v6, Family::unix_path);
  Connected<TestType> c(family);
  CHECK(c.remote->write("ping") == 4);
  CHECK(c.driver.wait(c.driver.receive(c.fd)).data == "ping");
  CHECK(c.driver.wait(c.driver.send(c.fd, "pong")).result == 4);
  CHECK(c.remote_read(4) == "pong");
}

TEMPLATE_TEST_CASE("a client that reset before it was accepted is accepted all the same",
                   "[accept]", LinuxWorld, SimWorld) {
  TestType world;
  Driver driver(world);
  const OwnListener listener = world.listen(Family::v4);
  driver.own(listener.fd);
  world.connect(listener.at)->reset();
  world.pause();
  const int fd = driver.own(driver.wait(driver.accept(listener.fd)).result);
  CHECK(world.kernel().peer_of(fd).family() == AF_UNSPEC);
  CHECK(driver.wait(driver.receive(fd)).result == -ECONNRESET);
}

}  // namespace penstock::contract

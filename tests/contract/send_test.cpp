// Sending, shutting down and closing, and what the far end sees of it.
#include "fixture.h"

namespace penstock::contract {

TEMPLATE_TEST_CASE("a send completes with its size and the peer gets the bytes", "[send]",
                   LinuxWorld, SimWorld) {
  Connected<TestType> c;
  CHECK(c.driver.wait(c.driver.send(c.fd, "hello")).result == 5);
  CHECK(c.remote_read(5) == "hello");
}

TEMPLATE_TEST_CASE("a send takes what there is room for, then says EAGAIN", "[send]", LinuxWorld,
                   SimWorld) {
  Connected<TestType> c;
  const std::size_t sent = c.fill();
  CHECK(c.driver.wait(c.driver.send(c.fd, "x")).result == -EAGAIN);
  REQUIRE(c.world.kernel().shutdown_write(c.fd) == 0);
  CHECK(c.remote_read_all().size() == sent);  // all that it said it took, and no more
  CHECK(c.remote->saw_fin());
}

TEMPLATE_TEST_CASE("a watch on a socket that is writable says so at once, then is quiet", "[watch]",
                   LinuxWorld, SimWorld) {
  Connected<TestType> c;
  io::Op& watch = c.driver.watch_writable(c.fd);
  const Outcome now = c.driver.wait(watch);
  CHECK(now.result > 0);
  CHECK(now.more);
  CHECK(c.driver.stays_quiet(watch));
}

TEMPLATE_TEST_CASE("a watch reports every time that a full socket has room again", "[watch]",
                   LinuxWorld, SimWorld) {
  const Family family = GENERATE(Family::v4, Family::unix_path);
  Connected<TestType> c(family);
  io::Op& watch = c.driver.watch_writable(c.fd);
  CHECK(c.driver.wait(watch).result > 0);
  for (int round = 0; round < 3; ++round) {
    const std::size_t sent = c.fill();
    while (!c.driver.stays_quiet(watch)) c.driver.wait(watch);  // what filling has stirred up
    CHECK(c.remote_read(sent).size() == sent);
    CHECK(c.driver.wait(watch).result > 0);
    CHECK(c.driver.wait(c.driver.send(c.fd, "x")).result == 1);
    CHECK(c.remote_read(1) == "x");
  }
  CHECK(watch.in_flight);
}

TEMPLATE_TEST_CASE("a watch on a full socket reports the peer's FIN, once, though there is no room",
                   "[watch]", LinuxWorld, SimWorld) {
  Connected<TestType> c;
  const std::size_t sent = c.fill();
  io::Op& watch = c.driver.watch_writable(c.fd);
  REQUIRE(c.driver.stays_quiet(watch));
  c.remote->send_fin();
  CHECK(c.driver.wait(watch).more);
  CHECK(c.driver.wait(c.driver.send(c.fd, "x")).result == -EAGAIN);
  CHECK(c.driver.stays_quiet(watch));
  CHECK(c.remote_read(sent).size() == sent);
  CHECK(c.driver.wait(watch).result > 0);
  CHECK(c.driver.wait(c.driver.send(c.fd, "x")).result == 1);
}

TEMPLATE_TEST_CASE("a watch on a full socket reports the peer's reset", "[watch]", LinuxWorld,
                   SimWorld) {
  Connected<TestType> c;
  c.fill();
  io::Op& watch = c.driver.watch_writable(c.fd);
  REQUIRE(c.driver.stays_quiet(watch));
  c.remote->reset();
  CHECK(c.driver.wait(watch).result > 0);
  CHECK(c.driver.wait(c.driver.send(c.fd, "x")).result == -ECONNRESET);
}

TEMPLATE_TEST_CASE("a reset is told once, to whichever of send and receive comes first", "[send]",
                   LinuxWorld, SimWorld) {
  Connected<TestType> c;
  io::Op& receive = c.driver.receive(c.fd);
  REQUIRE(c.driver.stays_quiet(receive));
  c.remote->reset();
  REQUIRE(c.reset_has_arrived());
  io::Op& send = c.driver.send(c.fd, "x");
  const int received = c.driver.wait(receive).result;
  const int sent = c.driver.wait(send).result;
  const bool by_receive = received == -ECONNRESET && sent == -EPIPE;
  const bool by_send = received == 0 && sent == -ECONNRESET;
  CHECK((by_receive || by_send));
}

TEMPLATE_TEST_CASE("a send after a reset fails once with ECONNRESET, then with EPIPE", "[send]",
                   LinuxWorld, SimWorld) {
  Connected<TestType> c;
  c.remote->reset();
  REQUIRE(c.reset_has_arrived());
  CHECK(c.driver.wait(c.driver.send(c.fd, "x")).result == -ECONNRESET);
  CHECK(c.driver.wait(c.driver.send(c.fd, "x")).result == -EPIPE);
}

TEMPLATE_TEST_CASE("once a send has met the reset, receives drain and end with 0", "[send]",
                   LinuxWorld, SimWorld) {
  Connected<TestType> c;
  c.remote->write("last words");
  c.world.pause();
  c.remote->reset();
  REQUIRE(c.reset_has_arrived());
  CHECK(c.driver.wait(c.driver.send(c.fd, "x")).result == -ECONNRESET);
  CHECK(c.driver.wait(c.driver.receive(c.fd)).data == "last words");
  CHECK(c.driver.wait(c.driver.receive(c.fd)).result == 0);
}

TEMPLATE_TEST_CASE("a send to a peer that has closed is answered with a reset", "[send]",
                   LinuxWorld, SimWorld) {
  Connected<TestType> c;
  c.remote->close();
  c.world.pause();
  CHECK(c.driver.wait(c.driver.send(c.fd, "x")).result == 1);
  REQUIRE(c.reset_has_arrived());
  CHECK(c.driver.wait(c.driver.send(c.fd, "x")).result == -EPIPE);
}

TEMPLATE_TEST_CASE("a send to a unix peer that has closed says EPIPE", "[send]", LinuxWorld,
                   SimWorld) {
  Connected<TestType> c(Family::unix_path);
  c.remote->close();
  CHECK(c.driver.wait(c.driver.send(c.fd, "x")).result == -EPIPE);
  CHECK(c.driver.wait(c.driver.receive(c.fd)).result == 0);
}

TEMPLATE_TEST_CASE("a unix peer that closes with bytes unread resets", "[send]", LinuxWorld,
                   SimWorld) {
  Connected<TestType> c(Family::unix_path);
  c.driver.wait(c.driver.send(c.fd, "unread"));
  c.remote->close();
  CHECK(c.driver.wait(c.driver.receive(c.fd)).result == -ECONNRESET);
  CHECK(c.driver.wait(c.driver.receive(c.fd)).result == 0);
}

TEMPLATE_TEST_CASE("shutdown_write is seen as FIN and data still flows the other way", "[shutdown]",
                   LinuxWorld, SimWorld) {
  const Family family = GENERATE(Family::v4, Family::unix_path);
  Connected<TestType> c(family);
  c.driver.wait(c.driver.send(c.fd, "bye"));
  REQUIRE(c.world.kernel().shutdown_write(c.fd) == 0);
  CHECK(c.remote_read_all() == "bye");
  CHECK(c.remote->saw_fin());
  CHECK(c.remote->write("still here") == 10);
  CHECK(c.driver.wait(c.driver.receive(c.fd)).data == "still here");
}

TEMPLATE_TEST_CASE("a send after shutdown_write says EPIPE", "[shutdown]", LinuxWorld, SimWorld) {
  Connected<TestType> c;
  REQUIRE(c.world.kernel().shutdown_write(c.fd) == 0);
  CHECK(c.driver.wait(c.driver.send(c.fd, "x")).result == -EPIPE);
}

TEMPLATE_TEST_CASE("shutdown_write after the peer's RST says ENOTCONN", "[shutdown]", LinuxWorld,
                   SimWorld) {
  Connected<TestType> c;
  c.remote->reset();
  REQUIRE(c.reset_has_arrived());
  CHECK(c.world.kernel().shutdown_write(c.fd) == -ENOTCONN);
}

TEMPLATE_TEST_CASE("shutdown_write does not disturb a receive that is waiting", "[shutdown]",
                   LinuxWorld, SimWorld) {
  Connected<TestType> c;
  io::Op& receive = c.driver.receive(c.fd);
  REQUIRE(c.driver.stays_quiet(receive));
  REQUIRE(c.world.kernel().shutdown_write(c.fd) == 0);
  CHECK(c.driver.stays_quiet(receive));
}

TEMPLATE_TEST_CASE("a close sends what is queued, then FIN", "[close]", LinuxWorld, SimWorld) {
  Connected<TestType> c;
  CHECK(c.driver.wait(c.driver.send(c.fd, std::string(40000, 'q'))).result == 40000);
  c.driver.close(c.fd);
  CHECK(c.remote_read_all().size() == 40000);
  CHECK(c.remote->saw_fin());
}

TEMPLATE_TEST_CASE("a close with unread data resets the peer", "[close]", LinuxWorld, SimWorld) {
  Connected<TestType> c;
  c.remote->write("never read");
  c.world.pause();
  c.driver.close(c.fd);
  CHECK(c.remote_read_all().empty());
  CHECK(c.remote->error() == ECONNRESET);
}

TEMPLATE_TEST_CASE("close_with_reset delivers what was acknowledged, then ECONNRESET", "[close]",
                   LinuxWorld, SimWorld) {
  Connected<TestType> c;
  CHECK(c.driver.wait(c.driver.send(c.fd, "data")).result == 4);
  REQUIRE(c.driver.eventually([&] { return c.world.kernel().unacknowledged(c.fd) == 0; }));
  c.driver.close_with_reset(c.fd);
  CHECK(c.remote_read_all() == "data");
  CHECK(c.remote->error() == ECONNRESET);
}

TEMPLATE_TEST_CASE("close_with_reset throws away what the peer had no room for", "[close]",
                   LinuxWorld, SimWorld) {
  Connected<TestType> c;
  const std::size_t sent = c.fill();
  c.driver.close_with_reset(c.fd);
  CHECK(c.remote_read_all().size() < sent);
  CHECK(c.remote->error() == ECONNRESET);
}

TEMPLATE_TEST_CASE("unacknowledged counts what the peer has no room for, and reaches 0",
                   "[shutdown]", LinuxWorld, SimWorld) {
  Connected<TestType> c;
  const std::size_t sent = c.fill();
  CHECK(c.world.kernel().unacknowledged(c.fd) > 0);
  CHECK(c.remote_read(sent).size() == sent);
  CHECK(c.driver.eventually([&] { return c.world.kernel().unacknowledged(c.fd) == 0; }));
}

TEMPLATE_TEST_CASE("unacknowledged is 0 on a socket that was reset", "[shutdown]", LinuxWorld,
                   SimWorld) {
  Connected<TestType> c;
  c.fill();
  REQUIRE(c.world.kernel().unacknowledged(c.fd) > 0);
  c.remote->reset();
  REQUIRE(c.reset_has_arrived());
  CHECK(c.world.kernel().unacknowledged(c.fd) == 0);
}

TEMPLATE_TEST_CASE("a connection that ended both ways has no peer any more", "[shutdown]",
                   LinuxWorld, SimWorld) {
  Connected<TestType> c;
  c.remote->send_fin();
  c.world.pause();
  CHECK(c.driver.wait(c.driver.receive(c.fd)).result == 0);
  CHECK(c.world.kernel().peer_of(c.fd) == c.remote->local());
  REQUIRE(c.world.kernel().shutdown_write(c.fd) == 0);
  CHECK(c.driver.eventually([&] { return c.world.kernel().peer_of(c.fd).family() == AF_UNSPEC; }));
}

}  // namespace penstock::contract

// Sending, shutting down and closing, and what the far end sees of it.
#include "fixture.h"

namespace penstock::contract {

TEMPLATE_TEST_CASE("a send completes with its size and the peer gets the bytes", "[send]",
                   LinuxWorld, SimWorld) {
  Connected<TestType> c;
  CHECK(c.driver.wait(c.driver.send(c.fd, "hello")).result == 5);
  CHECK(c.remote_read(5) == "hello");
}

TEMPLATE_TEST_CASE("a send waits while nobody reads and completes in whole when somebody does",
                   "[send]", LinuxWorld, SimWorld) {
  Connected<TestType> c;
  std::size_t sent = 0;
  io::Op& send = c.fill(sent);
  REQUIRE(c.remote_read(sent).size() == sent);
  // The rest comes out as the far end goes on reading.
  const std::string rest = c.remote_read(65536);
  CHECK(rest.size() == 65536);
  CHECK(c.driver.wait(send).result == 65536);
}

TEMPLATE_TEST_CASE("a cancelled send tells how much it has moved, if it has", "[send]", LinuxWorld,
                   SimWorld) {
  Connected<TestType> c;
  std::size_t sent = 0;
  io::Op& send = c.fill(sent);
  c.driver.cancel(c.fd);
  const int result = c.driver.wait(send).result;
  if (result > 0) {
    sent += static_cast<std::size_t>(result);
  } else {
    CHECK(result == -ECANCELED);
  }
  REQUIRE(c.world.kernel().shutdown_write(c.fd) == 0);
  CHECK(c.remote_read_all().size() == sent);
  CHECK(c.remote->saw_fin());
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

TEMPLATE_TEST_CASE("a send that is waiting ends at the peer's RST, with less than its size",
                   "[send]", LinuxWorld, SimWorld) {
  Connected<TestType> c;
  std::size_t sent = 0;
  io::Op& send = c.fill(sent);
  c.remote->reset();
  const int result = c.driver.wait(send).result;
  CHECK(result < 65536);
  CHECK((result > 0 || result == -ECONNRESET));
}

TEMPLATE_TEST_CASE("a partial send swallows the reset: the receive then says 0, like a FIN",
                   "[send]", LinuxWorld, SimWorld) {
  Connected<TestType> c;
  std::size_t sent = 0;
  io::Op& send = c.fill(sent);
  c.remote->reset();
  const int result = c.driver.wait(send).result;
  // Only a send that had moved something hides the error; whether this one has is chance.
  const int told = result > 0 ? 0 : result;
  CHECK((told == 0 || told == -ECONNRESET));
  CHECK(c.driver.wait(c.driver.receive(c.fd)).result == 0);
  // What tells the two apart: a socket that was reset has no peer and cannot be shut down.
  CHECK(c.world.kernel().peer_of(c.fd).family() == AF_UNSPEC);
  CHECK(c.world.kernel().shutdown_write(c.fd) == -ENOTCONN);
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

TEMPLATE_TEST_CASE("shutdown_write is seen as FIN and data still flows the other way",
                   "[shutdown]", LinuxWorld, SimWorld) {
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
  std::size_t sent = 0;
  io::Op& send = c.fill(sent);
  c.driver.cancel(c.fd);
  c.driver.wait(send);
  c.driver.close_with_reset(c.fd);
  CHECK(c.remote_read_all().size() < sent);
  CHECK(c.remote->error() == ECONNRESET);
}

TEMPLATE_TEST_CASE("unacknowledged counts what the peer has no room for, and reaches 0",
                   "[shutdown]", LinuxWorld, SimWorld) {
  Connected<TestType> c;
  std::size_t sent = 0;
  io::Op& send = c.fill(sent);
  CHECK(c.world.kernel().unacknowledged(c.fd) > 0);
  CHECK(c.remote_read(sent + 65536).size() == sent + 65536);
  CHECK(c.driver.wait(send).result == 65536);
  CHECK(c.driver.eventually([&] { return c.world.kernel().unacknowledged(c.fd) == 0; }));
}

TEMPLATE_TEST_CASE("unacknowledged is 0 on a socket that was reset", "[shutdown]", LinuxWorld,
                   SimWorld) {
  Connected<TestType> c;
  std::size_t sent = 0;
  io::Op& send = c.fill(sent);
  REQUIRE(c.world.kernel().unacknowledged(c.fd) > 0);
  c.remote->reset();
  c.driver.wait(send);
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

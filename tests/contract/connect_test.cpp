// Connecting to servers, over IP through the ring and to unix sockets directly.
#include "fixture.h"

namespace penstock::contract {
namespace {

std::unique_ptr<Remote> accepted(Driver& driver, Server& server) {
  std::unique_ptr<Remote> remote;
  const bool came = driver.eventually([&] {
    remote = server.accept();
    return remote != nullptr;
  });
  REQUIRE(came);
  return remote;
}

}  // namespace

TEMPLATE_TEST_CASE("a connect to a server completes with 0 and bytes go both ways", "[connect]",
                   LinuxWorld, SimWorld) {
  const Family family = GENERATE(Family::v4, Family::v6);
  TestType world;
  Driver driver(world);
  const auto server = world.serve(family, 16);
  CHECK(driver.wait(driver.connect(server->at())).result == 0);
  const int fd = driver.opened();
  CHECK(world.kernel().peer_of(fd) == server->at());
  const auto remote = accepted(driver, *server);
  CHECK(driver.wait(driver.send(fd, "ask")).result == 3);
  CHECK(driver.eventually([&] { return remote->read(3) == "ask"; }));
  remote->write("answer");
  CHECK(driver.wait(driver.receive(fd)).data == "answer");
}

TEMPLATE_TEST_CASE("a connect to a port where nobody listens says ECONNREFUSED", "[connect]",
                   LinuxWorld, SimWorld) {
  TestType world;
  Driver driver(world);
  CHECK(driver.wait(driver.connect(world.refusing())).result == -ECONNREFUSED);
}

TEMPLATE_TEST_CASE("a connect to a server with a full queue waits and can be cancelled",
                   "[connect]", LinuxWorld, SimWorld) {
  TestType world;
  Driver driver(world);
  const auto server = world.serve(Family::v4, 1);
  bool waited = false;
  for (int i = 0; i < 4 && !waited; ++i) {  // Linux lets one or two more in than it was told
    io::Op& connect = driver.connect(server->at());
    if (!driver.stays_quiet(connect)) continue;
    waited = true;
    CHECK(driver.wait(driver.cancel(driver.opened())).result == 1);
    CHECK(driver.wait(connect).result == -ECANCELED);
  }
  CHECK(waited);
}

TEMPLATE_TEST_CASE("a server that resets at once is seen at the first receive", "[connect]",
                   LinuxWorld, SimWorld) {
  TestType world;
  Driver driver(world);
  const auto server = world.serve(Family::v4, 16);
  REQUIRE(driver.wait(driver.connect(server->at())).result == 0);
  accepted(driver, *server)->reset();
  CHECK(driver.wait(driver.receive(driver.opened())).result == -ECONNRESET);
}

TEMPLATE_TEST_CASE("connect_now connects a unix socket at once, and its receives wait", "[connect]",
                   LinuxWorld, SimWorld) {
  TestType world;
  Driver driver(world);
  const auto server = world.serve(Family::unix_path, 16);
  const int fd = driver.own(world.kernel().open_socket(server->at(), {}));
  REQUIRE(world.kernel().connect_now(fd, server->at()) == 0);
  const auto remote = accepted(driver, *server);
  const bool expect_data = GENERATE(false, true);
  io::Op& receive = driver.receive(fd, expect_data);
  CHECK(driver.stays_quiet(receive));  // although the socket is non-blocking
  remote->write("data");
  CHECK(driver.wait(receive).data == "data");
}

TEMPLATE_TEST_CASE("unacknowledged on a unix socket is what the peer has not read", "[connect]",
                   LinuxWorld, SimWorld) {
  TestType world;
  Driver driver(world);
  const auto server = world.serve(Family::unix_path, 16);
  const int fd = driver.own(world.kernel().open_socket(server->at(), {}));
  REQUIRE(world.kernel().connect_now(fd, server->at()) == 0);
  const auto remote = accepted(driver, *server);
  const std::size_t sent = driver.fill(fd);
  CHECK(world.kernel().unacknowledged(fd) > 0);
  std::size_t got = 0;
  CHECK(driver.eventually([&] {
    got += remote->read(65536).size();
    return got == sent;
  }));
  CHECK(world.kernel().unacknowledged(fd) == 0);
}

TEMPLATE_TEST_CASE("connect_now to a unix socket with a full backlog says EAGAIN", "[connect]",
                   LinuxWorld, SimWorld) {
  TestType world;
  Driver driver(world);
  const auto server = world.serve(Family::unix_path, 1);
  int result = 0;
  for (int i = 0; i < 8 && result == 0; ++i) {
    const int fd = driver.own(world.kernel().open_socket(server->at(), {}));
    result = world.kernel().connect_now(fd, server->at());
  }
  CHECK(result == -EAGAIN);
}

TEMPLATE_TEST_CASE("connect_now to a unix socket that nobody serves says ECONNREFUSED", "[connect]",
                   LinuxWorld, SimWorld) {
  TestType world;
  Driver driver(world);
  const Endpoint at = world.serve(Family::unix_path, 1)->at();  // served, and not any more
  const int fd = driver.own(world.kernel().open_socket(at, {}));
  CHECK(world.kernel().connect_now(fd, at) == -ECONNREFUSED);
}

}  // namespace penstock::contract

// Receiving, ends of streams included.
#include "fixture.h"

namespace penstock::contract {
namespace {

/// One buffer is posted and there is no other.
constexpr io::BufferPool::Options one_buffer{
    .small_count = 0, .large_count = 0, .small_posted = 1, .large_posted = 1};

}  // namespace

TEMPLATE_TEST_CASE("a receive waits until data comes", "[receive]", LinuxWorld, SimWorld) {
  const bool expect_data = GENERATE(false, true);
  Connected<TestType> c;
  io::Op& receive = c.driver.receive(c.fd, expect_data);
  CHECK(c.driver.stays_quiet(receive));
  c.remote->write("late");
  CHECK(c.driver.wait(receive).data == "late");
}

TEMPLATE_TEST_CASE("a receive into memory of the caller's fills it", "[receive]", LinuxWorld,
                   SimWorld) {
  Connected<TestType> c;
  std::string memory(8, '.');
  io::Op& receive = c.driver.receive_into(c.fd, std::as_writable_bytes(std::span(memory)));
  c.remote->write("abc");
  CHECK(c.driver.wait(receive).result == 3);
  CHECK(memory == "abc.....");
}

TEMPLATE_TEST_CASE("a receive that may not wait takes what is there, or says EAGAIN", "[receive]",
                   LinuxWorld, SimWorld) {
  Connected<TestType> c;
  std::string memory(8, '.');
  const auto bytes = std::as_writable_bytes(std::span(memory));
  CHECK(c.driver.wait(c.driver.receive_now(c.fd, bytes)).result == -EAGAIN);
  c.remote->write("abc");
  c.world.pause();
  CHECK(c.driver.wait(c.driver.receive_now(c.fd, bytes)).result == 3);
  CHECK(memory == "abc.....");
  c.remote->send_fin();
  c.world.pause();
  CHECK(c.driver.wait(c.driver.receive_now(c.fd, bytes)).result == 0);
}

TEMPLATE_TEST_CASE("a receive fills at most receive_size and says that there is more", "[receive]",
                   LinuxWorld, SimWorld) {
  Connected<TestType> c;
  const std::size_t size = io::BufferPool::receive_size(io::BufferClass::small);
  REQUIRE(c.remote->write(std::string(size + 10, 'y')) == size + 10);
  c.world.pause();
  const Outcome first = c.driver.wait(c.driver.receive(c.fd));
  CHECK(first.data == std::string(size, 'y'));
  CHECK(first.nonempty);
  const Outcome rest = c.driver.wait(c.driver.receive(c.fd));
  CHECK(rest.data == std::string(10, 'y'));
  CHECK_FALSE(rest.nonempty);
}

TEMPLATE_TEST_CASE("a receive that is waiting completes with 0 at the peer's FIN", "[receive]",
                   LinuxWorld, SimWorld) {
  const Family family = GENERATE(Family::v4, Family::unix_path);
  Connected<TestType> c(family);
  io::Op& receive = c.driver.receive(c.fd);
  REQUIRE(c.driver.stays_quiet(receive));
  c.remote->send_fin();
  const Outcome end = c.driver.wait(receive);
  CHECK(end.result == 0);
  CHECK_FALSE(end.buffer);
}

TEMPLATE_TEST_CASE("a receive after the peer's FIN completes with 0, again and again", "[receive]",
                   LinuxWorld, SimWorld) {
  const Family family = GENERATE(Family::v4, Family::unix_path);
  Connected<TestType> c(family);
  c.remote->send_fin();
  c.world.pause();
  CHECK(c.driver.wait(c.driver.receive(c.fd)).result == 0);
  CHECK(c.driver.wait(c.driver.receive(c.fd, true)).result == 0);
}

TEMPLATE_TEST_CASE("data before a FIN is received before the 0", "[receive]", LinuxWorld,
                   SimWorld) {
  Connected<TestType> c;
  c.remote->write("last words");
  c.remote->send_fin();
  c.world.pause();
  const Outcome data = c.driver.wait(c.driver.receive(c.fd));
  CHECK(data.data == "last words");
  CHECK(data.nonempty);  // a FIN counts as something to read
  CHECK(c.driver.wait(c.driver.receive(c.fd)).result == 0);
}

TEMPLATE_TEST_CASE("data before a RST is received, then ECONNRESET once, then 0", "[receive]",
                   LinuxWorld, SimWorld) {
  Connected<TestType> c;
  c.remote->write("last words");
  c.world.pause();
  c.remote->reset();
  REQUIRE(c.reset_has_arrived());
  CHECK(c.driver.wait(c.driver.receive(c.fd)).data == "last words");
  CHECK(c.driver.wait(c.driver.receive(c.fd)).result == -ECONNRESET);
  CHECK(c.driver.wait(c.driver.receive(c.fd)).result == 0);
}

TEMPLATE_TEST_CASE("a receive that is waiting completes with ECONNRESET at the peer's RST",
                   "[receive]", LinuxWorld, SimWorld) {
  Connected<TestType> c;
  io::Op& receive = c.driver.receive(c.fd);
  REQUIRE(c.driver.stays_quiet(receive));
  c.remote->reset();
  CHECK(c.driver.wait(receive).result == -ECONNRESET);
}

TEMPLATE_TEST_CASE("a RST after a FIN is not told to a receive, but to a send", "[receive]",
                   LinuxWorld, SimWorld) {
  Connected<TestType> c;
  c.remote->send_fin();
  c.world.pause();
  c.remote->reset();
  REQUIRE(c.reset_has_arrived());
  CHECK(c.driver.wait(c.driver.receive(c.fd)).result == 0);
  CHECK(c.driver.wait(c.driver.send(c.fd, "x")).result == -EPIPE);
}

TEMPLATE_TEST_CASE("a cancelled receive completes with ECANCELED and loses nothing", "[receive]",
                   LinuxWorld, SimWorld) {
  Connected<TestType> c;
  io::Op& receive = c.driver.receive(c.fd);
  REQUIRE(c.driver.stays_quiet(receive));
  CHECK(c.driver.wait(c.driver.cancel(c.fd)).result == 1);
  CHECK(c.driver.wait(receive).result == -ECANCELED);
  c.remote->write("later");
  CHECK(c.driver.wait(c.driver.receive(c.fd)).data == "later");
}

TEMPLATE_TEST_CASE("a cancel of one op ends that one, and a second finds nothing", "[receive]",
                   LinuxWorld, SimWorld) {
  Connected<TestType> c;
  c.fill();
  io::Op& watch = c.driver.watch_writable(c.fd);
  io::Op& receive = c.driver.receive(c.fd);
  REQUIRE(c.driver.stays_quiet(receive));
  CHECK(c.driver.wait(c.driver.cancel(receive)).result == 0);
  CHECK(c.driver.wait(receive).result == -ECANCELED);
  CHECK(c.driver.wait(c.driver.cancel(receive)).result == -ENOENT);
  CHECK(c.driver.wait(c.driver.cancel(watch)).result == 0);
  const Outcome last = c.driver.wait(watch);
  CHECK(last.result == -ECANCELED);
  CHECK_FALSE(last.more);
}

TEMPLATE_TEST_CASE("a cancel by descriptor that finds nothing completes with 0", "[receive]",
                   LinuxWorld, SimWorld) {
  Connected<TestType> c;
  CHECK(c.driver.wait(c.driver.cancel(c.fd)).result == 0);
}

TEMPLATE_TEST_CASE("a cancel by descriptor ends its receive and its watch, nobody else's",
                   "[receive]", LinuxWorld, SimWorld) {
  Connected<TestType> c;
  const auto other_remote = c.world.connect(c.listener.at);
  const int other_fd = c.driver.own(c.world.kernel().accept_now(c.listener.fd));
  io::Op& other_receive = c.driver.receive(other_fd);
  c.fill();
  io::Op& watch = c.driver.watch_writable(c.fd);
  io::Op& receive = c.driver.receive(c.fd);
  REQUIRE(c.driver.stays_quiet(receive));
  CHECK(c.driver.wait(c.driver.cancel(c.fd)).result == 2);
  CHECK(c.driver.wait(receive).result == -ECANCELED);
  const Outcome last = c.driver.wait(watch);
  CHECK(last.result == -ECANCELED);
  CHECK_FALSE(last.more);
  CHECK(c.driver.stays_quiet(other_receive));
}

TEMPLATE_TEST_CASE("a receive with no buffer posted says ENOBUFS; after a refill it works",
                   "[receive]", LinuxWorld, SimWorld) {
  Connected<TestType> c(Family::v4, one_buffer);
  c.remote->write("one");
  Outcome first = c.driver.wait(c.driver.receive(c.fd));
  REQUIRE(first.data == "one");
  c.remote->write("two");
  CHECK(c.driver.wait(c.driver.receive(c.fd)).result == -ENOBUFS);
  first.buffer.reset();
  CHECK(c.driver.wait(c.driver.receive(c.fd)).data == "two");
}

TEMPLATE_TEST_CASE("a receive that waits finds a buffer that was posted meanwhile", "[receive]",
                   LinuxWorld, SimWorld) {
  Connected<TestType> c(Family::v4, one_buffer);
  c.remote->write("one");
  Outcome first = c.driver.wait(c.driver.receive(c.fd));
  io::Op& receive = c.driver.receive(c.fd);
  REQUIRE(c.driver.stays_quiet(receive));
  first.buffer.reset();
  c.remote->write("two");
  CHECK(c.driver.wait(receive).data == "two");
}

TEMPLATE_TEST_CASE("a receive that expects data says ENOBUFS at once when no buffer is posted",
                   "[receive]", LinuxWorld, SimWorld) {
  Connected<TestType> c(Family::v4, one_buffer);
  c.remote->write("one");
  Outcome first = c.driver.wait(c.driver.receive(c.fd));
  const bool expect_data = true;  // the socket is not polled first
  CHECK(c.driver.wait(c.driver.receive(c.fd, expect_data)).result == -ENOBUFS);
}

TEMPLATE_TEST_CASE("ENOBUFS hides a FIN and a RST until a buffer is posted", "[receive]",
                   LinuxWorld, SimWorld) {
  const bool fin = GENERATE(true, false);
  Connected<TestType> c(Family::v4, one_buffer);
  c.remote->write("one");
  Outcome first = c.driver.wait(c.driver.receive(c.fd));
  if (fin) {
    c.remote->send_fin();
    c.world.pause();
  } else {
    c.remote->reset();
    REQUIRE(c.reset_has_arrived());
  }
  CHECK(c.driver.wait(c.driver.receive(c.fd)).result == -ENOBUFS);
  first.buffer.reset();
  CHECK(c.driver.wait(c.driver.receive(c.fd)).result == (fin ? 0 : -ECONNRESET));
}

}  // namespace penstock::contract

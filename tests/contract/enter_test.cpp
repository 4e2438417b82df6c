// Waiting: deadlines, and being woken from elsewhere.
#include "fixture.h"

namespace penstock::contract {

TEMPLATE_TEST_CASE("enter returns at the deadline, not before", "[enter]", LinuxWorld, SimWorld) {
  TestType world;
  Driver driver(world);
  const Instant start = world.kernel().now();
  // An interrupted wait may return early, so it is the time reached that is checked.
  while (world.kernel().now() < start + 10ms) driver.turn(start + 10ms - world.kernel().now());
  CHECK(world.kernel().now() - start >= 10ms);
  CHECK(world.kernel().now() - start < 2s);
}

TEMPLATE_TEST_CASE("enter with a deadline that has passed returns what is there", "[enter]",
                   LinuxWorld, SimWorld) {
  Connected<TestType> c;
  c.remote->write("there");
  c.world.pause();
  io::Op& receive = c.driver.receive(c.fd);
  c.driver.turn(-1ms);
  c.driver.turn(-1ms);
  CHECK_FALSE(receive.in_flight);
  CHECK(c.driver.wait(receive).data == "there");
}

TEMPLATE_TEST_CASE("a notify from elsewhere wakes a ring that waits", "[enter]", LinuxWorld,
                   SimWorld) {
  TestType world;
  Driver driver(world);
  const auto event = world.kernel().open_event();
  REQUIRE(event.has_value());
  driver.own(*event);
  io::Op& wake = driver.wait_event(*event);
  const Instant start = world.kernel().now();
  world.notify_later(*event);
  while (wake.in_flight && world.kernel().now() - start < 3s) driver.turn(5s);
  CHECK(driver.wait(wake).result == 8);
  CHECK(world.kernel().now() - start < 3s);
  world.join_notifier();
}

TEMPLATE_TEST_CASE("a notify before anyone waits is not lost, and many wake once", "[enter]",
                   LinuxWorld, SimWorld) {
  TestType world;
  Driver driver(world);
  const auto event = world.kernel().open_event();
  REQUIRE(event.has_value());
  driver.own(*event);
  world.kernel().notify(*event);
  world.kernel().notify(*event);
  CHECK(driver.wait(driver.wait_event(*event)).result == 8);
  CHECK(driver.stays_quiet(driver.wait_event(*event)));
}

TEMPLATE_TEST_CASE("a cancelled wait for an event completes with ECANCELED", "[enter]", LinuxWorld,
                   SimWorld) {
  TestType world;
  Driver driver(world);
  const auto event = world.kernel().open_event();
  REQUIRE(event.has_value());
  driver.own(*event);
  io::Op& wake = driver.wait_event(*event);
  REQUIRE(driver.stays_quiet(wake));
  CHECK(driver.wait(driver.cancel(*event)).result == 1);
  CHECK(driver.wait(wake).result == -ECANCELED);
}

}  // namespace penstock::contract

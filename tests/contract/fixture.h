// What the statements share: a world, a driver, and a connection that came in through a listener.
#pragma once

#include <catch2/catch_template_test_macros.hpp>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <cerrno>
#include <memory>
#include <string>

#include "driver.h"
#include "linux_world.h"
#include "sim_world.h"

namespace penstock::contract {

/// A connection between the code under test (fd) and a far end.
template <class W>
struct Connected {
  explicit Connected(Family family = Family::v4,
                     const io::BufferPool::Options& buffers = {.small_count = 64,
                                                               .large_count = 4,
                                                               .small_posted = 16,
                                                               .large_posted = 4})
      : driver(world, buffers),
        listener(world.listen(family)),
        remote(world.connect(listener.at)),
        fd(driver.own(world.kernel().accept_now(listener.fd))) {
    driver.own(listener.fd);
  }

  /// Reads at the far end until `size` bytes are there or the stream has ended.
  std::string remote_read(std::size_t size) {
    std::string all;
    const bool done = driver.eventually([&] {
      all += remote->read(size - all.size());
      return all.size() >= size || remote->ended();
    });
    REQUIRE(done);
    return all;
  }
  /// Reads at the far end until the stream has ended.
  std::string remote_read_all() { return remote_read(std::size_t{1} << 24); }
  /// The far end has been reset and the code under test's kernel knows it.
  bool reset_has_arrived() {
    return driver.eventually([&] { return world.kernel().peer_of(fd).family() == AF_UNSPEC; });
  }
  /// Sends until every buffer on the way is full; the bytes that were taken.
  std::size_t fill() { return driver.fill(fd); }

  W world;
  Driver driver;
  OwnListener listener;
  std::unique_ptr<Remote> remote;
  int fd;
};

}  // namespace penstock::contract

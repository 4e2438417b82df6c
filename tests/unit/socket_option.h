// What a socket says of itself, for tests.
#pragma once

#include <sys/socket.h>

#include <catch2/catch_test_macros.hpp>

namespace penstock {

/// The value of an option that is an int; fails the test case if there is none.
inline int socket_option(int fd, int level, int name) {
  int value = -1;
  socklen_t length = sizeof value;
  REQUIRE(::getsockopt(fd, level, name, &value, &length) == 0);
  return value;
}

}  // namespace penstock

// Targets and sources as they are written on the command line.
#include <catch2/catch_test_macros.hpp>

#include "../../src/load/target.h"

namespace penstock::load {
namespace {

TEST_CASE("a target is an address, a name, a URL or a unix path", "[load]") {
  CHECK(parse_target("10.0.0.1:80")->endpoint.to_string() == "10.0.0.1:80");
  CHECK(parse_target("[::1]:80")->host == "::1");
  CHECK(parse_target("localhost:80")->endpoint.port() == 80);
  CHECK(parse_target("localhost:80")->host == "localhost");
  CHECK(parse_target("unix:/run/app.sock")->endpoint.is_unix());
  const auto url = parse_target("http://127.0.0.1:8080/a/b?c");
  CHECK(url->endpoint.port() == 8080);
  CHECK(url->path == "/a/b?c");
  CHECK_FALSE(url->secure);
  CHECK(parse_target("https://127.0.0.1/")->endpoint.port() == 443);
  CHECK(parse_target("https://[::1]/")->endpoint.to_string() == "[::1]:443");
  CHECK(parse_target("tls://127.0.0.1:8443")->secure);
  for (const char* wrong : {"", "nowhere", "10.0.0.1", "name.invalid:80", "10.0.0.1:port",
                            "10.0.0.1:99999", "localhost:65616", "localhost:-1"}) {
    INFO(wrong);
    CHECK_FALSE(parse_target(wrong).has_value());
  }
}

TEST_CASE("sources are addresses and networks, without a network's own and broadcast", "[load]") {
  CHECK(parse_sources("127.0.0.1,127.0.0.2")->size() == 2);
  const auto network = parse_sources("127.0.0.0/29");
  REQUIRE(network->size() == 6);
  CHECK(network->front().host() == "127.0.0.1");
  CHECK(network->back().host() == "127.0.0.6");
  CHECK(network->front().port() == 0);
  CHECK(parse_sources("127.0.1.7/32")->size() == 1);
  CHECK(parse_sources("127.0.0.0/30,::1")->size() == 3);
  for (const char* wrong : {"", "name", "127.0.0.0/8", "127.0.0.0/33", "127.0.0.0/x", "::/64",
                            "127.0.0.1,,127.0.0.2", "127.0.0.0/16,127.1.0.0/16"}) {
    INFO(wrong);
    CHECK_FALSE(parse_sources(wrong).has_value());
  }
}

}  // namespace
}  // namespace penstock::load

// The texts of an HTTP check: what is asked, and what counts as an answer, byte by byte.
#include <catch2/catch_test_macros.hpp>
#include <string>
#include <string_view>

#include "penstock/health/http_check.h"

namespace penstock::health {
namespace {

using State = StatusLine::State;
using namespace std::string_view_literals;

TEST_CASE("the request names the backend as its host", "[health]") {
  config::Health health;
  health.path = "/healthz?deep=1";
  CHECK(http_request(health, Endpoint::parse("10.0.0.12:9000").value()) ==
        "GET /healthz?deep=1 HTTP/1.1\r\nHost: 10.0.0.12:9000\r\nUser-Agent: penstock-health\r\n"
        "Connection: close\r\n\r\n");
  CHECK(http_request(health, Endpoint::parse("[2001:db8::1]:80").value())
            .find("\r\nHost: [2001:db8::1]:80\r\n") != std::string::npos);
  CHECK(http_request(health, Endpoint::parse("unix:/run/app.sock").value())
            .find("\r\nHost: localhost\r\n") != std::string::npos);
}

TEST_CASE("a configured host is the one that is asked for", "[health]") {
  config::Health health;
  health.host = "app.example.com";
  CHECK(http_request(health, Endpoint::parse("10.0.0.12:9000").value())
            .find("\r\nHost: app.example.com\r\n") != std::string::npos);
}

TEST_CASE("a status is expected when one of the ranges has it, ends included", "[health]") {
  config::Health health;
  health.expect = {{200, 204}, {401, 401}};
  for (const int status : {200, 204, 401}) CHECK(expected(health, status));
  for (const int status : {199, 205, 400, 402, 503}) CHECK_FALSE(expected(health, status));
}

TEST_CASE("a whole status line gives its status", "[health]") {
  for (const std::string_view answer :
       {"HTTP/1.1 200 OK\r\n"sv, "HTTP/1.0 200 OK\r\nServer: x\r\n\r\nbody"sv, "HTTP/1.1 200\r\n"sv,
        "HTTP/1.1 200 \r\n"sv, "HTTP/1.1 200 OK\n"sv}) {
    CAPTURE(answer);
    CHECK(parse_status_line(answer).state == State::complete);
    CHECK(parse_status_line(answer).status == 200);
  }
  CHECK(parse_status_line("HTTP/1.1 503 Service Unavailable\r\n").status == 503);
}

TEST_CASE("every beginning of a status line is incomplete until its end", "[health]") {
  constexpr std::string_view line = "HTTP/1.1 204 No Content\r\n";
  for (std::size_t length = 0; length < line.size(); ++length) {
    CAPTURE(length);
    CHECK(parse_status_line(line.substr(0, length)).state == State::incomplete);
  }
  CHECK(parse_status_line(line).status == 204);
}

TEST_CASE("what cannot become a status line is malformed at its first wrong byte", "[health]") {
  for (const std::string_view answer :
       {"S"sv, "http/1.1 200 OK\r\n"sv, "HTTP/2 200\r\n"sv, "HTTP/1.x"sv, "HTTP/1.1  200"sv,
        "HTTP/1.1 2O0"sv, "HTTP/1.1 2000"sv, "HTTP/1.1 200;"sv, "HTTP/1.1 20 \r\n"sv, "\r\n"sv,
        "HTTP/1.1 200\0"sv, "SSH-2.0-OpenSSH_9.2\r\n"sv, "\x15\x03\x01\x00\x02\x02\x16"sv,
        "HTTP/1.1 099 Low\r\n"sv}) {
    CAPTURE(answer);
    CHECK(parse_status_line(answer).state == State::malformed);
  }
}

TEST_CASE("a status line that does not end is malformed at the limit, not before", "[health]") {
  std::string answer = "HTTP/1.1 200 ";
  answer.append(answer_limit - 1 - answer.size(), 'x');
  CHECK(parse_status_line(answer).state == State::incomplete);
  answer += 'x';
  REQUIRE(answer.size() == answer_limit);
  CHECK(parse_status_line(answer).state == State::malformed);
  CHECK(parse_status_line(answer + "\r\n").state == State::malformed);  // too late
}

TEST_CASE("interim answers are skipped until the final one", "[health]") {
  const std::string interim = "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n";
  CHECK(parse_status_line(interim).state == State::incomplete);
  CHECK(parse_status_line(interim + "HTTP/1.1 2").state == State::incomplete);
  CHECK(parse_status_line(interim + "HTTP/1.1 200 OK\r\n").status == 200);
  CHECK(parse_status_line("HTTP/1.1 100 Continue\n\n" + interim + "HTTP/1.1 500 X\r\n").status ==
        500);
  CHECK(parse_status_line(interim + "junk").state == State::malformed);
  CHECK(parse_status_line("HTTP/1.1 101 Switching Protocols\r\n").status == 101);
  std::string endless = "HTTP/1.1 100 Continue\r\n";
  endless.append(answer_limit, 'x');
  CHECK(parse_status_line(endless).state == State::malformed);
}

}  // namespace
}  // namespace penstock::health

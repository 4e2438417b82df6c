// Answers of HTTP servers, handed over whole and in pieces of every size.
#include <catch2/catch_test_macros.hpp>
#include <string>
#include <string_view>
#include <utility>

#include "../../src/load/codec_http.h"

namespace penstock::load {
namespace {

std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text));
}

/// Hands `text` over in pieces of `size`; how the answers ended, one letter each: d(one), f(ailed),
/// and at the end m when more is awaited.
std::string read_all(std::string_view text, std::size_t size, CodecState& state) {
  const CodecHttp codec("GET / HTTP/1.1\r\n\r\n");
  std::string outcome;
  for (std::size_t at = 0; at < text.size(); at += size) {
    auto piece = bytes_of(text.substr(at, size));
    while (!piece.empty()) {
      const Answer answer = codec.read(state, piece);
      if (answer.state == Answer::State::more) break;
      outcome += answer.state == Answer::State::done ? 'd' : 'f';
      if (answer.state == Answer::State::failed && answer.error == ErrorClass::bad_response) {
        return outcome;
      }
    }
  }
  return outcome + (state.step != 0 || !state.header.empty() ? "m" : "");
}

void check(std::string_view text, const std::string& expected) {
  for (std::size_t size = 1; size <= text.size(); ++size) {
    CodecState state;
    INFO(text << " in pieces of " << size);
    CHECK(read_all(text, size, state) == expected);
  }
}

TEST_CASE("answers end where their length says, however they are cut into pieces", "[load]") {
  check("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", "d");
  check("HTTP/1.1 200 OK\r\ncontent-LENGTH:  0 \r\n\r\n", "d");
  check("HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n",
        "dd");
  check("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell", "m");
}

TEST_CASE("chunks, their extensions and trailers are framing", "[load]") {
  check(
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
      "5\r\nhello\r\nA;x=y\r\n0123456789\r\n0\r\nX: y\r\n\r\n"
      "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx",
      "dd");
  check("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "f");
  check("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n", "f");
}

TEST_CASE("an interim answer is not the answer", "[load]") {
  check("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", "d");
}

TEST_CASE("without a length the end of the stream is the end of the answer", "[load]") {
  CodecState state;
  const CodecHttp codec("");
  CHECK(read_all("HTTP/1.0 200 OK\r\n\r\nsome", 100, state) == "m");
  CHECK(state.last);
  CHECK(codec.end(state).state == Answer::State::done);
  CodecState cut;
  CHECK(read_all("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell", 100, cut) == "m");
  CHECK(codec.end(cut).state == Answer::State::more);
  CHECK(cut.answer_left == 1);
}

TEST_CASE("an answer says whether the connection stays", "[load]") {
  for (const auto& [head, last] : {std::pair{"HTTP/1.1 200 OK\r\n", false},
                                   {"HTTP/1.1 200 OK\r\nConnection: close\r\n", true},
                                   {"HTTP/1.0 200 OK\r\n", true},
                                   {"HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\n", false}}) {
    CodecState state;
    CHECK(read_all(std::string(head) + "Content-Length: 0\r\n\r\n", 7, state) == "d");
    CHECK(state.last == last);
  }
}

TEST_CASE("a status of 400 or above fails the operation and not the connection", "[load]") {
  check(
      "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 4\r\n\r\nbusyHTTP/1.1 200 OK\r\n"
      "Content-Length: 0\r\n\r\n",
      "fd");
}

TEST_CASE("what is no HTTP answer is told at once", "[load]") {
  check("SSH-2.0-OpenSSH\r\n\r\n", "f");
  check("HTTP/1.1 2x0 OK\r\n\r\n", "f");
  check("HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n", "f");
  check("HTTP/1.1 200 OK\r\nno colon\r\n\r\n", "f");
  CodecState state;
  CHECK(read_all(std::string(100'000, 'x'), 1000, state) == "f");
}

TEST_CASE("a request larger than the room is written in parts", "[load]") {
  const std::string request(1000, 'r');
  const CodecHttp codec(request);
  CodecState state;
  std::string written;
  do {
    std::string room(64, '\0');
    const std::size_t size = codec.write(state, std::as_writable_bytes(std::span(room)));
    written += room.substr(0, size);
  } while (state.request_left > 0);
  CHECK(written == request);
}

}  // namespace
}  // namespace penstock::load

// Requests and answers of patterns, and the preface that announces other sizes.
#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <vector>

#include "../../src/load/codec_rr.h"
#include "../../src/load/preface.h"

namespace penstock::load {
namespace {

TEST_CASE("a preface says the same after it was written and read", "[load]") {
  const Preface preface{.purpose = Purpose::download,
                        .key = {0x0123456789abcdef},
                        .request_size = 7,
                        .answer_size = 70'000,
                        .bytes = std::uint64_t{1} << 40};
  const auto bytes = preface.encode();
  const auto again = Preface::decode(bytes);
  REQUIRE(again.has_value());
  CHECK(again->purpose == Purpose::download);
  CHECK(again->key.value == preface.key.value);
  CHECK(again->request_size == 7);
  CHECK(again->answer_size == 70'000);
  CHECK(again->bytes == preface.bytes);
}

TEST_CASE("what does not begin like a preface, or has no purpose, is none", "[load]") {
  auto bytes = Preface{}.encode();
  for (std::size_t size = 0; size <= bytes.size(); ++size) {
    CHECK(Preface::may_begin(std::span(bytes).first(size)));
  }
  bytes[8] = std::byte{9};
  CHECK_FALSE(Preface::decode(bytes).has_value());
  bytes = Preface{}.encode();
  bytes[3] ^= std::byte{1};
  CHECK_FALSE(Preface::may_begin(bytes));
  CHECK_FALSE(Preface::decode(bytes).has_value());
}

/// Everything that `requests` requests put on the wire, written into rooms of `room` bytes.
std::vector<std::byte> write_all(const Codec& codec, CodecState& state, int requests,
                                 std::size_t room) {
  std::vector<std::byte> wire;
  std::vector<std::byte> to(room);
  for (int i = 0; i < requests; ++i) {
    do {
      const std::size_t size = codec.write(state, to);
      REQUIRE(size > 0);
      wire.insert(wire.end(), to.begin(), to.begin() + static_cast<std::ptrdiff_t>(size));
    } while (state.request_left > 0);
  }
  return wire;
}

/// How many answers are whole when the wire is read in pieces; stops at a failure.
int read_all(const Codec& codec, CodecState& state, std::span<const std::byte> wire,
             std::size_t piece, bool& failed) {
  int answers = 0;
  while (!wire.empty() && !failed) {
    auto part = wire.first(std::min(piece, wire.size()));
    wire = wire.subspan(part.size());
    while (!part.empty() && !failed) {
      const Answer answer = codec.read(state, part);
      answers += answer.state == Answer::State::done ? 1 : 0;
      failed = answer.state == Answer::State::failed && answer.error == ErrorClass::corrupt;
    }
  }
  return answers;
}

TEST_CASE("an echo of requests in any pieces is that many answers, and no other bytes are",
          "[load]") {
  const CodecRr codec({.request_size = 100, .answer_size = 100});
  for (const std::size_t piece : {1U, 7U, 100U, 999U}) {
    CodecState state{.key = 5};
    auto wire = write_all(codec, state, 10, 64);
    REQUIRE(wire.size() == 1000);
    bool failed = false;
    CodecState reader{.key = 5};
    CHECK(read_all(codec, reader, wire, piece, failed) == 10);
    CHECK_FALSE(failed);

    wire[555] ^= std::byte{16};
    CodecState second{.key = 5};
    CHECK(read_all(codec, second, wire, piece, failed) == 5);
    CHECK(failed);
  }
}

TEST_CASE("without verification wrong bytes are only counted as bytes", "[load]") {
  const CodecRr codec({.request_size = 10, .answer_size = 10, .verify = false});
  CodecState state{.key = 1};
  const std::vector<std::byte> zeros(100);
  bool failed = false;
  CHECK(read_all(codec, state, zeros, 33, failed) == 10);
  CHECK_FALSE(failed);
}

TEST_CASE("other sizes are announced once a connection, and answered by another pattern",
          "[load]") {
  const CodecRr codec({.request_size = 10, .answer_size = 1000});
  CodecState state{.key = 77};
  const auto wire = write_all(codec, state, 3, 4096);
  REQUIRE(wire.size() == Preface::size + 30);
  const auto preface = Preface::decode(std::span(wire).first<Preface::size>());
  REQUIRE(preface.has_value());
  CHECK(preface->request_size == 10);
  CHECK(preface->answer_size == 1000);
  CHECK_FALSE(check_pattern(preface->key, 0, std::span(wire).subspan(Preface::size)).has_value());

  std::vector<std::byte> answers(3000);
  fill_pattern(answer_key(preface->key), 0, answers);
  bool failed = false;
  CHECK(read_all(codec, state, answers, 700, failed) == 3);
  CHECK_FALSE(failed);
}

}  // namespace
}  // namespace penstock::load

// The self-checking payload: every kind of damage is found, at the right byte, and named.
#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <set>
#include <vector>

#include "penstock/load/pattern.h"

namespace penstock::load {
namespace {

using Bytes = std::vector<std::byte>;

constexpr StreamKey key{0x1234'5678'9abc'def0};
constexpr std::uint64_t base = 1'000'003;  // in the middle of a word

Bytes stream(StreamKey of, std::uint64_t offset, std::size_t size) {
  Bytes bytes(size);
  fill_pattern(of, offset, bytes);
  return bytes;
}

Bytes joined(std::initializer_list<Bytes> parts) {
  Bytes all;
  for (const Bytes& part : parts) all.insert(all.end(), part.begin(), part.end());
  return all;
}

/// What diagnose() says of a stream that is expected to go on at `base`.
Damage diagnosis(const Bytes& seen) {
  const auto wrong = check_pattern(key, base, seen);
  REQUIRE(wrong.has_value());
  return diagnose(key, base + *wrong, std::span(seen).subspan(*wrong));
}

}  // namespace

TEST_CASE("a pattern's bytes depend on key and offset, not on how they are written", "[load]") {
  const Bytes whole = stream(key, 0, 3000);
  for (std::size_t from = 0; from < 20; ++from) {
    for (const std::size_t size : {0U, 1U, 7U, 8U, 9U, 63U, 127U, 128U, 129U, 400U, 2900U}) {
      const Bytes part = stream(key, from, size);
      REQUIRE(std::equal(part.begin(), part.end(), whole.begin() + static_cast<int>(from)));
      REQUIRE_FALSE(check_pattern(key, from, part).has_value());
    }
  }
}

TEST_CASE("filling writes nothing behind its end", "[load]") {
  Bytes bytes(400, std::byte{0x5a});
  fill_pattern(key, base, std::span(bytes).subspan(8, 300));
  CHECK(std::ranges::count(std::span(bytes).first(8), std::byte{0x5a}) == 8);
  CHECK(std::ranges::count(std::span(bytes).subspan(308), std::byte{0x5a}) == 92);
}

TEST_CASE("the pattern is the documented function", "[load]") {
  // From a second implementation. The two ends of a connection may be of different versions.
  constexpr std::array<unsigned char, 16> expected = {0xf8, 0x13, 0x99, 0x46, 0x1d, 0x16,
                                                      0x92, 0x56, 0x54, 0x16, 0xe4, 0xa7,
                                                      0xa4, 0x6f, 0xa5, 0xc8};
  const Bytes bytes = stream(StreamKey{1}, 0, expected.size());
  CHECK(std::ranges::equal(bytes, std::as_bytes(std::span(expected))));
}

TEST_CASE("no two words are alike within a stream or across streams", "[load]") {
  std::set<std::uint64_t> words;
  std::size_t number = 0;
  for (std::uint64_t stream_key = 0; stream_key < 100; ++stream_key) {
    const Bytes bytes = stream(StreamKey{stream_key}, 0, 8000);
    for (std::size_t at = 0; at < bytes.size(); at += 8, ++number) {
      std::uint64_t word = 0;
      std::copy_n(bytes.data() + at, 8, reinterpret_cast<std::byte*>(&word));
      words.insert(word);
    }
  }
  CHECK(words.size() == number);
}

TEST_CASE("each flipped bit is found where it is", "[load]") {
  const std::uint64_t offset = GENERATE(0U, 5U, base);
  Bytes bytes = stream(key, offset, 300);
  for (std::size_t at = 0; at < bytes.size(); ++at) {
    for (int bit = 0; bit < 8; ++bit) {
      bytes[at] ^= std::byte{1} << bit;
      REQUIRE(check_pattern(key, offset, bytes) == at);
      const Damage found = diagnose(key, offset + at, std::span(bytes).subspan(at));
      REQUIRE(found.bytes == 1);
      REQUIRE(found.kind == (bytes.size() - at >= bytes_to_locate ? Damage::Kind::corrupted
                                                                  : Damage::Kind::unclear));
      bytes[at] ^= std::byte{1} << bit;
    }
  }
  CHECK_FALSE(check_pattern(key, offset, bytes).has_value());
}

TEST_CASE("lost bytes are told by their number", "[load]") {
  const std::size_t lost = GENERATE(1U, 3U, 8U, 64U, 4096U, 1'000'000'007U);
  CAPTURE(lost);
  const Damage found =
      diagnosis(joined({stream(key, base, 100), stream(key, base + 100 + lost, 200)}));
  CHECK(found.kind == Damage::Kind::lost);
  CHECK(found.distance == lost);
  CHECK(found.bytes >= 198);  // the first wrong byte may be a right one by chance
}

TEST_CASE("repeated bytes are told by how far back they are from", "[load]") {
  const std::size_t back = GENERATE(1U, 3U, 8U, 64U, 4096U, 1'000'000U);
  CAPTURE(back);
  const Damage found =
      diagnosis(joined({stream(key, base, 100), stream(key, base + 100 - back, 200)}));
  CHECK(found.kind == Damage::Kind::repeated);
  CHECK(found.distance == back);
  CHECK(found.bytes >= 198);
}

TEST_CASE("two parts that changed places are told from a loss", "[load]") {
  const Damage found =
      diagnosis(joined({stream(key, base, 100), stream(key, base + 150, 70),
                        stream(key, base + 100, 50), stream(key, base + 220, 50)}));
  CHECK(found == Damage{.kind = Damage::Kind::reordered, .distance = 50, .bytes = 70});
}

TEST_CASE("another stream's bytes are corruption, and that stream's key finds them", "[load]") {
  const StreamKey other{key.value + 1};
  const Bytes seen = stream(other, 777, 200);
  const Damage found = diagnosis(seen);
  CHECK(found.kind == Damage::Kind::corrupted);
  CHECK(found.bytes > 190);
  CHECK(locate_pattern(other, seen) == 777U);
  CHECK_FALSE(locate_pattern(key, seen).has_value());
}

TEST_CASE("zeros and noise are corruption", "[load]") {
  CHECK(diagnosis(Bytes(200)).kind == Damage::Kind::corrupted);
  CHECK(diagnosis(Bytes(200, std::byte{0xff})).kind == Damage::Kind::corrupted);
}

TEST_CASE("a place can be told from sixteen bytes, at any alignment, and not from fewer",
          "[load]") {
  for (std::uint64_t offset = 0; offset < 300; ++offset) {
    const Bytes bytes = stream(key, offset, bytes_to_locate);
    REQUIRE(locate_pattern(key, bytes) == offset);
    REQUIRE_FALSE(locate_pattern(key, std::span(bytes).first(15)).has_value());
  }
  constexpr std::uint64_t far = std::uint64_t{1} << 62;
  CHECK(locate_pattern(key, stream(key, far, 100)) == far);
}

TEST_CASE("damage is told in a clause", "[load]") {
  CHECK(damage_text({.kind = Damage::Kind::lost, .distance = 4096, .bytes = 10}) ==
        "4096 bytes of the stream are missing");
  CHECK(damage_text({.kind = Damage::Kind::reordered, .distance = 50, .bytes = 70}) ==
        "70 bytes came before the 50 bytes in front of them");
  CHECK(damage_text({.kind = Damage::Kind::corrupted, .bytes = 2}) == "2 bytes are corrupted");
}

}  // namespace penstock::load

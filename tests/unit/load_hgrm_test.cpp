// Histograms as HdrHistogram writes them: a text counted out by hand, and the encoding read back by
// a decoder of the test's own.
#include <zlib.h>

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "penstock/load/hgrm.h"
#include "penstock/load/random.h"

namespace penstock::load {
namespace {

using Bytes = std::vector<unsigned char>;

Bytes from_base64(std::string_view text) {
  const std::string_view alphabet =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  REQUIRE(text.size() % 4 == 0);
  Bytes bytes;
  std::uint32_t bits = 0;
  int number = 0;
  for (const char c : text.substr(0, text.find('='))) {
    REQUIRE(alphabet.find(c) != std::string_view::npos);
    bits = (bits << 6) | static_cast<std::uint32_t>(alphabet.find(c));
    number += 6;
    if (number < 8) continue;
    number -= 8;
    bytes.push_back(static_cast<unsigned char>(bits >> number));
  }
  return bytes;
}

/// Reads big-endian numbers and packed ones from the front.
class Reader {
 public:
  explicit Reader(Bytes bytes) : bytes_(std::move(bytes)) {}

  std::uint64_t number(int size) {
    std::uint64_t result = 0;
    for (int i = 0; i < size; ++i) result = (result << 8) | next();
    return result;
  }
  std::int64_t packed() {
    std::uint64_t bits = 0;
    for (int shift = 0; shift <= 56; shift += 7) {
      const std::uint64_t byte = next();
      if (shift == 56) {
        bits |= byte << 56;
        break;
      }
      bits |= (byte & 0x7f) << shift;
      if ((byte & 0x80) == 0) break;
    }
    return static_cast<std::int64_t>(bits >> 1) ^ -static_cast<std::int64_t>(bits & 1);
  }
  [[nodiscard]] std::size_t left() const { return bytes_.size() - at_; }
  [[nodiscard]] const unsigned char* rest() const { return bytes_.data() + at_; }

 private:
  unsigned char next() {
    REQUIRE(at_ < bytes_.size());
    return bytes_[at_++];
  }

  Bytes bytes_;
  std::size_t at_ = 0;
};

using Counts = std::map<std::size_t, std::uint64_t>;  // by bucket; empty ones left out

Reader inflated(Reader outer) {
  CHECK(outer.number(4) == 0x1c849314);
  const std::uint64_t length = outer.number(4);
  REQUIRE(length == outer.left());
  Bytes inner(1 << 20);
  uLongf size = inner.size();
  REQUIRE(::uncompress(inner.data(), &size, outer.rest(), outer.left()) == Z_OK);
  inner.resize(size);
  return Reader(inner);
}

Counts decoded(const std::string& text) {
  Reader inner = inflated(Reader(from_base64(text)));
  CHECK(inner.number(4) == 0x1c849313);
  const std::uint64_t length = inner.number(4);
  CHECK(inner.number(4) == 0);                       // offset of the table
  CHECK(inner.number(4) == 3);                       // digits
  CHECK(inner.number(8) == 1);                       // lowest value
  CHECK(inner.number(8) == 3'600'000'000'000U);      // highest value
  CHECK(inner.number(8) == 0x3ff0'0000'0000'0000U);  // 1.0
  REQUIRE(inner.left() == length);
  Counts counts;
  std::size_t bucket = 0;
  while (inner.left() > 0) {
    const std::int64_t count = inner.packed();
    REQUIRE(count != -1);  // a single empty bucket is 0
    if (count > 0) counts[bucket] = static_cast<std::uint64_t>(count);
    bucket += count < 0 ? static_cast<std::size_t>(-count) : 1;
  }
  return counts;
}

Counts counts_of(const Histogram& histogram) {
  Counts counts;
  histogram.for_each([&](Duration value, std::uint64_t times) {
    counts[Histogram::bucket_of(std::min(value, Histogram::highest))] = times;
  });
  return counts;
}

void check_round_trip(const Histogram& histogram) {
  const auto text = hgrm_encoded(histogram);
  REQUIRE(text.has_value());
  CHECK(text->starts_with("HISTFAAA"));  // and an A when below 1 KiB
  CHECK(decoded(*text) == counts_of(histogram));
}

}  // namespace

TEST_CASE("the percentile distribution is HdrHistogram's text", "[load]") {
  Histogram histogram;
  for (int ms = 1; ms <= 4; ++ms) histogram.record(ms * 1ms);
  // Values are the largest of their bucket, 1'024 ns wide at 2 ms, and at most the maximum.
  CHECK(hgrm_text(histogram, Extent::whole_run) ==
        R"(       Value     Percentile TotalCount 1/(1-Percentile)

       1.000 0.000000000000          1           1.00
       1.000 0.100000000000          1           1.11
       1.000 0.200000000000          1           1.25
       2.001 0.300000000000          2           1.43
       2.001 0.400000000000          2           1.67
       2.001 0.500000000000          2           2.00
       3.000 0.550000000000          3           2.22
       3.000 0.600000000000          3           2.50
       3.000 0.650000000000          3           2.86
       3.000 0.700000000000          3           3.33
       3.000 0.750000000000          3           4.00
       4.000 0.775000000000          4           4.44
       4.000 1.000000000000          4
#[Mean    =        2.500, StdDeviation   =        1.118]
#[Max     =        4.000, Total count    =            4]
#[Buckets =           32, SubBuckets     =         2048]
)");
}

TEST_CASE("an empty distribution has no lines", "[load]") {
  CHECK(hgrm_text(Histogram(), Extent::whole_run) ==
        R"(       Value     Percentile TotalCount 1/(1-Percentile)

#[Mean    =        0.000, StdDeviation   =        0.000]
#[Max     =        0.000, Total count    =            0]
#[Buckets =           32, SubBuckets     =         2048]
)");
}

TEST_CASE("the distribution of a run that was interrupted says so in a line for people", "[load]") {
  Histogram histogram;
  histogram.record(1ms);
  CHECK(hgrm_text(histogram, Extent::interrupted_run) ==
        hgrm_text(histogram, Extent::whole_run) + "#[Partial = the run was interrupted]\n");
}

TEST_CASE("a distribution of more values than a double counts has an end", "[load]") {
  Histogram histogram;
  histogram.record(1us, std::uint64_t{1} << 62);
  histogram.record(1ms);
  histogram.record(1s);
  const std::string text = hgrm_text(histogram, Extent::whole_run);
  CHECK(text.find("1000.000 1.000000000000 4611686018427387906\n") != std::string::npos);
  CHECK(std::ranges::count(text, '\n') < 300);
}

TEST_CASE("an encoded histogram holds every count", "[load]") {
  Histogram histogram;
  check_round_trip(histogram);
  histogram.record(1ns);
  check_round_trip(histogram);
  histogram.record(2ns, 5);
  histogram.record(4ns, 63);
  histogram.record(5ns, 64);
  histogram.record(Histogram::highest, 1'000'000'000'000'000'000);
  histogram.record(1ms, (std::uint64_t{1} << 55) - 1);
  histogram.record(2ms, std::uint64_t{1} << 55);
  check_round_trip(histogram);

  Histogram random;
  Random numbers(1);
  for (int i = 0; i < 100'000; ++i) {
    const auto ns = static_cast<std::int64_t>(1e6 * numbers.exponential());
    random.record(Duration(ns), 1 + (numbers.next() & 1023));
  }
  check_round_trip(random);
}

}  // namespace penstock::load

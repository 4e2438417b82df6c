// Both forms follow HdrHistogram byte by byte, down to the widths of the columns: readers split the
// text at blanks, but people compare the files. What it works out from buckets (mean, deviation,
// maximum) is exact here.
#include "penstock/load/hgrm.h"

#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "penstock/base/assert.h"

namespace penstock::load {
namespace {

double in_ms(Duration duration) { return static_cast<double>(duration.count()) / 1e6; }

/// How far the next percentile is from this one: a fifth of the half of what was left at the last
/// halving. All steps and their sums are exact as doubles.
double step_after(double percentile) {
  constexpr double ticks_per_half = 5;
  constexpr double finest = 0x1p-45;  // below, a step would be lost in the sum
  double half = 50;
  while (half >= 100 - percentile && half > 100 * finest) half /= 2;
  return half / ticks_per_half;
}

std::string lines_of(const Histogram& histogram) {
  std::string lines;
  const auto total = histogram.count();
  std::uint64_t seen = 0;
  double percentile = 0;
  histogram.for_each([&](Duration bucket, std::uint64_t times) {
    seen += times;
    const double reached = 100.0 * static_cast<double>(seen) / static_cast<double>(total);
    const double value = in_ms(std::min(bucket, histogram.max()));
    while (reached >= percentile) {
      lines += fmt::format("{:12.3f} {:2.12f} {:10d} {:14.2f}\n", value, percentile / 100, seen,
                           1 / (1 - (percentile / 100)));
      percentile += step_after(percentile);
      if (seen == total) break;
    }
  });
  if (total > 0) {
    lines += fmt::format("{:12.3f} {:2.12f} {:10d}\n", in_ms(histogram.max()), 1.0, total);
  }
  return lines;
}

/// Numbers in network byte order, or packed as the counts are.
class Writer {
 public:
  template <class T>
  void put(T number) {
    const auto bits = std::bit_cast<std::array<unsigned char, sizeof(T)>>(number);
    static_assert(std::endian::native == std::endian::little);
    bytes_.insert(bytes_.end(), bits.rbegin(), bits.rend());
  }

  /// ZigZag puts the sign into the lowest bit; then 7 bits a byte, lowest first, the highest bit
  /// set where more follow. A ninth byte is whole.
  void put_packed(std::int64_t number) {
    auto rest =
        (static_cast<std::uint64_t>(number) << 1) ^ static_cast<std::uint64_t>(number >> 63);
    for (int byte = 0; byte < 8; ++byte) {
      if (rest < 0x80) {
        bytes_.push_back(static_cast<unsigned char>(rest));
        return;
      }
      bytes_.push_back(static_cast<unsigned char>((rest & 0x7f) | 0x80));
      rest >>= 7;
    }
    bytes_.push_back(static_cast<unsigned char>(rest));
  }

  void put_all(const std::vector<unsigned char>& bytes) {
    bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
  }

  [[nodiscard]] const std::vector<unsigned char>& bytes() const { return bytes_; }

 private:
  std::vector<unsigned char> bytes_;
};

/// The counts from the first bucket to the last that is not empty; several empty ones in a row are
/// their number, negated.
std::vector<unsigned char> packed_counts(const Histogram& histogram) {
  Writer writer;
  const std::size_t end = histogram.count() == 0 ? 1 : Histogram::bucket_of(histogram.max()) + 1;
  for (std::size_t bucket = 0; bucket < end;) {
    std::size_t next = bucket;
    while (next < end && histogram.count_in(next) == 0) ++next;
    const std::size_t empty = next - bucket;
    if (empty > 1) {
      writer.put_packed(-static_cast<std::int64_t>(empty));
      bucket = next;
    } else {
      writer.put_packed(static_cast<std::int64_t>(histogram.count_in(bucket)));
      ++bucket;
    }
  }
  return writer.bytes();
}

std::vector<unsigned char> encoded(const Histogram& histogram) {
  constexpr std::int32_t cookie = 0x1c849313;
  constexpr std::int32_t index_offset = 0;
  constexpr std::int32_t digits = 3;
  constexpr double value_ratio = 1;
  const std::vector<unsigned char> counts = packed_counts(histogram);
  Writer writer;
  writer.put(cookie);
  writer.put(static_cast<std::int32_t>(counts.size()));
  writer.put(index_offset);
  writer.put(digits);
  writer.put(std::int64_t{Histogram::lowest.count()});
  writer.put(std::int64_t{Histogram::highest.count()});
  writer.put(value_ratio);
  writer.put_all(counts);
  return writer.bytes();
}

Result<std::vector<unsigned char>> deflated(const std::vector<unsigned char>& bytes) {
  uLongf size = ::compressBound(bytes.size());
  std::vector<unsigned char> result(size);
  const int code =
      ::compress2(result.data(), &size, bytes.data(), bytes.size(), Z_DEFAULT_COMPRESSION);
  if (code == Z_MEM_ERROR) return fail("cannot compress a histogram: out of memory");
  PENSTOCK_ASSERT(code == Z_OK);
  result.resize(size);
  return result;
}

std::string base64(const std::vector<unsigned char>& bytes) {
  constexpr std::string_view alphabet =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  for (std::size_t at = 0; at < bytes.size(); at += 3) {
    const std::size_t number = std::min<std::size_t>(bytes.size() - at, 3);
    std::uint32_t group = 0;
    for (std::size_t i = 0; i < 3; ++i) group = (group << 8) | (i < number ? bytes[at + i] : 0U);
    for (std::size_t i = 0; i < 4; ++i) {
      text += i <= number ? alphabet[(group >> (18 - (6 * i))) & 0x3f] : '=';
    }
  }
  return text;
}

}  // namespace

std::string hgrm_text(const Histogram& histogram, Extent extent) {
  std::string text = fmt::format("{:>12} {:>14} {:>10} {:>14}\n\n", "Value", "Percentile",
                                 "TotalCount", "1/(1-Percentile)");
  text += lines_of(histogram);
  text += fmt::format("#[Mean    = {:12.3f}, StdDeviation   = {:12.3f}]\n", in_ms(histogram.mean()),
                      in_ms(histogram.deviation()));
  text += fmt::format("#[Max     = {:12.3f}, Total count    = {:12d}]\n", in_ms(histogram.max()),
                      histogram.count());
  text += fmt::format("#[Buckets = {:12d}, SubBuckets     = {:12d}]\n", Histogram::doublings,
                      Histogram::linear);
  if (extent == Extent::interrupted_run) text += "#[Partial = the run was interrupted]\n";
  return text;
}

Result<std::string> hgrm_encoded(const Histogram& histogram) {
  constexpr std::int32_t compressed_cookie = 0x1c849314;
  const auto compressed = deflated(encoded(histogram));
  if (!compressed) return std::unexpected(compressed.error());
  Writer writer;
  writer.put(compressed_cookie);
  writer.put(static_cast<std::int32_t>(compressed->size()));
  writer.put_all(*compressed);
  return base64(writer.bytes());
}

}  // namespace penstock::load

// Whole blocks of words are the fast path, in loops that g++ vectorizes at -O2 because their length
// is known; the ragged ends are done byte by byte.
#include "penstock/load/pattern.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

#include "penstock/base/assert.h"
#include "penstock/load/random.h"

namespace penstock::load {
namespace {

static_assert(std::endian::native == std::endian::little, "words are copied as they are");

constexpr std::size_t word_size = sizeof(std::uint64_t);
constexpr std::size_t block_words = 16;
constexpr std::size_t block_size = block_words * word_size;
constexpr std::uint64_t odd = 0x9e3779b97f4a7c15;

/// What `odd` is to be multiplied with for 1; each step of Newton's doubles the bits that are
/// right.
constexpr std::uint64_t inverse_of_odd = [] {
  std::uint64_t inverse = odd;
  for (int step = 0; step < 5; ++step) inverse *= 2 - (odd * inverse);
  return inverse;
}();
static_assert(odd * inverse_of_odd == 1);

/// Its own inverse.
constexpr std::uint64_t fold(std::uint64_t x) noexcept { return x ^ (x >> 32); }

using Block = std::array<std::uint64_t, block_words>;

/// The words of a stream from a place on, in order.
class Words {
 public:
  Words(StreamKey key, std::uint64_t first) noexcept
      : start_(scramble(key.value)), product_(first * odd) {}

  std::uint64_t next() noexcept {
    const std::uint64_t word = fold(start_ ^ product_);
    product_ += odd;
    return word;
  }

  void next_block(Block& block) noexcept {
    for (std::size_t i = 0; i < block_words; ++i) block[i] = fold(start_ ^ (product_ + i * odd));
    product_ += block_words * odd;
  }

 private:
  std::uint64_t start_;
  std::uint64_t product_;
};

/// The bytes of one word, from its `skip`th on, as many as fit.
std::span<const std::byte> bytes_of(const std::uint64_t& word, std::size_t skip,
                                    std::size_t most) noexcept {
  const auto bytes = std::as_bytes(std::span(&word, 1)).subspan(skip);
  return bytes.first(std::min(bytes.size(), most));
}

std::size_t first_difference(std::span<const std::byte> a, std::span<const std::byte> b) noexcept {
  return static_cast<std::size_t>(std::ranges::mismatch(a, b).in1 - a.begin());
}

}  // namespace

void fill_pattern(StreamKey key, std::uint64_t offset, std::span<std::byte> into) noexcept {
  Words words(key, offset / word_size);
  std::size_t skip = offset % word_size;
  while (!into.empty()) {
    if (skip == 0 && into.size() >= block_size) {
      Block block;
      words.next_block(block);
      std::memcpy(into.data(), block.data(), block_size);
      into = into.subspan(block_size);
      continue;
    }
    const std::uint64_t word = words.next();
    const auto bytes = bytes_of(word, skip, into.size());
    std::ranges::copy(bytes, into.begin());
    into = into.subspan(bytes.size());
    skip = 0;
  }
}

std::optional<std::size_t> check_pattern(StreamKey key, std::uint64_t offset,
                                         std::span<const std::byte> seen) noexcept {
  Words words(key, offset / word_size);
  std::size_t skip = offset % word_size;
  std::size_t done = 0;
  while (done < seen.size()) {
    const auto rest = seen.subspan(done);
    if (skip == 0 && rest.size() >= block_size) {
      Block block;
      Block found;
      words.next_block(block);
      std::memcpy(found.data(), rest.data(), block_size);
      std::uint64_t difference = 0;
      for (std::size_t i = 0; i < block_words; ++i) difference |= block[i] ^ found[i];
      if (difference != 0) {
        return done + first_difference(std::as_bytes(std::span(block)), rest.first(block_size));
      }
      done += block_size;
      continue;
    }
    const std::uint64_t word = words.next();
    const auto bytes = bytes_of(word, skip, rest.size());
    const std::size_t same = first_difference(bytes, rest.first(bytes.size()));
    if (same < bytes.size()) return done + same;
    done += bytes.size();
    skip = 0;
  }
  return std::nullopt;
}

std::optional<std::uint64_t> locate_pattern(StreamKey key,
                                            std::span<const std::byte> seen) noexcept {
  if (seen.size() < bytes_to_locate) return std::nullopt;
  seen = seen.first(bytes_to_locate);
  constexpr std::uint64_t most_words = std::uint64_t{1} << 60;
  for (std::size_t skip = 0; skip < word_size; ++skip) {
    std::uint64_t word = 0;
    std::memcpy(&word, seen.data() + skip, word_size);
    const std::uint64_t number = (fold(word) ^ scramble(key.value)) * inverse_of_odd;
    if (number >= most_words || number * word_size < skip) continue;
    const std::uint64_t offset = (number * word_size) - skip;
    if (!check_pattern(key, offset, seen)) return offset;
  }
  return std::nullopt;
}

Damage diagnose(StreamKey key, std::uint64_t offset, std::span<const std::byte> seen) noexcept {
  PENSTOCK_ASSERT(check_pattern(key, offset, seen) == 0U);
  const auto source = locate_pattern(key, seen);
  if (!source) {
    std::size_t wrong = 0;
    for (std::size_t i = 0; i < seen.size(); ++i) {
      if (check_pattern(key, offset + i, seen.subspan(i, 1))) ++wrong;
    }
    const bool enough = seen.size() >= bytes_to_locate;
    return {.kind = enough ? Damage::Kind::corrupted : Damage::Kind::unclear, .bytes = wrong};
  }
  const std::size_t run = check_pattern(key, *source, seen).value_or(seen.size());
  if (*source < offset) {
    return {.kind = Damage::Kind::repeated, .distance = offset - *source, .bytes = run};
  }
  const bool came_later = locate_pattern(key, seen.subspan(run)) == offset;
  return {.kind = came_later ? Damage::Kind::reordered : Damage::Kind::lost,
          .distance = *source - offset,
          .bytes = run};
}

std::string damage_text(const Damage& damage) {
  switch (damage.kind) {
    case Damage::Kind::lost:
      return fmt::format("{} bytes of the stream are missing", damage.distance);
    case Damage::Kind::repeated:
      return fmt::format("the stream goes back by {} bytes and repeats at least {}",
                         damage.distance, damage.bytes);
    case Damage::Kind::reordered:
      return fmt::format("{} bytes came before the {} bytes in front of them", damage.bytes,
                         damage.distance);
    case Damage::Kind::corrupted:
      return fmt::format("{} bytes are corrupted", damage.bytes);
    case Damage::Kind::unclear:
      return fmt::format("{} bytes are wrong, too few to tell why", damage.bytes);
  }
  PENSTOCK_UNREACHABLE("a kind of damage without a text");
}

}  // namespace penstock::load

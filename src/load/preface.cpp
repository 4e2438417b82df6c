// Fields at fixed places.
#include "preface.h"

#include <algorithm>
#include <cstring>

#include "penstock/load/random.h"

namespace penstock::load {
namespace {

constexpr std::array<char, 8> magic = {'p', 'e', 'n', 'l', 'o', 'a', 'd', '1'};
constexpr std::array<char, 8> receipt_magic = {'p', 'e', 'n', 'r', 'c', 'p', 't', '1'};
constexpr std::uint64_t none_wrong = UINT64_MAX;

template <class T>
void put(std::span<std::byte> to, std::size_t at, T value) noexcept {
  for (std::size_t i = 0; i < sizeof(T); ++i) {
    to[at + i] = static_cast<std::byte>(static_cast<std::uint64_t>(value) >> (8 * i));
  }
}

template <class T>
T get(std::span<const std::byte> from, std::size_t at) noexcept {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < sizeof(T); ++i) {
    value |= std::to_integer<std::uint64_t>(from[at + i]) << (8 * i);
  }
  return static_cast<T>(value);
}

}  // namespace

std::array<std::byte, Preface::size> Preface::encode() const noexcept {
  std::array<std::byte, size> to{};
  std::memcpy(to.data(), magic.data(), magic.size());
  put(to, 8, static_cast<std::uint32_t>(purpose));
  put(to, 12, request_size);
  put(to, 16, answer_size);
  put(to, 24, key.value);
  put(to, 32, bytes);
  return to;
}

std::optional<Preface> Preface::decode(std::span<const std::byte, size> from) noexcept {
  if (!may_begin(from)) return std::nullopt;
  const auto purpose = get<std::uint32_t>(from, 8);
  if (purpose < 1 || purpose > 3) return std::nullopt;
  return Preface{.purpose = static_cast<Purpose>(purpose),
                 .key = {get<std::uint64_t>(from, 24)},
                 .request_size = get<std::uint32_t>(from, 12),
                 .answer_size = get<std::uint32_t>(from, 16),
                 .bytes = get<std::uint64_t>(from, 32)};
}

bool Preface::may_begin(std::span<const std::byte> bytes) noexcept {
  const std::size_t count = std::min(bytes.size(), magic.size());
  return std::memcmp(bytes.data(), magic.data(), count) == 0;
}

std::array<std::byte, Receipt::size> Receipt::encode() const noexcept {
  std::array<std::byte, size> to{};
  std::memcpy(to.data(), receipt_magic.data(), receipt_magic.size());
  put(to, 8, bytes);
  put(to, 16, first_wrong.value_or(none_wrong));
  return to;
}

std::optional<Receipt> Receipt::decode(std::span<const std::byte, size> from) noexcept {
  if (std::memcmp(from.data(), receipt_magic.data(), receipt_magic.size()) != 0) {
    return std::nullopt;
  }
  Receipt receipt{.bytes = get<std::uint64_t>(from, 8)};
  const auto wrong = get<std::uint64_t>(from, 16);
  if (wrong != none_wrong) receipt.first_wrong = wrong;
  return receipt;
}

StreamKey unlike_preface(StreamKey key) noexcept {
  for (;; key.value = scramble(key.value + 1)) {
    std::array<std::byte, 1> first{};
    fill_pattern(key, 0, first);
    if (!Preface::may_begin(first)) return key;
  }
}

}  // namespace penstock::load

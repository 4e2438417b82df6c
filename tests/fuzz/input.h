// Input: a fuzzer's bytes, dealt out from both ends: decisions from the back, data from the front.
// So a recorded stream stays what it is in a file, and a decision more or less does not shift it.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

namespace penstock::fuzz {

class Input {
 public:
  explicit Input(std::span<const std::uint8_t> bytes) noexcept : bytes_(bytes) {}

  [[nodiscard]] bool empty() const noexcept { return bytes_.empty(); }
  /// The next decision; 0 when the input is used up.
  std::uint8_t byte() noexcept {
    if (bytes_.empty()) return 0;
    const std::uint8_t last = bytes_.back();
    bytes_ = bytes_.first(bytes_.size() - 1);
    return last;
  }
  /// 0 … n - 1, for n up to 65536; 0 when n is 0.
  std::size_t below(std::size_t n) noexcept {
    if (n <= 1) return 0;
    std::size_t number = byte();
    if (n > 256) number = number << 8U | byte();
    return number % n;
  }
  /// Data, `size` bytes or what is left.
  std::span<const std::byte> take(std::size_t size) noexcept {
    const auto taken = bytes_.first(std::min(size, bytes_.size()));
    bytes_ = bytes_.subspan(taken.size());
    return std::as_bytes(taken);
  }

 private:
  std::span<const std::uint8_t> bytes_;
};

}  // namespace penstock::fuzz

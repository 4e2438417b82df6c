// FixedText: a short text inside a record of fixed size, cut where it is too long.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <string_view>

namespace penstock::stats {

template <std::size_t capacity>
class FixedText {
 public:
  FixedText() = default;
  explicit FixedText(std::string_view text) noexcept : size_(std::min(text.size(), capacity)) {
    std::copy_n(text.begin(), size_, text_.begin());
  }
  [[nodiscard]] std::string_view view() const noexcept { return {text_.data(), size_}; }

 private:
  std::array<char, capacity> text_{};
  std::size_t size_ = 0;
};

}  // namespace penstock::stats

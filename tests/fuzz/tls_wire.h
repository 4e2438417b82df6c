// Wire: one direction of ciphertext on its way, and everything that can happen to it there.
#pragma once

#include <cstddef>
#include <span>

#include "input.h"
#include "tls_client.h"

namespace penstock::fuzz {

class Wire {
 public:
  void put(std::span<const std::byte> bytes) {
    if (!cut_) bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
  }
  [[nodiscard]] tls::test::Bytes take(std::size_t most) {
    const auto end = bytes_.begin() + static_cast<long>(std::min(most, bytes_.size()));
    tls::test::Bytes taken(bytes_.begin(), end);
    bytes_.erase(bytes_.begin(), end);
    return taken;
  }
  void flip(Input& input) {
    const auto change = static_cast<std::byte>(input.byte());
    const std::size_t at = input.below(bytes_.size());
    if (bytes_.empty() || change == std::byte{0}) return;
    bytes_[at] ^= change;
    damaged_ = true;
  }
  void insert(Input& input) {
    const std::size_t at = input.below(bytes_.size() + 1);
    const auto added = input.take(1 + input.below(64));
    bytes_.insert(bytes_.begin() + static_cast<long>(at), added.begin(), added.end());
    if (!added.empty()) damaged_ = true;
  }
  /// Loses what is behind a place, and all that would follow.
  void cut(Input& input) {
    if (cut_) return;
    bytes_.resize(input.below(bytes_.size() + 1));
    cut_ = true;
  }

  [[nodiscard]] std::size_t size() const noexcept { return bytes_.size(); }
  [[nodiscard]] bool is_cut() const noexcept { return cut_; }
  /// All that was put in comes out as it was.
  [[nodiscard]] bool whole() const noexcept { return !damaged_ && !cut_; }

 private:
  tls::test::Bytes bytes_;
  bool damaged_ = false;
  bool cut_ = false;
};

}  // namespace penstock::fuzz

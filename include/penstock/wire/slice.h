// Slice: bytes in transit inside one buffer of the pool. It owns the buffer and gives it back as
// soon as the last byte is consumed, so an idle direction holds nothing.
#pragma once

#include <cstdint>
#include <span>
#include <utility>

#include "penstock/base/assert.h"
#include "penstock/io/buffer_pool.h"

namespace penstock::wire {

class Slice {
 public:
  Slice() noexcept = default;
  /// The first `filled` bytes of `buffer`.
  Slice(io::Buffer buffer, std::size_t filled) noexcept
      : buffer_(std::move(buffer)), end_(static_cast<std::uint32_t>(filled)) {
    PENSTOCK_ASSERT(buffer_ && filled <= buffer_.bytes().size());
  }
  Slice(Slice&& from) noexcept
      : buffer_(std::move(from.buffer_)),
        begin_(std::exchange(from.begin_, 0)),
        end_(std::exchange(from.end_, 0)) {}
  Slice& operator=(Slice&& from) noexcept {
    buffer_ = std::move(from.buffer_);
    begin_ = std::exchange(from.begin_, 0);
    end_ = std::exchange(from.end_, 0);
    return *this;
  }

  [[nodiscard]] bool empty() const noexcept { return begin_ == end_; }
  [[nodiscard]] bool has_buffer() const noexcept { return static_cast<bool>(buffer_); }
  [[nodiscard]] std::size_t size() const noexcept { return end_ - begin_; }
  [[nodiscard]] io::BufferClass size_class() const noexcept { return buffer_.size_class(); }
  [[nodiscard]] std::span<const std::byte> readable() const noexcept {
    return empty() ? std::span<const std::byte>{} : buffer_.bytes().subspan(begin_, size());
  }
  /// Room behind the bytes; it never overlaps readable(), so it may be filled while a send of that
  /// is in flight.
  [[nodiscard]] std::span<std::byte> room() const noexcept {
    return buffer_ ? buffer_.bytes().subspan(end_) : std::span<std::byte>{};
  }
  void produced(std::size_t bytes) noexcept {
    PENSTOCK_ASSERT(bytes <= room().size());
    end_ += static_cast<std::uint32_t>(bytes);
  }
  void consumed(std::size_t bytes) noexcept {
    PENSTOCK_ASSERT(bytes <= size());
    begin_ += static_cast<std::uint32_t>(bytes);
    if (empty()) clear();
  }
  void clear() noexcept {
    buffer_.reset();
    begin_ = end_ = 0;
  }

 private:
  io::Buffer buffer_;
  std::uint32_t begin_ = 0;
  std::uint32_t end_ = 0;
};

}  // namespace penstock::wire

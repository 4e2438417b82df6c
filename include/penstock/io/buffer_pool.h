// BufferPool: the memory that bytes pass through, one pool per shard. Two classes: small buffers
// for every socket, large ones for directions in bulk. Some of each are posted to the kernel in a
// provided-buffer ring and lent to a receive only when data comes, so an idle connection holds
// none. Free buffers are handed out last-in first-out, so that the working set stays in the cache
// (measured: 16 posted buffers of 64 KiB moved a download at 494 to 650 ms/GB of CPU, 1024 of 16
// KiB at 1440 to 2040); those not needed lately go back to the system in trim().
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "penstock/base/memory.h"
#include "penstock/io/ring.h"

namespace penstock::io {

enum class BufferClass : std::uint8_t { small, large };

class BufferPool;

/// A buffer of a pool; goes back to it when destroyed. Empty when default-made or moved from.
class Buffer {
 public:
  Buffer() noexcept = default;
  Buffer(Buffer&& from) noexcept;
  Buffer& operator=(Buffer&& from) noexcept;
  ~Buffer() { reset(); }

  [[nodiscard]] explicit operator bool() const noexcept { return pool_ != nullptr; }
  [[nodiscard]] BufferClass size_class() const noexcept { return class_; }
  /// All of it, the tail room that receives leave free included.
  [[nodiscard]] std::span<std::byte> bytes() const noexcept;
  void reset() noexcept;

 private:
  friend class BufferPool;
  Buffer(BufferPool& pool, BufferClass size_class, std::uint32_t id) noexcept
      : pool_(&pool), id_(id), class_(size_class) {}
  BufferPool* pool_ = nullptr;
  std::uint32_t id_ = 0;
  BufferClass class_ = BufferClass::small;
};

class BufferPool {
 public:
  struct Options {
    std::uint32_t small_count = 1024;  ///< buffers in reserve, beside the posted ones
    std::uint32_t large_count = 64;
    std::uint32_t small_posted = 1024;  ///< powers of two
    std::uint32_t large_posted = 16;
  };
  /// Bytes of a whole buffer, and what a receive may fill: the rest is tail room, so that a
  /// received buffer's worth of plaintext fits a buffer of the same class once it is encrypted.
  [[nodiscard]] static constexpr std::size_t capacity(BufferClass size_class) noexcept {
    return size_class == BufferClass::small ? 4096 : 65536;
  }
  static constexpr std::size_t tail_room = 512;
  [[nodiscard]] static constexpr std::size_t receive_size(BufferClass size_class) noexcept {
    return capacity(size_class) - tail_room;
  }

  [[nodiscard]] static Result<std::unique_ptr<BufferPool>> create(Ring& ring,
                                                                  const Options& options);
  BufferPool(const BufferPool&) = delete;
  BufferPool& operator=(const BufferPool&) = delete;
  ~BufferPool();

  /// Arms a receive that takes its buffer from the pool's ring.
  void receive(Op& op, int fd, BufferClass size_class, bool expect_data) noexcept;
  /// The buffer that a completed receive used, replaced in the ring by a free one; empty when it
  /// used none.
  [[nodiscard]] Buffer received(BufferClass size_class, const Completion& completion) noexcept;
  /// A free buffer; empty when there is none.
  [[nodiscard]] Buffer take(BufferClass size_class) noexcept;
  /// Gives the pages of buffers that were free ever since the last call back to the system. Call it
  /// about once a second.
  void trim() noexcept;

  /// Buffers that somebody holds (posted ones not counted).
  [[nodiscard]] std::uint32_t in_use() const noexcept;

 private:
  struct Group {
    ReservedMemory memory;
    ReservedMemory stack;       ///< of the ids given back; touched as deep as it ever was
    std::size_t free = 0;       ///< that many are on it; what lies deepest was not used for longest
    std::uint32_t total = 0;    ///< buffers
    std::uint32_t touched = 0;  ///< ids from here on were never handed out
    std::vector<std::uint32_t> posted;   ///< buffer id by the id that the kernel reports
    std::vector<std::uint16_t> missing;  ///< kernel ids that could not be refilled yet
    io_uring_buf_ring* ring = nullptr;
    std::size_t lowest_free = 0;  ///< since the last trim()
    std::size_t clean = 0;        ///< that many at the bottom hold no pages
    std::uint32_t in_use = 0;

    [[nodiscard]] std::uint32_t& stacked(std::size_t depth) noexcept {
      return reinterpret_cast<std::uint32_t*>(stack.data())[depth];
    }
  };
  friend class Buffer;

  explicit BufferPool(Ring& ring) noexcept : ring_(ring) {}
  [[nodiscard]] Result<void> open(BufferClass size_class, std::uint32_t count,
                                  std::uint32_t posted);
  [[nodiscard]] Group& group(BufferClass size_class) noexcept {
    return groups_[static_cast<std::size_t>(size_class)];
  }
  [[nodiscard]] std::byte* at(BufferClass size_class, std::uint32_t id) noexcept;
  [[nodiscard]] std::span<std::byte> whole(BufferClass size_class, std::uint32_t id) noexcept {
    return {at(size_class, id), capacity(size_class)};
  }
  [[nodiscard]] bool pop_free(Group& from, std::uint32_t& id) noexcept;
  void post(BufferClass size_class, std::uint16_t kernel_id, std::uint32_t id) noexcept;
  void give_back(BufferClass size_class, std::uint32_t id) noexcept;

  Ring& ring_;
  std::array<Group, 2> groups_;
};

}  // namespace penstock::io

// Slab: a fixed number of T in reserved address space. acquire() and release() never allocate;
// slots are handed out last-in first-out so that the working set stays small. What the kernel holds
// the address of lives here: a slot never moves. Owned by one thread.
#pragma once

#include <cstdint>
#include <new>
#include <span>
#include <utility>

#include "penstock/base/assert.h"
#include "penstock/base/memory.h"
#include "penstock/base/test_switches.h"

namespace penstock {

template <class T>
class Slab {
 public:
  /// Reserves room for `capacity` objects. Error: the address space is limited.
  [[nodiscard]] static Result<Slab> create(std::uint32_t capacity) {
    auto memory = ReservedMemory::reserve(sizeof(Slot) * capacity);
    if (!memory) return std::unexpected(memory.error());
    Slab slab;
    slab.memory_ = std::move(*memory);
    slab.capacity_ = capacity;
    return slab;
  }
  Slab(Slab&& from) noexcept
      : memory_(std::move(from.memory_)),
        free_(std::exchange(from.free_, nullptr)),
        capacity_(std::exchange(from.capacity_, 0)),
        touched_(std::exchange(from.touched_, 0)),
        used_(std::exchange(from.used_, 0)) {}
  Slab& operator=(Slab&&) = delete;
  ~Slab() { PENSTOCK_ASSERT(used_ == 0); }

  /// A new T, or null when all slots are taken.
  template <class... Arguments>
  [[nodiscard]] T* acquire(Arguments&&... arguments) {
    Slot* slot = free_;
    if (slot != nullptr) {
      test_switches::open(bytes_of(slot));
      free_ = slot->next;
    } else if (touched_ < capacity_) {
      slot = reinterpret_cast<Slot*>(memory_.data()) + touched_++;
    } else {
      return nullptr;
    }
    ++used_;
    test_switches::hand_out(bytes_of(slot));
    return ::new (static_cast<void*>(slot)) T(std::forward<Arguments>(arguments)...);
  }
  void release(T& item) noexcept {
    PENSTOCK_ASSERT(used_ > 0);
    item.~T();
    Slot* slot = reinterpret_cast<Slot*>(&item);
    test_switches::give_back(bytes_of(slot));
    test_switches::open(bytes_of(slot));
    ::new (static_cast<void*>(slot)) Slot;
    slot->next = free_;
    test_switches::close(bytes_of(slot));
    free_ = slot;
    --used_;
  }
  [[nodiscard]] std::uint32_t used() const noexcept { return used_; }
  [[nodiscard]] std::uint32_t capacity() const noexcept { return capacity_; }

 private:
  Slab() noexcept = default;
  union Slot {
    Slot() noexcept : next(nullptr) {}
    ~Slot() {}
    Slot* next;
    T item;
  };
  [[nodiscard]] static std::span<std::byte> bytes_of(Slot* slot) noexcept {
    return {reinterpret_cast<std::byte*>(slot), sizeof(Slot)};
  }
  ReservedMemory memory_;
  Slot* free_ = nullptr;
  std::uint32_t capacity_ = 0;
  std::uint32_t touched_ = 0;
  std::uint32_t used_ = 0;
};

}  // namespace penstock

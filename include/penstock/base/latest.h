// Latest<T>: a slot between two threads that holds only the newest value. put() replaces what was
// not taken yet, so nothing can be lost and nothing can fill up. The reader is woken by other means
// (an eventfd).
#pragma once

#include <atomic>
#include <memory>

namespace penstock {

template <class T>
class Latest {
 public:
  Latest() noexcept = default;
  Latest(const Latest&) = delete;
  Latest& operator=(const Latest&) = delete;
  ~Latest() { std::unique_ptr<T>(slot_.exchange(nullptr)); }

  /// Makes `value` the one that take() returns; an older one that nobody took is destroyed here, by
  /// the writer.
  void put(std::unique_ptr<T> value) noexcept {
    std::unique_ptr<T> unread(slot_.exchange(value.release(), std::memory_order_acq_rel));
  }
  /// The newest value, or null when there is none since the last call.
  [[nodiscard]] std::unique_ptr<T> take() noexcept {
    if (slot_.load(std::memory_order_relaxed) == nullptr) return nullptr;
    return std::unique_ptr<T>(slot_.exchange(nullptr, std::memory_order_acq_rel));
  }

 private:
  std::atomic<T*> slot_{nullptr};
};

}  // namespace penstock

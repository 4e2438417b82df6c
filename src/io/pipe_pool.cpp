// The free list of pipes, and the count of what is in each.
#include "penstock/io/pipe_pool.h"

#include <algorithm>

#include "penstock/base/assert.h"
#include "penstock/base/planted.h"

namespace penstock::io {

bool PipeBudget::take(std::uint64_t bytes) noexcept {
  std::uint64_t left = this->left();
  while (left >= bytes) {
    if (left_.compare_exchange_weak(left, left - bytes, std::memory_order_relaxed)) return true;
  }
  return false;
}

void PipeBudget::give_back(std::uint64_t bytes) noexcept {
  left_.fetch_add(bytes, std::memory_order_relaxed);
}

Pipe::Pipe(Pipe&& from) noexcept
    : pool_(std::exchange(from.pool_, nullptr)),
      ends_(from.ends_),
      held_(std::exchange(from.held_, 0)) {}

Pipe& Pipe::operator=(Pipe&& from) noexcept {
  if (this == &from) return *this;
  reset();
  pool_ = std::exchange(from.pool_, nullptr);
  ends_ = from.ends_;
  held_ = std::exchange(from.held_, 0);
  return *this;
}

int Pipe::fill(int fd) noexcept {
  PENSTOCK_ASSERT(pool_ != nullptr && held_ < pool_->pipe_size_);
  const int moved = pool_->kernel_.splice(fd, ends_.write, pool_->pipe_size_ - held_);
  if (moved > 0) held_ += static_cast<std::uint32_t>(moved);
  return moved;
}

int Pipe::drain(int fd) noexcept {
  PENSTOCK_ASSERT(pool_ != nullptr && held_ > 0);
  const int moved = pool_->kernel_.splice(ends_.read, fd, held_);
  PENSTOCK_ASSERT(moved <= static_cast<std::int64_t>(held_));
  if (moved > 0) held_ -= static_cast<std::uint32_t>(moved);
  return moved;
}

void Pipe::reset() noexcept {
  if (pool_ == nullptr) return;
  PipePool& pool = *std::exchange(pool_, nullptr);
  --pool.in_use_;
  if (held_ == 0 || planted(Planted::full_pipe_returned)) {
    pool.give_back(ends_);
  } else {
    pool.close(ends_);
  }
  held_ = 0;
}

PipePool::PipePool(Kernel& kernel, PipeBudget* budget, std::size_t pipe_size)
    : kernel_(kernel), budget_(budget), pipe_size_(pipe_size) {
  if (budget != nullptr) free_.reserve(budget->left() / pipe_size);
}

PipePool::~PipePool() {
  PENSTOCK_ASSERT(in_use_ == 0);
  close_free();
}

Pipe PipePool::take() noexcept {
  if (!free_.empty()) {
    const PipeEnds ends = free_.back();
    free_.pop_back();
    lowest_free_ = std::min(lowest_free_, free_.size());
    ++in_use_;
    return {*this, ends};
  }
  if (budget_ == nullptr || !budget_->take(pipe_size_)) return {};
  PipeEnds ends;
  if (kernel_.open_pipe(pipe_size_, ends) != 0) {
    budget_->give_back(pipe_size_);
    return {};
  }
  ++in_use_;
  return {*this, ends};
}

void PipePool::trim() noexcept {
  for (; lowest_free_ > 0; --lowest_free_) {
    close(free_.front());
    free_.erase(free_.begin());
  }
  lowest_free_ = free_.size();
}

void PipePool::close_free() noexcept {
  for (const PipeEnds& ends : free_) close(ends);
  free_.clear();
  lowest_free_ = 0;
}

void PipePool::give_back(PipeEnds ends) noexcept { free_.push_back(ends); }

void PipePool::close(PipeEnds ends) noexcept {
  kernel_.close(ends.read);
  kernel_.close(ends.write);
  budget_->give_back(pipe_size_);
}

}  // namespace penstock::io

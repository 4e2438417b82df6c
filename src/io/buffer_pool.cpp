// The stacks of free buffers and the rings of posted ones.
#include "penstock/io/buffer_pool.h"

#include <liburing.h>

#include <algorithm>
#include <utility>

#include "penstock/base/planted.h"
#include "penstock/base/test_switches.h"

namespace penstock::io {
namespace {

/// A trim() gives back at most this much, so that it never holds a shard up for long.
constexpr std::size_t trim_limit = 256;

std::uint16_t group_id(BufferClass size_class) noexcept {
  return static_cast<std::uint16_t>(size_class);
}

}  // namespace

Buffer::Buffer(Buffer&& from) noexcept
    : pool_(std::exchange(from.pool_, nullptr)), id_(from.id_), class_(from.class_) {}

Buffer& Buffer::operator=(Buffer&& from) noexcept {
  if (this == &from) return *this;
  reset();
  pool_ = std::exchange(from.pool_, nullptr);
  id_ = from.id_;
  class_ = from.class_;
  return *this;
}

std::span<std::byte> Buffer::bytes() const noexcept {
  PENSTOCK_ASSERT(pool_ != nullptr);
  return pool_->whole(class_, id_);
}

void Buffer::reset() noexcept {
  if (pool_ != nullptr) std::exchange(pool_, nullptr)->give_back(class_, id_);
}

Result<std::unique_ptr<BufferPool>> BufferPool::create(Ring& ring, const Options& options) {
  std::unique_ptr<BufferPool> pool(new BufferPool(ring));  // NOLINT: the constructor is private
  if (auto opened = pool->open(BufferClass::small, options.small_count, options.small_posted);
      !opened) {
    return std::unexpected(opened.error());
  }
  if (auto opened = pool->open(BufferClass::large, options.large_count, options.large_posted);
      !opened) {
    return std::unexpected(opened.error());
  }
  return pool;
}

Result<void> BufferPool::open(BufferClass size_class, std::uint32_t count, std::uint32_t posted) {
  Group& mine = group(size_class);
  const std::uint32_t total = count + posted;
  auto memory = ReservedMemory::reserve(std::size_t{total} * capacity(size_class));
  if (!memory) return std::unexpected(memory.error());
  auto stack = ReservedMemory::reserve(std::size_t{total} * sizeof(std::uint32_t));
  if (!stack) return std::unexpected(stack.error());
  mine.memory = std::move(*memory);
  mine.stack = std::move(*stack);
  mine.total = total;
  mine.missing.reserve(posted);
  mine.posted.resize(posted);
  auto opened = ring_.kernel().open_buffer_ring(ring_.raw(), posted, group_id(size_class));
  if (!opened) return std::unexpected(opened.error());
  mine.ring = *opened;
  io_uring_buf_ring_init(mine.ring);
  for (std::uint32_t i = 0; i < posted; ++i) {
    std::uint32_t id = 0;
    PENSTOCK_ASSERT(pop_free(mine, id));
    post(size_class, static_cast<std::uint16_t>(i), id);
  }
  return {};
}

BufferPool::~BufferPool() {
  PENSTOCK_ASSERT(in_use() == 0);
  for (const BufferClass size_class : {BufferClass::small, BufferClass::large}) {
    Group& mine = group(size_class);
    if (mine.ring == nullptr) continue;
    ring_.kernel().close_buffer_ring(ring_.raw(), mine.ring,
                                     static_cast<std::uint32_t>(mine.posted.size()),
                                     group_id(size_class));
  }
}

void BufferPool::receive(Op& op, int fd, BufferClass size_class, bool expect_data) noexcept {
  ring_.receive(op, fd, group_id(size_class), receive_size(size_class), expect_data);
}

Buffer BufferPool::received(BufferClass size_class, const Completion& completion) noexcept {
  if ((completion.flags & IORING_CQE_F_BUFFER) == 0) return {};
  Group& mine = group(size_class);
  const auto kernel_id = static_cast<std::uint16_t>(completion.flags >> IORING_CQE_BUFFER_SHIFT);
  PENSTOCK_ASSERT(kernel_id < mine.posted.size());
  Buffer buffer(*this, size_class, mine.posted[kernel_id]);
  test_switches::open(buffer.bytes());
  ++mine.in_use;
  if (planted(Planted::buffer_returned_early)) {
    post(size_class, kernel_id, mine.posted[kernel_id]);
    return buffer;
  }
  std::uint32_t next = 0;
  if (pop_free(mine, next)) {
    post(size_class, kernel_id, next);
  } else {
    mine.missing.push_back(kernel_id);
  }
  return buffer;
}

Buffer BufferPool::take(BufferClass size_class) noexcept {
  Group& mine = group(size_class);
  std::uint32_t id = 0;
  if (!pop_free(mine, id)) return {};
  test_switches::hand_out(whole(size_class, id));
  ++mine.in_use;
  return Buffer(*this, size_class, id);
}

void BufferPool::trim() noexcept {
  for (const BufferClass size_class : {BufferClass::small, BufferClass::large}) {
    Group& mine = group(size_class);
    const std::size_t last = std::min(mine.lowest_free, mine.clean + trim_limit);
    for (; mine.clean < last; ++mine.clean) {
      mine.memory.release(std::size_t{mine.stacked(mine.clean)} * capacity(size_class),
                          capacity(size_class));
    }
    mine.lowest_free = mine.free;
  }
}

std::uint32_t BufferPool::in_use() const noexcept { return groups_[0].in_use + groups_[1].in_use; }

std::byte* BufferPool::at(BufferClass size_class, std::uint32_t id) noexcept {
  return group(size_class).memory.data() + std::size_t{id} * capacity(size_class);
}

bool BufferPool::pop_free(Group& from, std::uint32_t& id) noexcept {
  if (from.free == 0) {
    if (from.touched == from.total) return false;
    id = from.touched++;
    return true;
  }
  id = from.stacked(--from.free);
  from.clean = std::min(from.clean, from.free);
  from.lowest_free = std::min(from.lowest_free, from.free);
  return true;
}

void BufferPool::post(BufferClass size_class, std::uint16_t kernel_id, std::uint32_t id) noexcept {
  Group& mine = group(size_class);
  mine.posted[kernel_id] = id;
  test_switches::hand_out(whole(size_class, id));
  test_switches::close(whole(size_class, id));  // the kernel's until a receive has used it
  const int mask = io_uring_buf_ring_mask(static_cast<std::uint32_t>(mine.posted.size()));
  io_uring_buf_ring_add(mine.ring, at(size_class, id),
                        static_cast<unsigned>(receive_size(size_class)), kernel_id, mask, 0);
  io_uring_buf_ring_advance(mine.ring, 1);
}

void BufferPool::give_back(BufferClass size_class, std::uint32_t id) noexcept {
  Group& mine = group(size_class);
  PENSTOCK_ASSERT(mine.in_use > 0);
  --mine.in_use;
  test_switches::give_back(whole(size_class, id));
  if (mine.missing.empty()) {
    mine.stacked(mine.free++) = id;
    return;
  }
  const std::uint16_t kernel_id = mine.missing.back();
  mine.missing.pop_back();
  post(size_class, kernel_id, id);
}

}  // namespace penstock::io

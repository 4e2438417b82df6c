// Reserved address space from mmap. MAP_NORESERVE: the limit is what might be used one day, not
// what is used.
#include "penstock/base/memory.h"

#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "penstock/base/test_switches.h"

namespace penstock {
namespace {

std::size_t page_size() noexcept {
  static const auto size = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  return size;
}
std::size_t round_up(std::size_t bytes) noexcept {
  return (bytes + page_size() - 1) / page_size() * page_size();
}

}  // namespace

ReservedMemory::ReservedMemory(ReservedMemory&& from) noexcept
    : data_(std::exchange(from.data_, nullptr)), size_(std::exchange(from.size_, 0)) {}

ReservedMemory& ReservedMemory::operator=(ReservedMemory&& from) noexcept {
  std::swap(data_, from.data_);
  std::swap(size_, from.size_);
  return *this;
}

ReservedMemory::~ReservedMemory() {
  if (data_ == nullptr) return;
  test_switches::open({data_, size_});
  ::munmap(data_, size_);
}

Result<ReservedMemory> ReservedMemory::reserve(std::size_t bytes) {
  ReservedMemory memory;
  memory.size_ = std::max(round_up(bytes), page_size());
  const bool refused = test_switches::allocation_fails();
  void* at = refused ? MAP_FAILED
                     : ::mmap(nullptr, memory.size_, PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (at == MAP_FAILED) {
    return fail_errno(
        fmt::format("cannot reserve {} MiB of address space (lower process.max_connections, or "
                    "raise ulimit -v and vm.overcommit_memory)",
                    memory.size_ >> 20),
        refused ? ENOMEM : errno);
  }
  memory.data_ = static_cast<std::byte*>(at);
  return memory;
}

void ReservedMemory::release(std::size_t offset, std::size_t bytes) noexcept {
  const std::size_t first = round_up(offset);
  const std::size_t last = (offset + bytes) / page_size() * page_size();
  if (first < last) ::madvise(data_ + first, last - first, MADV_DONTNEED);
}

}  // namespace penstock

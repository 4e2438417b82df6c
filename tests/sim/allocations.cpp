// The program's operator new and delete, which count.
#include "allocations.h"

#include <cstdlib>
#include <new>

namespace penstock::sim {
namespace {

bool counting = false;
int uncounted = 0;
std::uint64_t count = 0;

}  // namespace

AllocationCount::AllocationCount() noexcept {
  counting = true;
  count = 0;
}
AllocationCount::~AllocationCount() { counting = false; }
std::uint64_t AllocationCount::value() const noexcept { return count; }

Uncounted::Uncounted() noexcept { ++uncounted; }
Uncounted::~Uncounted() { --uncounted; }

namespace {

void* allocate(std::size_t size) {
  if (counting && uncounted == 0) ++count;
  void* memory = std::malloc(size == 0 ? 1 : size);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}

}  // namespace
}  // namespace penstock::sim

void* operator new(std::size_t size) { return penstock::sim::allocate(size); }
void* operator new[](std::size_t size) { return penstock::sim::allocate(size); }
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t /*size*/) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t /*size*/) noexcept { std::free(memory); }

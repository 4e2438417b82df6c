// The program's operator new and delete, which count. AddressSanitizer has its own, which tell
// more: nothing is counted with it.
#include "allocations.h"

#include <cstdlib>
#include <new>

#if defined(__SANITIZE_ADDRESS__)
#define PENSTOCK_OWN_NEW 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define PENSTOCK_OWN_NEW 0
#endif
#endif
#ifndef PENSTOCK_OWN_NEW
#define PENSTOCK_OWN_NEW 1
#endif

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

#if PENSTOCK_OWN_NEW
namespace {

void* allocate(std::size_t size) {
  if (counting && uncounted == 0) ++count;
  void* memory = std::malloc(size == 0 ? 1 : size);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}

}  // namespace
#endif
}  // namespace penstock::sim

#if PENSTOCK_OWN_NEW
void* operator new(std::size_t size) { return penstock::sim::allocate(size); }
void* operator new[](std::size_t size) { return penstock::sim::allocate(size); }
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t /*size*/) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t /*size*/) noexcept { std::free(memory); }
#endif

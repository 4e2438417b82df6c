// PENSTOCK_ASSERT: our own duties, checked in every build. What a packet, a file, an errno or a
// clock decides is never asserted; it is an Error to handle. A failed assertion prints where it was
// and what the simulator was doing, then traps.
#pragma once

namespace penstock {

/// Prints the failed condition, its place and the context set by set_assert_context(), then aborts.
[[noreturn]] void assert_failed(const char* condition, const char* file, int line) noexcept;

/// A text printed with every failed assertion of this thread, for example "seed 0x2a turn 69".
/// Borrowed, may be null.
void set_assert_context(const char* text) noexcept;

}  // namespace penstock

#define PENSTOCK_ASSERT(condition) \
  ((condition) ? static_cast<void>(0) : ::penstock::assert_failed(#condition, __FILE__, __LINE__))

/// Where control cannot come; `why` is a string literal.
#define PENSTOCK_UNREACHABLE(why) ::penstock::assert_failed(why, __FILE__, __LINE__)

#ifdef PENSTOCK_CHECKS
inline constexpr bool penstock_checks = true;
#else
inline constexpr bool penstock_checks = false;
#endif

// Result<T>: what every function returns that the world can make fail. An Error is a sentence for a
// person (what was attempted, on what, why, what to do) and, where the kernel was the cause, its
// errno.
#pragma once

#include <expected>
#include <string>
#include <utility>

namespace penstock {

struct Error {
  std::string message;  ///< a whole sentence, without a newline
  int errno_value = 0;  ///< 0 when the kernel was not the cause
};

template <class T>
using Result = std::expected<T, Error>;

/// Builds the failure arm of a Result: `return fail("cannot read {}: …")`.
[[nodiscard]] inline std::unexpected<Error> fail(std::string message, int errno_value = 0) {
  return std::unexpected(Error{std::move(message), errno_value});
}

/// Failure with the text of `errno_value` appended: "cannot open x: No such file or directory".
[[nodiscard]] std::unexpected<Error> fail_errno(std::string what, int errno_value);

/// The kernel's text for an errno, thread-safe.
[[nodiscard]] std::string errno_text(int errno_value);

}  // namespace penstock

// Text for errors that come from the kernel. The meaning of an errno for a session is decided in
// io, not here.
#include "penstock/base/result.h"

#include <system_error>

namespace penstock {

std::string errno_text(int errno_value) { return std::generic_category().message(errno_value); }

std::unexpected<Error> fail_errno(std::string what, int errno_value) {
  return fail(std::move(what) + ": " + errno_text(errno_value), errno_value);
}

}  // namespace penstock

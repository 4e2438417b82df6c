// One system call, asked by whoever opens sockets by the thousand.
#include "penstock/base/descriptor_limit.h"

#include <sys/resource.h>

namespace penstock {

std::uint64_t raise_descriptor_limit(std::uint64_t wanted) noexcept {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return 0;
  if (limit.rlim_max < wanted) {
    // Only with CAP_SYS_RESOURCE, and at most to the sysctl fs.nr_open.
    const rlimit higher{.rlim_cur = wanted, .rlim_max = wanted};
    if (::setrlimit(RLIMIT_NOFILE, &higher) == 0) return wanted;
  }
  const rlimit allowed{.rlim_cur = limit.rlim_max, .rlim_max = limit.rlim_max};
  if (::setrlimit(RLIMIT_NOFILE, &allowed) == 0) return allowed.rlim_cur;
  return limit.rlim_cur;
}

}  // namespace penstock

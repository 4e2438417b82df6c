// Opening a ring, and what to tell the operator when the kernel refuses. liburing adds NO_SQARRAY
// by itself where known.
#include "ring_setup.h"

#include <fmt/format.h>

#include <cerrno>
#include <fstream>
#include <string>

namespace penstock::io {
namespace {

std::string sysctl_value() {
  std::ifstream file("/proc/sys/kernel/io_uring_disabled");
  std::string value;
  file >> value;
  return value;
}

std::string explain_permission() {
  const std::string value = sysctl_value();
  if (value == "2") {
    return "io_uring is switched off on this machine (sysctl kernel.io_uring_disabled is 2); "
           "run: sysctl -w kernel.io_uring_disabled=0";
  }
  if (value == "1") {
    return "io_uring is reserved for privileged processes here (sysctl kernel.io_uring_disabled is "
           "1); run: sysctl -w "
           "kernel.io_uring_disabled=0, or add this user's group as kernel.io_uring_group";
  }
  return "io_uring is blocked, probably by the container's seccomp profile; allow the system calls "
         "io_uring_setup, "
         "io_uring_enter and io_uring_register (docker: --security-opt seccomp=PROFILE.json)";
}

}  // namespace

int setup_ring(io_uring& ring, const RingOptions& options) noexcept {
  io_uring_params params{};
  params.flags = IORING_SETUP_CLAMP | IORING_SETUP_CQSIZE | IORING_SETUP_SUBMIT_ALL;
  params.cq_entries = options.completion_entries;
  const FeatureSet& features = options.features;
  if (features.has(Feature::single_issuer)) params.flags |= IORING_SETUP_SINGLE_ISSUER;
  if (features.has(Feature::defer_taskrun)) {
    params.flags |= IORING_SETUP_DEFER_TASKRUN;
  } else if (features.has(Feature::coop_taskrun)) {
    params.flags |= IORING_SETUP_COOP_TASKRUN;
  }
  return io_uring_queue_init_params(options.submission_entries, &ring, &params);
}

Error explain_setup_failure(int errno_value) {
  switch (errno_value) {
    case EPERM:
    case EACCES:
      return {explain_permission(), errno_value};
    case ENOSYS:
      return {
          "this kernel has no io_uring, or the container's seccomp profile hides it; penstock "
          "needs Linux 6.1 or newer "
          "with CONFIG_IO_URING, and io_uring_setup, io_uring_enter and io_uring_register allowed",
          errno_value};
    case ENOMEM:
      return {
          "no memory for an io_uring: the limit on locked memory is too low (raise it: ulimit -l "
          "unlimited, docker "
          "--ulimit memlock=-1, systemd LimitMEMLOCK=infinity) or the memory cgroup is full",
          errno_value};
    case EMFILE:
    case ENFILE:
      return {"no file descriptor for an io_uring; raise the limit on open files (ulimit -n)",
              errno_value};
    default:
      return {fmt::format("io_uring_setup failed: {}; penstock needs Linux 6.1 or newer",
                          errno_text(errno_value)),
              errno_value};
  }
}

}  // namespace penstock::io

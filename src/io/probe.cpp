// What this kernel's io_uring can do, found out by doing it: uname lies in both directions
// (backports, containers). Runs once at start, in the supervisor, on rings and sockets of its own,
// a few milliseconds in all.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <optional>

#include "penstock/base/assert.h"
#include "penstock/base/unique_fd.h"
#include "penstock/io/features.h"
#include "ring_setup.h"

namespace penstock::io {
namespace {

/// What of a completion the trials look at (io_uring_cqe itself cannot be copied into an optional).
struct Answer {
  std::uint64_t user_data;
  int res;
  unsigned flags;
};

/// A small ring that is closed at the end of a trial.
class TrialRing {
 public:
  explicit TrialRing(FeatureSet features) {
    status_ = setup_ring(ring_,
                         {.submission_entries = 8, .completion_entries = 32, .features = features});
  }
  TrialRing(const TrialRing&) = delete;
  TrialRing& operator=(const TrialRing&) = delete;
  ~TrialRing() {
    if (status_ == 0) io_uring_queue_exit(&ring_);
  }
  [[nodiscard]] int status() const noexcept { return status_; }
  [[nodiscard]] io_uring& raw() noexcept { return ring_; }
  [[nodiscard]] io_uring_sqe& sqe() noexcept { return *io_uring_get_sqe(&ring_); }

  /// Submits and waits up to a second for one completion.
  std::optional<Answer> next() noexcept {
    __kernel_timespec limit{.tv_sec = 1, .tv_nsec = 0};
    io_uring_cqe* cqe = nullptr;
    if (io_uring_submit_and_wait_timeout(&ring_, &cqe, 1, &limit, nullptr) < 0 || cqe == nullptr)
      return std::nullopt;
    const Answer copy{.user_data = cqe->user_data, .res = cqe->res, .flags = cqe->flags};
    io_uring_cqe_seen(&ring_, cqe);
    return copy;
  }

 private:
  io_uring ring_{};
  int status_ = -EINVAL;
};

struct SocketPair {
  UniqueFd near;
  UniqueFd far;
  SocketPair() {
    std::array<int, 2> fds{-1, -1};
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds.data()) != 0) return;
    near.reset(fds[0]);
    far.reset(fds[1]);
  }
};

bool try_setup_flags(FeatureSet base, Feature feature) {
  base.add(feature);
  return TrialRing(base).status() == 0;
}

bool try_registered_ring(FeatureSet base) {
  TrialRing ring(base);
  return ring.status() == 0 && io_uring_register_ring_fd(&ring.raw()) == 1;
}

/// 0 or -errno of registering one.
int buffer_ring_status(FeatureSet base) {
  TrialRing ring(base);
  if (ring.status() != 0) return ring.status();
  int status = 0;
  io_uring_buf_ring* buffers = io_uring_setup_buf_ring(&ring.raw(), 8, 0, 0, &status);
  if (buffers == nullptr) return status;
  io_uring_free_buf_ring(&ring.raw(), buffers, 8, 0);
  return 0;
}

bool try_cancel_fd(FeatureSet base) {
  TrialRing ring(base);
  SocketPair pair;
  if (ring.status() != 0 || !pair.near.valid()) return false;
  std::array<char, 8> to{};
  io_uring_prep_recv(&ring.sqe(), pair.near.get(), to.data(), to.size(), 0);
  io_uring_sqe& cancel = ring.sqe();
  io_uring_prep_cancel_fd(&cancel, pair.near.get(), IORING_ASYNC_CANCEL_ALL);
  cancel.user_data = 1;
  for (int i = 0; i < 2; ++i) {
    const auto cqe = ring.next();
    if (!cqe) return false;
    if (cqe->user_data == 1 && cqe->res != 1) return false;
  }
  return true;
}

bool try_poll_first(FeatureSet base) {
  TrialRing ring(base);
  SocketPair pair;
  if (ring.status() != 0 || ::send(pair.far.get(), "x", 1, MSG_NOSIGNAL) != 1) return false;
  std::array<char, 8> to{};
  io_uring_sqe& receive = ring.sqe();
  io_uring_prep_recv(&receive, pair.near.get(), to.data(), to.size(), 0);
  receive.ioprio |= IORING_RECVSEND_POLL_FIRST;
  const auto cqe = ring.next();
  return cqe && cqe->res == 1;
}

bool try_multishot_accept(FeatureSet base) {
  TrialRing ring(base);
  const UniqueFd listener(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const UniqueFd client(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  sockaddr_un name{.sun_family = AF_UNIX, .sun_path = {}};
  auto* address = reinterpret_cast<sockaddr*>(&name);
  socklen_t length = sizeof(sa_family_t);  // bound to an abstract name that the kernel picks
  if (ring.status() != 0 || ::bind(listener.get(), address, length) != 0 ||
      ::listen(listener.get(), 4) != 0)
    return false;
  length = sizeof(name);
  if (::getsockname(listener.get(), address, &length) != 0 ||
      ::connect(client.get(), address, length) != 0)
    return false;
  io_uring_prep_multishot_accept(&ring.sqe(), listener.get(), nullptr, nullptr, SOCK_CLOEXEC);
  const auto cqe = ring.next();
  if (!cqe || cqe->res < 0) return false;
  const UniqueFd accepted(cqe->res);
  return (cqe->flags & IORING_CQE_F_MORE) != 0;
}

/// No feature of the ring; a seccomp profile may still forbid it.
bool try_splice() {
  SocketPair pair;
  std::array<int, 2> ends{-1, -1};
  if (::pipe2(ends.data(), O_CLOEXEC | O_NONBLOCK) != 0) return false;
  const UniqueFd read_end(ends[0]);
  const UniqueFd write_end(ends[1]);
  if (::send(pair.far.get(), "x", 1, MSG_NOSIGNAL) != 1) return false;
  return ::splice(pair.near.get(), nullptr, write_end.get(), nullptr, 1, SPLICE_F_NONBLOCK) == 1;
}

bool try_feature(FeatureSet base, Feature feature) {
  switch (feature) {
    case Feature::buffer_ring:
      return buffer_ring_status(base) == 0;
    case Feature::cancel_fd:
      return try_cancel_fd(base);
    case Feature::wait_timeout: {
      TrialRing ring(base);
      return ring.status() == 0 && (ring.raw().features & IORING_FEAT_EXT_ARG) != 0;
    }
    case Feature::single_issuer:
    case Feature::coop_taskrun:
      return try_setup_flags(base, feature);
    case Feature::defer_taskrun:
      return base.has(Feature::single_issuer) && try_setup_flags(base, feature);
    case Feature::registered_ring:
      return try_registered_ring(base);
    case Feature::multishot_accept:
      return try_multishot_accept(base);
    case Feature::poll_first:
      return try_poll_first(base);
    case Feature::splice:
      return try_splice();
  }
  return false;
}

Result<void> check_kernel_release() {
  utsname system{};
  unsigned major = 0;
  unsigned minor = 0;
  ::uname(&system);
  if (std::sscanf(system.release, "%u.%u", &major, &minor) == 2 &&
      (major < 6 || (major == 6 && minor < 1))) {
    return fail(
        fmt::format("kernel {} is too old: penstock needs Linux 6.1 or newer", system.release),
        ENOSYS);
  }
  return {};
}

}  // namespace

Result<FeatureSet> probe_features(FeatureSet disabled) {
  if (const int status = TrialRing(FeatureSet{}).status(); status != 0) {
    return std::unexpected(explain_setup_failure(-status));
  }
  if (auto checked = check_kernel_release(); !checked) return std::unexpected(checked.error());
  FeatureSet available;
  for (const FeatureInfo& info : all_features()) {
    PENSTOCK_ASSERT(!info.required || !disabled.has(info.feature));  // the configuration's duty
    if (!disabled.has(info.feature) && try_feature(available, info.feature)) {
      available.add(info.feature);
      continue;
    }
    if (!info.required) continue;
    if (info.feature == Feature::buffer_ring && buffer_ring_status(available) == -ENOMEM) {
      return std::unexpected(explain_setup_failure(ENOMEM));
    }
    return fail(fmt::format("this kernel's io_uring lacks {} (Linux {}): {}; penstock needs Linux "
                            "6.1 or newer",
                            info.name, info.since, info.gain),
                ENOSYS);
  }
  return available;
}

}  // namespace penstock::io

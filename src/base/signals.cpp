// signalfd(2) for the signals that the command line promises to handle. A second identical signal
// that comes while the first still waits is merged with it by the kernel; that only happens within
// the same turn of the supervisor.
#include "penstock/base/signals.h"

#include <sys/signalfd.h>

#include <cerrno>
#include <csignal>

namespace penstock {

Result<Signals> Signals::take() {
  sigset_t set;
  sigemptyset(&set);
  for (const int number : {SIGTERM, SIGINT, SIGHUP, SIGUSR2}) sigaddset(&set, number);
  // Only fails for an invalid argument.
  ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
  UniqueFd fd(::signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC));
  if (!fd.valid()) return fail_errno("cannot open a signalfd", errno);
  return Signals(std::move(fd));
}

std::optional<int> Signals::next() noexcept {
  signalfd_siginfo signal{};
  if (::read(fd_.get(), &signal, sizeof signal) != sizeof signal) return std::nullopt;
  return static_cast<int>(signal.ssi_signo);
}

}  // namespace penstock

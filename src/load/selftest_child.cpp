// Other programs as children: what they say, and the signals they get.
#include <fcntl.h>
#include <fmt/format.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <string_view>
#include <utility>

#include "selftest_bench.h"

namespace penstock::load {
namespace {

/// In the child, between fork() and exec(): nothing but system calls, as other threads of ours may
/// have held any lock.
[[noreturn]] void become(char* const* arguments, int output, int cpu) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (cpu >= 0) {
    cpu_set_t cpus;
    CPU_ZERO(&cpus);
    CPU_SET(static_cast<unsigned>(cpu), &cpus);
    ::sched_setaffinity(0, sizeof(cpus), &cpus);
  }
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::signal(SIGPIPE, SIG_DFL);
  const int nothing = ::open("/dev/null", O_RDONLY);
  ::dup2(nothing, STDIN_FILENO);
  ::dup2(output, STDOUT_FILENO);
  ::dup2(output, STDERR_FILENO);
  ::execv(arguments[0], arguments);
  ::_exit(127);
}

}  // namespace

Result<Child> Child::start(const std::vector<std::string>& command, std::optional<int> cpu) {
  std::vector<std::string> words = command;  // execv() wants to write to them, and does not
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return fail_errno("cannot make a pipe", errno);
  UniqueFd output(ends[0]);
  const UniqueFd input(ends[1]);
  const int pid = ::fork();
  if (pid < 0) return fail_errno(fmt::format("cannot start {}", command.front()), errno);
  if (pid == 0) become(arguments.data(), input.get(), cpu.value_or(-1));
  return Child(pid, std::move(output));
}

Child::Child(Child&& from) noexcept
    : pid_(std::exchange(from.pid_, -1)),
      output_(std::move(from.output_)),
      unread_(std::move(from.unread_)) {}

Child::~Child() {
  if (pid_ < 0) return;
  ::kill(pid_, SIGKILL);
  while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
  }
}

Result<bool> Child::read_some(Bench& bench, Instant limit) {
  if (!bench.readable(output_.get(), limit)) {
    return fail(bench.interrupted() ? "interrupted" : "another program took too long");
  }
  std::array<char, 4096> part{};
  const ssize_t size = ::read(output_.get(), part.data(), part.size());
  if (size < 0) return fail_errno("cannot read what another program says", errno);
  unread_.append(part.data(), static_cast<std::size_t>(size));
  return size > 0;
}

Result<std::string> Child::read_line(Bench& bench, Instant limit) {
  while (!unread_.contains('\n')) {
    auto more = read_some(bench, limit);
    if (!more) return std::unexpected(more.error());
    if (!*more) return fail(fmt::format("another program ended early, saying: {}", unread_));
  }
  const std::size_t end = unread_.find('\n');
  std::string line = unread_.substr(0, end);
  unread_.erase(0, end + 1);
  return line;
}

Result<std::string> Child::read_all(Bench& bench, Instant limit) {
  for (;;) {
    auto more = read_some(bench, limit);
    if (!more) return std::unexpected(more.error());
    if (!*more) return std::exchange(unread_, {});
  }
}

bool Child::stop() const noexcept {
  if (::kill(pid_, SIGSTOP) != 0) return false;
  siginfo_t seen{};
  const int result = ::waitid(P_PID, static_cast<id_t>(pid_), &seen, WSTOPPED | WEXITED | WNOWAIT);
  return result == 0 && seen.si_code == CLD_STOPPED;
}

void Child::go_on() const noexcept { ::kill(pid_, SIGCONT); }

Duration Child::finish() noexcept {
  ::kill(pid_, SIGKILL);
  rusage used{};
  while (::wait4(pid_, nullptr, 0, &used) < 0 && errno == EINTR) {
  }
  pid_ = -1;
  const auto span = [](const timeval& time) {
    return std::chrono::seconds(time.tv_sec) + std::chrono::microseconds(time.tv_usec);
  };
  return span(used.ru_utime) + span(used.ru_stime);
}

std::string find_program(const std::string& name) {
  const char* const path = std::getenv("PATH");
  std::string_view rest = path == nullptr ? "" : path;
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find(':'), rest.size());
    std::string candidate = fmt::format("{}/{}", rest.substr(0, end), name);
    if (::access(candidate.c_str(), X_OK) == 0) return candidate;
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return {};
}

}  // namespace penstock::load

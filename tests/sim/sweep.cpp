// Processes that run seeds and tell of each through one pipe: when it begins, and what it came to.
#include "sweep.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <climits>
#include <csignal>
#include <vector>

#include "penstock/base/assert.h"
#include "penstock/io/linux_kernel.h"
#include "world.h"

namespace penstock::sim {
namespace {

struct Message {
  std::uint64_t job = 0;
  std::uint64_t seed = 0;
  bool begins = false;
  Tally tally;
};
static_assert(sizeof(Message) <= PIPE_BUF);  // written as one piece, whoever else writes

Instant real_now() noexcept { return io::LinuxKernel().now(); }

struct Worker {
  pid_t process = -1;
  std::optional<std::uint64_t> seed;  ///< under way
  Instant began{};
};

void tell(int fd, const Message& message) {
  const auto written = ::write(fd, &message, sizeof message);
  if (written != sizeof message) ::_exit(2);  // nobody listens any more
}

/// The process of one job: every jobs-th seed.
[[noreturn]] void work(const SweepOptions& options, std::size_t job, int fd, Instant until) {
  const int nowhere = ::open("/dev/null", O_WRONLY | O_CLOEXEC);
  ::dup2(nowhere, STDOUT_FILENO);  // a replay tells everything
  if (options.quiet) ::dup2(nowhere, STDERR_FILENO);
  std::signal(SIGABRT, SIG_DFL);  // a test program's handler would report a case of its own
  for (std::uint64_t i = job; i < options.count && real_now() < until; i += options.jobs) {
    Message message{.job = job, .seed = options.first + i, .begins = true, .tally = {}};
    tell(fd, message);
    message.tally = World(message.seed).run();
    message.begins = false;
    tell(fd, message);
  }
  ::_exit(0);
}

class Supervision {
 public:
  explicit Supervision(const SweepOptions& options) : options_(options), began_(real_now()) {
    int ends[2] = {-1, -1};
    PENSTOCK_ASSERT(::pipe2(ends, O_CLOEXEC) == 0);
    const bool endless = options.limit == Duration::max();
    const Instant until = endless ? never : began_ + options.limit;
    std::fflush(nullptr);  // or every process would write it
    for (std::size_t job = 0; job < options.jobs; ++job) {
      const pid_t process = ::fork();
      PENSTOCK_ASSERT(process >= 0);
      if (process == 0) work(options, job, ends[1], until);
      workers_.push_back({.process = process, .seed = std::nullopt, .began = began_});
    }
    ::close(ends[1]);
    fd_ = ends[0];
  }
  Supervision(const Supervision&) = delete;
  Supervision& operator=(const Supervision&) = delete;
  ~Supervision() {
    kill_all();
    for (const Worker& worker : workers_) ::waitpid(worker.process, nullptr, 0);
    ::close(fd_);
  }

  SweepOutcome run() {
    Instant told = began_;
    bool running = true;
    while (running) {
      running = listen();
      if (note_failure(running ? WNOHANG : 0)) break;  // after the last word the end is near
      if (!options_.on_progress || real_now() - told < 10s) continue;
      told = real_now();
      options_.on_progress(outcome_.seeds);
    }
    if (const auto failed = failed_job_) {
      kill_all();
      while (listen()) {  // what was told before
      }
      outcome_.failed = workers_[*failed].seed.value_or(options_.first);
    }
    outcome_.seconds = std::chrono::duration<double>(real_now() - began_).count();
    return outcome_;
  }

 private:
  void kill_all() const {
    for (const Worker& worker : workers_) ::kill(worker.process, SIGKILL);
  }

  /// Waits a little for news. False once every process has ended and all of it was heard.
  bool listen() {
    pollfd waited{.fd = fd_, .events = POLLIN, .revents = 0};
    if (::poll(&waited, 1, 200) <= 0) return true;
    Message message;
    if (::read(fd_, &message, sizeof message) != sizeof message) return false;
    Worker& worker = workers_[message.job];
    if (message.begins) {
      worker.seed = message.seed;
      worker.began = real_now();
      return true;
    }
    worker.seed.reset();
    outcome_.tally.add(message.tally);
    ++outcome_.seeds;
    return true;
  }

  /// True when a process has died or hangs. `how_to_wait`: WNOHANG, or 0 once all of them end.
  bool note_failure(int how_to_wait) {
    for (std::size_t job = 0; job < workers_.size() && !failed_job_; ++job) {
      const Worker& worker = workers_[job];
      siginfo_t how{};
      const int seen =
          ::waitid(P_PID, static_cast<id_t>(worker.process), &how, WEXITED | WNOWAIT | how_to_wait);
      const bool died = seen == 0 && how.si_pid == worker.process && how.si_status != 0;
      const bool hangs = worker.seed && real_now() - worker.began > options_.seed_limit;
      if (hangs && !options_.quiet) {
        fmt::print(stderr, "seed {:#x} takes more than {} s\n", *worker.seed,
                   options_.seed_limit / 1s);
      }
      if (died || hangs) failed_job_ = job;
    }
    return failed_job_.has_value();
  }

  const SweepOptions& options_;
  Instant began_;
  int fd_ = -1;
  std::vector<Worker> workers_;
  std::optional<std::size_t> failed_job_;
  SweepOutcome outcome_;
};

}  // namespace

SweepOutcome sweep(const SweepOptions& options) {
  PENSTOCK_ASSERT(options.jobs > 0);
  return Supervision(options).run();
}

std::size_t usual_jobs() {
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  if (::sched_getaffinity(0, sizeof allowed, &allowed) != 0) return 1;
  return static_cast<std::size_t>(std::max(1, CPU_COUNT(&allowed)));
}

void Tally::add(const Tally& other) noexcept {
  for (std::size_t i = 0; i < reasons.size(); ++i) reasons[i] += other.reasons[i];
  turns += other.turns;
  bytes += other.bytes;
  tries += other.tries;
  handed_over += other.handed_over;
}

std::string Tally::text() const {
  std::string text = fmt::format(
      "{} turns, {} bytes relayed, {} handed over; sessions by reason:", turns, bytes, handed_over);
  for (const stats::CloseReasonInfo& reason : stats::close_reasons) {
    const std::uint64_t count = reasons[static_cast<std::size_t>(reason.reason)];
    if (count > 0) text += fmt::format(" {} {}", reason.name, count);
  }
  return text;
}

}  // namespace penstock::sim

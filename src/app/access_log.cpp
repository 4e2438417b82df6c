// The log writer's thread: wakes up twenty times a second, empties the rings, writes. The time of a
// line is that of the wake-up, at most 50 ms after the session's end.
#include "penstock/app/access_log.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <pthread.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <condition_variable>
#include <mutex>
#include <utility>

#include "penstock/base/log.h"
#include "penstock/base/start_thread.h"
#include "words.h"

namespace penstock::app {
namespace {

// 8192 records at 50 ms are 160,000 sessions a second and shard before one is dropped.
constexpr std::size_t ring_capacity = 8192;
constexpr auto wake_interval = 50ms;
constexpr Duration log_patience = 1s;
constexpr std::size_t batch_bytes = PIPE_BUF;  ///< written or lost as a whole

std::string line_of(const stats::SessionRecord& record, const stats::Names& names,
                    const std::string& time) {
  // Paths of unix sockets may be no valid UTF-8; what is not is replaced, so that the line stays
  // JSON.
  const std::string fields =
      stats::to_json(record, names).dump(-1, ' ', false, Json::error_handler_t::replace);
  return fmt::format("{{\"time\":\"{}\",{}\n", time, std::string_view(fields).substr(1));
}

}  // namespace

Result<std::unique_ptr<AccessLog>> AccessLog::open(const std::string& target,
                                                   LineOutput& standard_output, stats::Names names,
                                                   std::uint32_t shards) {
  UniqueFd file;
  if (target != "stdout") {
    // Non-blocking, so that a named pipe that nobody reads is an error and not a hang.
    constexpr int flags = O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
    file.reset(::open(target.c_str(), flags, 0640));
    if (!file.valid() && errno == ENXIO) {
      return fail(
          fmt::format("cannot open the access log {}: nobody reads from that pipe or socket",
                      target),
          ENXIO);
    }
    if (!file.valid())
      return fail_errno(fmt::format("cannot open the access log {}", target), errno);
  }
  auto opened = std::make_unique<AccessLog>(target, std::move(file), standard_output,
                                            std::move(names), shards);
  auto started = start_thread(
      "access-log", [own = opened.get()](const std::stop_token& stop) { own->run(stop); });
  if (!started) return std::unexpected(started.error());
  opened->thread_ = std::move(*started);
  return opened;
}

AccessLog::AccessLog(std::string target, UniqueFd file, LineOutput& standard_output,
                     stats::Names names, std::uint32_t shards)
    : target_(std::move(target)),
      file_(std::move(file)),
      output_(file_.valid() ? own_output_.emplace(file_.get()) : standard_output),
      names_(std::move(names)) {
  for (std::uint32_t i = 0; i < shards; ++i) {
    rings_.push_back(std::make_unique<stats::RecordRing>(ring_capacity));
  }
}

AccessLog::~AccessLog() {
  thread_ = {};  // stops and joins it
  if (lost_ > 0)
    log::warn("access log {}: {} could not be written", target_, counted(lost_, "line"));
}

void AccessLog::run(const std::stop_token& stop) {
  ::pthread_setname_np(::pthread_self(), "access-log");
  std::mutex mutex;
  std::condition_variable_any woken;
  while (!stop.stop_requested()) {
    {
      std::unique_lock lock(mutex);
      woken.wait_for(lock, stop, wake_interval, [] { return false; });
    }
    drain();
  }
  drain();
}

void AccessLog::drain() {
  const std::string time = log::timestamp(log::wall_clock());
  std::string lines;
  std::uint64_t count = 0;
  bool writable = true;
  for (const auto& ring : rings_) {
    while (const auto record = ring->pop()) {
      // Once something failed, the rest of this round is not tried: each try may take
      // `log_patience`, and the process may be waiting to end.
      const std::string line = writable ? line_of(*record, names_, time) : std::string();
      if (lines.size() + line.size() > batch_bytes) {
        writable = write(std::exchange(lines, {}), std::exchange(count, 0));
      }
      lines += line;
      ++count;
    }
  }
  if (writable) {
    write(lines, count);
  } else {
    lost_ += count;
  }
}

bool AccessLog::write(const std::string& lines, std::uint64_t count) {
  if (count == 0) return true;
  const auto written = output_.write(lines, log_patience);
  if (written) return true;
  if (lost_ == 0) {
    log::warn("access log {}: lines are being lost: {}", target_, written.error().message);
  }
  lost_ += count;
  return false;
}

}  // namespace penstock::app

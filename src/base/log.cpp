// Formats a line and hands it to stderr, whole. When the reader of stderr has stopped, the first
// line waits for it a little, those after it not at all: they are counted, and told of once it
// reads again.
#include "penstock/base/log.h"

#include <fmt/chrono.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <ctime>
#include <mutex>
#include <string>

#include "penstock/base/line_output.h"

namespace penstock::log {
namespace {
std::atomic<Level> lowest{Level::info};
constexpr std::array names = {"debug", "info", "warn", "error"};
constexpr std::chrono::milliseconds patience{100};

std::string line_of(Level level, std::string_view text) {
  std::string line =
      fmt::format("{} {} ", timestamp(wall_clock()), names[static_cast<std::size_t>(level)]);
  for (const char c : text) line += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
  return line + '\n';
}

/// stderr, and how many lines it did not take.
class Output {
 public:
  void write(std::string_view line) {
    const std::scoped_lock lock(mutex_);
    if (dropped_ > 0 && !tell_dropped()) {
      ++dropped_;
      return;
    }
    if (!output_.write(line, patience)) ++dropped_;
  }

 private:
  /// Whether the reader is there again; does not wait for it.
  bool tell_dropped() {
    const auto text =
        fmt::format("{} log line{} dropped", dropped_, dropped_ == 1 ? " was" : "s were");
    if (!output_.write(line_of(Level::warn, text), std::chrono::nanoseconds::zero())) return false;
    dropped_ = 0;
    return true;
  }

  std::mutex mutex_;
  LineOutput output_{STDERR_FILENO};
  std::uint64_t dropped_ = 0;
};

Output& output() {
  static Output only;
  return only;
}

}  // namespace

void set_level(Level level) noexcept { lowest.store(level, std::memory_order_relaxed); }
bool enabled(Level level) noexcept { return level >= lowest.load(std::memory_order_relaxed); }

std::chrono::system_clock::time_point wall_clock() noexcept {
  return std::chrono::system_clock::now();
}

std::string timestamp(std::chrono::system_clock::time_point at) {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(at);
  const auto ms = std::chrono::floor<std::chrono::milliseconds>(at - seconds).count();
  const std::time_t whole = std::chrono::system_clock::to_time_t(seconds);
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}Z", fmt::gmtime(whole), ms);
}

void write(Level level, std::string_view text) noexcept {
  try {
    output().write(line_of(level, text));
  } catch (...) {  // out of memory while logging: the line is lost, the process goes on
  }
}

}  // namespace penstock::log

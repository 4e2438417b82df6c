// Formats a line into a local buffer and hands it to the kernel in one write, so that lines of
// several threads never mix.
#include "penstock/base/log.h"

#include <fmt/chrono.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <ctime>
#include <string>

namespace penstock::log {
namespace {
std::atomic<Level> lowest{Level::info};
constexpr std::array names = {"debug", "info", "warn", "error"};
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
    std::string line =
        fmt::format("{} {} ", timestamp(wall_clock()), names[static_cast<std::size_t>(level)]);
    for (const char c : text) line += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
    line += '\n';
    [[maybe_unused]] const auto written = ::write(STDERR_FILENO, line.data(), line.size());
  } catch (...) {  // out of memory while logging: the line is lost, the process goes on
  }
}

}  // namespace penstock::log

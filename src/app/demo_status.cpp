// On a terminal the cursor waits at the start of the status, so that a log line, which goes to
// stderr on the same screen, begins at a column of its own.
#include "demo_status.h"

#include <fmt/format.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <condition_variable>
#include <mutex>
#include <utility>

#include "penstock/base/log.h"
#include "penstock/base/start_thread.h"
#include "penstock/io/linux_kernel.h"
#include "words.h"

namespace penstock::app {
namespace {

constexpr Duration terminal_interval = 1s;
constexpr Duration plain_interval = 3s;
constexpr Duration terminal_patience = 100ms;
constexpr std::string_view clear_line = "\r\x1b[K";

/// Columns of the terminal; 80 where it does not tell.
std::size_t columns() {
  winsize size{};
  if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return 80;
  return size.ws_col;
}

}  // namespace

DemoStatus::DemoStatus(Counters counters, std::vector<std::string> backends)
    : counters_(counters),
      backends_(std::move(backends)),
      output_(STDOUT_FILENO),
      on_terminal_(::isatty(STDOUT_FILENO) == 1) {
  auto started = start_thread("status", [this](const std::stop_token& stop) { run(stop); });
  if (started) {
    thread_ = std::move(*started);
  } else {
    log::warn("no status will be shown: {}", started.error().message);
  }
}

DemoStatus::~DemoStatus() {
  thread_ = {};  // stops and joins it
  if (on_terminal_) static_cast<void>(output_.write(clear_line, terminal_patience));
}

void DemoStatus::run(const std::stop_token& stop) {
  ::pthread_setname_np(::pthread_self(), "status");
  io::LinuxKernel kernel;
  std::mutex mutex;
  std::condition_variable_any woken;
  Figures last = read();
  std::string shown = text(last, 0);
  Instant last_read = kernel.now();
  while (true) {
    {
      std::unique_lock lock(mutex);
      woken.wait_for(lock, stop, on_terminal_ ? terminal_interval : plain_interval,
                     [] { return false; });
    }
    if (stop.stop_requested()) return;
    const Figures now = read();
    const Instant read_at = kernel.now();
    const std::chrono::duration<double> seconds = read_at - last_read;
    const auto begun = static_cast<double>(now.accepted - last.accepted);
    std::string news = text(now, begun / seconds.count());
    if (on_terminal_ || news != shown) show(news);
    shown = std::move(news);
    last = now;
    last_read = read_at;
  }
}

DemoStatus::Figures DemoStatus::read() const {
  Figures figures;
  figures.connections.resize(backends_.size());
  for (const auto& shard : counters_) {
    for (const stats::ListenerCounters& listener : shard->listener) {
      figures.active += listener.active.get();
      figures.accepted += listener.accepted.get();
    }
    for (std::size_t i = 0; i < backends_.size(); ++i) {
      figures.connections[i] += shard->backend[i].connections.get();
    }
  }
  return figures;
}

std::string DemoStatus::text(const Figures& figures, double rate) const {
  std::string text = fmt::format("{} now, {} in all, {:.0f}/s",
                                 counted(figures.active, "connection"), figures.accepted, rate);
  for (std::size_t i = 0; i < backends_.size(); ++i) {
    text += fmt::format(" | {} {}", backends_[i], figures.connections[i]);
  }
  return text;
}

void DemoStatus::show(const std::string& text) {
  // A status that cannot be shown is not worth a word; the next one comes soon.
  if (on_terminal_) {
    const std::string line = fmt::format("{}{}\r", clear_line, text.substr(0, columns() - 1));
    static_cast<void>(output_.write(line, terminal_patience));
  } else {
    static_cast<void>(output_.write(text + "\n", terminal_patience));
  }
}

}  // namespace penstock::app

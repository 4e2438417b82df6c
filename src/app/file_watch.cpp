// What a file is known by: when it changed, how long it is, and which inode it is.
#include "file_watch.h"

#include <pthread.h>
#include <sys/stat.h>

#include <algorithm>
#include <condition_variable>
#include <cstdint>
#include <iterator>
#include <mutex>
#include <tuple>
#include <utility>

#include "penstock/base/start_thread.h"
#include "penstock/time/instant.h"

namespace penstock::app {
namespace {

constexpr auto look_interval = 1s;
constexpr int looks_a_day = 86400;

using Print = std::tuple<std::int64_t, std::int64_t, std::int64_t, std::int64_t, std::uint64_t>;

/// All zero: it is not there.
Print print_of(const std::string& path) {
  struct stat found{};
  if (::stat(path.c_str(), &found) != 0) return {};
  return {found.st_mtim.tv_sec, found.st_mtim.tv_nsec, found.st_ctim.tv_sec, found.st_size,
          found.st_ino};
}

std::vector<Print> prints_of(const std::vector<std::string>& files) {
  std::vector<Print> prints;
  std::ranges::transform(files, std::back_inserter(prints), print_of);
  return prints;
}

}  // namespace

FileWatch::FileWatch(std::vector<std::string> files, Tasks tasks)
    : files_(std::move(files)), tasks_(std::move(tasks)) {}

Result<std::unique_ptr<FileWatch>> FileWatch::start(std::vector<std::string> files, Tasks tasks) {
  std::unique_ptr<FileWatch> watch(new FileWatch(std::move(files), std::move(tasks)));
  auto started = start_thread("tls-files",
                              [own = watch.get()](const std::stop_token& stop) { own->run(stop); });
  if (!started) return std::unexpected(started.error());
  watch->thread_ = std::move(*started);
  return watch;
}

void FileWatch::run(const std::stop_token& stop) {
  ::pthread_setname_np(::pthread_self(), "tls-files");
  std::mutex mutex;
  std::condition_variable_any woken;
  auto known = prints_of(files_);
  auto last = known;
  for (int look = 0; !stop.stop_requested(); look = (look + 1) % looks_a_day) {
    if (look == 0) tasks_.daily();
    {
      std::unique_lock lock(mutex);
      woken.wait_for(lock, stop, look_interval, [] { return false; });
    }
    if (stop.stop_requested()) return;
    auto now = prints_of(files_);
    const bool settled = now == last;
    last = std::move(now);
    if (!settled || last == known) continue;
    known = last;
    auto files = tasks_.changed();
    if (files == files_) continue;
    files_ = std::move(files);
    known = last = prints_of(files_);
  }
}

}  // namespace penstock::app

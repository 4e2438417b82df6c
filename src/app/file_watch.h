// FileWatch: looks at files once a second, on a thread of its own, and tells when some have changed
// and then stayed as they are for a look, since a certificate and its key are not written in one
// moment. By stat(2) and not by inotify: what is looked at may be behind links that are exchanged,
// or on a file system of another machine.
#pragma once

#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "penstock/base/result.h"

namespace penstock::app {

class FileWatch {
 public:
  struct Tasks {
    /// Called when files have changed; returns those to look at from then on.
    std::function<std::vector<std::string>()> changed;
    /// Called at once and then once a day.
    std::function<void()> daily;
  };
  /// Error: there is no room for another thread.
  [[nodiscard]] static Result<std::unique_ptr<FileWatch>> start(std::vector<std::string> files,
                                                                Tasks tasks);
  FileWatch(const FileWatch&) = delete;
  FileWatch& operator=(const FileWatch&) = delete;
  /// Waits for the end of a task that runs.
  ~FileWatch() = default;

 private:
  FileWatch(std::vector<std::string> files, Tasks tasks);
  void run(const std::stop_token& stop);

  std::vector<std::string> files_;
  Tasks tasks_;
  std::jthread thread_;
};

}  // namespace penstock::app

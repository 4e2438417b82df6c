// AccessLog: tells of every ended session, one JSON object a line, on stdout or in a file. Shards
// put records into bounded rings and go on; a thread of the log's own turns them into text. What
// cannot be written (disk full, reader gone) is counted and warned of once; it never ends the
// process nor slows a shard. The file is opened for appending: rotate it by copying and truncating.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "penstock/base/ids.h"
#include "penstock/base/line_output.h"
#include "penstock/base/unique_fd.h"
#include "penstock/stats/session_record.h"

namespace penstock::app {

class AccessLog {
 public:
  /// `target`: "stdout" or a path. `standard_output` must outlive the log.
  /// Error: the file cannot be opened, or there is no room for another thread.
  [[nodiscard]] static Result<std::unique_ptr<AccessLog>> open(const std::string& target,
                                                               LineOutput& standard_output,
                                                               stats::Names names,
                                                               std::uint32_t shards);
  /// Use open(): it starts the thread, too.
  AccessLog(std::string target, UniqueFd file, LineOutput& standard_output, stats::Names names,
            std::uint32_t shards);
  AccessLog(const AccessLog&) = delete;
  AccessLog& operator=(const AccessLog&) = delete;
  /// Writes what the rings still hold, then ends. The shards have to be gone.
  ~AccessLog();

  /// Where a shard puts its records. Lives as long as the log.
  [[nodiscard]] stats::RecordRing& ring(ShardId shard) noexcept { return *rings_[shard.value]; }

 private:
  void run(const std::stop_token& stop);
  /// Writes what is in the rings now.
  void drain();
  /// Writes `count` lines; false when they are lost.
  bool write(const std::string& lines, std::uint64_t count);

  std::string target_;
  UniqueFd file_;
  std::optional<LineOutput> own_output_;
  LineOutput& output_;
  stats::Names names_;
  std::vector<std::unique_ptr<stats::RecordRing>> rings_;
  std::uint64_t lost_ = 0;
  std::jthread thread_;
};

}  // namespace penstock::app

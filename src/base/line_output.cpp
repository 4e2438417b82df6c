// Writes at most PIPE_BUF bytes at a time, after poll(2) has said that there is room: a pipe takes
// that much as one piece without blocking (pipe(7)), even though the descriptor is a blocking one
// that may be shared with other processes, so that its flags are not ours to change.
#include "penstock/base/line_output.h"

#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <climits>

namespace penstock {
namespace {

/// As many whole lines as fit into one piece; of a longer line, a piece.
std::string_view next_chunk(std::string_view lines) {
  if (lines.size() <= PIPE_BUF) return lines;
  const auto end = lines.rfind('\n', PIPE_BUF - 1);
  return lines.substr(0, end == std::string_view::npos ? PIPE_BUF : end + 1);
}

Result<void> wait_writable(int fd, std::chrono::nanoseconds patience) {
  pollfd waited{.fd = fd, .events = POLLOUT, .revents = 0};
  const auto ms = std::chrono::ceil<std::chrono::milliseconds>(patience).count();
  const int ready = ::poll(&waited, 1, static_cast<int>(ms));
  if (ready > 0 || (ready < 0 && errno == EINTR)) return {};
  if (ready == 0) return fail("its reader has stopped reading", ETIMEDOUT);
  return fail(errno_text(errno), errno);
}

}  // namespace

Result<void> LineOutput::write(std::string_view lines, std::chrono::nanoseconds patience) {
  const std::scoped_lock lock(mutex_);
  if (cut_) {
    if (auto ended = write_chunk("\n", patience); !ended) return ended;
  }
  while (!lines.empty()) {
    const std::string_view chunk = next_chunk(lines);
    if (auto written = write_chunk(chunk, patience); !written) return written;
    lines.remove_prefix(chunk.size());
  }
  return {};
}

Result<void> LineOutput::write_chunk(std::string_view chunk, std::chrono::nanoseconds patience) {
  while (!chunk.empty()) {
    if (auto writable = wait_writable(fd_, patience); !writable) return writable;
    const ssize_t count = ::write(fd_, chunk.data(), chunk.size());
    if (count < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (count < 0) return fail(errno_text(errno), errno);
    if (count > 0) cut_ = chunk[static_cast<std::size_t>(count) - 1] != '\n';
    chunk.remove_prefix(static_cast<std::size_t>(count));
  }
  return {};
}

}  // namespace penstock

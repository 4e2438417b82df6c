// What the kernel takes for moving bytes between two loopback connections of one thread: copied
// through a buffer as the copy path does, and through a pipe as the splice path does. The reader of
// the far end is on the same thread, so its share is in both.
#include <benchmark/benchmark.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <memory>
#include <vector>

#include "penstock/base/latest.h"
#include "penstock/base/unique_fd.h"
#include "penstock/io/linux_kernel.h"
#include "penstock/io/pipe_pool.h"

namespace penstock {
namespace {

constexpr std::size_t burst = std::size_t{512} * 1024;

void require(bool done) {
  if (!done) std::abort();
}

/// Two ends of a TCP connection that never wait, with room for a burst.
struct Connection {
  UniqueFd near;
  UniqueFd far;

  explicit Connection(io::Kernel& kernel) {
    const UniqueFd listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    auto* any = reinterpret_cast<sockaddr*>(&at);
    socklen_t length = sizeof(at);
    require(::bind(listener.get(), any, length) == 0 && ::listen(listener.get(), 1) == 0);
    require(::getsockname(listener.get(), any, &length) == 0);
    near.reset(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const int room = 4 * static_cast<int>(burst);
    ::setsockopt(near.get(), SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
    require(::connect(near.get(), any, length) == 0);
    far.reset(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
    require(far.valid());
    ::setsockopt(far.get(), SOL_SOCKET, SO_RCVBUF, &room, sizeof(room));
    for (const int fd : {near.get(), far.get()}) kernel.never_wait(fd);
  }
};

/// Bytes go from `source.near` to `sink.far`; between them stands what is measured.
struct Path {
  io::LinuxKernel kernel;
  Connection source{kernel};
  Connection sink{kernel};
  std::vector<char> bytes = std::vector<char>(burst);

  void send() {
    for (std::size_t sent = 0; sent < burst;) {
      const auto count = ::send(source.near.get(), bytes.data() + sent, burst - sent, MSG_NOSIGNAL);
      require(count > 0);
      sent += static_cast<std::size_t>(count);
    }
  }
  /// What has come; nothing is no error.
  void take() {
    while (::recv(sink.far.get(), nullptr, burst, MSG_TRUNC) > 0) {
    }
  }
};

void copy_burst(benchmark::State& state) {
  Path path;
  std::vector<char> buffer(65024);
  for (auto _ : state) {
    path.send();
    for (std::size_t moved = 0; moved < burst;) {
      const auto got = ::recv(path.source.far.get(), buffer.data(), buffer.size(), 0);
      if (got <= 0) continue;
      moved += static_cast<std::size_t>(got);
      for (std::size_t sent = 0; sent < static_cast<std::size_t>(got);) {
        const auto count = ::send(path.sink.near.get(), buffer.data() + sent,
                                  static_cast<std::size_t>(got) - sent, MSG_NOSIGNAL);
        if (count > 0) sent += static_cast<std::size_t>(count);
        if (count <= 0) path.take();
      }
    }
    path.take();
  }
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(burst));
}

void splice_burst(benchmark::State& state) {
  Path path;
  const auto size = static_cast<std::size_t>(state.range(0)) * 1024;
  io::PipeBudget budget(size);
  io::PipePool pool(path.kernel, &budget, size);
  io::Pipe pipe = pool.take();
  require(static_cast<bool>(pipe));
  for (auto _ : state) {
    path.send();
    for (std::size_t moved = 0; moved < burst;) {
      const int got = pipe.fill(path.source.far.get());
      if (got > 0) moved += static_cast<std::size_t>(got);
      while (!pipe.empty()) {
        if (pipe.drain(path.sink.near.get()) <= 0) path.take();
      }
    }
    path.take();
  }
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(burst));
}

/// A pipe that was used before, and one that has to be opened.
void lend_pipe(benchmark::State& state) {
  io::LinuxKernel kernel;
  io::PipeBudget budget(burst);
  io::PipePool pool(kernel, &budget, burst);
  for (auto _ : state) {
    benchmark::DoNotOptimize(pool.take());
    if (state.range(0) == 0) continue;
    pool.trim();
    pool.trim();
  }
}

/// What a turn of a shard pays for its inbox when nothing is in it, and when something is.
void inbox(benchmark::State& state) {
  Latest<const int> slot;
  for (auto _ : state) {
    if (state.range(0) != 0) slot.put(std::make_unique<const int>(1));
    benchmark::DoNotOptimize(slot.take());
  }
}

BENCHMARK(copy_burst);
BENCHMARK(splice_burst)->ArgName("pipe_KiB")->Arg(256)->Arg(512)->Arg(1024);
BENCHMARK(lend_pipe)->ArgName("opened")->Arg(0)->Arg(1);
BENCHMARK(inbox)->ArgName("news")->Arg(0)->Arg(1);

}  // namespace
}  // namespace penstock

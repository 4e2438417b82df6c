// Whole lines to a pipe: nothing mixes, nothing blocks for ever, a cut line is ended.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <catch2/catch_test_macros.hpp>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <sstream>
#include <string>
#include <thread>

#include "penstock/base/line_output.h"
#include "penstock/base/unique_fd.h"

namespace penstock {
namespace {

using namespace std::chrono_literals;

constexpr auto patience = 10s;
constexpr auto impatience = 20ms;

struct Pipe {
  UniqueFd reader;
  UniqueFd writer;
  Pipe() {
    std::array<int, 2> fds{};
    REQUIRE(::pipe2(fds.data(), O_CLOEXEC) == 0);
    reader.reset(fds[0]);
    writer.reset(fds[1]);
  }
  /// What is in the pipe, until its end when the writer is closed.
  [[nodiscard]] std::string read_all() const {
    std::string all;
    std::array<char, 65536> piece{};
    for (ssize_t count = 0; (count = ::read(reader.get(), piece.data(), piece.size())) > 0;) {
      all.append(piece.data(), static_cast<std::size_t>(count));
    }
    return all;
  }
};

TEST_CASE("lines of several threads arrive whole, even those longer than a pipe takes at once",
          "[base]") {
  Pipe pipe;
  LineOutput output(pipe.writer.get());
  std::string all;
  std::thread reader([&] { all = pipe.read_all(); });
  {
    const auto writes = [&](char letter, std::size_t length) {
      return std::jthread([&output, letter, length] {
        for (int i = 0; i < 200; ++i) {
          if (!output.write(std::string(length, letter) + "\n", patience)) std::abort();
        }
      });
    };
    const std::array threads = {writes('a', 10), writes('b', 5000), writes('c', 100'000)};
  }
  pipe.writer.reset();
  reader.join();
  std::array<int, 3> lines{};
  std::istringstream text(all);
  for (std::string line; std::getline(text, line);) {
    REQUIRE_FALSE(line.empty());
    REQUIRE(std::ranges::all_of(line, [&](char c) { return c == line[0]; }));
    ++lines[static_cast<std::size_t>(line[0] - 'a')];
  }
  CHECK(lines == std::array{200, 200, 200});
}

TEST_CASE("a reader that has stopped reading costs a bounded time, and the cut line is ended",
          "[base]") {
  Pipe pipe;
  LineOutput output(pipe.writer.get());
  const auto stuck = output.write(std::string(1 << 20, 'x') + "\n", impatience);
  REQUIRE_FALSE(stuck);
  CHECK(stuck.error().errno_value == ETIMEDOUT);

  std::string all;
  std::thread reader([&] { all = pipe.read_all(); });
  const auto after = output.write("next\n", patience);
  pipe.writer.reset();
  reader.join();
  CHECK(after);
  CHECK(all.ends_with("x\nnext\n"));
}

TEST_CASE("a reader that is gone is an error, not the end of the process", "[base]") {
  const auto before = std::signal(SIGPIPE, SIG_IGN);
  Pipe pipe;
  pipe.reader.reset();
  LineOutput output(pipe.writer.get());
  const auto written = output.write("line\n", patience);
  std::signal(SIGPIPE, before);
  REQUIRE_FALSE(written);
  CHECK(written.error().errno_value == EPIPE);
}

}  // namespace
}  // namespace penstock

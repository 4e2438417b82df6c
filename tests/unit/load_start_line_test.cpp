// What loads that run at once share: the line that they begin at, the interruptions, and the limit
// of descriptors.
#include <pthread.h>
#include <unistd.h>

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <csignal>
#include <thread>
#include <vector>

#include "../../src/load/interruptions.h"
#include "../../src/load/start_line.h"
#include "../../src/load/workload.h"

namespace penstock::load {
namespace {

using Catch::Matchers::StartsWith;

constexpr Instant at(Duration time) { return Instant(time); }

TEST_CASE("loads begin when the last of them is ready", "[load]") {
  StartLine line(3);
  CHECK_FALSE(line.begin());
  line.arrive(at(1s));
  line.arrive(at(2s));
  CHECK_FALSE(line.begin());
  line.arrive(at(3s));
  CHECK(line.begin() == at(3s));
}

TEST_CASE("a load that is alone begins when it is ready") {
  StartLine line;
  CHECK_FALSE(line.begin());
  line.arrive(at(1s));
  CHECK(line.begin() == at(1s));
}

TEST_CASE("loads at once need descriptors for all of them together", "[load]") {
  RunOptions options;
  options.connections = 64;
  const RunOptions* const alone = &options;
  CHECK(Workload::make_room({&alone, 1}));
  options.connections = 1'000'000;
  const std::vector<const RunOptions*> loads(1000, &options);
  const auto room = Workload::make_room(loads);  // Linux knows at most 2^31
  REQUIRE_FALSE(room);
  CHECK_THAT(room.error().message,
             StartsWith("1000000000 connections need 3000128000 descriptors, the limit is "));
}

/// Gives the thread its signals back.
class Unblocked {
 public:
  Unblocked() { ::pthread_sigmask(SIG_SETMASK, nullptr, &before_); }
  ~Unblocked() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  Unblocked(const Unblocked&) = delete;
  Unblocked& operator=(const Unblocked&) = delete;

 private:
  sigset_t before_{};
};

TEST_CASE("a signal that one thread has read is an interruption for all", "[load]") {
  const Unblocked afterwards;
  auto signals = Signals::take();
  REQUIRE(signals);
  Interruptions interruptions(*signals);
  CHECK(interruptions.count() == 0);
  Interruptions ended(*signals);
  for (int i = 0; i < 2; ++i) ended.end();  // what several ask for is one end, not a second one
  CHECK(ended.count() == 1);
  for (const int number : {SIGHUP, SIGUSR2}) ::kill(::getpid(), number);
  interruptions.wait(0s);
  CHECK(interruptions.count() == 0);
  ::kill(::getpid(), SIGINT);
  int elsewhere = 0;
  std::jthread([&] { elsewhere = interruptions.count(); }).join();
  CHECK(elsewhere == 1);
  CHECK(interruptions.count() == 1);
  ::kill(::getpid(), SIGTERM);
  interruptions.wait(1h);  // it is there already
  CHECK(interruptions.count() == 2);
  interruptions.end();
  CHECK(interruptions.count() == 2);
}

}  // namespace
}  // namespace penstock::load

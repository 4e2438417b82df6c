// Inbox: what is offered is taken once, or refused and still the offerer's; across threads, too.
#include <atomic>
#include <catch2/catch_test_macros.hpp>
#include <thread>
#include <vector>

#include "penstock/base/unique_fd.h"
#include "penstock/io/linux_kernel.h"
#include "penstock/relay/inbox.h"

namespace penstock::relay {
namespace {

class OpenInbox {
 public:
  OpenInbox() : event_(*kernel.open_event()) { inbox.open(event_.get()); }
  io::LinuxKernel kernel;
  Inbox inbox;
  Inbox::Taken taken;

 private:
  UniqueFd event_;
};

TEST_CASE("an inbox takes nothing before it is opened and after it is closed", "[relay]") {
  OpenInbox open;
  Inbox closed;
  CHECK_FALSE(closed.offer(open.kernel, {ListenerId{0}, 5}));
  CHECK(closed.load() == 0);
  REQUIRE(open.inbox.close());
  CHECK_FALSE(open.inbox.offer(open.kernel, {ListenerId{0}, 5}));
  CHECK(open.inbox.load() == 0);
}

TEST_CASE("connections come out as they were put in, and count as load on their way", "[relay]") {
  OpenInbox open;
  open.inbox.add_load();
  REQUIRE(open.inbox.offer(open.kernel, {ListenerId{3}, 7}));
  REQUIRE(open.inbox.offer(open.kernel, {ListenerId{1}, 9}));
  CHECK(open.inbox.load() == 3);
  CHECK_FALSE(open.inbox.close());
  open.inbox.take(open.kernel, open.taken);
  REQUIRE(open.taken.count == 2);
  CHECK(open.taken.connections[0].listener == ListenerId{3});
  CHECK(open.taken.connections[0].fd == 7);
  CHECK(open.taken.connections[1].fd == 9);
  CHECK(open.inbox.load() == 1);
  open.inbox.take(open.kernel, open.taken);
  CHECK(open.taken.count == 0);
  CHECK(open.inbox.close());
}

TEST_CASE("a full inbox refuses, and has room again once it was emptied", "[relay]") {
  OpenInbox open;
  for (std::size_t i = 0; i < Inbox::capacity; ++i)
    REQUIRE(open.inbox.offer(open.kernel, {ListenerId{0}, 5}));
  CHECK_FALSE(open.inbox.offer(open.kernel, {ListenerId{0}, 5}));
  CHECK(open.inbox.load() == Inbox::capacity);
  open.inbox.take(open.kernel, open.taken);
  CHECK(open.taken.count == Inbox::capacity);
  CHECK(open.inbox.offer(open.kernel, {ListenerId{0}, 5}));
}

TEST_CASE("of what several threads offer, all that is accepted is taken once", "[relay]") {
  constexpr std::size_t each = 20'000;
  constexpr std::size_t threads = 2;
  OpenInbox open;
  std::atomic<std::size_t> running = threads;
  std::vector<int> accepted(threads * each);  // by descriptor
  std::vector<std::thread> offerers;
  for (std::size_t thread = 0; thread < threads; ++thread) {
    offerers.emplace_back([&, thread] {
      for (std::size_t fd = thread * each; fd < (thread + 1) * each; ++fd)
        accepted[fd] = open.inbox.offer(open.kernel, {ListenerId{0}, static_cast<int>(fd)}) ? 1 : 0;
      --running;
    });
  }
  std::vector<int> taken(threads * each);
  bool closed = false;
  while (!closed) {
    open.inbox.take(open.kernel, open.taken);
    for (std::size_t i = 0; i < open.taken.count; ++i)
      ++taken[static_cast<std::size_t>(open.taken.connections[i].fd)];
    closed = running == 0 && open.inbox.close();
  }
  for (std::thread& thread : offerers) thread.join();
  CHECK(taken == accepted);
  CHECK(open.inbox.load() == 0);
}

}  // namespace
}  // namespace penstock::relay

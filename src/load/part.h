// Part: what one connection of a Crowd is for. It lives as long as the connection does and works
// through its Member: the connection, and what is counted.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "connection.h"
#include "penstock/load/recorder.h"

namespace penstock::load {

/// A connection as its part sees it. Each of done(), fail() and end() settles what became of it;
/// the first one counts.
struct Member {
  Context& context;
  Recorder*& recorder;
  Connection*& connection;
  std::uint64_t number = 0;  ///< of the place in the crowd, over all workers
  std::uint64_t key = 0;     ///< of this connection's pattern, unlike that of any other
  bool running = false;      ///< the load has begun
  bool settled = false;
  bool failed = false;

  /// It did what it was for; closes in order.
  void done();
  void fail(ErrorClass error, int errno_value = 0, const std::string& why = {});
  /// Neither the one nor the other.
  void end(Ending ending);
};

class Part {
 public:
  explicit Part(Member& its_member) noexcept : member(its_member) {}
  Part(const Part&) = delete;
  Part& operator=(const Part&) = delete;
  virtual ~Part() = default;

  virtual void opened() {}
  /// The load begins, or the connection was opened after it began.
  virtual void begin() {}
  /// As User::produce().
  [[nodiscard]] virtual std::size_t produce(std::span<std::byte> to) = 0;
  virtual void consume(std::span<const std::byte> bytes) = 0;
  /// The peer has ended its stream.
  virtual void ended() = 0;
  virtual void lost(const Failure& failure) = 0;
  virtual void due() {}
  virtual void stop() = 0;
  /// The time for stop() to lead to an end is over.
  virtual void abandoned() { member.fail(ErrorClass::unfinished); }

 protected:
  Member& member;
};

}  // namespace penstock::load

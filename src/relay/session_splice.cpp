// The splice path: a direction in bulk between plain TCP legs borrows a pipe, and its bytes pass
// through that without being copied. Nothing of it is a request to the ring but the waiting: splice
// as an operation would run on a worker thread.
#include <cerrno>
#include <utility>

#include "penstock/base/planted.h"
#include "session.h"

namespace penstock::relay {

/// Keeps account of what tells bulk from a dialogue, while the direction is copied.
void Session::note_received(Side from, std::size_t bytes) noexcept {
  Flow& mine = flow(from);
  if (context_.now - mine.began > context_.splice_rules.run) {
    mine.began = context_.now;
    mine.alone = 0;
  }
  note_size(from, bytes);
}

void Session::note_size(Side from, std::size_t bytes) noexcept {
  flow(from).alone += bytes;
  const bool small = bytes < io::BufferPool::receive_size(io::BufferClass::small);
  if (small) flow(other(from)).alone = 0;
}

/// True when the direction, of which nothing is under way, is spliced from now on.
bool Session::begin_splice(Side from) {
  wire::Leg& source = leg(from);
  wire::Leg& sink = leg(other(from));
  Flow& mine = flow(from);
  if (mine.alone < context_.splice_rules.threshold) return false;
  // A broken leg is only read to its end; sockets of unix are not worth a path of their own.
  const bool plain = !source.engine && !sink.engine && !source.broken && client_.is_ip() &&
                     context_.routing.backends[backend_->value].is_ip();
  mine.alone = 0;  // it is asked again after as many bytes, not at every receive
  if (!plain || !context_.ring.features().has(io::Feature::splice)) return false;
  PENSTOCK_ASSERT(sink.flushed() && source.incoming.empty() && pipe(from).empty());
  io::Pipe lent = context_.pipes.take();
  if (!lent) {
    context_.counters.pipes_refused.add();
    return false;
  }
  for (wire::Leg* each : {&source, &sink}) {
    if (!std::exchange(each->never_waits, true)) context_.kernel.never_wait(each->fd);
  }
  mine = {.pipe = std::move(lent)};
  if (!static_cast<ListHook<Splicing>&>(*this).linked()) context_.splicing.push_back(*this);
  context_.counters.splices.add();
  return true;
}

/// What pump() does for a direction on the splice path.
void Session::pump_spliced(Side from) {
  wire::Leg& source = leg(from);
  wire::Leg& sink = leg(other(from));
  if (sink.broken) {  // nobody takes these bytes any more
    end_splice(from);
    return end_direction(from);
  }
  if (!drain(from) || !fill(from) || !drain(from)) return;
  if (!source.receive_op.in_flight) source.await_input(context_.ring);
  look_again();
}

void Session::look_again() noexcept {
  if (!context_.splice_timer.scheduled())
    context_.timers.schedule(context_.splice_timer, context_.now + context_.splice_rules.interval);
}

/// Takes what the source has. False when the direction has been dealt with.
bool Session::fill(Side from) {
  wire::Leg& source = leg(from);
  const int result = flow(from).pipe.fill(source.fd);
  if (result == 0) {
    // A FIN, or a reset of which a send is told that has not completed yet. A receive will tell: it
    // completes after that send.
    end_splice(from);
    pump(from);
    return false;
  }
  if (source.spliced_in(result)) return true;
  fail(from, lost(from, result));
  return false;
}

/// Gives the sink what is in the pipe. False while it does not take all of it, and when it broke.
bool Session::drain(Side from) {
  wire::Leg& sink = leg(other(from));
  Flow& path = flow(from);
  while (!path.pipe.empty()) {
    if (sink.full()) return false;
    const int taken = path.pipe.drain(sink.fd);
    // The socket is dead, and a receive that has not completed yet was told why. It will say it, or
    // find a FIN, and then the splice timer comes here again.
    if (taken == -EPIPE && sink.receive_op.in_flight) {
      look_again();
      return false;
    }
    if (!sink.spliced_out(taken, context_.ring)) {
      fail(other(from), lost(other(from), taken));
      return false;
    }
    if (taken <= 0) continue;
    last_activity_ = context_.now;
    path.lately += static_cast<std::uint32_t>(taken);
    bytes_[index(from)] += static_cast<std::uint64_t>(taken);
    note_size(from, static_cast<std::size_t>(taken));
  }
  return true;
}

/// From now on the direction is copied again, or nothing of it is left to move.
void Session::end_splice(Side from) {
  Flow& path = flow(from);
  if (!path.pipe) return;
  if (path.raised && !planted(Planted::watermark_left))
    context_.kernel.set_low_watermark(leg(from).fd, 1);
  path = {};
  if (!flow(other(from)).pipe) static_cast<ListHook<Splicing>&>(*this).unlink();
}

/// Takes what the low watermark hides, and finds out whether this is bulk still. False when it need
/// not be called again before there is room for what the pipes hold.
bool Session::on_splice_timer() {
  bool again = false;
  for (const Side from : {Side::front, Side::back}) {
    Flow& path = flow(from);
    if (!path.pipe) continue;
    if (planted(Planted::tail_forgotten) && path.raised) continue;
    const bool hardly = path.lately < context_.splice_rules.least;
    path.slow = static_cast<std::uint16_t>(hardly ? path.slow + 1 : 0);
    pump(from);
    path.lately = 0;
    if (!path.pipe) continue;
    const bool held_up = !path.pipe.empty();
    again = again || !held_up || !leg(other(from)).full();
    if (held_up && !planted(Planted::pipe_dropped)) continue;
    if (path.slow < context_.splice_rules.slow_intervals) {
      set_watermark(from);
      continue;
    }
    context_.counters.splices_ended.add();
    end_splice(from);
    pump(from);
  }
  return again;
}

/// Raises the source's low watermark in a long transfer, and lowers it when there is an answer.
void Session::set_watermark(Side from) {
  Flow& path = flow(from);
  const bool raise = path.alone >= context_.splice_rules.watermark_after;
  if (std::exchange(path.raised, raise) != raise)
    context_.kernel.set_low_watermark(leg(from).fd, raise ? context_.splice_rules.watermark : 1);
}

}  // namespace penstock::relay

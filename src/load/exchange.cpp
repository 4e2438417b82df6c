// Who gets which operation, and what is measured of it.
#include "exchange.h"

#include <algorithm>
#include <utility>

#include "failure_class.h"
#include "preface.h"

namespace penstock::load {
namespace {

/// How late an operation may begin where there is no catching up.
constexpr Duration still_punctual = 1ms;

}  // namespace

Exchange::Exchange(Context& context, const ExchangeOptions& options, Dialer dialer,
                   std::optional<Timeline> timeline)
    : context_(context),
      options_(options),
      dialer_(std::move(dialer)),
      timeline_(std::move(timeline)) {
  for (std::uint32_t i = 0; i < options_.connections; ++i) {
    auto slot = std::make_unique<Slot>();
    slot->exchange = this;
    slot->index = options_.first_number + i;
    slots_.push_back(std::move(slot));
  }
}

Exchange::~Exchange() { PENSTOCK_ASSERT(open_connections_ == 0); }

void Exchange::prepare() {
  if (options_.one_each) {
    for (const auto& slot : slots_) ready_.push_back(*slot);
    return;
  }
  unsettled_ = slots_.size();
  for (const auto& slot : slots_) dial(*slot);
}

void Exchange::begin(Instant at) {
  began_ = at;
  measured_from_ = at + options_.warmup;
}

Instant Exchange::next_tick() const noexcept {
  if (stopped_ || began_ == never) return never;
  if (options_.closed_loop) return running_ ? never : began_;
  const auto next = timeline_->next();
  return next && may_begin() ? began_ + *next : never;
}

void Exchange::tick() {
  if (options_.closed_loop) {
    if (next_tick() > context_.now) return;
    running_ = true;
    for (const auto& slot : slots_) next_for(*slot);
    return;
  }
  while (next_tick() <= context_.now) {
    const Instant intended = next_tick();
    timeline_->advance();
    assign(intended);
  }
}

/// An operation of the open loop.
void Exchange::assign(Instant intended) {
  ++begun_;
  const bool late = !options_.catch_up && context_.now - intended > still_punctual;
  Slot* slot = late ? nullptr : ready_.front();
  if (slot != nullptr) return issue(*slot, intended);
  if (options_.catch_up && waiting_.size() < options_.most_waiting)
    return waiting_.push_back(intended);
  if (measured(intended)) ++recorder_->count.unsent;
}

void Exchange::issue(Slot& slot, Instant intended) {
  slot.operations.push_back({.intended = intended});
  ++slot.unwritten;
  ++in_flight_;
  --slot.requests_left;
  // The next operation goes to another connection, if there is one.
  static_cast<ListHook<Ready>&>(slot).unlink();
  if (has_room(slot) && !options_.one_each) ready_.push_back(slot);
  if (slot.connection == nullptr) return dial(slot);
  slot.connection->flush();
}

/// The slot can take an operation: one that waits, or the next to come.
void Exchange::offer(Slot& slot) {
  const bool idle = slot.operations.empty() && waiting_.empty();
  if (stopped_ && idle && slot.connection != nullptr) return let_go(slot, Ending::plain);
  const bool usable = options_.one_each ? slot.connection == nullptr
                                        : slot.connection != nullptr && slot.connection->open();
  if (!usable || !has_room(slot)) return;
  if (options_.closed_loop) return next_for(slot);
  if (!waiting_.empty()) {
    const Instant intended = waiting_.front();
    waiting_.pop_front();
    return issue(slot, intended);
  }
  if (!slot.ListHook<Ready>::linked()) ready_.push_back(slot);
}

/// As many operations of the closed loop as the slot may have.
void Exchange::next_for(Slot& slot) {
  const bool usable = options_.one_each || (slot.connection != nullptr && slot.connection->open());
  if (!running_ || !usable) return;
  while (may_begin() && has_room(slot)) {
    ++begun_;
    issue(slot, context_.kernel.now());
    if (options_.one_each || slot.connection == nullptr) return;
  }
}

/// The pause after a failure is over.
void Exchange::try_again(Slot& slot) {
  if (slot.connection != nullptr) return;
  if (!options_.one_each || !slot.operations.empty()) return dial(slot);
  offer(slot);
}

void Exchange::dial(Slot& slot) {
  if (stopped_ && slot.operations.empty() && waiting_.empty()) return settle(slot);
  slot.codec = {};
  const std::uint64_t number = (++slot.generation << 32) ^ slot.index;
  slot.codec.key = unlike_preface({scramble(options_.seed ^ scramble(number))}).value;
  const std::uint64_t drawn = draw_requests(number);
  slot.requests_left = drawn - std::min<std::uint64_t>(drawn, slot.operations.size());
  slot.answer_begun = false;
  slot.times.begin(context_.kernel.now());
  if (options_.one_each && !slot.operations.empty()) {
    slot.operations.front().sent = slot.times.dialled();
  }
  ++open_connections_;
  // Each connection of a slot has the next target and source, as those of its neighbours do.
  const std::uint64_t place = slot.index + slot.generation - 1;
  if (dialer_.dial(*this, &slot, place, slot.connection, recorder_->count)) return;
  --open_connections_;
  context_.timers.schedule(slot.timer, context_.now + options_.redial_after);
}

std::uint64_t Exchange::draw_requests(std::uint64_t number) const noexcept {
  const auto [least, most] = options_.requests_each;
  if (most == 0) return UINT64_MAX;
  const std::uint64_t drawn = scramble(scramble(options_.seed) + number);
  return least + (drawn % (most - least + 1));
}

void Exchange::settle(Slot& slot) noexcept {
  if (std::exchange(slot.settled, true) || options_.one_each) return;
  --unsettled_;
}

void Exchange::on_connected(Connection& connection) {
  if (connection.of_user == nullptr) return;
  slot(connection).times.connected(context_.kernel.now(), *recorder_);
}

void Exchange::on_open(Connection& connection) {
  if (connection.of_user == nullptr) return;
  Slot& slot = this->slot(connection);
  slot.times.opened(context_.kernel.now(), connection.engine(), *recorder_);
  settle(slot);
  if (options_.codec == nullptr) {
    if (measured(slot.operations.front())) record_lag(slot.operations.front());
    return conclude(slot, {.state = Answer::State::done}, context_.kernel.now());
  }
  if (!options_.one_each) offer(slot);
}

std::size_t Exchange::produce(Connection& connection, std::span<std::byte> to) {
  if (connection.of_user == nullptr) return 0;
  return write_requests(slot(connection), to);
}

std::size_t Exchange::write_requests(Slot& slot, std::span<std::byte> to) {
  std::size_t written = 0;
  while (slot.unwritten > 0 && written < to.size()) {
    Operation& operation = slot.operations[slot.operations.size() - slot.unwritten];
    const bool begins = slot.codec.request_left == 0;
    const std::size_t size = options_.codec->write(slot.codec, to.subspan(written));
    if (size == 0) break;
    written += size;
    if (begins) {
      const Instant now = context_.kernel.now();
      if (!options_.one_each) operation.sent = now;
      if (measured(operation)) record_lag(operation);
      if (slot.operations.size() == slot.unwritten) watch(slot);
    }
    if (slot.codec.request_left == 0) --slot.unwritten;
  }
  recorder_->count.bytes_out += written;
  return written;
}

/// In the closed loop there is none: an operation is meant to begin when it does.
void Exchange::record_lag(const Operation& operation) noexcept {
  if (options_.closed_loop) return;
  recorder_->record(Measure::lag, operation.sent - operation.intended);
}

Instant Exchange::patience_ends(const Operation& operation) const noexcept {
  return std::max(operation.intended, operation.sent) + options_.timeout;
}

/// The connection's alarm is moved only when it rings, not at every operation.
void Exchange::watch(Slot& slot) {
  if (slot.connection == nullptr || slot.operations.empty() || slot.connection->will_wake()) return;
  slot.connection->wake_at(patience_ends(slot.operations.front()));
}

void Exchange::on_wake(Connection& connection) {
  if (connection.of_user == nullptr) return;
  Slot& slot = this->slot(connection);
  if (slot.operations.empty()) return;
  if (patience_ends(slot.operations.front()) > context_.now) return watch(slot);
  fail_operation(slot, slot.answer_begun ? ErrorClass::timeout_within : ErrorClass::timeout, 0);
  give_up(slot);
}

void Exchange::consume(Connection& connection, std::span<const std::byte> bytes) {
  if (connection.of_user == nullptr) return;
  Slot& slot = this->slot(connection);
  recorder_->count.bytes_in += bytes.size();
  const Instant now = context_.kernel.now();
  while (!bytes.empty() && slot.connection == &connection) {
    // An echo begins before the request is whole.
    const bool asked = slot.operations.size() > slot.unwritten || slot.codec.request_left > 0;
    if (!asked) {  // no operation's, so no error of one
      ++recorder_->count.corrupt_streams;
      recorder_->explain(ErrorClass::bad_response, "bytes came that nobody had asked for");
      return let_go(slot, Ending::reset);
    }
    if (!std::exchange(slot.answer_begun, true) && measured(slot.operations.front())) {
      recorder_->record(Measure::first_byte, now - slot.operations.front().sent);
    }
    const Answer answer = options_.codec->read(slot.codec, bytes);
    if (answer.state == Answer::State::more) return;
    // Before its request was out: the connection is left in the middle of that.
    if (slot.operations.size() == slot.unwritten) slot.codec.last = true;
    conclude(slot, answer, now);
  }
}

/// An answer has ended, whole or not.
void Exchange::conclude(Slot& slot, const Answer& answer, Instant now) {
  const bool failed = answer.state == Answer::State::failed;
  if (failed && answer.error != ErrorClass::http_status) {
    if (answer.error == ErrorClass::corrupt) ++recorder_->count.corrupt_streams;
    recorder_->explain(answer.error, slot.codec.damage);
    fail_operation(slot, answer.error, 0);
    return give_up(slot);
  }
  const bool counts = measured(slot.operations.front());
  if (counts && slot.codec.status != 0) recorder_->answered(slot.codec.status);
  if (failed) {
    fail_operation(slot, answer.error, 0);
  } else {
    complete(slot, now);
  }
  slot.codec.last |= slot.requests_left == 0 && slot.operations.empty();
  if (options_.one_each || slot.codec.last) return let_go(slot, options_.ending);
  offer(slot);
}

/// Takes the oldest operation off the slot, however it has ended.
Exchange::Operation Exchange::take_operation(Slot& slot) {
  const Operation operation = slot.operations.front();
  slot.operations.pop_front();
  slot.unwritten =
      std::min<std::uint32_t>(slot.unwritten, static_cast<std::uint32_t>(slot.operations.size()));
  --in_flight_;
  slot.answer_begun = false;
  return operation;
}

void Exchange::complete(Slot& slot, Instant now) {
  const Operation operation = take_operation(slot);
  if (!measured(operation)) return;
  ++recorder_->count.operations;
  recorder_->record(Measure::latency, now - operation.intended);
  recorder_->record(Measure::service, now - operation.sent);
}

void Exchange::fail_operation(Slot& slot, ErrorClass error, int errno_value) {
  const bool cut_off = error == ErrorClass::reset_within || error == ErrorClass::ended_within ||
                       error == ErrorClass::timeout_within;
  const Operation operation = take_operation(slot);
  if (!measured(operation)) return;
  recorder_->fail(error, errno_value);
  if (cut_off && slot.codec.answer_left != CodecState::unknown_length) {
    recorder_->count.lost_bytes += slot.codec.answer_left;
  }
}

void Exchange::fail_all(Slot& slot, const Failure& failure) {
  recorder_->explain(classify(failure, slot.answer_begun), failure.text);
  while (!slot.operations.empty()) {
    if (failure.alert && measured(slot.operations.front())) recorder_->alerted(*failure.alert);
    fail_operation(slot, classify(failure, slot.answer_begun), failure.errno_value);
  }
}

/// The oldest operation has failed, and the others on its connection go with it.
void Exchange::give_up(Slot& slot) {
  while (!slot.operations.empty()) fail_operation(slot, ErrorClass::dropped, 0);
  let_go(slot, Ending::reset);
}

/// Ends the use of the slot's connection; it closes by itself.
void Exchange::let_go(Slot& slot, Ending ending) {
  Connection* connection = std::exchange(slot.connection, nullptr);
  if (connection == nullptr) return;
  connection->of_user = nullptr;
  connection->leave(ending);
  lost(slot);
}

/// The slot has no connection any more.
void Exchange::lost(Slot& slot) {
  settle(slot);
  slot.unwritten = static_cast<std::uint32_t>(slot.operations.size());
  slot.ListHook<Ready>::unlink();
  if (options_.one_each) return offer(slot);
  if (stopped_ && waiting_.empty() && slot.operations.empty()) return;
  const Duration pause = slot.codec.last ? Duration::zero() : options_.redial_after;
  context_.timers.schedule(slot.timer, context_.now + pause);
}

void Exchange::on_end(Connection& connection) {
  if (connection.of_user == nullptr) return connection.close(Ending::plain);
  Slot& slot = this->slot(connection);
  if (!slot.operations.empty() && slot.answer_begun) {
    const Answer answer = options_.codec->end(slot.codec);
    if (answer.state != Answer::State::more) {
      slot.codec.last = true;
      return conclude(slot, answer, context_.kernel.now());
    }
  }
  fail_all(slot, {.phase = Phase::stream, .cause = Failure::Cause::ended});
  let_go(slot, Ending::plain);
}

void Exchange::on_failure(Connection& connection, const Failure& failure) {
  if (connection.of_user == nullptr) return;
  Slot& slot = this->slot(connection);
  connection.of_user = nullptr;
  slot.connection = nullptr;
  DialTimes::failed(failure, *recorder_);
  if (failure.phase != Phase::stream && slot.operations.empty()) {
    recorder_->explain(classify(failure, false), reason_of(failure));
  }
  fail_all(slot, failure);
  settle(slot);
  slot.ListHook<Ready>::unlink();
  // A target that refuses is not asked in a busy loop.
  context_.timers.schedule(slot.timer, context_.now + options_.redial_after);
}

void Exchange::on_closed(Connection& connection) {
  dialer_.closed(connection);
  --open_connections_;
}

void Exchange::stop() {
  stopped_ = true;
  for (const auto& slot : slots_) {
    if (slot->operations.empty() && waiting_.empty()) let_go(*slot, Ending::plain);
  }
}

void Exchange::abandon() {
  stop();
  for (const Instant intended : waiting_) {
    if (measured(intended)) recorder_->fail(ErrorClass::unfinished);
  }
  waiting_.clear();
  for (const auto& slot : slots_) {
    while (!slot->operations.empty()) fail_operation(*slot, ErrorClass::unfinished, 0);
    let_go(*slot, Ending::reset);
    context_.timers.cancel(slot->timer);
  }
}

bool Exchange::exhausted() const noexcept {
  const bool more = options_.closed_loop || (timeline_ && timeline_->next());
  return (!may_begin() || !more) && in_flight_ == 0 && waiting_.empty();
}

bool Exchange::done() const noexcept {
  return stopped_ && in_flight_ == 0 && waiting_.empty() && open_connections_ == 0;
}

}  // namespace penstock::load

// Connections from their dial to their end, and when the next one comes.
#include "crowd.h"

#include <algorithm>
#include <utility>

#include "penstock/load/random.h"
#include "preface.h"

namespace penstock::load {

Crowd::Crowd(Context& context, const CrowdOptions& options, Dialer dialer, MakePart make_part)
    : context_(context),
      options_(options),
      dialer_(std::move(dialer)),
      make_part_(std::move(make_part)) {
  for (std::uint32_t i = 0; i < options_.connections; ++i) {
    places_.push_back(std::make_unique<Place>(*this, options_.first_number + i));
  }
}

Crowd::~Crowd() { PENSTOCK_ASSERT(open_ == 0); }

void Crowd::prepare() {
  if (!options_.dials_before) return;
  untried_ = places_.size();
  next_dial_ = context_.now;
  for (const auto& place : places_) to_dial_.push_back(*place);
}

Instant Crowd::next_tick() const noexcept {
  if (stopped_) return never;
  const Instant start = running_ ? never : began_;
  if (to_dial_.empty()) return start;
  return std::min(start, next_dial_);
}

void Crowd::tick() {
  if (stopped_) return;
  if (!running_ && began_ <= context_.now) {
    running_ = true;
    for (const auto& place : places_) {
      if (!options_.dials_before) redial(*place, {});
      if (place->connection != nullptr && place->connection->open()) run(*place);
    }
  }
  while (next_dial_ <= context_.now) {
    Place* place = to_dial_.pop_front();
    if (place == nullptr) return;
    if (options_.dials_per_second > 0) {
      next_dial_ += Duration(static_cast<std::int64_t>(1e9 / options_.dials_per_second));
    }
    dial(*place);
  }
}

void Crowd::dial(Place& place) {
  Member& member = place.member;
  member.settled = member.failed = member.running = false;
  const std::uint64_t number = (++place.generation << 32) ^ member.number;
  member.key = unlike_preface({scramble(options_.seed ^ scramble(number))}).value;
  place.part = make_part_(member);
  place.times.begin(context_.kernel.now());
  ++open_;
  const std::uint64_t turn = member.number + place.generation - 1;
  if (dialer_.dial(*this, &place, turn, place.connection, recorder_->count)) return;
  --open_;
  place.part.reset();
  note_tried(place);
  redial(place, options_.redial_after);
}

void Crowd::redial(Place& place, Duration after) {
  if (stopped_) return;
  if (after > Duration::zero()) {
    return context_.timers.schedule(place.timer, context_.now + after);
  }
  // What the pace would have allowed while nobody was to dial is not made up for.
  if (to_dial_.empty()) next_dial_ = std::max(next_dial_, context_.now);
  to_dial_.push_back(place);
}

void Crowd::note_tried(Place& place) noexcept {
  if (!std::exchange(place.tried, true) && untried_ > 0) --untried_;
}

void Crowd::run(Place& place) {
  if (place.member.settled || std::exchange(place.member.running, true)) return;
  place.part->begin();
}

void Crowd::on_connected(Connection& connection) {
  place(connection).times.connected(context_.kernel.now(), *recorder_);
}

void Crowd::on_open(Connection& connection) {
  Place& place = this->place(connection);
  place.times.opened(context_.kernel.now(), connection.engine(), *recorder_);
  note_tried(place);
  place.part->opened();
  if (running_) run(place);
}

std::size_t Crowd::produce(Connection& connection, std::span<std::byte> to) {
  Place& place = this->place(connection);
  if (place.member.settled) return 0;
  const std::size_t size = place.part->produce(to);
  recorder_->count.bytes_out += size;
  return size;
}

void Crowd::consume(Connection& connection, std::span<const std::byte> bytes) {
  Place& place = this->place(connection);
  recorder_->count.bytes_in += bytes.size();
  if (!place.member.settled) place.part->consume(bytes);
}

void Crowd::on_end(Connection& connection) {
  Place& place = this->place(connection);
  if (!place.member.settled) place.part->ended();
}

void Crowd::on_failure(Connection& connection, const Failure& failure) {
  Place& place = this->place(connection);
  note_tried(place);
  DialTimes::failed(failure, *recorder_);
  if (place.member.settled) return;
  if (failure.alert) recorder_->alerted(*failure.alert);
  place.part->lost(failure);
}

void Crowd::on_wake(Connection& connection) {
  Place& place = this->place(connection);
  if (!place.member.settled) place.part->due();
}

void Crowd::on_closed(Connection& connection) {
  Place& place = this->place(connection);
  dialer_.closed(connection);
  place.connection = nullptr;
  place.part.reset();
  --open_;
  redial(place, place.member.failed ? options_.redial_after : Duration::zero());
}

void Crowd::stop() {
  if (std::exchange(stopped_, true)) return;
  while (to_dial_.pop_front() != nullptr) {
  }
  for (const auto& place : places_) {
    context_.timers.cancel(place->timer);
    if (place->connection == nullptr || place->member.settled) continue;
    if (place->connection->open()) {
      place->part->stop();
    } else {
      place->member.end(Ending::reset);  // it was still on its way
    }
  }
}

void Crowd::abandon() {
  stop();
  for (const auto& place : places_) {
    if (place->connection == nullptr) continue;
    if (!place->member.settled) place->part->abandoned();
    if (place->connection != nullptr) place->connection->close(Ending::reset);
  }
}

}  // namespace penstock::load

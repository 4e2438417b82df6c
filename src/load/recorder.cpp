// Sums, and the tables of names.
#include "penstock/load/recorder.h"

#include <algorithm>
#include <numeric>

namespace penstock::load {
namespace {

constexpr ErrorInfo errors_table[] = {
#define PENSTOCK_X(name, text) {ErrorClass::name, #name, text},
    PENSTOCK_LOAD_ERRORS(PENSTOCK_X)
#undef PENSTOCK_X
};

constexpr MeasureInfo measures_table[] = {
#define PENSTOCK_X(name, text) {Measure::name, #name, text},
    PENSTOCK_LOAD_MEASURES(PENSTOCK_X)
#undef PENSTOCK_X
};

void add(std::map<int, std::uint64_t>& to, const std::map<int, std::uint64_t>& from) {
  for (const auto& [key, count] : from) to[key] += count;
}

}  // namespace

std::span<const ErrorInfo> all_errors() noexcept { return errors_table; }
std::span<const MeasureInfo> all_measures() noexcept { return measures_table; }

void Recorder::fail(ErrorClass error, int errno_value) noexcept {
  ++errors_[static_cast<std::size_t>(error)];
  if (errno_value != 0) ++errnos_[errno_value];
}

void Recorder::explain(ErrorClass error, const std::string& why) {
  if (!why.empty()) reasons_.emplace(error, why);
}

void Recorder::tally(std::string_view name) {
  const auto found = tallies_.find(name);
  if (found != tallies_.end()) {
    ++found->second;
  } else {
    tallies_.emplace(name, 1);
  }
}

std::uint64_t Recorder::errors() const noexcept {
  return std::accumulate(errors_.begin(), errors_.end(), std::uint64_t{0});
}

void Recorder::merge(const Recorder& from) {
  for (std::size_t i = 0; i < measures; ++i) histograms_[i].merge(from.histograms_[i]);
  for (std::size_t i = 0; i < error_classes; ++i) errors_[i] += from.errors_[i];
  add(errnos_, from.errnos_);
  add(statuses_, from.statuses_);
  add(alerts_, from.alerts_);
  for (const auto& [name, number] : from.tallies_) tallies_[name] += number;
  streams_.insert(streams_.end(), from.streams_.begin(), from.streams_.end());
  reasons_.insert(from.reasons_.begin(), from.reasons_.end());
  count.add(from.count);
}

void Recorder::clear() {
  for (Histogram& histogram : histograms_) histogram.clear();
  errors_.fill(0);
  errnos_.clear();
  statuses_.clear();
  alerts_.clear();
  reasons_.clear();
  tallies_.clear();
  streams_.clear();
  count = {};
}

}  // namespace penstock::load

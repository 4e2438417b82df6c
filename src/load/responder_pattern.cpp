// Offsets and sizes.
#include "responder_pattern.h"

#include <algorithm>

namespace penstock::load {
namespace {

/// Answers that a client may leave unread before its requests are not read any more.
constexpr std::uint64_t most_owed_bytes = 262144;

}  // namespace

std::size_t SourceResponder::produce(std::span<std::byte> to) {
  if (bytes_ != 0) to = to.first(std::min<std::uint64_t>(to.size(), bytes_ - sent_));
  fill_pattern(key_, sent_, to);
  sent_ += to.size();
  if (bytes_ != 0 && sent_ == bytes_) peer.finish();
  return to.size();
}

void SourceResponder::ended() {
  if (bytes_ == 0) peer.finish();
}

void SourceResponder::stop() {
  if (bytes_ == 0) peer.finish();
}

void RequestResponder::consume(std::span<const std::byte> bytes) {
  if (check_pattern(key_, received_, bytes)) return peer.reset(peer.around.count.wrong_streams);
  const std::uint64_t before = received_ / request_size_;
  received_ += bytes.size();
  const std::uint64_t requests = received_ / request_size_ - before;
  peer.around.count.verified.add(bytes.size());
  peer.around.count.requests.add(requests);
  owed_ += requests * answer_size_;
  if (owed_ >= most_owed_bytes) peer.connection.want_input(false);
}

std::size_t RequestResponder::produce(std::span<std::byte> to) {
  to = to.first(std::min<std::uint64_t>(to.size(), owed_));
  fill_pattern(answer_key(key_), sent_, to);
  sent_ += to.size();
  owed_ -= to.size();
  if (owed_ < most_owed_bytes) peer.connection.want_input(true);
  if (peer.ended && owed_ == 0) peer.finish();
  return to.size();
}

void RequestResponder::ended() {
  if (owed_ == 0) peer.finish();
}

void UploadResponder::consume(std::span<const std::byte> bytes) {
  auto& count = peer.around.count;
  std::size_t right = 0;
  if (!receipt_.first_wrong) {
    const auto wrong = check_pattern(key_, receipt_.bytes, bytes);
    right = wrong.value_or(bytes.size());
    if (wrong) {
      receipt_.first_wrong = receipt_.bytes + *wrong;
      count.wrong_streams.add();
    }
  }
  count.verified.add(right);
  receipt_.bytes += bytes.size();
}

std::size_t UploadResponder::produce(std::span<std::byte> to) {
  if (!peer.ended) return 0;
  peer.around.count.requests.add();
  std::ranges::copy(receipt_.encode(), to.begin());
  peer.finish();
  return Receipt::size;
}

}  // namespace penstock::load

// Bytes in, bytes out, and which responder a connection gets.
#include "responder_echo.h"

#include <algorithm>
#include <utility>

#include "responder_chaos.h"
#include "responder_delay.h"
#include "responder_http.h"
#include "responder_pattern.h"

namespace penstock::load {

EchoResponder::EchoResponder(Peer& its_peer, std::span<const std::byte> begin) noexcept
    : Responder(its_peer), begin_size_(begin.size()) {
  PENSTOCK_ASSERT(begin.size() <= begin_.size());
  std::ranges::copy(begin, begin_.begin());
}

void EchoResponder::consume(std::span<const std::byte> /*bytes*/) {
  backlog_.push(peer.connection.keep_input());
  if (backlog_.full()) peer.connection.want_input(false);
}

std::size_t EchoResponder::produce(std::span<std::byte> to) {
  const std::size_t begun = std::exchange(begin_size_, 0);  // fits: a buffer is larger than it
  std::ranges::copy(std::span(begin_).first(begun), to.begin());
  const std::size_t size = begun + backlog_.take(to.subspan(begun));
  if (!backlog_.full()) peer.connection.want_input(true);
  if (peer.ended && backlog_.empty()) peer.finish();
  return size;
}

void EchoResponder::ended() {
  if (backlog_.empty() && begin_size_ == 0) peer.finish();
}

std::unique_ptr<Responder> make_responder(Peer& peer, std::span<const std::byte> begin) {
  switch (peer.around.options.kind) {
    case ServiceKind::echo:
      return std::make_unique<EchoResponder>(peer, begin);
    case ServiceKind::sink:
      return std::make_unique<SinkResponder>(peer);
    case ServiceKind::source:
      return std::make_unique<SourceResponder>(peer, answer_key({}), 0);
    case ServiceKind::http:
      return std::make_unique<HttpResponder>(peer);
    case ServiceKind::delay:
      return std::make_unique<DelayResponder>(peer);
    case ServiceKind::chaos:
      return make_chaos(peer);
  }
  return nullptr;
}

std::unique_ptr<Responder> make_prefaced(Peer& peer, const Preface& preface) {
  switch (preface.purpose) {
    case Purpose::rr:
      if (preface.request_size == 0) return nullptr;
      return std::make_unique<RequestResponder>(peer, preface);
    case Purpose::upload:
      return std::make_unique<UploadResponder>(peer, preface.key);
    case Purpose::download:
      return std::make_unique<SourceResponder>(peer, answer_key(preface.key), preface.bytes);
  }
  return nullptr;
}

}  // namespace penstock::load

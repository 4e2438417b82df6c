// The part of a probe that speaks TLS. Ciphertext lies in the scratch: what came until it is
// decrypted, what is to be sent until it is. One op at a time, as without TLS.
#include <algorithm>
#include <cerrno>
#include <cstring>
#include <span>
#include <utility>

#include "penstock/health/probe.h"
#include "penstock/io/fate.h"

namespace penstock::health {

tls::Window Probe::open_window(bool ended) const noexcept {
  Scratch::Sealed& sealed = *scratch_->sealed;
  return {.input = std::span(sealed.input).first(sealed.input_size),
          .input_ended = ended,
          .output = std::span(sealed.output).subspan(sealed.output_size)};
}

void Probe::close_window(const tls::Window& window) noexcept {
  Scratch::Sealed& sealed = *scratch_->sealed;
  sealed.output_size = sealed.output.size() - window.output.size();
  std::memmove(sealed.input.data(), window.input.data(), window.input.size());
  sealed.input_size = window.input.size();
}

void Probe::secure() {
  state_ = State::securing;
  scratch_->sealed = std::make_unique<Scratch::Sealed>();
  const bool by_address = dialect_.server_name.empty() && backend_.address.is_ip();
  const tls::ClientConnect connect{
      .server_name = by_address ? backend_.address.bare_host() : dialect_.server_name,
      .session = &session_};
  auto engine = tls::Engine::create_client(**dialect_.tls, connect);
  if (!engine) return end_with({.cause = Cause::own_shortage, .errno_value = ENOMEM});
  scratch_->sealed->engine = std::move(*engine);
  shake();
}

/// Goes on with the handshake: sends what it has to say, then reads on.
void Probe::shake() {
  Scratch::Sealed& sealed = *scratch_->sealed;
  tls::Window window = open_window(peer_finished_);
  const tls::Status status = sealed.engine->handshake(window);
  close_window(window);
  switch (status) {
    case tls::Status::ok:
    case tls::Status::want_input:
    case tls::Status::want_output:
      break;
    default:
      return end_with({.cause = Cause::tls_failed, .detail = sealed.engine->failure()});
  }
  if (sealed.output_size > 0) {
    environment_.ring.send(op_, fd_, std::span(sealed.output).first(sealed.output_size));
  } else if (status == tls::Status::ok) {
    ask();
  } else {
    environment_.ring.receive_into(op_, fd_, std::span(sealed.input).subspan(sealed.input_size));
  }
}

void Probe::on_shaken(int result) {
  Scratch::Sealed& sealed = *scratch_->sealed;
  const bool sent = sealed.output_size > 0;
  if (result < 0 && io::fate_of(result) != io::Fate::again)
    return end_with(exchange_failure(result));
  const auto bytes = static_cast<std::size_t>(std::max(result, 0));
  if (sent) {
    std::memmove(sealed.output.data(), sealed.output.data() + bytes, sealed.output_size - bytes);
    sealed.output_size -= bytes;
    if (sealed.output_size > 0) {
      environment_.ring.send(op_, fd_, std::span(sealed.output).first(sealed.output_size));
      return;
    }
  } else if (result >= 0) {
    sealed.input_size += bytes;
    peer_finished_ = result == 0;
  }
  shake();
}

/// Replaces the request by its ciphertext.
void Probe::seal_request() {
  Scratch::Sealed& sealed = *scratch_->sealed;
  tls::Window window = open_window();
  const tls::Outcome outcome =
      sealed.engine->write(window, std::as_bytes(std::span(scratch_->request)));
  close_window(window);
  if (outcome.bytes != scratch_->request.size())
    return end_with({.cause = Cause::tls_failed, .detail = sealed.engine->failure()});
  const auto* text = reinterpret_cast<const char*>(sealed.output.data());
  scratch_->request.assign(text, sealed.output_size);
  sealed.output_size = 0;
}

/// Decrypts what came. True when there is more of the answer; else the probe has gone on.
bool Probe::unseal(std::size_t bytes, bool ended) {
  Scratch::Sealed& sealed = *scratch_->sealed;
  sealed.input_size += bytes;
  tls::Window window = open_window(ended);
  const tls::Outcome outcome =
      sealed.engine->read(window, std::span(scratch_->answer).subspan(received_));
  close_window(window);
  sealed.output_size = 0;  // an alert, or the answer to a KeyUpdate: nothing of it matters any more
  if (tls::Session fresh = sealed.engine->take_session(); !fresh.empty())
    session_ = std::move(fresh);
  received_ += outcome.bytes;
  if (outcome.bytes > 0) return true;
  switch (outcome.status) {
    case tls::Status::ok:
    case tls::Status::want_input:
    case tls::Status::want_output:
      receive_more();
      break;
    case tls::Status::failed:
      end_with({.cause = Cause::tls_failed, .detail = sealed.engine->failure()});
      break;
    default:
      end_with({.cause = Cause::closed_early});
      break;
  }
  return false;
}

}  // namespace penstock::health

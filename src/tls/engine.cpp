// One SSL with a Port as its BIO. Every call drains what the port holds, lets OpenSSL work, and
// turns the outcome into a Status. A record is begun only when it fits, so what OpenSSL says it
// took is out.
#include "penstock/tls/engine.h"

#include <openssl/err.h>

#include <algorithm>

#include "context_parts.h"
#include "openssl_handles.h"
#include "penstock/base/assert.h"
#include "penstock/base/test_switches.h"
#include "port.h"

namespace penstock::tls {
namespace {

// A last record shorter than this waits for a new window rather than filling up the old one.
constexpr std::size_t smallest_filler = 1024;

}  // namespace

struct Engine::Parts {
  Port port;  // before the SSL, whose BIO points here
  SslPtr ssl;
  std::string failure;
  Status ended =
      Status::ok;  // `failed` or `truncated` once that happened; OpenSSL is left alone then
  bool handshake_done = false;
  bool close_sent = false;

  /// What stands in the way of a call, or ok. Sends out what is held in any case.
  [[nodiscard]] Status begin() noexcept {
    const bool drained = port.drain();
    if (ended != Status::ok) return ended;
    if (!drained) return Status::want_output;
    ERR_clear_error();
    return Status::ok;
  }

  /// What a call of OpenSSL that moved nothing means.
  [[nodiscard]] Status explain(int outcome) noexcept {
    switch (SSL_get_error(ssl.get(), outcome)) {
      case SSL_ERROR_NONE:
        return Status::ok;
      case SSL_ERROR_WANT_READ:
        return port.holds() ? Status::want_output : Status::want_input;
      case SSL_ERROR_WANT_WRITE:  // only when memory ran out, see Port::write()
        return Status::want_output;
      case SSL_ERROR_ZERO_RETURN:
        if (handshake_done) return Status::closed;
        return end(Status::failed, "the peer sent close_notify during the handshake");
      default:
        return end_by_error();
    }
  }

  Status end_by_error() noexcept {
    const unsigned long cause = take_cause();
    // OpenSSL 3.0 reports some ends of the input as SSL_ERROR_SYSCALL, with an empty queue.
    const bool at_end = cause == 0 ? BIO_eof(SSL_get_rbio(ssl.get())) == 1
                                   : ERR_GET_REASON(cause) == SSL_R_UNEXPECTED_EOF_WHILE_READING;
    if (!at_end) return end(Status::failed, reason_text(cause));
    return end(Status::truncated, handshake_done
                                      ? "the peer ended the connection without close_notify"
                                      : "the peer ended the connection during the handshake");
  }

  Status end(Status status, std::string why) noexcept {
    ended = status;
    failure = std::move(why);
    return status;
  }
};

Engine::Engine(std::unique_ptr<Parts> parts) noexcept : parts_(std::move(parts)) {}
Engine::~Engine() = default;

Result<std::unique_ptr<Engine>> Engine::create_server(Context& context) {
  ERR_clear_error();
  if (test_switches::allocation_fails()) return fail("cannot begin a TLS connection: no memory");
  auto parts = std::make_unique<Parts>();
  parts->ssl.reset(SSL_new(context.parts_->servers.front().get()));
  BioPtr bio = parts->port.make_bio();
  if (parts->ssl == nullptr || bio == nullptr) {
    return fail("cannot begin a TLS connection: " + take_reason());
  }
  BIO* both = bio.release();
  SSL_set_bio(parts->ssl.get(), both, both);
  SSL_set_accept_state(parts->ssl.get());
  return std::unique_ptr<Engine>(new Engine(std::move(parts)));
}

Status Engine::handshake(Window& window) noexcept {
  Parts& parts = *parts_;
  const Port::Loan loan(parts.port, window);
  if (const Status status = parts.begin(); status != Status::ok) return status;
  if (parts.handshake_done) return Status::ok;
  const int outcome = SSL_do_handshake(parts.ssl.get());
  if (outcome != 1) return parts.explain(outcome);
  parts.handshake_done = true;
  return parts.port.holds() ? Status::want_output : Status::ok;
}

bool Engine::handshake_done() const noexcept { return parts_->handshake_done; }

Outcome Engine::read(Window& window, std::span<std::byte> plaintext) noexcept {
  Parts& parts = *parts_;
  PENSTOCK_ASSERT(parts.handshake_done);
  const Port::Loan loan(parts.port, window);
  Outcome outcome{parts.begin(), 0};
  while (outcome.status == Status::ok && outcome.bytes < plaintext.size()) {
    std::size_t got = 0;
    const auto rest = plaintext.subspan(outcome.bytes);
    const int read = SSL_read_ex(parts.ssl.get(), rest.data(), rest.size(), &got);
    outcome.bytes += got;
    if (read != 1) outcome.status = parts.explain(read);
  }
  if (outcome.status == Status::ok && parts.port.holds()) outcome.status = Status::want_output;
  return outcome;
}

Outcome Engine::write(Window& window, std::span<const std::byte> plaintext) noexcept {
  Parts& parts = *parts_;
  PENSTOCK_ASSERT(parts.handshake_done && !parts.close_sent);
  const Port::Loan loan(parts.port, window);
  Outcome outcome{parts.begin(), 0};
  parts.port.hide_input(true);
  while (outcome.status == Status::ok && outcome.bytes < plaintext.size()) {
    const auto rest = plaintext.subspan(outcome.bytes);
    const std::size_t room = window.output.size();
    const std::size_t fits = room > record_overhead ? room - record_overhead : 0;
    const std::size_t size = std::min({rest.size(), record_size, fits});
    const bool filler = outcome.bytes > 0 && size < rest.size() && size < smallest_filler;
    if (size == 0 || filler) {
      outcome.status = Status::want_output;
      break;
    }
    std::size_t put = 0;
    const int written = SSL_write_ex(parts.ssl.get(), rest.data(), size, &put);
    outcome.bytes += put;
    if (written != 1) outcome.status = parts.explain(written);
  }
  parts.port.hide_input(false);
  if (outcome.status == Status::ok && parts.port.holds()) outcome.status = Status::want_output;
  return outcome;
}

Status Engine::close_notify(Window& window) noexcept {
  Parts& parts = *parts_;
  PENSTOCK_ASSERT(parts.handshake_done);
  const Port::Loan loan(parts.port, window);
  if (const Status status = parts.begin(); status != Status::ok) return status;
  if (parts.close_sent) return Status::ok;
  const int outcome = SSL_shutdown(parts.ssl.get());
  if (outcome < 0) return parts.explain(outcome);
  parts.close_sent = true;
  parts.port.end_output();
  return parts.port.holds() ? Status::want_output : Status::ok;
}

bool Engine::has_pending() const noexcept { return SSL_pending(parts_->ssl.get()) > 0; }

const std::string& Engine::failure() const noexcept { return parts_->failure; }

}  // namespace penstock::tls

// One SSL with a Port as its BIO. Every call drains what the port holds, lets OpenSSL work, and
// turns the outcome into a Status. A record is begun only when it fits, so what OpenSSL says it
// took is out.
#include "penstock/tls/engine.h"

#include <openssl/err.h>

#include <algorithm>

#include "context_parts.h"
#include "engine_parts.h"
#include "penstock/base/assert.h"
#include "penstock/base/test_switches.h"

namespace penstock::tls {
namespace {

// A last record shorter than this waits for a new window rather than filling up the old one.
constexpr std::size_t smallest_filler = 1024;

/// OpenSSL files a fatal alert of the peer under its number and an offset.
std::optional<std::uint8_t> alert_of(unsigned long cause) noexcept {
  const int number = ERR_GET_REASON(cause) - SSL_AD_REASON_OFFSET;
  const bool is_one = ERR_GET_LIB(cause) == ERR_LIB_SSL && number >= 0 && number <= UINT8_MAX;
  return is_one ? std::optional(static_cast<std::uint8_t>(number)) : std::nullopt;
}

bool is_verification(unsigned long cause) noexcept {
  return ERR_GET_LIB(cause) == ERR_LIB_SSL &&
         ERR_GET_REASON(cause) == SSL_R_CERTIFICATE_VERIFY_FAILED;
}

HandshakeFault fault_of(unsigned long cause) noexcept {
  if (alert_of(cause)) return HandshakeFault::alert;
  if (ERR_GET_LIB(cause) != ERR_LIB_SSL) return HandshakeFault::malformed;
  switch (ERR_GET_REASON(cause)) {
    case SSL_R_HTTP_REQUEST:
    case SSL_R_HTTPS_PROXY_REQUEST:
    case SSL_R_WRONG_VERSION_NUMBER:
    case SSL_R_BAD_RECORD_TYPE:
      return HandshakeFault::not_tls;
    case SSL_R_UNSUPPORTED_PROTOCOL:
    case SSL_R_VERSION_TOO_LOW:
    case SSL_R_WRONG_SSL_VERSION:
    case SSL_R_NO_PROTOCOLS_AVAILABLE:
      return HandshakeFault::version;
    case SSL_R_NO_SHARED_CIPHER:
    case SSL_R_NO_SHARED_SIGNATURE_ALGORITHMS:
    case SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM:
    case SSL_R_NO_SUITABLE_KEY_SHARE:
    case SSL_R_NO_SUITABLE_GROUPS:
      return HandshakeFault::algorithms;
    case SSL_R_NO_APPLICATION_PROTOCOL:
      return HandshakeFault::protocol;
    case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE:
      return HandshakeFault::certificate_missing;
    case SSL_R_CERTIFICATE_VERIFY_FAILED:
      return HandshakeFault::certificate_refused;
    default:
      return HandshakeFault::malformed;
  }
}

/// Notes the fatal alerts that are sent, by their numbers.
void note_alert(const SSL* ssl, int where, int value) {
  constexpr int fatal = 2;
  auto* notes = static_cast<HandshakeNotes*>(SSL_get_app_data(ssl));
  if (where == SSL_CB_WRITE_ALERT && value >> 8 == fatal && notes != nullptr)
    notes->alert_sent = value & 0xFF;
}

}  // namespace

std::string_view alert_name(std::uint8_t number) noexcept {
  return SSL_alert_desc_string_long(number);
}

Status Engine::Parts::begin() noexcept {
  const bool drained = port.drain();
  if (ended != Status::ok) return ended;
  if (!drained) return Status::want_output;
  ERR_clear_error();
  return Status::ok;
}

Status Engine::Parts::explain(int outcome) noexcept {
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

Status Engine::Parts::end_by_error() noexcept {
  const unsigned long cause = take_cause();
  // OpenSSL 3.0 reports some ends of the input as SSL_ERROR_SYSCALL, with an empty queue.
  const bool at_end = cause == 0 ? BIO_eof(SSL_get_rbio(ssl.get())) == 1
                                 : ERR_GET_REASON(cause) == SSL_R_UNEXPECTED_EOF_WHILE_READING;
  if (at_end) {
    return end(Status::truncated, handshake_done
                                      ? "the peer ended the connection without close_notify"
                                      : "the peer ended the connection during the handshake");
  }
  alert = alert_of(cause);
  fault = fault_of(cause);
  if (!notes.refusal.empty()) {
    fault = HandshakeFault::name;
    return end(Status::failed, std::string(notes.refusal));
  }
  std::string why = reason_text(cause);
  if (is_verification(cause)) {
    why += ": ";
    why += X509_verify_cert_error_string(SSL_get_verify_result(ssl.get()));
  }
  return end(Status::failed, std::move(why));
}

Status Engine::Parts::end(Status status, std::string why) noexcept {
  ended = status;
  failure = std::move(why);
  return status;
}

Result<std::unique_ptr<Engine::Parts>> Engine::Parts::create(SSL_CTX* context) {
  ERR_clear_error();
  if (test_switches::allocation_fails()) return fail("cannot begin a TLS connection: no memory");
  auto parts = std::make_unique<Parts>();
  parts->ssl.reset(SSL_new(context));
  BioPtr bio = parts->port.make_bio();
  if (parts->ssl == nullptr || bio == nullptr ||
      SSL_set_app_data(parts->ssl.get(), &parts->notes) != 1) {
    return fail("cannot begin a TLS connection: " + take_reason());
  }
  SSL_set_info_callback(parts->ssl.get(), note_alert);
  BIO* both = bio.release();
  SSL_set_bio(parts->ssl.get(), both, both);
  return parts;
}

Engine::Engine(std::unique_ptr<Parts> parts) noexcept : parts_(std::move(parts)) {}
Engine::~Engine() = default;

Result<std::unique_ptr<Engine>> Engine::create_server(Context& context) {
  PENSTOCK_ASSERT(context.parts_->server != nullptr);
  auto parts = Parts::create(context.parts_->server->sites.front()->context.get());
  if (!parts) return std::unexpected(std::move(parts.error()));
  (*parts)->sites = context.parts_->server;
  SSL_set_accept_state((*parts)->ssl.get());
  return std::unique_ptr<Engine>(new Engine(std::move(*parts)));
}

Status Engine::handshake(Window& window) noexcept {
  Parts& parts = *parts_;
  const Port::Loan loan(parts.port, window);
  if (const Status status = parts.begin(); status != Status::ok) return status;
  if (parts.handshake_done) return Status::ok;
  const int outcome = SSL_do_handshake(parts.ssl.get());
  if (outcome != 1) return parts.explain(outcome);
  parts.handshake_done = true;
  SSL_set_info_callback(parts.ssl.get(), nullptr);
  parts.sites.reset();
  // Only the ClientHellos were of interest; for records to come it is not called.
  if (parts.client != nullptr) SSL_set_msg_callback(parts.ssl.get(), nullptr);
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

std::optional<std::uint8_t> Engine::alert() const noexcept { return parts_->alert; }

std::string Engine::peer_name() const {
  SSL* ssl = parts_->ssl.get();
  const X509* certificate = SSL_get0_peer_certificate(ssl);
  const bool verified = certificate != nullptr && SSL_get_verify_mode(ssl) != SSL_VERIFY_NONE &&
                        SSL_get_verify_result(ssl) == X509_V_OK;
  if (!verified) return {};
  const auto names = identity_names(*certificate);
  return names && !names->empty() ? names->front() : std::string();
}

HandshakeFault Engine::fault() const noexcept { return parts_->fault; }

std::optional<std::uint8_t> Engine::sent_alert() const noexcept {
  if (parts_->notes.alert_sent < 0) return std::nullopt;
  return static_cast<std::uint8_t>(parts_->notes.alert_sent);
}

std::string_view Engine::server_name() const noexcept {
  const char* name = SSL_get_servername(parts_->ssl.get(), TLSEXT_NAMETYPE_host_name);
  return name != nullptr ? std::string_view(name) : parts_->notes.refused_name;
}

Negotiated Engine::negotiated() const noexcept {
  PENSTOCK_ASSERT(parts_->handshake_done);
  SSL* ssl = parts_->ssl.get();
  const auto text = [](const char* from) { return std::string_view(from != nullptr ? from : ""); };
  Negotiated agreed;
  agreed.version = SSL_version(ssl) == TLS1_3_VERSION ? Version::tls13 : Version::tls12;
  agreed.cipher = text(SSL_get_cipher_name(ssl));
  agreed.resumed = SSL_session_reused(ssl) == 1;
  agreed.hello_retried = parts_->client != nullptr && parts_->client->hellos > 1;
  // A resumed session of TLS 1.2 still names the group of the handshake that it came from.
  const bool exchanged = agreed.version == Version::tls13 || !agreed.resumed;
  const int group = exchanged ? static_cast<int>(SSL_get_negotiated_group(ssl)) : 0;
  if (group != 0) agreed.group = text(SSL_group_to_name(ssl, group));
  const unsigned char* protocol = nullptr;
  unsigned int size = 0;
  SSL_get0_alpn_selected(ssl, &protocol, &size);
  agreed.protocol = std::string_view(reinterpret_cast<const char*>(protocol), size);
  return agreed;
}

}  // namespace penstock::tls

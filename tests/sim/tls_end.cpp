// The steps of a TLS client or server, and a source of randomness that the seed owns.
#include "tls_end.h"

#include <openssl/err.h>
#include <openssl/rand.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "penstock/base/assert.h"
#include "penstock/tls/context.h"

namespace penstock::sim {
namespace {

constexpr std::size_t record_size = 16384;

Random& randomness() {
  static Random random(0);
  return random;
}

int fill(unsigned char* to, int size) {
  for (int i = 0; i < size; ++i) to[i] = static_cast<unsigned char>(randomness().next());
  return 1;
}

const RAND_METHOD seeded = {.seed = nullptr,
                            .bytes = fill,
                            .cleanup = nullptr,
                            .add = nullptr,
                            .pseudorand = fill,
                            .status = [] { return 1; }};

/// A certificate of a server's that nobody verifies.
void make_identity(SSL_CTX* context) {
  EVP_PKEY* key = EVP_EC_gen("P-256");
  X509* certificate = X509_new();
  PENSTOCK_ASSERT(key != nullptr && certificate != nullptr);
  X509_set_version(certificate, X509_VERSION_3);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
  ASN1_TIME_set(X509_getm_notBefore(certificate), 0);
  ASN1_TIME_set(X509_getm_notAfter(certificate), 4'000'000'000);
  X509_set_pubkey(certificate, key);
  PENSTOCK_ASSERT(X509_sign(certificate, key, EVP_sha256()) > 0);
  PENSTOCK_ASSERT(SSL_CTX_use_cert_and_key(context, certificate, key, nullptr, 1) == 1);
  X509_free(certificate);
  EVP_PKEY_free(key);
}

SSL_CTX* make_context(const SSL_METHOD* method, int version) {
  SSL_CTX* context = SSL_CTX_new(method);
  PENSTOCK_ASSERT(context != nullptr);
  SSL_CTX_set_min_proto_version(context, version);
  SSL_CTX_set_max_proto_version(context, version);
  SSL_CTX_set_mode(context, SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  return context;
}

SSL_CTX* context_of(const TlsEnd::Options& options) {
  // Made once a process and never freed. What a session needs of it does not change.
  static const std::array contexts = [] {
    randomness() = Random(2);
    std::array<SSL_CTX*, 4> made{};
    for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
      const std::size_t at = version == TLS1_3_VERSION ? 1 : 0;
      made[at] = make_context(TLS_client_method(), version);
      made[at + 2] = make_context(TLS_server_method(), version);
      make_identity(made[at + 2]);
    }
    return made;
  }();
  return contexts[(options.tls13 ? 1U : 0U) + (options.server ? 2U : 0U)];
}

/// Draws what production draws once a process, such as the keys of tickets: the first world with
/// TLS would be another one otherwise when it runs again.
bool make_process_keys() {
  tls::ServerOptions options;
  options.certificates.push_back(tls_identity());
  return tls::Context::create_server(options).has_value();
}

}  // namespace

void seed_tls(std::uint64_t seed) {
  static const bool installed = RAND_set_rand_method(&seeded) == 1;
  PENSTOCK_ASSERT(installed);
  (void)context_of({});
  static const bool warm = make_process_keys();
  PENSTOCK_ASSERT(warm);
  randomness() = Random(seed);
}

tls::Identity tls_identity() {
  static const tls::Identity identity = [] {
    randomness() = Random(1);
    const std::chrono::system_clock::time_point now{std::chrono::seconds(1'700'000'000)};
    auto made = tls::Identity::make_self_signed("sim.test", now);
    PENSTOCK_ASSERT(made.has_value());
    return std::move(*made);
  }();
  return identity.clone();
}

TlsEnd::TlsEnd(Stream& stream, const Options& options)
    : stream_(stream), options_(options), ssl_(SSL_new(context_of(options))) {
  BIO* in = BIO_new(BIO_s_mem());
  BIO* out = BIO_new(BIO_s_mem());
  PENSTOCK_ASSERT(ssl_ != nullptr && in != nullptr && out != nullptr);
  BIO_set_mem_eof_return(in, -1);
  SSL_set_bio(ssl_.get(), in, out);
  if (options.server) {
    SSL_set_accept_state(ssl_.get());
  } else {
    SSL_set_connect_state(ssl_.get());
  }
}

int TlsEnd::receive(std::span<std::byte> to) {
  if (options_.key_updates > 0 && randomness().chance(options_.key_updates)) update_keys();
  for (;;) {
    ERR_clear_error();
    std::size_t got = 0;
    const int outcome = SSL_read_ex(ssl_.get(), to.data(), to.size(), &got);
    encrypted();
    (void)flush();  // what came before a reset is still to be read
    if (outcome == 1) return static_cast<int>(got);
    if (const int result = explain(outcome); result != -EAGAIN) return result;
    if (const int result = fetch(); result <= 0) return result == 0 ? -EPROTO : result;
  }
}

int TlsEnd::send(std::span<const std::byte> from) {
  PENSTOCK_ASSERT(!from.empty() && notified_at_ == 0);
  for (;;) {
    if (const int result = flush(); result < 0) return result;
    ERR_clear_error();
    std::size_t put = 0;
    const std::size_t size = std::min(from.size(), record_size);
    const int outcome = SSL_write_ex(ssl_.get(), from.data(), size, &put);
    plaintext_ += put;
    encrypted();
    if (outcome == 1) {
      const int result = flush();
      return result == 0 || result == -EAGAIN ? static_cast<int>(put) : result;
    }
    if (const int result = explain(outcome); result != -EAGAIN)
      return result == 0 ? -EPIPE : result;
    if (const int result = fetch(); result <= 0) return result == 0 ? -EPROTO : result;
  }
}

int TlsEnd::finish() {
  while (SSL_is_init_finished(ssl_.get()) == 0) {
    ERR_clear_error();
    const int outcome = SSL_do_handshake(ssl_.get());
    encrypted();
    if (const int result = flush(); result < 0) return result;
    if (outcome == 1) break;
    if (const int result = explain(outcome); result != -EAGAIN)
      return result == 0 ? -EPIPE : result;
    if (const int result = fetch(); result <= 0) return result == 0 ? -EPROTO : result;
  }
  if (notified_at_ == 0) {
    ERR_clear_error();
    if (SSL_shutdown(ssl_.get()) < 0) return -EPROTO;
    encrypted();
    notified_at_ = encrypted_;
  }
  if (const int result = flush(); result < 0) return result;
  if (options_.fin_after_notify && !std::exchange(shut_, true)) return stream_.shut_write();
  return 0;
}

std::uint64_t TlsEnd::arrived() const noexcept {
  std::uint64_t plaintext = 0;
  for (const auto& [ciphertext, so_far] : records_) {
    if (ciphertext > stream_.arrived()) break;
    if (options_.corrupts != 0 && ciphertext >= options_.corrupts) break;
    plaintext = so_far;
  }
  return plaintext;
}

void TlsEnd::end_connection() {
  options_.fin_after_notify = true;
  if (notified_at_ != 0 && outgoing_.empty()) (void)finish();
}

bool TlsEnd::end_arrived() const noexcept {
  return notified_at_ != 0 && stream_.arrived() >= notified_at_;
}

/// 0 for the end of the peer's stream, -EAGAIN when more ciphertext is needed, -EPROTO.
int TlsEnd::explain(int outcome) {
  switch (SSL_get_error(ssl_.get(), outcome)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
      return -EAGAIN;
    case SSL_ERROR_ZERO_RETURN:
      return 0;
    default:
      break;
  }
  // Production's TLS is right: there is nothing to find in it but an alert, unless what has been
  // sent there was damaged.
  const unsigned long cause = ERR_peek_error();
  const bool is_alert =
      ERR_GET_LIB(cause) == ERR_LIB_SSL && ERR_GET_REASON(cause) > SSL_AD_REASON_OFFSET;
  PENSTOCK_ASSERT(cause == 0 || is_alert || corrupted());
  return -EPROTO;
}

/// Ciphertext from the stream to OpenSSL: what Stream::receive() said.
int TlsEnd::fetch() {
  std::array<std::byte, 4096> bytes{};
  const int result = stream_.receive(bytes);
  if (result > 0) BIO_write(SSL_get_rbio(ssl_.get()), bytes.data(), result);
  return result;
}

void TlsEnd::update_keys() {
  if (SSL_is_init_finished(ssl_.get()) == 0 || notified_at_ != 0) return;
  ERR_clear_error();
  if (SSL_key_update(ssl_.get(), SSL_KEY_UPDATE_REQUESTED) != 1) return;
  (void)SSL_do_handshake(ssl_.get());
  encrypted();
}

/// Takes over the ciphertext that OpenSSL has made.
void TlsEnd::encrypted() {
  BIO* out = SSL_get_wbio(ssl_.get());
  const std::size_t fresh = BIO_ctrl_pending(out);
  if (fresh == 0) return;
  const std::size_t before = outgoing_.size();
  outgoing_.resize(before + fresh);
  BIO_read(out, outgoing_.data() + before, static_cast<int>(fresh));
  const std::uint64_t position = options_.corrupts - 1;  // wraps to the largest: never
  if (position >= encrypted_ && position < encrypted_ + fresh) {
    outgoing_[before + position - encrypted_] ^= 0x20;
  }
  encrypted_ += fresh;
  records_.emplace_back(encrypted_, plaintext_);
}

/// 0 when everything is out, -EAGAIN when not, else what Stream::send() said.
int TlsEnd::flush() {
  if (outgoing_.empty()) return 0;
  const std::size_t size =
      options_.trickle > 0 ? std::min(options_.trickle, outgoing_.size()) : outgoing_.size();
  const int result = stream_.send(std::as_bytes(std::span(outgoing_).first(size)));
  if (result < 0) return result;
  sent_ += static_cast<std::uint64_t>(result);
  outgoing_.erase(0, static_cast<std::size_t>(result));
  return outgoing_.empty() ? 0 : -EAGAIN;
}

}  // namespace penstock::sim

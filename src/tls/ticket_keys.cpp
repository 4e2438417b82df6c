// AES-256-CBC and HMAC-SHA256, as RFC 5077, 4 recommends.
#include "ticket_keys.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <openssl/rand.h>

#include <algorithm>
#include <cstring>
#include <span>

namespace penstock::tls {
namespace {

constexpr std::size_t before = 0;
constexpr std::size_t current = 1;
constexpr int iv_bytes = 16;

using KdfPtr = std::unique_ptr<EVP_KDF, Releaser<EVP_KDF_free>>;
using KdfContextPtr = std::unique_ptr<EVP_KDF_CTX, Releaser<EVP_KDF_CTX_free>>;

/// Empty: OpenSSL had no random bytes.
const std::string& secret_of_process() {
  static const std::string secret = [] {
    std::string made(48, '\0');
    auto* bytes = reinterpret_cast<unsigned char*>(made.data());
    return RAND_priv_bytes(bytes, static_cast<int>(made.size())) == 1 ? made : std::string();
  }();
  return secret;
}

OSSL_PARAM octets(const char* name, const void* from, std::size_t size) {
  return OSSL_PARAM_construct_octet_string(name, const_cast<void*>(from), size);
}

OSSL_PARAM text(const char* name, const char* from) {
  return OSSL_PARAM_construct_utf8_string(name, const_cast<char*>(from), 0);
}

}  // namespace

TicketKeys::~TicketKeys() {
  OPENSSL_cleanse(secret_.data(), secret_.size());
  OPENSSL_cleanse(keys_.data(), sizeof(keys_));
}

bool TicketKeys::set_up(const Tickets& options) {
  secret_ = options.secret.empty() ? secret_of_process() : options.secret;
  rotation_ = options.rotation;
  clock_ = options.clock;
  cipher_.reset(EVP_CIPHER_fetch(nullptr, "AES-256-CBC", nullptr));
  return !secret_.empty() && cipher_ != nullptr && follow_clock();
}

/// Derives what the clock's rotation needs.
bool TicketKeys::follow_clock() noexcept {
  const auto since = std::chrono::duration_cast<std::chrono::seconds>(clock_().time_since_epoch());
  const std::int64_t now = since / rotation_;
  if (at_ == now) return true;
  std::array<Key, 3> keys{};
  bool derived = true;
  for (std::size_t i = before; i < keys.size(); ++i)
    derived = derived && derive(now - 1 + static_cast<std::int64_t>(i), keys[i]);
  if (derived) {
    keys_ = keys;
    at_ = now;
  }
  OPENSSL_cleanse(keys.data(), sizeof(keys));
  return derived;
}

bool TicketKeys::derive(std::int64_t rotation, Key& key) const noexcept {
  const std::string info = "penstock session ticket, rotation " + std::to_string(rotation) +
                           " of " + std::to_string(rotation_.count()) + " s";
  std::array<unsigned char, sizeof(key.name) + sizeof(key.mac) + sizeof(key.cipher)> bytes{};
  const KdfPtr hkdf(EVP_KDF_fetch(nullptr, "HKDF", nullptr));
  const KdfContextPtr context(hkdf != nullptr ? EVP_KDF_CTX_new(hkdf.get()) : nullptr);
  const std::array parameters = {text(OSSL_KDF_PARAM_DIGEST, "SHA256"),
                                 octets(OSSL_KDF_PARAM_KEY, secret_.data(), secret_.size()),
                                 octets(OSSL_KDF_PARAM_INFO, info.data(), info.size()),
                                 OSSL_PARAM_construct_end()};
  const bool derived = context != nullptr && EVP_KDF_derive(context.get(), bytes.data(),
                                                            bytes.size(), parameters.data()) == 1;
  auto from = bytes.cbegin();
  for (const std::span<unsigned char> part :
       {std::span<unsigned char>(key.name), std::span<unsigned char>(key.mac),
        std::span<unsigned char>(key.cipher)}) {
    std::copy_n(from, part.size(), part.begin());
    from += static_cast<std::ptrdiff_t>(part.size());
  }
  OPENSSL_cleanse(bytes.data(), bytes.size());
  return derived;
}

bool TicketKeys::use(const Key& key, EVP_MAC_CTX* mac) noexcept {
  const std::array parameters = {octets(OSSL_MAC_PARAM_KEY, key.mac.data(), key.mac.size()),
                                 text(OSSL_MAC_PARAM_DIGEST, "SHA256"), OSSL_PARAM_construct_end()};
  return EVP_MAC_CTX_set_params(mac, parameters.data()) == 1;
}

int TicketKeys::seal(unsigned char* name, unsigned char* iv, EVP_CIPHER_CTX* cipher,
                     EVP_MAC_CTX* mac) noexcept {
  constexpr int no_ticket = 0;
  if (!follow_clock()) return no_ticket;
  const Key& key = keys_[current];
  std::ranges::copy(key.name, name);
  const bool set =
      RAND_bytes(iv, iv_bytes) == 1 &&
      EVP_EncryptInit_ex2(cipher, cipher_.get(), key.cipher.data(), iv, nullptr) == 1 &&
      use(key, mac);
  return set ? 1 : no_ticket;
}

int TicketKeys::open(const unsigned char* name, const unsigned char* iv, EVP_CIPHER_CTX* cipher,
                     EVP_MAC_CTX* mac, bool renew) noexcept {
  constexpr int unknown = 0;  // the handshake is a full one
  constexpr int good = 1;
  constexpr int good_and_renew = 2;
  if (!follow_clock()) return unknown;
  for (const Key& key : keys_) {
    if (std::memcmp(key.name.data(), name, key.name.size()) != 0) continue;
    const bool set =
        EVP_DecryptInit_ex2(cipher, cipher_.get(), key.cipher.data(), iv, nullptr) == 1 &&
        use(key, mac);
    if (!set) return unknown;
    return renew || &key != &keys_[current] ? good_and_renew : good;
  }
  return unknown;
}

}  // namespace penstock::tls

// TicketKeys: what session tickets are sealed with. Key n is HKDF(secret, n), where n counts the
// rotations since 1970, so that every thread and every host with the secret has the same ones at
// the same time, and nothing is handed around. One thread's; private to the tls module.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>

#include "openssl_handles.h"
#include "penstock/tls/context.h"

namespace penstock::tls {

class TicketKeys {
 public:
  /// Without a secret in `options` it is the process's own, made at random. False: OpenSSL's queue
  /// says why.
  [[nodiscard]] bool set_up(const Tickets& options);

  // As SSL_CTX_set_tlsext_ticket_key_evp_cb(3) has them: a fresh ticket's name, IV, cipher and MAC;
  // those of a ticket that a client shows, who gets a new one with `renew`. They return what
  // that callback returns.
  [[nodiscard]] int seal(unsigned char* name, unsigned char* iv, EVP_CIPHER_CTX* cipher,
                         EVP_MAC_CTX* mac) noexcept;
  [[nodiscard]] int open(const unsigned char* name, const unsigned char* iv, EVP_CIPHER_CTX* cipher,
                         EVP_MAC_CTX* mac, bool renew) noexcept;

  TicketKeys() noexcept = default;
  TicketKeys(const TicketKeys&) = delete;
  TicketKeys& operator=(const TicketKeys&) = delete;
  ~TicketKeys();

 private:
  struct Key {
    std::array<unsigned char, 16> name{};
    std::array<unsigned char, 32> mac{};
    std::array<unsigned char, 32> cipher{};
  };
  [[nodiscard]] bool follow_clock() noexcept;
  [[nodiscard]] bool derive(std::int64_t rotation, Key& key) const noexcept;
  [[nodiscard]] static bool use(const Key& key, EVP_MAC_CTX* mac) noexcept;

  std::string secret_;
  std::chrono::seconds rotation_{};
  std::chrono::system_clock::time_point (*clock_)() = nullptr;
  CipherPtr cipher_;
  std::array<Key, 3> keys_{};       // of the rotation before, of this one, of the next
  std::optional<std::int64_t> at_;  // the one in the middle; nullopt: none is derived yet
};

}  // namespace penstock::tls

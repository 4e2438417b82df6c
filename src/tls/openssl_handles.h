// Owners for OpenSSL's objects and the one way to turn its error queue into text. Private to the
// tls module; nothing here keeps state.
#pragma once

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <memory>
#include <string>

namespace penstock::tls {

template <auto release>
struct Releaser {
  template <class T>
  void operator()(T* object) const noexcept {
    release(object);
  }
};

using BioPtr = std::unique_ptr<BIO, Releaser<BIO_free_all>>;
using CipherPtr = std::unique_ptr<EVP_CIPHER, Releaser<EVP_CIPHER_free>>;
using CrlPtr = std::unique_ptr<X509_CRL, Releaser<X509_CRL_free>>;
using DigestPtr = std::unique_ptr<EVP_MD_CTX, Releaser<EVP_MD_CTX_free>>;
using ExtensionPtr = std::unique_ptr<X509_EXTENSION, Releaser<X509_EXTENSION_free>>;
using GeneralNamesPtr = std::unique_ptr<GENERAL_NAMES, Releaser<GENERAL_NAMES_free>>;
using KeyPtr = std::unique_ptr<EVP_PKEY, Releaser<EVP_PKEY_free>>;
using SessionPtr = std::unique_ptr<SSL_SESSION, Releaser<SSL_SESSION_free>>;
using SslContextPtr = std::unique_ptr<SSL_CTX, Releaser<SSL_CTX_free>>;
using SslPtr = std::unique_ptr<SSL, Releaser<SSL_free>>;
using X509Ptr = std::unique_ptr<X509, Releaser<X509_free>>;

/// Empties this thread's error queue and returns what started it: the oldest error of the SSL
/// library, which names the fault of the peer ("decryption failed or bad record mac") where a
/// cipher below it only says that it failed; else the oldest of all; 0 when there is none.
[[nodiscard]] unsigned long take_cause();

/// OpenSSL's words for an error code, for example "wrong version number".
[[nodiscard]] std::string reason_text(unsigned long cause);

/// Both in one.
[[nodiscard]] std::string take_reason();

}  // namespace penstock::tls

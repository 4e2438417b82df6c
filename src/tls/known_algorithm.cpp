// A name is tried alone.
#include "penstock/tls/known_algorithm.h"

#include <openssl/err.h>

#include "openssl_handles.h"

namespace penstock::tls {
namespace {

bool accepts(SSL_CTX* trial, Algorithm kind, const char* name) {
  switch (kind) {
    case Algorithm::cipher:
      return SSL_CTX_set_cipher_list(trial, name) == 1;
    case Algorithm::cipher_suite:
      return SSL_CTX_set_ciphersuites(trial, name) == 1;
    case Algorithm::group:
      return SSL_CTX_set1_groups_list(trial, name) == 1;
    case Algorithm::signature:
      return SSL_CTX_set1_sigalgs_list(trial, name) == 1;
  }
  return false;
}

}  // namespace

bool is_known(Algorithm kind, const std::string& name) {
  // What has a meaning in a list is no name: "!aNULL", "@SECLEVEL=0", "A:B".
  if (name.empty() || name.find_first_of(":,;@=!?* \t\n/") != std::string::npos) return false;
  if (name.find('\0') != std::string::npos || name.front() == '-' || name.front() == '+')
    return false;
  ERR_clear_error();
  const SslContextPtr trial(SSL_CTX_new(TLS_server_method()));
  const bool known = trial != nullptr && accepts(trial.get(), kind, name.c_str());
  ERR_clear_error();
  return known;
}

std::string_view command_that_lists(Algorithm kind) noexcept {
  switch (kind) {
    case Algorithm::cipher:
      return "`openssl ciphers -s -tls1_2`";
    case Algorithm::cipher_suite:
      return "`openssl ciphers -s -tls1_3`";
    case Algorithm::group:
      return "`openssl list -kem-algorithms` and `openssl ecparam -list_curves`";
    case Algorithm::signature:
      return "SSL_CTX_set1_sigalgs(3)";
  }
  return "";
}

}  // namespace penstock::tls

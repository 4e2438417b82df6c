// Text for OpenSSL's error queue. The queue belongs to the thread, so it is emptied whenever it was
// read: what one connection left there must not be taken for the error of the next.
#include "openssl_handles.h"

#include <openssl/err.h>

#include <array>

namespace penstock::tls {

unsigned long take_cause() {
  unsigned long cause = 0;
  while (const unsigned long code = ERR_get_error()) {
    if (cause == 0 || (ERR_GET_LIB(code) == ERR_LIB_SSL && ERR_GET_LIB(cause) != ERR_LIB_SSL)) {
      cause = code;
    }
  }
  return cause;
}

std::string reason_text(unsigned long cause) {
  if (cause == 0) return "no reason given by OpenSSL";
  if (const char* text = ERR_reason_error_string(cause); text != nullptr) return text;
  std::array<char, 256> buffer{};
  ERR_error_string_n(cause, buffer.data(), buffer.size());
  return buffer.data();
}

std::string take_reason() { return reason_text(take_cause()); }

}  // namespace penstock::tls

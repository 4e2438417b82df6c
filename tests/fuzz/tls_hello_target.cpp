// Any bytes as the beginning of a connection that is routed without being decrypted: the reader
// says the same however they are cut, and where OpenSSL's server finds a name in them, so does it.
#include <openssl/ssl.h>

#include <algorithm>
#include <memory>
#include <string>

#include "input.h"
#include "penstock/base/assert.h"
#include "penstock/tls/client_hello.h"
#include "target.h"
#include "tls_client.h"

namespace penstock::fuzz {
namespace {

using tls::ClientHelloReader;
using ReaderStatus = ClientHelloReader::Status;

/// What OpenSSL's server makes of the same bytes.
struct Reading {
  bool whole = false;  ///< it took a ClientHello in
  bool named = false;  ///< and went as far as its server name
  std::string server_name;
};

int on_hello(SSL* /*ssl*/, int* /*alert*/, void* reading) {
  static_cast<Reading*>(reading)->whole = true;
  return SSL_CLIENT_HELLO_SUCCESS;
}

int on_name(SSL* ssl, int* /*alert*/, void* argument) {
  auto& reading = *static_cast<Reading*>(argument);
  reading.named = true;
  const char* name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
  reading.server_name = name != nullptr ? name : "";
  return SSL_TLSEXT_ERR_OK;
}

Reading read_by_openssl(std::span<const std::uint8_t> bytes) {
  Reading reading;
  const std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context(SSL_CTX_new(TLS_server_method()),
                                                                  SSL_CTX_free);
  SSL_CTX_set_client_hello_cb(context.get(), on_hello, &reading);
  SSL_CTX_callback_ctrl(context.get(), SSL_CTRL_SET_TLSEXT_SERVERNAME_CB,
                        reinterpret_cast<void (*)()>(on_name));
  SSL_CTX_set_tlsext_servername_arg(context.get(), &reading);
  const std::unique_ptr<SSL, decltype(&SSL_free)> ssl(SSL_new(context.get()), SSL_free);
  BIO* in = BIO_new(BIO_s_mem());
  BIO* out = BIO_new(BIO_s_mem());
  BIO_set_mem_eof_return(in, -1);
  if (!bytes.empty()) BIO_write(in, bytes.data(), static_cast<int>(bytes.size()));
  SSL_set_bio(ssl.get(), in, out);
  SSL_set_accept_state(ssl.get());
  ERR_clear_error();
  (void)SSL_do_handshake(ssl.get());
  ERR_clear_error();
  return reading;
}

/// In lower case, without a last dot.
std::string as_routed(std::string name) {
  for (char& c : name) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + ('a' - 'A'));
  }
  if (name.ends_with('.')) name.pop_back();
  return name;
}

void compare(const ClientHelloReader& reader, const Reading& reading, bool old_form) {
  if (reading.whole) {
    PENSTOCK_ASSERT(reader.status() != ReaderStatus::incomplete);
    PENSTOCK_ASSERT(reader.status() != ReaderStatus::not_tls || old_form);
  }
  if (!reading.named || reader.status() != ReaderStatus::complete) return;
  PENSTOCK_ASSERT(reader.hello().server_name == as_routed(reading.server_name));
}

}  // namespace

void run(std::span<const std::uint8_t> bytes) {
  Input input(bytes);
  const std::size_t piece = 1 + input.byte();
  const auto rest = std::as_bytes(bytes.first(bytes.empty() ? 0 : bytes.size() - 1));
  ClientHelloReader whole;
  whole.read(rest);
  ClientHelloReader cut;
  for (std::size_t at = 0; at < rest.size(); at += piece)
    cut.read(rest.subspan(at, std::min(piece, rest.size() - at)));
  PENSTOCK_ASSERT(cut.status() == whole.status() && cut.problem() == whole.problem());
  PENSTOCK_ASSERT(cut.hello().server_name == whole.hello().server_name);
  PENSTOCK_ASSERT(cut.hello().protocols == whole.hello().protocols);
  PENSTOCK_ASSERT((whole.status() == ReaderStatus::malformed) == !whole.problem().empty());
  // The two-byte header of SSL 2, which OpenSSL still reads.
  const bool old_form = !bytes.empty() && (bytes.front() & 0x80U) != 0;
  compare(whole, read_by_openssl(bytes.first(rest.size())), old_form);
}

}  // namespace penstock::fuzz

// Sites: what a server's Context is: one SSL_CTX for each combination of certificates and of what
// is asked of clients, and which of them a name gets. The choice is made when the ClientHello has
// come and before anything in it is acted on: a ticket in it must not resume under the terms of
// another site. Changing the context of a connection costs a copy of pointers, where giving it
// another certificate would check the key again each time. Private to the tls module; a shard's.
#pragma once

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "name_table.h"
#include "openssl_handles.h"
#include "ticket_keys.h"

namespace penstock::tls {

struct Sites;

struct Site {
  Sites* all = nullptr;
  SslContextPtr context;
  std::array<unsigned char, 32> scope{};  ///< what tells its sessions from those of other sites
  std::vector<std::string> client_names;  ///< see ClientVerification
};

struct Sites {
  std::vector<std::unique_ptr<Site>> sites;  ///< the first is that of names without one
  NameTable names;
  bool strict_names = false;
  std::string alpn;  ///< the protocols as the extension has them: each after one byte of length
  TicketKeys tickets;
  DigestPtr digest;  ///< SHA-256, for sessions' scopes

  Sites() = default;
  Sites(const Sites&) = delete;
  Sites& operator=(const Sites&) = delete;
};

/// Has the SSL_CTX of `site` choose by `site.all` once a ClientHello has come, and use its tickets
/// and protocols. False: out of memory.
[[nodiscard]] bool set_callbacks(Site& site);

/// Asks clients of `context` for certificates, as `terms` say; `certificates` and `revoked` are of
/// its authorities. False: OpenSSL's queue says why.
[[nodiscard]] bool ask_for_certificates(SSL_CTX* context, const ClientVerification& terms,
                                        const std::vector<X509Ptr>& certificates,
                                        const std::vector<CrlPtr>& revoked);

}  // namespace penstock::tls

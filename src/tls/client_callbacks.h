// Where a client's Context and its Engines meet: OpenSSL calls for a context, and the engine has to
// be found. Private to the tls module.
#pragma once

#include "openssl_handles.h"

namespace penstock::tls {

/// Under this index an SSL's extra data is its engine's ClientParts; OpenSSL leaves it to whoever
/// uses the library.
inline constexpr int client_parts_index = 0;

/// Keeps a copy of a session that `ssl` has received. Called inside the Engine's calls.
int keep_session(SSL* ssl, SSL_SESSION* session);

}  // namespace penstock::tls

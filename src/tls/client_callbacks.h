// Where a client's Context and its Engines meet: OpenSSL calls for a context, and the engine has to
// be found. Private to the tls module.
#pragma once

#include "openssl_handles.h"

namespace penstock::tls {

/// Keeps a copy of a session that `ssl` has received. Called inside the Engine's calls.
int keep_session(SSL* ssl, SSL_SESSION* session);

}  // namespace penstock::tls

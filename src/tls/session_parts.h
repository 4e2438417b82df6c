// What a Session holds. Private to the tls module.
#pragma once

#include <string>

#include "openssl_handles.h"
#include "penstock/tls/client.h"

namespace penstock::tls {

struct Session::Parts {
  /// A copy from the moment at which it came, and copied again for each connection that offers it:
  /// OpenSSL marks the session of a connection that ends without close_notify as not resumable.
  SessionPtr session;
  std::string scope;  ///< whose server this is and who vouched for that; empty: nobody did
};

}  // namespace penstock::tls

// What Authorities hold. Private to the tls module: Contexts copy it into their stores.
#pragma once

#include <vector>

#include "openssl_handles.h"
#include "penstock/tls/authorities.h"

namespace penstock::tls {

struct Authorities::Parts {
  std::vector<X509Ptr> certificates;  ///< never empty
  std::vector<CrlPtr> revoked;
};

}  // namespace penstock::tls

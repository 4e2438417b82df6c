// The dates in certificates, as numbers and for messages. Private to the tls module.
#pragma once

#include <ctime>
#include <string>

#include "openssl_handles.h"

namespace penstock::tls {

/// Seconds since 1970; 0: it is malformed.
[[nodiscard]] std::time_t seconds_of(const ASN1_TIME& time);

/// "2026-01-15 12:00:00 UTC"
[[nodiscard]] std::string date_text(std::time_t time);

}  // namespace penstock::tls

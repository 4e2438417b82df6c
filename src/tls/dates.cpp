// All of them are in UTC (RFC 5280, 4.1.2.5).
#include "dates.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

namespace penstock::tls {

std::time_t seconds_of(const ASN1_TIME& time) {
  std::tm fields{};
  return ASN1_TIME_to_tm(&time, &fields) == 1 ? timegm(&fields) : 0;
}

std::string date_text(std::time_t time) {
  return fmt::format("{:%Y-%m-%d %H:%M:%S} UTC", fmt::gmtime(time));
}

}  // namespace penstock::tls

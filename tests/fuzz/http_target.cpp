// Any bytes as a backend's answer to a health check. The prober asks again after each receive, so
// what it is told about a beginning must agree with what it is told about more: once malformed or
// complete, an answer stays so, whatever follows and however it is cut.
#include <string_view>

#include "penstock/base/assert.h"
#include "penstock/health/http_check.h"
#include "target.h"

namespace penstock::fuzz {

using State = health::StatusLine::State;

void run(std::span<const std::uint8_t> bytes) {
  const std::string_view whole(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  health::StatusLine before;
  for (std::size_t size = 0; size <= whole.size(); ++size) {
    const health::StatusLine now = health::parse_status_line(whole.substr(0, size));
    if (before.state != State::incomplete) {
      PENSTOCK_ASSERT(now.state == before.state && now.status == before.status);
    }
    if (now.state == State::complete) {
      PENSTOCK_ASSERT(now.status >= 100 && now.status <= 999);
      PENSTOCK_ASSERT(now.status >= 200 || now.status == 101);
      PENSTOCK_ASSERT(whole.starts_with("HTTP/1."));
    } else {
      PENSTOCK_ASSERT(now.status == 0);
    }
    PENSTOCK_ASSERT(now.state != State::incomplete || size < health::answer_limit);
    before = now;
  }
}

}  // namespace penstock::fuzz

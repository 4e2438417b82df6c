// What becomes of a connection, once.
#include "part.h"

#include <utility>

namespace penstock::load {

void Member::done() {
  if (settled) return;
  ++recorder->count.streams;
  end(Ending::plain);
}

void Member::fail(ErrorClass error, int errno_value, const std::string& why) {
  if (settled) return;
  failed = true;
  recorder->fail(error, errno_value);
  recorder->explain(error, why);
  end(Ending::reset);
}

void Member::end(Ending ending) {
  if (std::exchange(settled, true) || connection == nullptr) return;
  connection->leave(ending);
}

}  // namespace penstock::load

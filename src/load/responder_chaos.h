// Responders that go wrong, each in its own way.
#pragma once

#include <memory>

#include "responder.h"

namespace penstock::load {

/// One of those that the options allow, drawn for the connection's number.
[[nodiscard]] std::unique_ptr<Responder> make_chaos(Peer& peer);

}  // namespace penstock::load

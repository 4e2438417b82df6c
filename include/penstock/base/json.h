// The one door to the JSON library. Nothing on the data path includes this: counters and log
// records are turned into JSON by the supervisor.
#pragma once

#include <nlohmann/json.hpp>

namespace penstock {

/// Keeps keys in the order they were added, so that a person finds them where the documentation
/// says.
using Json = nlohmann::ordered_json;

}  // namespace penstock

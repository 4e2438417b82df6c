// What a run was asked to do, as its outputs tell it.
#include "run_options.h"

#include <sys/utsname.h>

#include "penstock/base/cpus.h"
#include "penstock/base/log.h"

namespace penstock::load {

RunSettings settings_of(const RunOptions& options) {
  RunSettings settings;
  settings.mode = name_of(options.mode);
  settings.target = options.target_text;
  settings.loop = options.closed_loop ? Loop::closed : Loop::open;
  settings.arrival = options.arrival;
  settings.burst = options.burst;
  settings.catch_up = options.catch_up;
  settings.rate = options.profile_text;
  settings.threads = options.threads;
  settings.connections = options.connections;
  settings.active = options.active;
  settings.depth = options.depth;
  if (options.http_request.empty() && options.mode != Mode::tls) {
    settings.request_size = options.request_size;
    settings.answer_size = options.answer_size;
  }
  settings.tls = options.tls_text;
  settings.resume_share = options.resume_share;
  settings.seed = options.seed;
  settings.command_line = options.command_line;
  settings.labels = options.labels;
  utsname system{};
  if (::uname(&system) == 0) {
    settings.host = system.nodename;
    settings.kernel = system.release;
  }
  settings.cpus = static_cast<std::uint32_t>(allowed_cpus().size());
  settings.version = PENSTOCK_VERSION;
  settings.started_at = log::timestamp(log::wall_clock());
  return settings;
}

}  // namespace penstock::load

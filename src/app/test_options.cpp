// Turns the options into switches, and says so in the log: a run that was asked to fail must not be
// taken for one that fails by itself.
#include "test_options.h"

#include "penstock/base/assert.h"
#include "penstock/base/log.h"
#include "penstock/base/test_switches.h"
#include "penstock/tls/failing_memory.h"

namespace penstock::app {

const char* version_text() noexcept {
  return penstock_checks ? "penstock " PENSTOCK_VERSION
                           " with checks: `run` has --poison and --fail-alloc"
                         : "penstock " PENSTOCK_VERSION;
}

void TestOptions::add_to(CLI::App& run_command) {
  if constexpr (!penstock_checks) return;
  constexpr const char* group = "For tests, in builds with checks";
  run_command.add_flag("--poison", poison_, "fill freed and fresh buffers, so that misuse shows")
      ->group(group);
  run_command
      .add_option("--fail-alloc", fail_percent_,
                  "let this part of the allocations of OpenSSL, at start and at handshakes fail")
      ->option_text("PERCENT")
      ->check(CLI::Range(0.0, 100.0))
      ->group(group);
  run_command.add_option("--fail-seed", fail_seed_, "which of them fail; default 1")
      ->option_text("NUMBER")
      ->group(group);
  run_command.add_option("--fail-from", fail_from_, "since when: `start` (default) or `ready`")
      ->option_text("WHEN")
      ->check(CLI::IsMember({"start", "ready"}))
      ->group(group);
}

Result<void> TestOptions::apply() const {
  if (poison_) {
    test_switches::set_poisoning(true);
    log::warn("test switch: memory is poisoned while nobody owns it");
  }
  if (fail_percent_ <= 0) return {};
  if (!tls::memory_can_fail()) return fail("--fail-alloc: OpenSSL does not let its memory fail");
  log::warn("test switch: {} % of allocations fail from {} on, seed {}", fail_percent_, fail_from_,
            fail_seed_);
  if (fail_from_ == "start") let_allocations_fail();
  return {};
}

void TestOptions::on_ready() const noexcept {
  if (fail_percent_ > 0 && fail_from_ == "ready") let_allocations_fail();
}

void TestOptions::let_allocations_fail() const noexcept {
  test_switches::fail_allocations({.percent = fail_percent_, .seed = fail_seed_});
}

}  // namespace penstock::app

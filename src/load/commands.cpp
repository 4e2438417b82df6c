// Each command's options are its own.
#include "commands.h"

#include "manual.h"

namespace penstock::load {
namespace {

constexpr const char* about =
    "penstock-load: a load tool for TCP, TLS and HTTP whose numbers can be believed.\n"
    "Latency counts from when an operation was meant to begin; every answer is checked.";

constexpr const char* exit_codes =
    "\nExit codes: 0 done, 1 wrong bytes or nothing went well, 3 an assertion failed, 4 the\n"
    "generator was too busy to judge, 64 usage. penstock-load(1) tells more.";

}  // namespace

Commands::Commands()
    : app(about, "penstock-load"),
      run_app(app.add_subcommand("run", "put a load on a target")),
      serve_app(app.add_subcommand("serve", "be a server to put a load on")),
      report_app(app.add_subcommand("report", "show or compare runs")),
      selftest_app(app.add_subcommand("selftest", "check this tool against what is known")),
      calibrate_app(app.add_subcommand("calibrate", "measure what this tool can do here")),
      manual_app(app.add_subcommand("man", "print the manual page, in roff")->group("")) {
  app.set_version_flag("--version", "penstock-load " PENSTOCK_VERSION);
  run.add_to(*run_app);
  scenario.add_to(*run_app);
  run_app->footer(cli::examples_text(run_examples()) + exit_codes);
  serve.add_to(*serve_app);
  selftest.add_to(*selftest_app);
  calibrate.add_to(*calibrate_app);
  report_app->add_option("files", reports, "what --json has written")
      ->option_text("FILE...")
      ->required();
  report_app->add_option("--html", page, "write a page with charts to a file")->option_text("FILE");
  report_app->footer(cli::examples_text(report_examples()));
}

}  // namespace penstock::load

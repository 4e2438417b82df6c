// A manual page says what the definitions say, in characters that roff leaves alone.
#include <CLI/CLI.hpp>
#include <catch2/catch_test_macros.hpp>
#include <string>

#include "penstock/cli/manual.h"

namespace penstock::cli {
namespace {

bool has(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

struct Tool {
  Tool() : app("about", "tool") {
    CLI::App* run = app.add_subcommand("run", "do it");
    run->add_option("target", value)->option_text("TARGET");
    run->add_option("-n,--number", value, "how many - 'ten' at most")->option_text("N");
    run->add_flag("--fast", fast, ".dotted \\ \"quoted\" x^2 ~ `code` …");
    run->add_option("--secret", value, "not to be seen")->group("");
    app.add_subcommand("hidden", "not to be seen either")->group("");
  }
  CLI::App app;
  std::string value;
  bool fast = false;
};

TEST_CASE("a manual page has every command and option that --help shows, and no other", "[cli]") {
  const Tool tool;
  const std::string page = manual_page(tool.app, {.version = "tool 1", .summary = "does it"});
  CHECK(has(page, ".SH \"NAME\"\ntool \\- does it\n"));
  CHECK(has(page, "\\fBtool\\fR \\fBrun\\fR \\fITARGET\\fR [\\fIOPTIONS\\fR]\n"));
  CHECK(has(page, ".SH \"OPTIONS OF RUN\"\n"));
  CHECK(has(page, ".TP\n\\fB\\-n\\fR, \\fB\\-\\-number\\fR \\fIN\\fR\n"));
  CHECK(has(page, "\\fB\\-\\-fast\\fR\n"));
  CHECK_FALSE(has(page, "secret"));
  CHECK_FALSE(has(page, "hidden"));
}

TEST_CASE("what roff would read as something else is written as a character's name", "[cli]") {
  const Tool tool;
  const std::string page = manual_page(tool.app, {.version = "tool 1", .summary = "does it"});
  CHECK(has(page, "\nhow many \\- \\(aqten\\(aq at most\n"));
  CHECK(has(page, "\n\\&.dotted \\e \\(dqquoted\\(dq x\\(ha2 \\(ti \\(gacode\\(ga \\[u2026]\n"));
}

TEST_CASE("examples stand below --help and in the manual page", "[cli]") {
  const Tool tool;
  const Example examples[] = {{"tool run a -n 3", "three"}, {"tool run a --fast", "as it goes"}};
  CHECK(examples_text(examples) ==
        "Examples:\n  tool run a -n 3\n      three\n  tool run a --fast\n      as it goes");
  const std::string page = manual_page(
      tool.app, {.version = "tool 1", .summary = "does it", .examples = {{"run", examples}}});
  CHECK(has(page, ".SS run\n.PP\nthree:\n.RS 4\n.nf\n\\fBtool run a \\-n 3\\fR\n.fi\n.RE\n"));
}

}  // namespace
}  // namespace penstock::cli

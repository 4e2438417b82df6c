// The examples of the load tool are what it takes: each is read as the program would read it.
#include <catch2/catch_test_macros.hpp>
#include <string>
#include <string_view>

#include "../../src/load/commands.h"
#include "../../src/load/manual.h"

namespace penstock::load {
namespace {

constexpr std::string_view program = "penstock-load ";

void read(Commands& commands, const cli::Example& example) {
  INFO(example.command);
  REQUIRE(example.command.starts_with(program));
  CHECK_NOTHROW(commands.app.parse(std::string(example.command.substr(program.size()))));
}

TEST_CASE("every example of a run is one that could begin", "[load]") {
  for (const cli::Example& example : run_examples()) {
    Commands commands;
    read(commands, example);
    INFO(example.command);
    CHECK(commands.run_app->parsed());
    if (commands.scenario.asked()) {
      CHECK(commands.scenario.check_use());
      continue;
    }
    const auto options = commands.run.options();
    const std::string why = options ? "" : options.error().message;
    INFO(why);
    // The file of the client's certificate is the reader's own.
    CHECK((options || why.find("me.pem") != std::string::npos));
  }
}

TEST_CASE("every example of the other commands is read", "[load]") {
  for (const auto examples :
       {serve_examples(), report_examples(), selftest_examples(), calibrate_examples()}) {
    CHECK_FALSE(examples.empty());
    for (const cli::Example& example : examples) {
      Commands commands;
      read(commands, example);
      CHECK_FALSE(commands.run_app->parsed());
    }
  }
}

}  // namespace
}  // namespace penstock::load

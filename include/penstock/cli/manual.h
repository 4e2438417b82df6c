// Manual pages, made from the definitions that --help is made from, so that the two cannot differ;
// what no definition says (examples, exit codes, longer text) is given beside them. Values only.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace CLI {  // NOLINT(readability-identifier-naming): the library's
class App;
}

namespace penstock::cli {

/// A command line that can be typed as it is, and what it does, as a clause.
struct Example {
  std::string_view command;
  std::string_view what;
};

/// The examples as they stand below --help: "Examples:", then two lines each.
[[nodiscard]] std::string examples_text(std::span<const Example> examples);

/// A term and what it means: an exit code, a mode.
struct Entry {
  std::string_view term;
  std::string_view text;
};

struct ManualSection {
  std::string_view heading;  ///< in capitals
  std::string_view text{};   ///< a paragraph before the entries; empty: none
  std::span<const Entry> entries{};
};

struct CommandExamples {
  std::string_view command;  ///< the subcommand's name
  std::span<const Example> examples;
};

struct Manual {
  int section = 1;
  std::string_view version;                     ///< "penstock 1.2.3"
  std::string_view summary;                     ///< for NAME: one line without an end
  std::vector<std::string_view> description{};  ///< paragraphs
  std::vector<ManualSection> before{};          ///< between DESCRIPTION and the options
  std::vector<ManualSection> after{};           ///< between the options and EXAMPLES
  std::vector<CommandExamples> examples{};
  std::vector<std::string_view> see_also{};  ///< "iperf3(1)"
};

/// The page in roff's man macros (groff_man(7)): SYNOPSIS and the options are the definitions'.
/// Subcommands and options that --help does not show are left out.
[[nodiscard]] std::string manual_page(const CLI::App& app, const Manual& manual);

}  // namespace penstock::cli

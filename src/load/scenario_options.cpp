// The table becomes the arguments of a command line, so that a load obeys the rules of a run. What
// is wrong with them is told at the key that the sentence names.
#include "scenario_options.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <utility>

#include "penstock/config/suggest.h"
#include "run_command.h"

namespace penstock::load {
namespace {

using config::Node;
using Kind = config::Node::Kind;

/// Options of `run` that are not a load's, and why.
struct Refusal {
  std::string_view key;
  std::string_view why;
};
constexpr std::string_view of_all =
    "is of the whole scenario: say it on the command line, and each load has a file of its own";
constexpr std::string_view of_a_search =
    "is of the search for the highest rate, which is a run of its own";
constexpr Refusal refusals[] = {
    {"json", of_all},
    {"csv", of_all},
    {"hgrm", of_all},
    {"html", "is of the whole scenario: say it on the command line, for a page about all loads"},
    {"prom", "is of a run with one load: Prometheus would not know which it reads"},
    {"no-live", "means nothing here: of several loads there are always lines"},
    {"slo", of_a_search},
    {"start-rate", of_a_search}};

bool is_word(char c) noexcept { return c == '-' || (c >= 'a' && c <= 'z'); }

/// Whether the sentence is about that option, and not about one whose name begins like it.
bool names_option(std::string_view sentence, std::string_view key) {
  const std::string option = fmt::format("--{}", key);
  for (std::size_t at = sentence.find(option); at != std::string_view::npos;
       at = sentence.find(option, at + 1)) {
    const std::string_view rest = sentence.substr(at + option.size());
    if (rest.empty() || !is_word(rest.front())) return true;
  }
  return false;
}

const Refusal* refused(std::string_view key) noexcept {
  const auto* found = std::ranges::find(refusals, key, &Refusal::key);
  return found == std::end(refusals) ? nullptr : found;
}

class LoadTable {
 public:
  LoadTable(const config::Document& document, const Node& table, GivenOptions given,
            config::Diagnostics& errors)
      : document_(document), table_(table), given_(std::move(given)), errors_(errors) {
    app_.set_help_flag();  // it would be an option like the others
    command_.add_to(app_);
  }

  std::optional<RunOptions> read() {
    const std::size_t errors_before = errors_.size();
    for (const Node& entry : table_.children) read_entry(entry);
    if (errors_.size() > errors_before) return std::nullopt;
    std::vector<std::string> arguments = std::move(given_.arguments);
    if (!given_.target.empty()) arguments.push_back(given_.target);
    std::ranges::reverse(arguments);
    try {
      app_.parse(std::move(arguments));
    } catch (const CLI::ParseError& error) {
      report(error.what());
      return std::nullopt;
    }
    auto options = command_.options();
    if (options) return std::move(*options);
    report(options.error().message);
    return std::nullopt;
  }

 private:
  void error(const Node& at, std::string_view message) {
    errors_.push_back(document_.error(at, message));
  }
  /// At the first key that the sentence is about.
  void report(std::string_view sentence) {
    const auto meant = std::ranges::find_if(
        table_.children, [&](const Node& entry) { return names_option(sentence, entry.key); });
    error(meant == table_.children.end() ? table_ : *meant, sentence);
  }

  void read_entry(const Node& entry) {
    if (std::ranges::find(scenario_keys, entry.key) != std::end(scenario_keys)) return;
    if (const Refusal* refusal = refused(entry.key)) {
      return error(entry, fmt::format("{} {}", entry.key, refusal->why));
    }
    if (entry.key == "target") return read_target(entry);
    const CLI::Option* option = std::as_const(app_).get_option_no_throw("--" + entry.key);
    if (option == nullptr) return error(entry, unknown_key(entry.key, known_keys()));
    if (option->get_items_expected_max() == 0) return read_flag(entry);
    if (entry.key == "rate" && entry.text == "max") {
      return error(entry, fmt::format("rate = \"max\" {}", of_a_search));
    }
    const bool several = option->get_items_expected_max() > 1;
    if (!several || entry.kind != Kind::list) {
      return read_value(entry.key, entry, several ? "a value or a list of such" : "a value");
    }
    for (const Node& value : entry.children) read_value(entry.key, value, "a list of values");
  }

  void read_target(const Node& entry) {
    if (entry.kind != Kind::text) return error(entry, mismatch(entry, "a text"));
    given_.target = entry.text;
  }

  void read_flag(const Node& entry) {
    if (entry.kind != Kind::flag) return error(entry, mismatch(entry, "true or false"));
    if (entry.text == "true") given_.arguments.push_back("--" + entry.key);
  }

  /// `at`: the value, or one of several.
  void read_value(std::string_view key, const Node& at, std::string_view expected) {
    if (at.kind != Kind::text && at.kind != Kind::number) {
      return error(at, fmt::format("{} must be {}, not {}", key, expected, at.description()));
    }
    if (at.text.empty()) return error(at, fmt::format("{} is empty: leave it out", key));
    given_.arguments.push_back(fmt::format("--{}={}", key, at.text));
  }

  [[nodiscard]] std::vector<std::string_view> known_keys() const {
    std::vector<std::string_view> keys(std::begin(scenario_keys), std::end(scenario_keys));
    keys.emplace_back("target");
    for (const CLI::Option* option : app_.get_options()) {
      for (const std::string& name : option->get_lnames()) {
        if (!refused(name)) keys.push_back(name);
      }
    }
    return keys;
  }

  const config::Document& document_;
  const Node& table_;
  GivenOptions given_;
  config::Diagnostics& errors_;
  CLI::App app_;
  RunCommand command_;
};

}  // namespace

std::optional<RunOptions> read_load_options(const config::Document& document, const Node& table,
                                            GivenOptions given, config::Diagnostics& errors) {
  return LoadTable(document, table, std::move(given), errors).read();
}

std::string unknown_key(std::string_view key, std::span<const std::string_view> known) {
  return fmt::format("unknown key {}{}", key, config::hint(key, known, "known here"));
}

std::string mismatch(const Node& node, std::string_view expected) {
  return fmt::format("{} must be {}, not {}", node.key, expected, node.description());
}

}  // namespace penstock::load

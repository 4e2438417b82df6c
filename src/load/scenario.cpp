// What a scenario says of its loads beyond their options: names, starts, shares of a rate. The rest
// is scenario_options.cpp's.
#include "scenario.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <initializer_list>
#include <optional>
#include <string_view>
#include <utility>

#include "option_values.h"
#include "penstock/load/units.h"
#include "scenario_options.h"

namespace penstock::load {
namespace {

using config::Node;
using Kind = config::Node::Kind;

constexpr std::string_view root_keys[] = {"target", "duration", "rate", "load"};
/// How a load's operations come, if not as a share.
constexpr std::string_view shape_keys[] = {"rate", "ramp", "steps", "closed"};
constexpr std::size_t longest_name = 32;
constexpr std::uint32_t largest_weight = 1'000'000;
constexpr int digits_of_share = 6;  // 10k by 3 is 3.33333k

bool is_name(std::string_view text) noexcept {
  constexpr std::string_view allowed =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
  return !text.empty() && text.size() <= longest_name &&
         text.find_first_not_of(allowed) == std::string_view::npos;
}

class Reader {
 public:
  Reader(const config::Document& document, const ForAllLoads& for_all)
      : document_(document), for_all_(for_all), target_(for_all.target) {}

  std::expected<Scenario, config::Diagnostics> read() {
    read_root();
    std::vector<std::optional<std::uint32_t>> weights;
    for (const Node* table : tables_) {
      weights.push_back(read_weight(*table));
      weights_together_ += weights.back().value_or(0);
    }
    for (std::size_t i = 0; i < tables_.size(); ++i) read_load(*tables_[i], weights[i]);
    check_whole();
    if (errors_.empty()) return std::move(scenario_);
    std::ranges::stable_sort(errors_, {}, [](const config::Diagnostic& error) {
      return std::pair(error.line, error.column);
    });
    return std::unexpected(std::move(errors_));
  }

 private:
  void error(const Node& at, std::string_view message) {
    errors_.push_back(document_.error(at, message));
  }

  void read_root() {
    for (const Node& entry : document_.root.children) {
      if (std::ranges::find(root_keys, entry.key) == std::end(root_keys)) {
        error(entry, unknown_key(entry.key, root_keys));
      }
    }
    if (const Node* target = document_.root.find("target"); target != nullptr) {
      if (target->kind != Kind::text) error(*target, mismatch(*target, "a text"));
      if (target_.empty()) target_ = target->text;
    }
    length_ = read_time(document_.root, "duration", read_positive_duration).value_or(length_);
    if (const Node* rate = document_.root.find("rate"); rate != nullptr) read_rate(*rate);
    read_tables();
  }

  void read_rate(const Node& node) {
    if (node.kind != Kind::text && node.kind != Kind::number) {
      return error(node, mismatch(node, "a rate, such as 5000 or \"20k\""));
    }
    const auto rate = parse_rate(node.text);
    if (!rate) return error(node, fmt::format("rate: {}", rate.error().message));
    rate_ = *rate;
  }

  void read_tables() {
    const Node* loads = document_.root.find("load");
    if (loads == nullptr) {
      return error(document_.root, "no load: at least one table [[load]] is needed");
    }
    const bool tables = loads->kind == Kind::list && !loads->children.empty() &&
                        std::ranges::all_of(loads->children, [](const Node& each) {
                          return each.kind == Kind::table;
                        });
    if (!tables) {
      return error(*loads, "load must be tables, each under a line [[load]]");
    }
    for (const Node& table : loads->children) tables_.push_back(&table);
  }

  /// nullopt where there is none, or a wrong one.
  std::optional<Duration> read_time(const Node& table, std::string_view key,
                                    decltype(read_duration)& read_value) {
    const Node* node = table.find(key);
    if (node == nullptr) return std::nullopt;
    if (node->kind != Kind::text) {
      error(*node, mismatch(*node, "a duration in quotes, such as \"10s\""));
      return std::nullopt;
    }
    Duration time{};
    const auto read = read_value(key, node->text, time);
    if (read) return time;
    error(*node, read.error().message);
    return std::nullopt;
  }

  /// Zero where there is none, nullopt where no share can come of it.
  std::optional<std::uint32_t> read_weight(const Node& table) {
    const Node* node = table.find("weight");
    if (node == nullptr) return 0;
    std::uint32_t weight = 0;
    const char* end = node->text.data() + node->text.size();
    const bool whole =
        node->kind == Kind::number && std::from_chars(node->text.data(), end, weight).ptr == end;
    if (!whole || weight < 1 || weight > largest_weight) {
      error(*node, mismatch(*node, fmt::format("a whole number from 1 to {}", largest_weight)));
      return std::nullopt;
    }
    for (const std::string_view key : shape_keys) {
      if (table.find(key) == nullptr) continue;
      error(*node, fmt::format("weight gives the load a share of the scenario's rate, and {} says "
                               "how its operations come, too: leave one of them out",
                               key));
      return std::nullopt;
    }
    if (document_.root.find("rate") == nullptr) {
      error(*node,
            "weight gives the load a share of the scenario's rate, which is missing: say "
            "rate = … above the loads");
    }
    return rate_ > 0 ? std::optional(weight) : std::nullopt;
  }

  std::string read_name(const Node& table) {
    const Node* node = table.find("name");
    if (node == nullptr) {
      error(table, "name is missing: each load needs one, for its outputs");
      return {};
    }
    if (node->kind != Kind::text || !is_name(node->text)) {
      error(*node,
            mismatch(*node, fmt::format("1 to {} letters, digits, \"_\" or \"-\"", longest_name)));
      return {};
    }
    if (std::ranges::find(scenario_, node->text, &ScenarioLoad::name) != scenario_.end()) {
      error(*node,
            fmt::format("two loads are called {}: each needs a name of its own", node->text));
    }
    return node->text;
  }

  void read_load(const Node& table, std::optional<std::uint32_t> weight) {
    ScenarioLoad& load = scenario_.emplace_back();
    load.name = read_name(table);
    load.start = read_time(table, "start", read_duration).value_or(Duration::zero());
    if (!weight) return;  // what comes of it would be wrong, too
    GivenOptions given{.target = target_, .arguments = {"--label=load=" + load.name}};
    for (const std::string& label : for_all_.labels) {
      given.arguments.push_back("--label=" + label);
    }
    give_duration(table, load.start, given);
    const double rate = *weight == 0 ? 0 : rate_ * *weight / weights_together_;
    if (rate > 0) given.arguments.push_back(fmt::format("--rate={:.9f}", rate));
    auto options = read_load_options(document_, table, std::move(given), errors_);
    if (!options) return;
    load.options = std::move(*options);
    if (rate > 0) load.options.profile_text = number_text(rate, digits_of_share);
  }

  /// Until the end of the scenario, unless the load says otherwise.
  void give_duration(const Node& table, Duration start, GivenOptions& given) {
    const bool own =
        std::ranges::any_of(std::initializer_list<std::string_view>{"duration", "ramp", "steps"},
                            [&table](std::string_view key) { return table.find(key) != nullptr; });
    if (own || length_ == Duration::zero()) return;
    if (start >= length_) {
      return error(*table.find("start"), "start is not before the end of the scenario's duration");
    }
    given.arguments.push_back(fmt::format("--duration={}ns", (length_ - start).count()));
  }

  void check_whole() {
    if (rate_ > 0 && weights_together_ == 0 && errors_.empty()) {
      error(*document_.root.find("rate"),
            "rate is shared out among the loads that have a weight, and none has");
    }
    const bool begins = std::ranges::any_of(
        scenario_, [](const ScenarioLoad& load) { return load.start == Duration::zero(); });
    if (!begins && errors_.empty()) {
      error(*tables_.front(), "no load has the start \"0s\": the scenario begins with one");
    }
  }

  const config::Document& document_;
  const ForAllLoads& for_all_;
  config::Diagnostics errors_;
  std::string target_;
  Duration length_{};  // zero: each load's own
  double rate_ = 0;    // to be shared out; zero: none
  std::vector<const Node*> tables_;
  double weights_together_ = 0;
  Scenario scenario_;
};

}  // namespace

std::expected<Scenario, config::Diagnostics> read_scenario(const config::Document& document,
                                                           const ForAllLoads& for_all) {
  return Reader(document, for_all).read();
}

}  // namespace penstock::load

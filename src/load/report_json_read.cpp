// Reads what report_fields.h describes. The text may be anybody's: each value is checked before it
// is taken, and numbers keep far from where sums of them would overflow.
#include <fmt/format.h>

#include <charconv>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "penstock/base/json.h"
#include "penstock/load/report_json.h"
#include "report_fields.h"

namespace penstock::load {
namespace {

/// Follows a description through JSON, and stops at what does not fit it.
class Reader {
 public:
  Reader(const Json& json, std::string path) : json_(json), path_(std::move(path)) {}

  template <class T>
  void operator()(const char* name, T& value) {
    if (!problem_.empty()) return;
    const std::string path = path_.empty() ? name : fmt::format("{}.{}", path_, name);
    const auto found = json_.is_object() ? json_.find(name) : json_.end();
    if (!json_.is_object() || found == json_.end()) {
      problem_ = fmt::format("\"{}\" is missing", path);
    } else {
      problem_ = read(*found, path, value);
    }
  }
  [[nodiscard]] const std::string& problem() const { return problem_; }

  /// An empty text, or what is wrong.
  template <class T>
  static std::string read(const Json& json, const std::string& path, T& value) {
    if constexpr (Described<T>) {
      Reader inner(json, path);
      fields(inner, value);
      return inner.problem();
    } else {
      std::string wanted = plain(json, path, value);
      // What is read further inside has said where it was.
      if (wanted.empty() || wanted.starts_with('"')) return wanted;
      return fmt::format("\"{}\" is not {}", path, wanted);
    }
  }

 private:
  static std::string plain(const Json& json, const std::string& /*path*/, bool& value) {
    if (!json.is_boolean()) return "true or false";
    value = json.get<bool>();
    return "";
  }
  template <class T>
    requires std::is_integral_v<T>
  static std::string plain(const Json& json, const std::string& /*path*/, T& value) {
    constexpr auto most = static_cast<std::uint64_t>(std::numeric_limits<T>::max());
    if (!json.is_number_unsigned() || json.get<std::uint64_t>() > most) {
      return "a whole number from 0 that fits";
    }
    value = static_cast<T>(json.get<std::uint64_t>());
    return "";
  }
  static std::string plain(const Json& json, const std::string& /*path*/, double& value) {
    if (!json.is_number()) return "a number";
    value = json.get<double>();
    return "";
  }
  static std::string plain(const Json& json, const std::string& /*path*/, std::string& value) {
    if (!json.is_string()) return "a text";
    value = json.get<std::string>();
    return "";
  }
  static std::string plain(const Json& json, const std::string& path, Duration& value) {
    Duration::rep ns = 0;
    const std::string wanted = plain(json, path, ns);
    // Far above any run, and so far below the last number that such can be added.
    constexpr Duration longest = 87600h;
    if (!wanted.empty() || ns > longest.count()) return "a whole number of ns, of at most 10 years";
    value = Duration(ns);
    return "";
  }
  static std::string plain(const Json& json, const std::string& /*path*/, Loop& value) {
    return choice(json, loops, value);
  }
  static std::string plain(const Json& json, const std::string& /*path*/, Arrival& value) {
    return choice(json, arrivals, value);
  }
  template <class E>
  static std::string choice(const Json& json, std::span<const std::string_view> names, E& value) {
    for (std::size_t i = 0; i < names.size(); ++i) {
      if (json != names[i]) continue;
      value = static_cast<E>(i);
      return "";
    }
    return fmt::format("{} or {}", names[0], names[1]);
  }
  static std::string plain(const Json& json, const std::string& path,
                           std::vector<Percentile>& values) {
    if (!json.is_object()) return "an object of percentiles";
    for (const auto& [name, number] : json.items()) {
      Percentile percentile;
      const char* end = name.data() + name.size();
      const bool named = name.starts_with('p') &&
                         std::from_chars(name.data() + 1, end, percentile.percent).ptr == end;
      const bool within = percentile.percent >= 0 && percentile.percent <= 100;  // no NaN is
      if (!named || !within) {
        return "an object of percentiles from p0 to p100";
      }
      std::string problem = read(number, fmt::format("{}.{}", path, name), percentile.value);
      if (!problem.empty()) return problem;
      values.push_back(percentile);
    }
    return "";
  }
  static std::string plain(const Json& json, const std::string& path,
                           std::vector<LatencyBucket>& values) {
    if (!json.is_object()) return "an object of counts";
    for (const auto& [name, number] : json.items()) {
      Duration::rep ns = 0;
      const char* end = name.data() + name.size();
      const auto [read_to, code] = std::from_chars(name.data(), end, ns);
      if (code != std::errc() || read_to != end || ns < 1 || ns > Histogram::highest.count() * 2) {
        return "an object of counts by nanoseconds, of at most 2 hours";
      }
      LatencyBucket& bucket = values.emplace_back(LatencyBucket{.up_to = Duration(ns)});
      std::string problem = read(number, fmt::format("{}.{}", path, name), bucket.count);
      if (!problem.empty()) return problem;
    }
    return "";
  }
  template <class T>
  static std::string plain(const Json& json, const std::string& path, std::vector<T>& values) {
    if (!json.is_array()) return "a list";
    for (std::size_t i = 0; i < json.size(); ++i) {
      std::string problem = read(json[i], fmt::format("{}[{}]", path, i), values.emplace_back());
      if (!problem.empty()) return problem;
    }
    return "";
  }

  const Json& json_;
  std::string path_;
  std::string problem_;
};

std::string read_numbered(const Json& json, const char* name, std::map<int, std::uint64_t>& to) {
  if (!json.contains(name) || !json[name].is_object()) {
    return fmt::format("\"{}\" is not an object of counts", name);
  }
  for (const auto& [key, count] : json[name].items()) {
    const std::string path = fmt::format("{}.{}", name, key);
    int number = 0;
    const char* end = key.data() + key.size();
    const auto [read_to, code] = std::from_chars(key.data(), end, number);
    if (code != std::errc() || read_to != end) {
      return fmt::format("\"{}\" is not called by a number", path);
    }
    std::string problem = Reader::read(count, path, to[number]);
    if (!problem.empty()) return problem;
  }
  return "";
}

std::string read_errors(const Json& json, std::map<ErrorClass, std::uint64_t>& to) {
  if (!json.contains("errors") || !json["errors"].is_object()) {
    return "\"errors\" is not an object of counts";
  }
  for (const ErrorInfo& info : all_errors()) {
    const auto found = json["errors"].find(info.name);
    if (found == json["errors"].end()) continue;
    std::string problem = Reader::read(*found, fmt::format("errors.{}", info.name), to[info.error]);
    if (!problem.empty()) return problem;
  }
  return "";
}

std::string read_measures(const Json& json, std::vector<Distribution>& to) {
  if (!json.contains("measures") || !json["measures"].is_object()) {
    return "\"measures\" is not an object";
  }
  for (const MeasureInfo& info : all_measures()) {
    const auto found = json["measures"].find(info.name);
    if (found == json["measures"].end()) continue;
    Distribution& distribution = to.emplace_back();
    distribution.measure = info.measure;
    std::string problem = Reader::read(*found, fmt::format("measures.{}", info.name), distribution);
    if (!problem.empty()) return problem;
  }
  return "";
}

std::string read_all(const Json& json, RunSummary& run) {
  Reader reader(json, "");
  reader("run", run.facts);
  reader("count", run.count);
  if (!reader.problem().empty()) return reader.problem();
  for (std::string problem :
       {read_errors(json, run.errors), read_numbered(json, "errnos", run.errnos),
        read_numbered(json, "http_statuses", run.statuses),
        read_numbered(json, "tls_alerts", run.alerts), read_measures(json, run.distributions)}) {
    if (!problem.empty()) return problem;
  }
  return "";
}

}  // namespace

Result<RunSummary> read_json_report(std::string_view text) {
  const Json json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (json.is_discarded() || !json.is_object()) {
    return fail(
        "this is not a report of penstock-load: it is no JSON object; write one with --json");
  }
  const auto version = json.find("schema_version");
  if (version == json.end() || *version != report_schema_version) {
    return fail(
        fmt::format("this is not a report of this penstock-load: its schema_version has to be {}",
                    report_schema_version));
  }
  RunSummary run;
  const std::string problem = read_all(json, run);
  if (!problem.empty()) return fail("this report of penstock-load is damaged: " + problem);
  return run;
}

}  // namespace penstock::load

// Writes what report_fields.h describes.
#include "penstock/load/report_json.h"

#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "penstock/base/json.h"
#include "report_fields.h"
#include "report_parts.h"

namespace penstock::load {
namespace {

class Writer {
 public:
  template <class T>
  void operator()(const char* name, T& value) {
    json_[name] = written(value);
  }
  [[nodiscard]] Json take() { return std::move(json_); }

  template <class T>
  static Json written(T& value) {
    if constexpr (Described<T>) {
      Writer inner;
      fields(inner, value);
      return inner.take();
    } else {
      return plain(value);
    }
  }

 private:
  static Json plain(Duration value) { return value.count(); }
  static Json plain(Loop value) { return loops[static_cast<std::size_t>(value)]; }
  static Json plain(Arrival value) { return arrivals[static_cast<std::size_t>(value)]; }
  /// As "p99.9" and the value.
  static Json plain(std::vector<Percentile>& values) {
    Json object = Json::object();
    for (const Percentile& value : values) {
      object[percentile_name(value.percent)] = value.value.count();
    }
    return object;
  }
  /// As the bucket's last value and the count.
  static Json plain(std::vector<LatencyBucket>& values) {
    Json object = Json::object();
    for (const LatencyBucket& value : values) {
      object[std::to_string(value.up_to.count())] = value.count;
    }
    return object;
  }
  template <class T>
  static Json plain(std::vector<T>& values) {
    Json array = Json::array();
    for (T& value : values) array.push_back(written(value));
    return array;
  }
  static Json plain(const std::string& value) { return value; }
  template <class T>
    requires std::is_arithmetic_v<T>
  static Json plain(T value) {
    return value;
  }

  Json json_ = Json::object();
};

Json numbered(const std::map<int, std::uint64_t>& counts) {
  Json object = Json::object();
  for (const auto& [number, count] : counts) object[std::to_string(number)] = count;
  return object;
}

}  // namespace

std::string json_report(const RunSummary& run) {
  RunSummary copy = run;  // a description is of what can be read into
  Json json = Json::object();
  json["schema_version"] = report_schema_version;
  json["run"] = Writer::written(copy.facts);
  json["count"] = Writer::written(copy.count);
  json["errors"] = Json::object();
  for (const auto& [error, count] : run.errors) {
    json["errors"][all_errors()[static_cast<std::size_t>(error)].name] = count;
  }
  json["errnos"] = numbered(run.errnos);
  json["http_statuses"] = numbered(run.statuses);
  json["tls_alerts"] = numbered(run.alerts);
  json["measures"] = Json::object();
  for (Distribution& distribution : copy.distributions) {
    json["measures"][all_measures()[static_cast<std::size_t>(distribution.measure)].name] =
        Writer::written(distribution);
  }
  return json.dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace penstock::load

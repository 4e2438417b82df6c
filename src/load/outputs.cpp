// Files out, files in.
#include "outputs.h"

#include <fmt/format.h>

#include <cerrno>
#include <fstream>
#include <iterator>
#include <span>
#include <utility>

#include "penstock/load/hgrm.h"
#include "penstock/load/report_csv.h"
#include "penstock/load/report_html.h"
#include "penstock/load/report_json.h"
#include "penstock/load/report_text.h"

namespace penstock::load {
namespace {

Result<void> write_file(const std::string& path, const std::string& text) {
  if (path.empty()) return {};
  std::ofstream file(path);
  file << text;
  file.close();
  if (!file) return fail_errno(fmt::format("cannot write {}", path), errno);
  return {};
}

Result<RunSummary> read_run(const std::string& path) {
  std::ifstream file(path);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  if (!file.is_open() || file.bad()) return fail_errno(fmt::format("cannot read {}", path), errno);
  auto run = read_json_report(text);
  if (!run) return fail(fmt::format("{}: {}", path, run.error().message));
  return run;
}

}  // namespace

Result<void> write_outputs(const OutputFiles& files, const RunSummary& run,
                           const Histogram& latency) {
  const Extent extent = run.facts.interrupted ? Extent::interrupted_run : Extent::whole_run;
  const std::pair<const std::string&, std::string> texts[] = {
      {files.hgrm, hgrm_text(latency, extent)},
      {files.json, json_report(run)},
      {files.csv, csv_report(run)},
      {files.html, html_report(std::span(&run, 1))}};
  for (const auto& [path, text] : texts) {
    if (auto written = write_file(path, text); !written) return written;
  }
  return {};
}

Result<void> write_page(const std::string& path, std::span<const RunSummary> runs) {
  return write_file(path, html_report(runs));
}

Result<void> compare_runs(const std::vector<std::string>& files, const std::string& html_file) {
  std::vector<RunSummary> runs;
  for (const std::string& path : files) {
    auto run = read_run(path);
    if (!run) return std::unexpected(run.error());
    runs.push_back(std::move(*run));
  }
  fmt::print("{}", runs.size() == 1 ? text_report(runs.front()) : compare_text(runs));
  return html_file.empty() ? Result<void>() : write_page(html_file, runs);
}

}  // namespace penstock::load

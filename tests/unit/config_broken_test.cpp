// Every file of tests/data/config/broken has a sibling NAME.expected with its errors, one a line,
// "LINE:COLUMN: message"; a message that ends in "*" may go on in any way (words of toml++, today's
// date). The end-to-end suite runs `penstock check` over the same folder.
#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "penstock/config/config.h"

namespace penstock::config {
namespace {

namespace files = std::filesystem;

const files::path folder = files::path(PENSTOCK_TEST_DATA) / "config" / "broken";

/// The errors name paths as typed, so the files are named as somebody inside their folder would.
class InFolder {
 public:
  explicit InFolder(const files::path& to) : before_(files::current_path()) {
    files::current_path(to);
  }
  ~InFolder() { files::current_path(before_); }
  InFolder(const InFolder&) = delete;
  InFolder& operator=(const InFolder&) = delete;

 private:
  files::path before_;
};

std::vector<std::string> lines_of(const files::path& path) {
  std::ifstream file(path);
  std::vector<std::string> lines;
  for (std::string line; std::getline(file, line);) lines.push_back(line);
  return lines;
}

std::vector<std::string> errors_of(const std::string& path) {
  const auto config = load(path);
  std::vector<std::string> lines;
  if (config) return lines;
  for (const Diagnostic& error : config.error()) lines.push_back(error.text());
  return lines;
}

bool matches(const std::string& actual, const std::string& expected) {
  if (!expected.ends_with('*')) return actual == expected;
  return actual.starts_with(expected.substr(0, expected.size() - 1));
}

std::vector<std::string> broken_files() {
  std::vector<std::string> names;
  for (const auto& entry : files::directory_iterator(folder)) {
    if (entry.path().extension() == ".toml") names.push_back(entry.path().filename().string());
  }
  std::ranges::sort(names);
  return names;
}

}  // namespace

TEST_CASE("every broken configuration gives exactly its errors, each at its place") {
  const InFolder inside(folder);
  const auto names = broken_files();
  CHECK(names.size() >= 60);
  for (const std::string& name : names) {
    CAPTURE(name);
    const auto expected = lines_of(files::path(name).replace_extension(".expected"));
    const auto actual = errors_of(name);
    CHECK_FALSE(expected.empty());
    CHECK(actual.size() == expected.size());
    for (std::size_t i = 0; i < std::min(actual.size(), expected.size()); ++i) {
      const std::string with_file = name + ":" + expected[i];
      CAPTURE(actual[i], with_file);
      CHECK(matches(actual[i], with_file));
    }
  }
}

TEST_CASE("errors are sorted by place") {
  const InFolder inside(folder);
  for (const std::string& name : broken_files()) {
    const auto config = load(name);
    REQUIRE_FALSE(config.has_value());
    CAPTURE(name);
    CHECK(std::ranges::is_sorted(config.error(), {}, [](const Diagnostic& error) {
      return std::pair(error.line, error.column);
    }));
  }
}

}  // namespace penstock::config

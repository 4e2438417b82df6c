// The access log: a line per record, the time first; files that cannot be opened, disks that are
// full.
#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch_test_macros.hpp>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <regex>
#include <string>

#include "penstock/app/access_log.h"
#include "penstock/base/json.h"

namespace penstock::app {
namespace {

const stats::Names log_names{.listeners = {"web"}, .backends = {"app/a"}};

class Folder {
 public:
  Folder() {
    std::string name = (std::filesystem::temp_directory_path() / "penstock-log-XXXXXX").string();
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    path_ = name;
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  ~Folder() { std::filesystem::remove_all(path_); }
  [[nodiscard]] std::string file(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

stats::SessionRecord numbered(std::uint64_t number) {
  stats::SessionRecord record;
  record.client = Endpoint::parse("10.0.0.1:40000").value();
  record.backend = BackendId{0};
  record.bytes_in = number;
  return record;
}

TEST_CASE("every record becomes a line that begins with the time", "[app]") {
  const Folder folder;
  LineOutput unused(-1);
  {
    auto log = AccessLog::open(folder.file("access.log"), unused, log_names, 2);
    REQUIRE(log);
    for (std::uint64_t i = 0; i < 500; ++i) {
      REQUIRE((*log)->ring(ShardId{static_cast<std::uint32_t>(i % 2)}).push(numbered(i)));
    }
  }  // the destructor writes what is left
  std::ifstream file(folder.file("access.log"));
  const std::regex start(R"re(\{"time":"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z","client":.*)re");
  std::uint64_t sum = 0;
  int lines = 0;
  for (std::string line; std::getline(file, line); ++lines) {
    REQUIRE(std::regex_match(line, start));
    const Json json = Json::parse(line);
    CHECK(json.at("listener") == "web");
    CHECK(json.at("backend") == "app/a");
    sum += json.at("bytes_in").get<std::uint64_t>();
  }
  CHECK(lines == 500);
  CHECK(sum == 499 * 500 / 2);
}

TEST_CASE("an existing access log is appended to", "[app]") {
  const Folder folder;
  std::ofstream(folder.file("access.log")) << "before\n";
  LineOutput unused(-1);
  {
    auto log = AccessLog::open(folder.file("access.log"), unused, log_names, 1);
    REQUIRE(log);
    REQUIRE((*log)->ring(ShardId{0}).push(numbered(1)));
  }
  std::ifstream file(folder.file("access.log"));
  std::string first;
  std::string second;
  std::getline(file, first);
  std::getline(file, second);
  CHECK(first == "before");
  CHECK(second.starts_with("{\"time\":"));
}

TEST_CASE("an access log that cannot be opened is an error that names it", "[app]") {
  const Folder folder;
  LineOutput unused(-1);
  const auto missing = AccessLog::open(folder.file("no/such/folder.log"), unused, log_names, 1);
  REQUIRE_FALSE(missing);
  CHECK(missing.error().errno_value == ENOENT);
  CHECK(missing.error().message.find("no/such/folder.log") != std::string::npos);

  REQUIRE(::mkfifo(folder.file("pipe").c_str(), 0600) == 0);
  const auto unread = AccessLog::open(folder.file("pipe"), unused, log_names, 1);
  REQUIRE_FALSE(unread);
  CHECK(unread.error().message.find("nobody reads") != std::string::npos);
}

TEST_CASE("a full disk loses lines and nothing else", "[app]") {
  LineOutput unused(-1);
  auto log = AccessLog::open("/dev/full", unused, log_names, 1);
  REQUIRE(log);
  for (std::uint64_t i = 0; i < 100; ++i) {
    REQUIRE((*log)->ring(ShardId{0}).push(numbered(i)));
  }
  log->reset();  // ends in time although nothing could be written
  CHECK(*log == nullptr);
}

}  // namespace
}  // namespace penstock::app

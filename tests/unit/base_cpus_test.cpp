// How many shards: the affinity mask, the quotas of control groups of both versions, their product.
#include <catch2/catch_test_macros.hpp>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "penstock/base/cpus.h"

namespace penstock {
namespace {

/// A folder that stands in for /, removed at the end.
class FakeRoot {
 public:
  FakeRoot() {
    std::string name = (std::filesystem::temp_directory_path() / "penstock-cpus-XXXXXX").string();
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    path_ = name;
  }
  FakeRoot(const FakeRoot&) = delete;
  FakeRoot& operator=(const FakeRoot&) = delete;
  ~FakeRoot() { std::filesystem::remove_all(path_); }

  void write(const std::string& file, const std::string& text) const {
    const std::filesystem::path path = path_ + file;
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path) << text;
  }
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
};

TEST_CASE("the quota of a version 2 control group is quota over period", "[base]") {
  CHECK(parse_cpu_max("150000 100000\n") == 1.5);
  CHECK(parse_cpu_max("max 100000\n") == std::nullopt);
  CHECK(parse_cpu_max("50000") == std::nullopt);
  CHECK(parse_cpu_max("") == std::nullopt);
  CHECK(parse_cpu_max("1000 0\n") == std::nullopt);
}

TEST_CASE("the smallest quota on the way up to the root of the version 2 tree counts", "[base]") {
  const FakeRoot root;
  root.write("/proc/self/cgroup", "0::/machine/service\n");
  root.write("/sys/fs/cgroup/machine/service/cpu.max", "800000 100000\n");
  root.write("/sys/fs/cgroup/machine/cpu.max", "250000 100000\n");
  CHECK(cpu_quota(root.path()) == 2.5);
}

TEST_CASE("a container that does not see its group's folder uses the mount's own quota", "[base]") {
  const FakeRoot root;
  root.write("/proc/self/cgroup", "0::/docker/0123\n");
  root.write("/sys/fs/cgroup/cpu.max", "50000 100000\n");
  CHECK(cpu_quota(root.path()) == 0.5);
}

TEST_CASE("version 1 quotas are found under the controller's mount", "[base]") {
  const FakeRoot root;
  root.write("/proc/self/cgroup", "5:memory:/other\n4:cpu,cpuacct:/service\n");
  SECTION("a quota") {
    root.write("/sys/fs/cgroup/cpu,cpuacct/service/cpu.cfs_quota_us", "300000\n");
    root.write("/sys/fs/cgroup/cpu,cpuacct/service/cpu.cfs_period_us", "100000\n");
    CHECK(cpu_quota(root.path()) == 3.0);
  }
  SECTION("none") {
    root.write("/sys/fs/cgroup/cpu/service/cpu.cfs_quota_us", "-1\n");
    root.write("/sys/fs/cgroup/cpu/service/cpu.cfs_period_us", "100000\n");
    CHECK(cpu_quota(root.path()) == std::nullopt);
  }
}

TEST_CASE("without control groups there is no quota", "[base]") {
  const FakeRoot root;
  CHECK(cpu_quota(root.path()) == std::nullopt);
}

TEST_CASE("there is one shard per CPU, at most the quota rounded up, at least one", "[base]") {
  CHECK(shards_for(8, std::nullopt) == 8);
  CHECK(shards_for(8, 2.5) == 3);
  CHECK(shards_for(2, 6.0) == 2);
  CHECK(shards_for(4, 0.1) == 1);
  CHECK(shards_for(0, std::nullopt) == 1);
}

TEST_CASE("a thread can be pinned to each CPU it may use", "[base]") {
  const std::vector<int> cpus = allowed_cpus();
  REQUIRE_FALSE(cpus.empty());
  std::thread([&] {
    const bool pinned = pin_this_thread(cpus.back());
    CHECK(pinned);
    CHECK(allowed_cpus() == std::vector<int>{cpus.back()});
  }).join();
}

}  // namespace
}  // namespace penstock

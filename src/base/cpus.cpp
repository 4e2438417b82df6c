// Reads the affinity mask and the control groups' files. What cannot be read grants everything: a
// wrong guess costs some scheduling, not correctness.
#include "penstock/base/cpus.h"

#include <sched.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <fstream>
#include <iterator>

namespace penstock {
namespace {

std::optional<std::string> read_file(const std::string& path) {
  std::ifstream file(path);
  if (!file) return std::nullopt;
  return std::string(std::istreambuf_iterator<char>(file), {});
}

std::optional<double> parse_number(std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || value <= 0) return std::nullopt;
  return value;
}

void keep_smaller(std::optional<double>& smallest, std::optional<double> other) {
  if (other && (!smallest || *other < *smallest)) smallest = other;
}

/// Version 1 has quota and period in files of their own; a quota of -1 is none.
std::optional<double> quota_of_v1(const std::string& folder) {
  const auto quota = read_file(folder + "/cpu.cfs_quota_us");
  const auto period = read_file(folder + "/cpu.cfs_period_us");
  if (!quota || !period) return std::nullopt;
  const auto granted = parse_number(*quota);
  const auto of = parse_number(*period);
  if (!granted || !of) return std::nullopt;
  return *granted / *of;
}

std::optional<double> quota_of_v2(const std::string& folder) {
  const auto text = read_file(folder + "/cpu.max");
  return text ? parse_cpu_max(*text) : std::nullopt;
}

/// The smallest quota from mount/group up to the mount. In a container the group named in /proc may
/// lie outside of what is mounted; then only the mount's own files are there.
template <class Quota>
std::optional<double> smallest_upwards(const std::string& mount, std::string group, Quota quota) {
  std::optional<double> smallest;
  while (!group.empty() && group != "/") {
    keep_smaller(smallest, quota(mount + group));
    group.resize(group.rfind('/'));
  }
  keep_smaller(smallest, quota(mount));
  return smallest;
}

bool names_cpu_controller(std::string_view controllers) {
  while (!controllers.empty()) {
    const auto comma = controllers.find(',');
    if (controllers.substr(0, comma) == "cpu") return true;
    if (comma == std::string_view::npos) break;
    controllers.remove_prefix(comma + 1);
  }
  return false;
}

}  // namespace

std::vector<int> allowed_cpus() {
  constexpr int most_cpus = 1 << 16;
  // The kernel refuses a mask that is smaller than its own with EINVAL.
  for (int size = CPU_SETSIZE; size <= most_cpus; size *= 2) {
    std::vector<cpu_set_t> sets(static_cast<std::size_t>(size / CPU_SETSIZE));
    const std::size_t bytes = sets.size() * sizeof(cpu_set_t);
    if (::sched_getaffinity(0, bytes, sets.data()) != 0) {
      if (errno == EINVAL) continue;
      return {};
    }
    std::vector<int> cpus;
    for (int cpu = 0; cpu < size; ++cpu) {
      if (CPU_ISSET_S(static_cast<std::size_t>(cpu), bytes, sets.data())) cpus.push_back(cpu);
    }
    return cpus;
  }
  return {};
}

std::optional<double> parse_cpu_max(std::string_view text) {
  const auto space = text.find(' ');
  if (space == std::string_view::npos) return std::nullopt;
  const auto granted = parse_number(text.substr(0, space));
  const auto of = parse_number(text.substr(space + 1));
  if (!granted || !of) return std::nullopt;
  return *granted / *of;
}

std::optional<double> cpu_quota(const std::string& root) {
  // Lines of /proc/self/cgroup, cgroups(7): "0::/group" for version 2,
  // "4:cpu,cpuacct:/group" for version 1.
  std::ifstream groups(root + "/proc/self/cgroup");
  std::optional<double> smallest;
  for (std::string line; std::getline(groups, line);) {
    const auto first = line.find(':');
    const auto second = first == std::string::npos ? first : line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    const std::string group = line.substr(second + 1);
    const std::string mount = root + "/sys/fs/cgroup";
    if (controllers.empty()) {
      keep_smaller(smallest, smallest_upwards(mount, group, quota_of_v2));
    } else if (names_cpu_controller(controllers)) {
      keep_smaller(smallest, smallest_upwards(mount + "/" + controllers, group, quota_of_v1));
      keep_smaller(smallest, smallest_upwards(mount + "/cpu", group, quota_of_v1));
    }
  }
  return smallest;
}

std::uint32_t shards_for(std::size_t cpus, std::optional<double> quota) noexcept {
  auto shards = static_cast<double>(std::max<std::size_t>(cpus, 1));
  if (quota) shards = std::min(shards, std::ceil(*quota));
  return static_cast<std::uint32_t>(std::max(shards, 1.0));
}

bool pin_this_thread(int cpu) noexcept {
  std::vector<cpu_set_t> sets(static_cast<std::size_t>(cpu / CPU_SETSIZE + 1));
  const std::size_t bytes = sets.size() * sizeof(cpu_set_t);
  CPU_SET_S(static_cast<std::size_t>(cpu), bytes, sets.data());
  return ::sched_setaffinity(0, bytes, sets.data()) == 0;
}

}  // namespace penstock

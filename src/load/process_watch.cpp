// Files of /proc: stat, status, smaps_rollup, fd, net/sockstat.
#include "process_watch.h"

#include <dirent.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <fstream>
#include <map>
#include <memory>
#include <string>

#include "penstock/load/units.h"

namespace penstock::load {
namespace {

std::string read_file(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// The number behind `key` and blanks; 0 when there is none.
std::uint64_t number_after(std::string_view text, std::string_view key) {
  const std::size_t at = text.find(key);
  if (at == std::string_view::npos) return 0;
  text.remove_prefix(at + key.size());
  text.remove_prefix(std::min(text.find_first_not_of(" \t"), text.size()));
  std::uint64_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

/// utime and stime, fields 14 and 15; the second one may hold blanks and parentheses.
Duration cpu_time(std::string_view stat) {
  stat.remove_prefix(std::min(stat.rfind(')') + 1, stat.size()));
  std::uint64_t ticks = 0;
  for (int field = 3; field <= 15 && !stat.empty(); ++field) {
    stat.remove_prefix(std::min(stat.find_first_not_of(' '), stat.size()));
    if (field >= 14) ticks += number_after(stat, "");
    stat.remove_prefix(std::min(stat.find(' '), stat.size()));
  }
  const auto per_second = static_cast<std::uint64_t>(std::max(::sysconf(_SC_CLK_TCK), 1L));
  return Duration(static_cast<std::int64_t>(ticks * (1'000'000'000 / per_second)));
}

std::vector<std::string> entries_of(const std::string& path) {
  const std::unique_ptr<DIR, int (*)(DIR*)> folder(::opendir(path.c_str()), &::closedir);
  std::vector<std::string> names;
  while (const dirent* entry = folder ? ::readdir(folder.get()) : nullptr) {
    if (entry->d_name[0] != '.') names.emplace_back(entry->d_name);
  }
  return names;
}

std::string bytes_text(std::uint64_t bytes) {
  if (bytes < 10'000) return fmt::format("{} B", bytes);
  if (bytes < 2'000'000) return fmt::format("{:.1f} KiB", static_cast<double>(bytes) / 1024);
  return fmt::format("{:.1f} MiB", static_cast<double>(bytes) / (1024 * 1024));
}

std::uint64_t memory_of(const ProcessSample& sample) {
  return sample.pss_bytes > 0 ? sample.pss_bytes : sample.rss_bytes;
}

}  // namespace

Result<ProcessSample> sample_process(int process_id, Duration offset) {
  const std::string folder = fmt::format("/proc/{}/", process_id);
  const std::string status = read_file(folder + "status");
  if (status.empty()) return fail(fmt::format("no process {} can be watched", process_id));
  ProcessSample sample{.process_id = static_cast<std::uint32_t>(process_id), .offset = offset};
  constexpr std::uint64_t kib = 1024;
  sample.rss_bytes = number_after(status, "VmRSS:") * kib;
  sample.pss_bytes = number_after(read_file(folder + "smaps_rollup"), "\nPss:") * kib;
  for (const std::string& thread : entries_of(folder + "task")) {
    const std::string each = read_file(fmt::format("{}task/{}/status", folder, thread));
    sample.voluntary_switches += number_after(each, "\nvoluntary_ctxt_switches:");
    sample.involuntary_switches += number_after(each, "nonvoluntary_ctxt_switches:");
  }
  sample.cpu_time = cpu_time(read_file(folder + "stat"));
  sample.descriptors = entries_of(folder + "fd").size();
  const std::string sockets = read_file("/proc/net/sockstat");
  const std::size_t tcp = std::min(sockets.find("TCP:"), sockets.size());
  sample.tcp_bytes = number_after(std::string_view(sockets).substr(tcp), " mem ") *
                     static_cast<std::uint64_t>(std::max(::getpagesize(), 1));
  return sample;
}

std::vector<NamedText> describe_watched(const std::vector<ProcessSample>& samples,
                                        std::uint64_t connections) {
  std::map<std::uint32_t, std::vector<const ProcessSample*>> by_process;
  for (const ProcessSample& sample : samples) by_process[sample.process_id].push_back(&sample);
  std::vector<NamedText> result;
  for (const auto& [process_id, seen] : by_process) {
    const auto most = [&seen](auto&& of) {
      std::uint64_t value = 0;
      for (const ProcessSample* sample : seen) value = std::max<std::uint64_t>(value, of(*sample));
      return value;
    };
    const ProcessSample& first = *seen.front();
    const ProcessSample& last = *seen.back();
    const std::uint64_t before = memory_of(first);
    const std::uint64_t memory = most(memory_of);
    std::string text = fmt::format("{} {} before, {} at most", bytes_text(before),
                                   first.pss_bytes > 0 ? "PSS" : "RSS", bytes_text(memory));
    if (connections > 0) {
      text += fmt::format(": {} a connection", bytes_text((memory - before) / connections));
    }
    result.push_back({fmt::format("pid {}", process_id), text});
    const std::uint64_t forced = last.involuntary_switches - first.involuntary_switches;
    result.push_back(
        {"", fmt::format("{} descriptors at most, CPU {}, {} context switches, {} of them forced",
                         most([](const ProcessSample& each) { return each.descriptors; }),
                         duration_text(last.cpu_time - first.cpu_time),
                         last.voluntary_switches - first.voluntary_switches + forced, forced)});
    result.push_back(
        {"",
         fmt::format("TCP memory of the machine {} before, {} at most", bytes_text(first.tcp_bytes),
                     bytes_text(most([](const ProcessSample& each) { return each.tcp_bytes; })))});
  }
  return result;
}

}  // namespace penstock::load

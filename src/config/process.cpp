// [process], [log] and [admin]: the settings of the process as a whole.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "drafts.h"
#include "penstock/config/suggest.h"
#include "penstock/io/features.h"
#include "text.h"

namespace penstock::config {
namespace {

void read_shards(const Value& value, Process& process) {
  constexpr std::string_view form = "\"auto\" or a whole number from 1 to 1024 without quotes";
  if (value.is_integer()) {
    std::uint32_t shards = 0;
    value.read(shards, {1, 1024});
    if (shards != 0) process.shards = shards;
    return;
  }
  const auto text = value.text(form);
  if (text && *text != "auto") value.mismatch(form);
}

void read_max_connections(const Value& value, Process& process) {
  std::uint32_t most = 0;
  value.read(most, {1, 100'000'000});
  if (most != 0) process.max_connections = most;
}

void read_io_disable(const Value& value, Process& process) {
  const auto list = value.list("a list of kernel features, such as [\"defer_taskrun\"]");
  if (!list) return;
  std::vector<std::string_view> optional;
  for (const io::FeatureInfo& info : io::all_features()) {
    if (!info.required) optional.push_back(info.name);
  }
  for (const Value& element : *list) {
    const auto name = element.text("the name of a kernel feature in quotes");
    if (!name) continue;
    if (const io::FeatureInfo* found = io::feature_named(*name)) {
      if (found->required) {
        element.error(
            fmt::format("is {}, which penstock cannot do without: {}", quote(*name), found->gain));
      }
      process.io_disable.add(found->feature);
      continue;
    }
    const auto near = closest(*name, optional);
    element.error(
        fmt::format("is {}, which is no kernel feature that penstock knows{}: those that "
                    "it can do without are {}",
                    quote(*name), near ? fmt::format(" (did you mean {}?)", quote(*near)) : "",
                    fmt::join(optional, ", ")));
  }
}

void read_splice(const Value& value, Process& process) {
  bool on = true;
  value.read(on);
  if (!on) process.io_disable.add(io::Feature::splice);
}

void read_pipe_memory(const Value& value, Process& process) {
  constexpr std::uint64_t mib = std::uint64_t{1} << 20;
  std::uint64_t bytes = 0;
  value.read_size(bytes, {.least = mib, .most = mib * mib});
  if (bytes != 0) process.pipe_memory = bytes;
}

using ProcessKey = Key<Process>;
constexpr std::array process_table = {
    ProcessKey{"shards", read_shards},
    ProcessKey{"pin", [](const Value& v, Process& p) { v.read(p.pin); }},
    ProcessKey{"max_connections", read_max_connections},
    ProcessKey{"shutdown_timeout", [](const Value& v, Process& p) { v.read(p.shutdown_timeout); }},
    ProcessKey{"hash_seed",
               [](const Value& v, Process& p) { v.read(p.hash_seed, IntegerRange{}); }},
    ProcessKey{"io_disable", read_io_disable},
    ProcessKey{"hand_over", [](const Value& v, Process& p) { v.read(p.hand_over); }},
    ProcessKey{"splice", read_splice},
    ProcessKey{"pipe_memory", read_pipe_memory},
};

/// Words that somebody would write for on or off. As a path they would silently make a file of that
/// name.
constexpr std::array switches = {"on",   "true",   "yes",    "false", "no",
                                 "none", "stderr", "syslog", "-"};

void read_access(const Value& value, Log& log) {
  constexpr std::string_view form = "\"off\", \"stdout\" or the path of a file";
  const auto text = value.text(form);
  if (!text) return;
  const bool is_switch = std::ranges::find(switches, *text) != switches.end();
  if (text->empty() || is_switch || text->ends_with('/') || text->find('\0') != std::string::npos) {
    return value.mismatch(form);
  }
  log.access = *text == "off" || *text == "stdout" ? *text : value.source().resolve(*text);
}

constexpr std::array levels = {
    Choice<log::Level>{"debug", log::Level::debug}, Choice<log::Level>{"info", log::Level::info},
    Choice<log::Level>{"warn", log::Level::warn}, Choice<log::Level>{"error", log::Level::error}};

using LogKey = Key<Log>;
constexpr std::array log_table = {
    LogKey{"access", read_access},
    LogKey{"level", [](const Value& v, Log& l) { v.read(l.level, levels); }},
};

struct Nothing {};
constexpr std::array admin_table = {Key<Nothing>{"http", nullptr}, Key<Nothing>{"socket", nullptr}};

}  // namespace

std::vector<KeyInfo> process_keys() { return infos(process_table); }
std::vector<KeyInfo> log_keys() { return infos(log_table); }
std::vector<KeyInfo> admin_keys() { return infos(admin_table); }

void read_process(const Value& value, Draft& draft) {
  read_table(value, process_table, draft.process, "a table");
}
void read_log(const Value& value, Draft& draft) {
  read_table(value, log_table, draft.log, "a table");
}
void read_admin(const Value& value, Draft&) {
  Nothing nothing;
  read_table(value, admin_table, nothing, "a table");
}

}  // namespace penstock::config

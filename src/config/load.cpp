// From a file's name to a Config or to all its errors.
#include <fmt/format.h>

#include <array>

#include "drafts.h"
#include "text.h"
#include "toml_text.h"

namespace penstock::config {
namespace {

using RootKey = Key<Draft>;
constexpr std::array root_table = {
    RootKey{"listeners", read_listeners,
            "at least one is needed, such as [listeners.web] with bind = [\"0.0.0.0:8080\"] and "
            "pool = \"app\""},
    RootKey{"pools", read_pools,
            "at least one is needed, such as [pools.app] with backends = [\"10.0.0.11:9000\"]"},
    RootKey{"process", read_process},
    RootKey{"admin", read_admin},
    RootKey{"log", read_log},
};

std::unexpected<Diagnostics> failed(Source& source) {
  return std::unexpected(source.take_errors());
}

}  // namespace

std::vector<KeyInfo> root_keys() { return infos(root_table); }

std::vector<Entry> read_named(const Value& value, std::string_view what) {
  const toml::table* table = value.table(fmt::format("tables with names: [{}.NAME]", value.path()));
  if (table == nullptr) return {};
  if (table->empty())
    value.error(fmt::format("is empty: at least one {} is needed, [{}.NAME]", what, value.path()));
  auto entries = entries_of(*table, value);
  for (const Entry& entry : entries) {
    if (is_name(entry.name) && entry.name.size() <= longest_name) continue;
    value.source().error(
        entry.place,
        fmt::format("the name of a {} must be 1 to {} letters, digits, \"_\", \"-\" or "
                    "\".\", not {}",
                    what, longest_name, quote(entry.name)));
  }
  return entries;
}

std::size_t Config::backend_count() const noexcept {
  std::size_t count = 0;
  for (const Pool& pool : pools) count += pool.backends.size();
  return count;
}

std::string Diagnostic::text() const {
  return fmt::format("{}:{}:{}: {}", file, line, column, message);
}

std::expected<Config, Diagnostics> parse(std::string_view text, const std::string& path) {
  Source source(path);
  if (const auto root = parse_toml(text, source)) {
    Draft draft;
    read_table(Value(*root, "", source), root_table, draft, "a table");
    Config config = assemble(std::move(draft), source);
    config.text = text;
    config.path = path;
    config.files = source.take_files();
    if (!source.failed()) return config;
  }
  return failed(source);
}

std::expected<Config, Diagnostics> load(const std::string& path) {
  Source source(path);
  if (const auto text = read_file(path, "the configuration", source)) return parse(*text, path);
  return failed(source);
}

}  // namespace penstock::config

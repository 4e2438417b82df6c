// The reading of values and the sentences about them. The only place that asks toml++ for types,
// values and positions.
#include "reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <tuple>

#include "penstock/config/suggest.h"
#include "penstock/config/values.h"
#include "text.h"

namespace penstock::config {
namespace {

Place place_of(const toml::source_region& region) {
  return {static_cast<std::uint32_t>(region.begin.line),
          static_cast<std::uint32_t>(region.begin.column)};
}

std::vector<std::string_view> names_of(std::span<const KeyInfo> keys) {
  std::vector<std::string_view> names;
  for (const KeyInfo& key : keys) names.push_back(key.name);
  return names;
}

std::string_view section_of(std::string_view path) { return path.substr(0, path.find('.')); }

/// The table in which the key at `path` would be right, for a key that stands in the wrong one. The
/// entries of a list have everyday names ("name", "key"), so they are only thought of within their
/// own section.
std::optional<std::string> home_of(std::string_view path, std::string_view name) {
  for (const TableInfo& table : all_tables()) {
    const bool has =
        std::ranges::any_of(table.keys, [&](const KeyInfo& key) { return key.name == name; });
    if (!has || table.path.empty()) continue;
    if (!table.path.ends_with("[]")) return fmt::format("[{}]", table.path);
    if (section_of(table.path) == section_of(path)) return std::string(table.path);
  }
  return std::nullopt;
}

bool has_key(std::span<const Entry> entries, std::string_view name) {
  return std::ranges::find(entries, name, &Entry::name) != entries.end();
}

/// "a, b or c".
std::string alternatives(std::span<const std::string_view> names) {
  std::string text;
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (i > 0) text += i + 1 < names.size() ? ", " : " or ";
    text += quote(names[i]);
  }
  return text;
}

std::string unknown_key(const std::string& path, std::string_view name,
                        std::span<const std::string_view> known) {
  if (!closest(name, known)) {
    if (const auto home = home_of(path, name)) {
      return fmt::format("unknown key {}: {} belongs in {}", path, name, *home);
    }
  }
  return fmt::format("unknown key {}{}", path, hint(name, known, "known here"));
}

}  // namespace

void Source::error(Place place, std::string_view message) {
  // A message may repeat what is in the file, or a path.
  errors_.push_back({file_, place.line, place.column, without_controls(message)});
}

std::string Source::resolve(std::string_view path) const {
  return (std::filesystem::path(file_).parent_path() / path).string();
}

Diagnostics Source::take_errors() {
  std::ranges::stable_sort(
      errors_, {}, [](const Diagnostic& error) { return std::tuple(error.line, error.column); });
  return std::move(errors_);
}

Place Value::place() const { return place_of(node_->source()); }

void Value::error(std::string_view clause) const {
  source_->error(place(), fmt::format("{} {}", path_, clause));
}

void Value::mismatch(std::string_view expected) const {
  error(fmt::format("must be {}, not {}", expected, description()));
}

std::string Value::description() const {
  if (const auto* text = node_->as_string()) return quote(text->get());
  if (is_written_octal()) return fmt::format("the number 0o{:o}", node_->as_integer()->get());
  if (const auto* number = node_->as_integer()) return fmt::format("the number {}", number->get());
  if (const auto* number = node_->as_floating_point()) {
    const std::string digits = fmt::format("{}", number->get());
    const bool looks_whole = digits.find_first_not_of("-0123456789") == std::string::npos;
    return fmt::format("the number {}{}", digits, looks_whole ? ".0" : "");
  }
  if (const auto* flag = node_->as_boolean()) return flag->get() ? "true" : "false";
  if (node_->is_array()) return "a list";
  if (node_->is_table()) return "a table";
  return "a date or a time";
}

std::optional<std::string> Value::text(std::string_view expected) const {
  if (const auto* text = node_->as_string()) return text->get();
  mismatch(expected);
  return std::nullopt;
}

std::optional<std::int64_t> Value::integer(IntegerRange range) const {
  const auto* number = node_->as_integer();
  if (number != nullptr && number->get() >= range.least && number->get() <= range.most)
    return number->get();
  const bool open = range.most == std::numeric_limits<std::int64_t>::max();
  mismatch(open ? fmt::format("a whole number of at least {}", range.least)
                : fmt::format("a whole number from {} to {}", range.least, range.most));
  return std::nullopt;
}

const toml::table* Value::table(std::string_view expected) const {
  const toml::table* table = node_->as_table();
  if (table == nullptr) mismatch(expected);
  return table;
}

std::optional<std::vector<Value>> Value::list(std::string_view expected) const {
  const toml::array* array = node_->as_array();
  if (array == nullptr) {
    mismatch(expected);
    return std::nullopt;
  }
  std::vector<Value> elements;
  for (std::size_t i = 0; i < array->size(); ++i) {
    elements.emplace_back((*array)[i], fmt::format("{}[{}]", path_, i), *source_);
  }
  return elements;
}

std::optional<std::size_t> Value::one_of(std::span<const std::string_view> names) const {
  const std::string all = alternatives(names);
  const auto given = text(all);
  if (!given) return std::nullopt;
  const auto found = std::ranges::find(names, *given);
  if (found != names.end()) return static_cast<std::size_t>(found - names.begin());
  const auto near = closest(*given, names);
  error(
      fmt::format("must be {}, not {}{}", all, quote(*given),
                  near && names.size() > 2 ? fmt::format("; did you mean {}?", quote(*near)) : ""));
  return std::nullopt;
}

bool Value::is_written_octal() const noexcept {
  const auto* number = node_->as_integer();
  return number != nullptr &&
         (number->flags() & toml::value_flags::format_as_octal) != toml::value_flags::none;
}

void Value::read(bool& field) const {
  if (const auto* flag = node_->as_boolean()) {
    field = flag->get();
  } else {
    mismatch("true or false");
  }
}

template <class T>
std::optional<T> Value::parsed(std::string_view expected,
                               Result<T> (*parse)(std::string_view)) const {
  const auto given = text(expected);
  if (!given) return std::nullopt;
  const auto value = parse(*given);
  if (value) return *value;
  source_->error(place(), fmt::format("{}: {}", path_, value.error().message));
  return std::nullopt;
}

void Value::read(Duration& field, DurationRange range) const {
  const auto given = parsed("a duration in quotes, such as \"10s\"", parse_duration);
  if (!given) return;
  const bool off = *given == Duration::zero() && range.may_be_off;
  if (!off && (*given < range.least || *given > range.most)) {
    error(fmt::format("must be from {} to {}{}, not {}", duration_text(range.least),
                      duration_text(range.most),
                      range.may_be_off ? " (or \"0s\" to turn it off)" : "", description()));
    return;
  }
  field = *given;
}

void Value::read_size(std::uint64_t& field, SizeRange range) const {
  const auto given = parsed("a size in quotes, such as \"64KiB\"", parse_size);
  if (!given) return;
  if (*given < range.least || *given > range.most) {
    error(fmt::format("must be from {} to {}, not {}", size_text(range.least),
                      size_text(range.most), description()));
    return;
  }
  field = *given;
}

std::vector<Entry> entries_of(const toml::table& table, const Value& value) {
  std::vector<Entry> entries;
  for (const auto& [key, node] : table) {
    entries.push_back({std::string(key.str()), place_of(key.source()),
                       Value(node, join_key(value.path(), key.str()), value.source())});
  }
  std::ranges::sort(entries, {}, &Entry::place);  // toml++ keeps them by name
  return entries;
}

void check_keys(const Value& value, std::span<const Entry> entries, std::span<const KeyInfo> keys) {
  const auto known = names_of(keys);
  std::vector<std::string_view> meant;
  for (const Entry& entry : entries) {
    const auto key = std::ranges::find(keys, entry.name, &KeyInfo::name);
    if (key == keys.end()) {
      value.source().error(entry.place, unknown_key(entry.value.path(), entry.name, known));
      if (const auto near = closest(entry.name, known)) meant.push_back(*near);
    } else if (!key->landed) {
      value.source().error(
          entry.place, fmt::format("{} is not supported by this version of penstock yet: remove it",
                                   entry.value.path()));
    }
  }
  for (const KeyInfo& key : keys) {
    const bool there =
        has_key(entries, key.name) || (!key.unless.empty() && has_key(entries, key.unless));
    // A mistyped key was reported once already.
    if (key.missing.empty() || there || std::ranges::find(meant, key.name) != meant.end()) continue;
    value.source().error(value.place(), fmt::format("{} is missing: {}",
                                                    join_key(value.path(), key.name), key.missing));
  }
}

}  // namespace penstock::config

// Typed access to a parsed TOML document. A Value reads itself into a field or reports why it
// cannot, at its place; a table is read by a list of Keys, from which unknown, missing and not yet
// supported keys are found in one place. Nothing throws or stops at the first error: what could not
// be read keeps its default, and the errors decide.
#pragma once

#include <toml++/toml.h>

#include <array>
#include <compare>
#include <concepts>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "penstock/config/config.h"
#include "penstock/config/keys.h"

namespace penstock::config {

/// A position in the file, from 1; columns count characters.
struct Place {
  std::uint32_t line = 1;
  std::uint32_t column = 1;
  friend auto operator<=>(const Place&, const Place&) = default;
};

template <class T>
struct Located {
  T value;
  Place place;
};

/// The file being read: its name as typed, its folder, and the errors found so far.
class Source {
 public:
  explicit Source(std::string file) : file_(std::move(file)) {}
  void error(Place place, std::string_view message);
  /// A path in the file is relative to the file's folder.
  [[nodiscard]] std::string resolve(std::string_view path) const;
  /// A file that the configuration depends on.
  void note_file(std::string path) { files_.push_back(std::move(path)); }
  [[nodiscard]] std::vector<std::string> take_files() { return std::move(files_); }
  [[nodiscard]] bool failed() const noexcept { return !errors_.empty(); }
  /// In order of their places.
  [[nodiscard]] Diagnostics take_errors();

 private:
  std::string file_;
  Diagnostics errors_;
  std::vector<std::string> files_;
};

struct IntegerRange {
  std::int64_t least = 0;
  std::int64_t most = std::numeric_limits<std::int64_t>::max();
};

struct DurationRange {
  Duration least = 1ms;
  Duration most = 8760h;
  bool may_be_off = true;  ///< "0s" turns it off
};

struct SizeRange {
  std::uint64_t least = 0;  ///< bytes
  std::uint64_t most = 0;
};

template <class Enum>
struct Choice {
  std::string_view name;
  Enum value;
};

class Value {
 public:
  Value(const toml::node& node, std::string path, Source& source)
      : node_(&node), path_(std::move(path)), source_(&source) {}

  [[nodiscard]] Place place() const;
  [[nodiscard]] const std::string& path() const noexcept { return path_; }
  [[nodiscard]] Source& source() const noexcept { return *source_; }

  /// Reports "<path> <clause>" here.
  void error(std::string_view clause) const;
  /// Reports "<path> must be <expected>, not <what is there>".
  void mismatch(std::string_view expected) const;

  // Each returns nullopt or null after it has reported a wrong type; `expected` is the rest of
  // "must be …".
  [[nodiscard]] std::optional<std::string> text(std::string_view expected) const;
  [[nodiscard]] std::optional<std::int64_t> integer(IntegerRange range) const;
  [[nodiscard]] const toml::table* table(std::string_view expected) const;
  /// The elements of a list, each with its index in its path.
  [[nodiscard]] std::optional<std::vector<Value>> list(std::string_view expected) const;
  /// The position in `names`; an error has a suggestion.
  [[nodiscard]] std::optional<std::size_t> one_of(std::span<const std::string_view> names) const;

  [[nodiscard]] bool is_text() const noexcept { return node_->is_string(); }
  [[nodiscard]] bool is_integer() const noexcept { return node_->is_integer(); }
  [[nodiscard]] bool is_written_octal() const noexcept;

  // Stores what is there, or reports and leaves the field as it was.
  void read(bool& field) const;
  void read(Duration& field, DurationRange range = {}) const;
  void read_size(std::uint64_t& field, SizeRange range) const;
  template <std::integral Integer>
  void read(Integer& field, IntegerRange range) const {
    if (const auto value = integer(range)) field = static_cast<Integer>(*value);
  }
  template <class Enum, std::size_t count>
  void read(Enum& field, const std::array<Choice<Enum>, count>& choices) const {
    std::vector<std::string_view> names;
    for (const auto& choice : choices) names.push_back(choice.name);
    if (const auto index = one_of(names)) field = choices[*index].value;
  }

 private:
  /// What is there, for a message: "the number 3", "a list".
  [[nodiscard]] std::string description() const;
  /// What `parse` makes of the text that is there; nullopt once an error is reported.
  template <class T>
  [[nodiscard]] std::optional<T> parsed(std::string_view expected,
                                        Result<T> (*parse)(std::string_view)) const;

  const toml::node* node_;
  std::string path_;
  Source* source_;
};

/// A key of a table with its value.
struct Entry {
  std::string name;
  Place place;  ///< of the key
  Value value;
};

/// The entries of a table in the order of the file.
[[nodiscard]] std::vector<Entry> entries_of(const toml::table& table, const Value& value);

/// One key of a table that is read into a Target.
template <class Target>
struct Key {
  std::string_view name;
  void (*read)(const Value& value, Target& target);  ///< null: in the contract, not landed yet
  std::string_view missing{};  ///< what to say when it is not there; empty: optional
  std::string_view unless{};   ///< the key that makes it optional
};

template <class Target, std::size_t count>
[[nodiscard]] std::vector<KeyInfo> infos(const std::array<Key<Target>, count>& keys) {
  std::vector<KeyInfo> result;
  for (const auto& key : keys)
    result.push_back({key.name, key.read != nullptr, key.missing, key.unless});
  return result;
}

/// Reports keys that are unknown, not landed, or missing (at the table's header).
void check_keys(const Value& value, std::span<const Entry> entries, std::span<const KeyInfo> keys);

/// Reads a table, given as a Value, key by key. False when it is not a table, which has then been
/// reported.
template <class Target, std::size_t count>
bool read_table(const Value& value, const std::array<Key<Target>, count>& keys, Target& target,
                std::string_view expected) {
  const toml::table* table = value.table(expected);
  if (table == nullptr) return false;
  const auto entries = entries_of(*table, value);
  check_keys(value, entries, infos(keys));
  for (const Entry& entry : entries) {
    for (const auto& key : keys) {
      if (key.name == entry.name && key.read != nullptr) key.read(entry.value, target);
    }
  }
  return true;
}

}  // namespace penstock::config

// Document: a TOML file as a tree of plain values with their places, for readers outside of this
// module, which owns the parser. What the keys mean is the reader's.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "penstock/config/config.h"

namespace penstock::config {

struct Node {
  enum class Kind : std::uint8_t { text, number, flag, time, list, table };

  Kind kind = Kind::table;
  std::uint32_t line = 1;  ///< of the key, where it has one
  std::uint32_t column = 1;
  std::string key;             ///< in a table; empty in a list
  std::string text;            ///< of a text, a number or a flag: as a command line has it
  std::vector<Node> children;  ///< of a list or a table, in the file's order

  /// Null: the table has no such key.
  [[nodiscard]] const Node* find(std::string_view name) const noexcept;
  /// What is there, for a message: "the number 3", "a list".
  [[nodiscard]] std::string description() const;
};

struct Document {
  std::string path;  ///< as it was given, for messages
  Node root;

  /// An error at this node's place; the message may repeat what is in the file.
  [[nodiscard]] Diagnostic error(const Node& at, std::string_view message) const;
};

/// `what` the file is, for errors: "the scenario".
[[nodiscard]] std::expected<Document, Diagnostics> load_document(const std::string& path,
                                                                 std::string_view what);
[[nodiscard]] std::expected<Document, Diagnostics> parse_document(std::string_view text,
                                                                  const std::string& path);

}  // namespace penstock::config

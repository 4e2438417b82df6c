// From toml++'s tree to one that needs no header of it.
#include "penstock/config/document.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "text.h"
#include "toml_text.h"

namespace penstock::config {
namespace {

/// toml++ limits how deep a file can nest.
Node node_of(const toml::node& from) {  // NOLINT(misc-no-recursion)
  Node node{.kind = Node::Kind::time,
            .line = from.source().begin.line,
            .column = from.source().begin.column,
            .key = {},
            .text = {},
            .children = {}};
  if (const auto* text = from.as_string()) {
    node.kind = Node::Kind::text;
    node.text = text->get();
  } else if (const auto* whole = from.as_integer()) {
    node.kind = Node::Kind::number;
    node.text = fmt::format("{}", whole->get());
  } else if (const auto* number = from.as_floating_point()) {
    node.kind = Node::Kind::number;
    node.text = fmt::format("{}", number->get());
  } else if (const auto* flag = from.as_boolean()) {
    node.kind = Node::Kind::flag;
    node.text = flag->get() ? "true" : "false";
  } else if (const auto* list = from.as_array()) {
    node.kind = Node::Kind::list;
    for (const toml::node& element : *list) node.children.push_back(node_of(element));
  } else if (const auto* table = from.as_table()) {
    node.kind = Node::Kind::table;
    for (const auto& [key, value] : *table) {
      Node& child = node.children.emplace_back(node_of(value));
      child.key = key.str();
      child.line = key.source().begin.line;
      child.column = key.source().begin.column;
    }
    std::ranges::sort(node.children, {}, [](const Node& child) {  // toml++ keeps them by name
      return std::pair(child.line, child.column);
    });
  }
  return node;
}

}  // namespace

const Node* Node::find(std::string_view name) const noexcept {
  const auto found = std::ranges::find(children, name, &Node::key);
  return kind != Kind::table || found == children.end() ? nullptr : &*found;
}

std::string Node::description() const {
  switch (kind) {
    case Kind::text:
      return quote(text);
    case Kind::number:
      return "the number " + text;
    case Kind::flag:
      return text;
    case Kind::list:
      return "a list";
    case Kind::table:
      return "a table";
    case Kind::time:
      break;
  }
  return "a date or a time";
}

Diagnostic Document::error(const Node& at, std::string_view message) const {
  return {path, at.line, at.column, without_controls(message)};
}

std::expected<Document, Diagnostics> parse_document(std::string_view text,
                                                    const std::string& path) {
  Source source(path);
  if (const auto root = parse_toml(text, source)) return Document{path, node_of(*root)};
  return std::unexpected(source.take_errors());
}

std::expected<Document, Diagnostics> load_document(const std::string& path, std::string_view what) {
  Source source(path);
  if (const auto text = read_file(path, what, source)) return parse_document(*text, path);
  return std::unexpected(source.take_errors());
}

}  // namespace penstock::config

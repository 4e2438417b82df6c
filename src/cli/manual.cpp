// Text to roff. Whatever roff would read as something else is written as a character's name
// (groff_char(7)): then the page says the same in ASCII and in Unicode, to be read and to be
// pasted.
#include "penstock/cli/manual.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdint>

namespace penstock::cli {
namespace {

/// The code point at the beginning of `text`, which is UTF-8 from our own sources, and its length.
std::pair<std::uint32_t, std::size_t> code_point(std::string_view text) {
  const auto byte = [&text](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const std::size_t length = byte(0) < 0x80 ? 1 : byte(0) < 0xe0 ? 2 : byte(0) < 0xf0 ? 3 : 4;
  if (length == 1) return {byte(0), 1};
  std::uint32_t code = byte(0) & (0x7fU >> length);
  for (std::size_t i = 1; i < length; ++i) code = (code << 6) | (byte(i) & 0x3fU);
  return {code, length};
}

std::string escaped(std::string_view text) {
  std::string result;
  while (!text.empty()) {
    const auto [code, length] = code_point(text);
    text.remove_prefix(length);
    switch (code) {
      case '\\':
        result += "\\e";
        break;
      case '-':
        result += "\\-";
        break;
      case '\'':
        result += "\\(aq";
        break;
      case '`':
        result += "\\(ga";
        break;
      case '^':
        result += "\\(ha";
        break;
      case '~':
        result += "\\(ti";
        break;
      case '"':
        result += "\\(dq";
        break;
      case '.':  // at the beginning of a line it would be a request's
        result += result.empty() ? "\\&." : ".";
        break;
      default:
        result += code < 0x80 ? std::string(1, static_cast<char>(code))
                              : fmt::format("\\[u{:04X}]", code);
    }
  }
  return result;
}

class Page {
 public:
  void line(std::string_view roff) { fmt::format_to(std::back_inserter(text_), "{}\n", roff); }
  void heading(std::string_view text) { line(fmt::format(".SH \"{}\"", escaped(text))); }
  void paragraph(std::string_view text) {
    line(".PP");
    line(escaped(text));
  }
  /// `roff`: the term, with its fonts.
  void entry(std::string_view roff, std::string_view text) {
    line(".TP");
    line(roff);
    line(escaped(text));
  }
  [[nodiscard]] std::string take() { return std::move(text_); }

 private:
  std::string text_;
};

std::string bold(std::string_view text) { return fmt::format("\\fB{}\\fR", escaped(text)); }
std::string italic(std::string_view text) { return fmt::format("\\fI{}\\fR", escaped(text)); }

/// Those that --help shows, in its order.
std::vector<const CLI::Option*> options_of(const CLI::App& app) {
  return app.get_options([](const CLI::Option* option) { return !option->get_group().empty(); });
}

std::vector<const CLI::App*> commands_of(const CLI::App& app) {
  return app.get_subcommands([](const CLI::App* command) { return !command->get_group().empty(); });
}

/// "\fB-c\fR, \fB--connections\fR \fIN\fR", or a positional's "\fITARGET\fR".
std::string term_of(const CLI::Option& option) {
  if (!option.nonpositional()) return italic(option.get_option_text());
  std::vector<std::string> names;
  for (const std::string& name : option.get_snames()) names.push_back(bold("-" + name));
  for (const std::string& name : option.get_lnames()) names.push_back(bold("--" + name));
  std::string term = fmt::format("{}", fmt::join(names, ", "));
  if (!option.get_option_text().empty()) term += " " + italic(option.get_option_text());
  return term;
}

void add_synopsis(Page& page, const CLI::App& app) {
  page.heading("SYNOPSIS");
  for (const CLI::App* command : commands_of(app)) {
    std::string arguments;
    bool choices = false;
    for (const CLI::Option* option : options_of(*command)) {
      if (option->nonpositional()) {
        choices = true;
      } else {
        arguments += " " + italic(option->get_option_text());
      }
    }
    if (command != commands_of(app).front()) page.line(".br");
    page.line(fmt::format("{} {}{}{}", bold(app.get_name()), bold(command->get_name()), arguments,
                          choices ? " [\\fIOPTIONS\\fR]" : ""));
  }
}

void add_section(Page& page, const ManualSection& section) {
  page.heading(section.heading);
  if (!section.text.empty()) page.line(escaped(section.text));
  for (const Entry& entry : section.entries) page.entry(bold(entry.term), entry.text);
}

void add_options(Page& page, const CLI::App& app) {
  for (const CLI::Option* option : options_of(app)) {
    page.entry(term_of(*option), option->get_description());
  }
}

void add_examples(Page& page, const Manual& manual) {
  page.heading("EXAMPLES");
  for (const CommandExamples& of_command : manual.examples) {
    page.line(fmt::format(".SS {}", escaped(of_command.command)));
    for (const Example& example : of_command.examples) {
      page.paragraph(fmt::format("{}:", example.what));
      for (const char* request : {".RS 4", ".nf"}) page.line(request);
      page.line(bold(example.command));
      for (const char* request : {".fi", ".RE"}) page.line(request);
    }
  }
}

}  // namespace

std::string examples_text(std::span<const Example> examples) {
  std::string text = "Examples:";
  for (const Example& example : examples) {
    text += fmt::format("\n  {}\n      {}", example.command, example.what);
  }
  return text;
}

std::string manual_page(const CLI::App& app, const Manual& manual) {
  Page page;
  page.line(fmt::format(".TH \"{}\" {} \"\" \"{}\"", escaped(app.get_name()), manual.section,
                        escaped(manual.version)));
  page.line(".nh");  // no word is divided: many are to be typed
  page.line(".ad l");
  page.heading("NAME");
  page.line(fmt::format("{} \\- {}", escaped(app.get_name()), escaped(manual.summary)));
  add_synopsis(page, app);
  page.heading("DESCRIPTION");
  for (const std::string_view paragraph : manual.description) page.paragraph(paragraph);
  for (const CLI::App* command : commands_of(app)) {
    page.entry(bold(command->get_name()), command->get_description());
  }
  for (const ManualSection& section : manual.before) add_section(page, section);
  page.heading("OPTIONS");
  add_options(page, app);
  for (const CLI::App* command : commands_of(app)) {
    std::string name = command->get_name();
    std::ranges::transform(name, name.begin(), [](char c) {
      return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    });
    page.heading("OPTIONS OF " + name);
    add_options(page, *command);
  }
  for (const ManualSection& section : manual.after) add_section(page, section);
  add_examples(page, manual);
  if (!manual.see_also.empty()) {
    page.heading("SEE ALSO");
    page.line(escaped(fmt::format("{}", fmt::join(manual.see_also, ", "))));
  }
  return page.take();
}

}  // namespace penstock::cli

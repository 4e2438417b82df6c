// Values of options that both commands read in the same way. Errors are sentences that begin with
// the option.
#pragma once

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>

#include "penstock/base/result.h"
#include "penstock/config/values.h"

namespace penstock::load {

[[nodiscard]] inline Result<void> read_duration(std::string_view option, std::string_view text,
                                                Duration& into) {
  auto duration = config::parse_fine_duration(text);
  if (!duration) return fail(fmt::format("{} {}: {}", option, text, duration.error().message));
  into = *duration;
  return {};
}

/// The same, for what cannot be nothing.
[[nodiscard]] inline Result<void> read_positive_duration(std::string_view option,
                                                         std::string_view text, Duration& into) {
  if (auto set = read_duration(option, text, into); !set) return set;
  if (into > Duration::zero()) return {};
  return fail(fmt::format("{} {}: expected more than nothing", option, text));
}

/// One of these words; the enumeration has its values in the same order, from 0.
template <class E>
[[nodiscard]] Result<void> read_word(std::string_view option, std::string_view text,
                                     std::span<const std::string_view> words, E& into) {
  int place = 0;
  for (const std::string_view word : words) {
    if (text == word) {
      into = static_cast<E>(place);
      return {};
    }
    ++place;
  }
  return fail(fmt::format("{} {}: expected one of {}", option, text, fmt::join(words, ", ")));
}

template <class E>
[[nodiscard]] Result<void> read_word(std::string_view option, std::string_view text,
                                     std::initializer_list<std::string_view> words, E& into) {
  return read_word(option, text, std::span(words.begin(), words.size()), into);
}

/// Where an option means something.
struct OptionUse {
  const char* option;
  bool applies;       ///< here it does
  const char* where;  ///< for what, in words
};
/// No option is passed over in silence: one that was given and means nothing here is an error.
[[nodiscard]] inline Result<void> check_use(const CLI::App& command,
                                            std::span<const OptionUse> uses) {
  for (const OptionUse& use : uses) {
    if (use.applies || command.count(use.option) == 0) continue;
    return fail(fmt::format("{} means nothing here: it is for {}", use.option, use.where));
  }
  return {};
}

}  // namespace penstock::load

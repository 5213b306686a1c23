// SPDX-License-Identifier: BSD-3-Clause
#include "driver/step.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "base/size_text.hpp"
#include "base/units.hpp"

namespace vballoon::driver {
namespace {

enum class Argument { kNone, kSize, kSeconds };

struct Form {
  std::string_view name;
  Step::Verb verb;
  Argument argument;
};

constexpr std::array<Form, 9> kForms{{
    {"inflate", Step::Verb::kInflate, Argument::kSize},
    {"deflate", Step::Verb::kDeflate, Argument::kSize},
    {"report", Step::Verb::kReport, Argument::kSize},
    {"hint", Step::Verb::kHint, Argument::kSize},
    {"release", Step::Verb::kRelease, Argument::kSize},
    {"pressure", Step::Verb::kPressure, Argument::kNone},
    {"follow", Step::Verb::kFollow, Argument::kSeconds},
    {"pause", Step::Verb::kPause, Argument::kSeconds},
    {"reset", Step::Verb::kReset, Argument::kNone},
}};

constexpr double kMaxSeconds = 1e6;

Result<std::uint64_t> parse_bytes(std::string_view text) {
  if (text == "all") return Step::kAll;
  auto bytes = parse_memory_size(text);
  if (bytes && *bytes < kPageSize) {
    return fail(Code::kInvalidArgument, fmt::format("'{}' is less than a page of 4K", text));
  }
  return bytes;
}

Result<std::chrono::milliseconds> parse_seconds(std::string_view text) {
  if (text.ends_with('s')) text.remove_suffix(1);
  double seconds = -1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  const bool whole = error == std::errc{} && end == text.data() + text.size();
  if (!whole || !(seconds >= 0 && seconds <= kMaxSeconds)) {
    return fail(Code::kInvalidArgument, fmt::format("\"{}\" is no number of seconds", text));
  }
  return std::chrono::milliseconds(static_cast<std::int64_t>(seconds * 1000));
}

Result<Step> with_argument(const Form& form, Step step, std::string_view argument) {
  if (form.argument == Argument::kSize) {
    return parse_bytes(argument).map([&step](std::uint64_t bytes) {
      step.bytes = bytes;
      return std::move(step);
    });
  }
  return parse_seconds(argument).map([&step](std::chrono::milliseconds duration) {
    step.duration = duration;
    return std::move(step);
  });
}

}  // namespace

Result<Step> parse_step(std::string_view text) {
  const std::size_t colon = std::min(text.find(':'), text.size());
  const std::string_view name = text.substr(0, colon);
  const auto* const form =
      std::find_if(kForms.begin(), kForms.end(), [name](const Form& f) { return f.name == name; });
  const bool has_argument = colon < text.size();
  if (form == kForms.end() || has_argument != (form->argument != Argument::kNone)) {
    return fail(
        Code::kInvalidArgument,
        fmt::format("step \"{}\" is none of inflate:SIZE, deflate:SIZE, report:SIZE, "
                    "hint:SIZE, release:SIZE, pressure, follow:SECONDS, pause:SECONDS, reset",
                    text));
  }
  Step step{.verb = form->verb, .text = std::string(text)};
  if (!has_argument) return step;
  return with_argument(*form, std::move(step), text.substr(colon + 1));
}

}  // namespace vballoon::driver

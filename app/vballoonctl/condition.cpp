// SPDX-License-Identifier: BSD-3-Clause
#include "condition.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <span>

#include "base/guest_page.hpp"
#include "base/nearest.hpp"
#include "format.hpp"

namespace vballoon::ctl {
namespace {

constexpr std::string_view kState = "state";
constexpr std::array<std::string_view, 8> kKeys{kState,      "actual",   "target",   "ballooned",
                                                "reclaimed", "stranded", "resident", "guest"};
constexpr std::array<std::string_view, 6> kStates{"waiting", "connected", "stopped",
                                                  "running", "broken",    "set-aside"};

bool is_one_of(std::span<const std::string_view> words, std::string_view word) {
  return std::ranges::find(words, word) != words.end();
}

tl::unexpected<Status> wrong(std::string_view text, const std::string& why) {
  return fail(Code::kInvalidArgument,
              fmt::format("'{}': {} (as in actual=target, actual<=512M, reclaimed>=1G, "
                          "state=running)",
                          text, why));
}

/// Where the comparison stands, and how long it is.
struct Sign {
  std::size_t at;
  std::size_t length;
  Condition::Relation relation;
};

std::optional<Sign> find_sign(std::string_view text) {
  const std::size_t at = text.find_first_of("=<>");
  if (at == std::string_view::npos) return std::nullopt;
  if (text[at] == '=') return Sign{at, 1, Condition::Relation::kIs};
  if (at + 1 == text.size() || text[at + 1] != '=') return std::nullopt;
  return Sign{at, 2,
              text[at] == '<' ? Condition::Relation::kAtMost : Condition::Relation::kAtLeast};
}

std::optional<std::uint64_t> size_of(const rpc::Json& device, std::string_view key) {
  return known(device, fmt::format("{}_bytes", key).c_str());
}

bool compare(Condition::Relation relation, std::uint64_t is, std::uint64_t wanted) {
  switch (relation) {
    case Condition::Relation::kAtMost:
      return is <= wanted;
    case Condition::Relation::kAtLeast:
      return is >= wanted;
    case Condition::Relation::kIs:
      break;
  }
  return at_target(is, wanted);
}

}  // namespace

Result<Condition> parse_condition(std::string_view text) {
  const auto sign = find_sign(text);
  if (!sign) return wrong(text, "there is no comparison by =, <= or >= in it");
  Condition condition;
  condition.key = text.substr(0, sign->at);
  condition.relation = sign->relation;
  const std::string value(text.substr(sign->at + sign->length));
  if (!is_one_of(kKeys, condition.key)) {
    return wrong(text, fmt::format("there is no figure '{}'{}", condition.key,
                                   suggestion(condition.key, kKeys)));
  }
  if (condition.key == kState) {
    if (sign->relation != Condition::Relation::kIs) return wrong(text, "a state takes =");
    if (!is_one_of(kStates, value)) {
      return wrong(text,
                   fmt::format("there is no state '{}'{}", value, suggestion(value, kStates)));
    }
    condition.word = value;
    return condition;
  }
  if (value != kState && is_one_of(kKeys, value)) {
    condition.word = value;
    return condition;
  }
  const auto size = parse_size_or_share(value);
  if (!size) return wrong(text, size.error().message);
  condition.size = *size;
  return condition;
}

bool holds(const Condition& condition, const rpc::Json& device) {
  if (condition.key == kState) return text(device, "state") == condition.word;
  const auto is = size_of(device, condition.key);
  if (!is) return false;
  if (!condition.word.empty()) {
    const auto other = size_of(device, condition.word);
    return other && compare(condition.relation, *is, *other);
  }
  const std::uint64_t guest = number(device, "guest_bytes");
  if (condition.size.share && guest == 0) return false;
  return compare(condition.relation, *is, condition.size.of(guest));
}

}  // namespace vballoon::ctl

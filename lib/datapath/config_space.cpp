// SPDX-License-Identifier: BSD-3-Clause
#include "datapath/config_space.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>

namespace vballoon::datapath {
namespace {

/// The field at `field`, when the write covers all of it.
std::optional<std::uint32_t> whole_field(std::uint32_t field, std::uint32_t offset,
                                         std::span<const std::byte> in) noexcept {
  if (offset > field || field - offset + sizeof(std::uint32_t) > in.size()) return std::nullopt;
  std::uint32_t value = 0;
  std::memcpy(&value, in.data() + (field - offset), sizeof(value));
  return value;
}

}  // namespace

void ConfigSpace::begin_anew() noexcept {
  set(actual_, 0);
  set(knows_actual_, 1);
  set(hint_command_, wire::kHintDone);
}

void ConfigSpace::reset_driver_fields() noexcept {
  begin_anew();
  forget_actual();
  set(poison_value_, 0);
}

std::uint32_t ConfigSpace::command_hints(wire::HintAction action) noexcept {
  switch (action) {
    case wire::HintAction::kStart:
      last_round_ = last_round_ == UINT32_MAX ? wire::kFirstHintRound : last_round_ + 1;
      set(hint_command_, last_round_);
      break;
    case wire::HintAction::kStop:
      set(hint_command_, wire::kHintStop);
      break;
    case wire::HintAction::kDone:
      set(hint_command_, wire::kHintDone);
      break;
  }
  return hint_command();
}

std::array<std::uint32_t, wire::kConfigBytes / 4> ConfigSpace::fields() const noexcept {
  if (large_) return {large_->page_shift, large_->node, large_->max_pages, large_->size_mask};
  return {num_pages(), actual(), hint_command(), poison_value()};
}

bool ConfigSpace::read(std::uint32_t offset, std::span<std::byte> out) const noexcept {
  const auto fields = this->fields();
  std::fill(out.begin(), out.end(), std::byte{0});
  if (offset >= wire::kConfigBytes) return false;
  const auto bytes = std::as_bytes(std::span(fields)).subspan(offset);
  std::copy_n(bytes.begin(), std::min(out.size(), bytes.size()), out.begin());
  return true;
}

bool ConfigSpace::write(std::uint32_t offset, std::span<const std::byte> in) noexcept {
  if (offset > wire::kConfigBytes || in.size() > wire::kConfigBytes - offset) return false;
  if (large_) return true;
  if (const auto actual = whole_field(wire::kActualOffset, offset, in)) {
    set(actual_, *actual);
    set(knows_actual_, 1);
  }
  if (const auto poison = whole_field(wire::kPoisonOffset, offset, in)) set(poison_value_, *poison);
  return true;
}

}  // namespace vballoon::datapath

// SPDX-License-Identifier: BSD-3-Clause
//
// tests/fuzz/page_model.hpp - whose each page is, by what an honest driver said and was told.
// Source: section 5 of the design, 1 and 3.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "base/check.hpp"
#include "base/units.hpp"

namespace vballoon::fuzz {

enum class Owner : std::uint8_t { kGuest, kInflating, kBalloon, kDeflating, kReported, kGone };

/// The second region is behind `kFirst` pages, and may be unplugged.
class PageModel {
 public:
  static constexpr std::uint32_t kFirst = 3072;
  static constexpr std::uint32_t kPages = 4096;

  [[nodiscard]] Owner at(std::uint32_t page) const noexcept { return owner_[page]; }

  /// Up to `most` pages of `from`, upwards from `first` or downwards, become those of `to`.
  std::vector<std::uint32_t> take(Owner from, Owner to, std::uint32_t first, std::size_t most,
                                  bool down) {
    std::vector<std::uint32_t> taken;
    for (std::uint32_t i = 0; i < 4 * most && taken.size() < most; ++i) {
      const std::uint32_t page = (first + (down ? kPages - i % kPages : i)) % kPages;
      if (owner_[page] != from) continue;
      owner_[page] = to;
      taken.push_back(page);
    }
    return taken;
  }

  /// A buffer was used: its pages are whose they are now.
  void give(const std::vector<std::uint32_t>& pages, Owner to) {
    for (const std::uint32_t page : pages) {
      owner_[page] = page >= kFirst && !plugged_ ? Owner::kGone : to;
    }
  }

  /// The driver was reset: all that is there is the guest's.
  void reset() {
    owner_.fill(Owner::kGuest);
    plug(plugged_);
  }

  /// Pages of buffers that are on their way stay what they are.
  void plug(bool plugged) {
    plugged_ = plugged;
    for (std::uint32_t page = kFirst; page < kPages; ++page) {
      Owner& owner = owner_[page];
      if (!plugged && (owner == Owner::kGuest || owner == Owner::kBalloon)) owner = Owner::kGone;
      if (plugged && owner == Owner::kGone) owner = Owner::kGuest;
    }
  }
  [[nodiscard]] bool plugged() const noexcept { return plugged_; }

  [[nodiscard]] std::uint64_t ballooned() const noexcept {
    std::uint64_t count = 0;
    for (const Owner owner : owner_) count += owner == Owner::kBalloon ? 1U : 0U;
    return count;
  }

  /// @param tells  the driver says so before it uses a page of its balloon again.
  void check_discard(std::uint32_t page, bool tells) const {
    VB_CHECK(page < kPages);
    const Owner owner = owner_[page];
    VB_CHECK(owner != Owner::kGuest && owner != Owner::kGone);
    VB_CHECK(tells || owner != Owner::kBalloon);
  }

 private:
  std::array<Owner, kPages> owner_{};
  bool plugged_ = true;
};

}  // namespace vballoon::fuzz

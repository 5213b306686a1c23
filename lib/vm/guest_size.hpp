// SPDX-License-Identifier: BSD-3-Clause
//
// vm/guest_size.hpp - how much memory a guest has, which may be less than its VMM's memory table
//                     has.
// Pure.
// Source: Linux, update_balloon_stats(): `total` is the memory that the page allocator manages. It
//         lacks the kernel itself, a virtio-mem device's unplugged memory, DIMMs that are not
//         online, NVDIMMs and ivshmem. It includes the balloon if DEFLATE_ON_OOM was accepted
//         (adjust_managed_page_count()).
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace vballoon::vm {

/// Sizes in bytes.
struct SizeClues {
  std::uint64_t table = 0;  ///< all memory in the VMM's memory table; 0 where there is no table
  std::uint64_t boot = 0;   ///< the part that the guest booted with, so surely has
  std::optional<std::uint64_t> total;  ///< the guest's own figure, from a recent sample
  std::uint64_t apart = 0;  ///< the part of its balloon, at that moment, that `total` lacks
};

enum class SizeSource {
  kNothing,      ///< no VMM has shown memory yet
  kMemoryTable,  ///< the guest does not say, or says that it has all
  kStatistics,   ///< the guest says that it has less
};
/// "", "memory_table", "statistics"
[[nodiscard]] std::string_view source_name(SizeSource source) noexcept;

struct GuestSize {
  std::uint64_t bytes = 0;
  SizeSource source = SizeSource::kNothing;
};

/// @return the size that the guest says, within what the host knows: at most the table, and at
///         least what the guest booted with. So a lie changes the size only by memory that was
///         plugged in later. The lower bound also adds the kernel's own memory, which `total`
///         lacks.
[[nodiscard]] GuestSize guest_size(const SizeClues& clues) noexcept;

}  // namespace vballoon::vm

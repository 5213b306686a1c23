// SPDX-License-Identifier: BSD-3-Clause
//
// vm/guest_size.hpp - how much memory a guest has: less than its VMM's memory table may hold.
// Pure.
// Source: Linux, update_balloon_stats(): `total` is what its page allocator manages. Not in it are
//         the kernel itself, a virtio-mem device's unplugged memory, DIMMs that are not online,
//         NVDIMMs and ivshmem; the balloon is in it, if DEFLATE_ON_OOM was accepted
//         (adjust_managed_page_count()).
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace vballoon::vm {

/// Sizes in bytes.
struct SizeClues {
  std::uint64_t table = 0;  ///< all memory in the VMM's memory table; 0 while there is none
  std::uint64_t boot = 0;   ///< of that, what the guest surely has: its memory began with it
  std::optional<std::uint64_t> total;  ///< as the guest says, lately
  std::uint64_t apart = 0;             ///< of its balloon at that moment, what is not in `total`
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

/// What the guest says, within what the host knows itself: no more than the table, and no less than
/// what it booted with, which is its own whatever it says. So a liar is as large as it is, but for
/// what was plugged into it; and an ordinary guest, whose `total` lacks its kernel's part, is too.
[[nodiscard]] GuestSize guest_size(const SizeClues& clues) noexcept;

}  // namespace vballoon::vm

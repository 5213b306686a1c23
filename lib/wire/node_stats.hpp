// SPDX-License-Identifier: BSD-3-Clause
//
// wire/node_stats.hpp - figures that only the driver of a device of large pages sends: those of the
//                       guest's NUMA nodes, and two of the whole guest.
// Pure values.
// Source: docs/device-13.md, 7.3.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace vballoon::wire {

enum class NodeStat : std::uint8_t { kFree, kTotal, kDiskCaches, kFreeLarge, kBalloon };
inline constexpr std::size_t kNodeStats = 5;

/// The name that RPC uses, unit last: "free_large_bytes", ...; of a figure that the whole guest has
/// in StatsSample, that one's.
[[nodiscard]] std::string_view node_stat_name(NodeStat stat) noexcept;

/// Bytes of a node, or of the whole guest. The guest's claims: shown, never trusted.
struct NodeFigures {
  std::array<std::uint64_t, kNodeStats> values{};
  std::uint32_t node = 0;
  std::uint32_t present = 0;  ///< bit s: values[s] was in the buffer

  [[nodiscard]] std::optional<std::uint64_t> get(NodeStat stat) const noexcept;
  /// The last one counts; a negative number is none.
  void set(NodeStat stat, std::uint64_t value) noexcept;
};

/// One buffer's.
struct NodeSample {
  static constexpr std::size_t kMost = 8;

  NodeFigures guest;  ///< kFreeLarge and kBalloon; the others are in StatsSample
  std::array<NodeFigures, kMost> nodes{};  ///< [0, count), as they came
  std::uint32_t count = 0;
  std::uint32_t left_out = 0;  ///< entries of further nodes

  /// A figure of a node. Tags that no node has are passed over.
  void set(std::uint32_t node, std::uint16_t tag, std::uint64_t value) noexcept;
  /// A figure of the whole guest. @return false where it is one of StatsSample's.
  bool set_guest(std::uint16_t tag, std::uint64_t value) noexcept;
};

}  // namespace vballoon::wire

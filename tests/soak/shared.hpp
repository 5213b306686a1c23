// SPDX-License-Identifier: BSD-3-Clause
//
// tests/soak/shared.hpp - what the hostile drivers' processes and their parent tell each other.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

namespace vballoon::soak {

/// What the drivers are to do; the parent says.
enum class Phase : unsigned {
  kQuiet,  ///< connected, rings running, nothing sent
  kStorm,
  kEnd,
};

/// At most this many kinds of action; see hostile_actions.cpp.
inline constexpr std::size_t kMaxActions = 48;

struct ActionCount {
  std::atomic<std::uint64_t> done{0};
  std::atomic<std::uint64_t> refused{0};  ///< of these, the daemon said no or went away
};

/// In memory that all processes share. Every field is an atomic of its own; nothing hangs together.
struct Shared {
  std::atomic<Phase> phase{Phase::kQuiet};
  std::atomic<unsigned> settled{0};           ///< drivers that are where the phase wants them
  std::atomic<std::uint64_t> healed{0};       ///< faults of rings after which a reset served again
  std::atomic<std::uint64_t> not_healed{0};   ///< ... or did not
  std::atomic<std::uint64_t> unreachable{0};  ///< a new connection was not served within a minute
  std::array<ActionCount, kMaxActions> actions{};
};

/// A Shared for this process and those that it forks.
struct Unmap {
  void operator()(Shared* shared) const noexcept;
};
[[nodiscard]] std::unique_ptr<Shared, Unmap> make_shared_page();

}  // namespace vballoon::soak

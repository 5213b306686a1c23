// SPDX-License-Identifier: BSD-3-Clause
//
// policy/observation.hpp - what a law knows of the host and its guests at one moment.
// Plain values; sizes in bytes.
// Source: docs/policy.md has where each figure comes from.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace vballoon::policy {

/// Since any moment, never running backwards: of a monotonic clock, or of a simulation.
using Time = std::chrono::milliseconds;

/// A guest's claims about itself, of one sample. Cumulative where the driver counts so.
struct GuestSample {
  std::uint64_t sequence = 0;  ///< another number is another sample
  Time age{0};
  std::optional<std::uint64_t> actual;  ///< of the balloon when it said so, where that was noted
  std::optional<std::uint64_t> free;
  std::optional<std::uint64_t> available;
  std::optional<std::uint64_t> caches;
  std::optional<std::uint64_t> swap_in;       ///< cumulative
  std::optional<std::uint64_t> swap_out;      ///< cumulative
  std::optional<std::uint64_t> major_faults;  ///< cumulative, not bytes
  std::optional<std::uint64_t> oom_kills;     ///< cumulative, not bytes
  std::optional<std::uint64_t> alloc_stalls;  ///< cumulative, not bytes
  bool nonsense = false;                      ///< it said more, which cannot be and is unknown here
};

/// What the operator allows. The guest is left between floor and ceiling.
struct Limits {
  std::uint64_t floor = 0;     ///< 0: a default, by the size of the guest
  std::uint64_t ceiling = 0;   ///< 0: all of its memory
  std::uint64_t weight = 100;  ///< share of what is scarce, against the weights of the others
};

struct VmObservation {
  std::string name;
  std::size_t pool = 0;             ///< the memory it is backed by, of Observation::pools
  std::optional<std::size_t> node;  ///< and one within that, where it is bound to a NUMA node
  bool automatic = false;           ///< false: its target is a person's
  bool running = false;             ///< its driver serves the balloon
  bool inhibited = false;           ///< nothing that it gives is discarded
  std::uint64_t guest = 0;          ///< all of its memory, as far as it says so
  std::uint64_t table = 0;   ///< and in its VMM's table: with another one it is another guest
  std::uint64_t target = 0;  ///< of the balloon, as its driver sees it
  std::uint64_t actual = 0;  ///< of the balloon, as its driver says it,
  bool knows_actual = true;  ///< if it ever said so
  std::optional<std::uint64_t> resident;  ///< what it takes of the host, swap included
  Limits limits;
  std::optional<GuestSample> sample;
  std::uint64_t pressure_messages = 0;  ///< cumulative
};

/// One kind of the host's memory: of all nodes or of one, of ordinary pages or of huge ones.
struct PoolObservation {
  std::string name;  ///< "host", "node 1", "2 MiB pages of node 0"
  std::uint64_t total = 0;
  std::uint64_t available = 0;
  std::uint64_t reserve = 0;  ///< to be kept available
  std::uint64_t swapped = 0;  ///< of the guests' memory, as far as that is known
  bool known = true;          ///< false: the host tells nothing of it, and the figures are none
};

struct Observation {
  Time now{0};
  Time sample_interval{1000};  ///< how often guests are asked
  unsigned host_pressure = 0;  ///< events since the observation before
  std::vector<PoolObservation> pools;
  std::vector<VmObservation> vms;
};

}  // namespace vballoon::policy

// SPDX-License-Identifier: BSD-3-Clause
//
// policy/observation.hpp - what a law knows of the host and its guests at one moment.
// Plain values; sizes in bytes.
// Source: docs/policy.md names the origin of each figure.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/units.hpp"

namespace vballoon::policy {

/// A time since some fixed moment, of a monotonic clock or of a simulation.
using Time = std::chrono::milliseconds;

/// One sample: a guest's claims about itself.
struct GuestSample {
  std::uint64_t sequence = 0;  ///< changes with each sample
  Time age{0};
  std::optional<std::uint64_t> actual;  ///< size of the balloon when the sample came, if known
  std::optional<std::uint64_t> free;
  std::optional<std::uint64_t> available;
  std::optional<std::uint64_t> caches;
  std::optional<std::uint64_t> swap_in;       ///< cumulative
  std::optional<std::uint64_t> swap_out;      ///< cumulative
  std::optional<std::uint64_t> major_faults;  ///< cumulative, not bytes
  std::optional<std::uint64_t> oom_kills;     ///< cumulative, not bytes
  std::optional<std::uint64_t> alloc_stalls;  ///< cumulative, not bytes
  bool nonsense = false;                      ///< it had impossible figures; they are unknown here
};

/// The operator's limits. The guest keeps between floor and ceiling.
struct Limits {
  std::uint64_t floor = 0;     ///< 0: a default, by the size of the guest
  std::uint64_t ceiling = 0;   ///< 0: all of the guest's memory
  std::uint64_t weight = 100;  ///< the guest's part of scarce memory, relative to other weights
};

struct VmObservation {
  std::string name;
  std::size_t pool = 0;             ///< index in Observation::pools of the memory that backs it
  std::optional<std::size_t> node;  ///< index of its node's pool, where it is bound to a NUMA node
  bool automatic = false;           ///< false: a person sets its target
  bool running = false;             ///< its driver serves the balloon
  bool inhibited = false;           ///< pages that it gives are not discarded
  std::uint64_t guest = 0;          ///< the size of its memory, by its statistics within bounds
  std::uint64_t table = 0;          ///< the size by its VMM's table; another size: another guest
  std::uint64_t unit = kPageSize;   ///< what its targets are whole multiples of
  std::uint64_t target = 0;         ///< size of the balloon that its driver is asked for
  std::uint64_t actual = 0;         ///< size of the balloon that its driver says
  bool knows_actual = true;         ///< its driver has said a size
  std::optional<std::uint64_t> resident;  ///< what it takes of the host, swap included
  Limits limits;
  std::optional<GuestSample> sample;
  std::uint64_t pressure_messages = 0;  ///< cumulative
};

/// One kind of the host's memory: ordinary pages or huge pages, of all nodes or of one.
struct PoolObservation {
  std::string name;  ///< "host", "node 1", "2 MiB pages of node 0"
  std::uint64_t total = 0;
  std::uint64_t available = 0;
  std::uint64_t reserve = 0;  ///< the part that is to stay available
  std::uint64_t swapped = 0;  ///< guests' memory that is swapped out, as far as that is known
  bool known = true;          ///< false: the host tells nothing of this pool; ignore the figures
};

struct Observation {
  Time now{0};
  Time sample_interval{1000};  ///< how often guests are asked
  unsigned host_pressure = 0;  ///< events since the last observation
  std::vector<PoolObservation> pools;
  std::vector<VmObservation> vms;
};

}  // namespace vballoon::policy

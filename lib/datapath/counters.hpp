// SPDX-License-Identifier: BSD-3-Clause
//
// datapath/counters.hpp - what one device did, and what its guest did wrong.
// Thread: written by the data path's owner, read by anyone.
#pragma once

#include <vector>

#include "base/counter.hpp"

namespace vballoon::datapath {

struct NamedCount {
  std::string_view name;
  std::uint64_t value = 0;
};

struct DeviceCounters {
  Counter inflate_pages;      ///< pages that entered the balloon
  Counter deflate_pages;      ///< pages that left it
  Counter already_ballooned;  ///< inflated again without a deflate
  Counter not_ballooned;      ///< deflated without an inflate
  Counter outside_memory;     ///< page numbers that are no guest memory
  Counter odd_bytes;          ///< bytes at the end of a buffer that make no page number
  Counter wrong_direction;    ///< descriptors the device should write on a queue it reads, or back
  Counter bad_chains;         ///< descriptor chains cut short by a fault
  Counter stats_samples;
  Counter stats_truncated;     ///< statistics buffers longer than any driver's
  Counter hint_pages;          ///< hinted in the round that was asked for; never discarded
  Counter stale_hints;         ///< pages hinted in no round, or in an old one
  Counter bad_hint_commands;   ///< command buffers that are not 4 bytes, or name no round
  Counter reported_pages;      ///< offered by free page reporting
  Counter reports_kept;        ///< reported pages not discarded: switched off, or poisoned
  Counter pressure_messages;   ///< the guest said that it is short of memory
  Counter unknown_messages;    ///< it said something else
  Counter messages_truncated;  ///< message buffers longer than any driver's
  // Of device 13; pages are of the size that the message names.
  Counter short_messages;       ///< without the header, or without what belongs to their type
  Counter short_buffers;        ///< of fromdevq, with no room for a request
  Counter unaligned;            ///< addresses that are no multiple of their page's size
  Counter in_a_ring;            ///< pages that have a part of the device's own rings
  Counter sizes_not_offered;    ///< addresses in messages of such sizes
  Counter beyond_max_pages;     ///< addresses beyond those that a message may have
  Counter withheld;             ///< questions for pages that were answered with fewer, or none
  Counter withheld_pages;       ///< of 4 KiB, that the host had no memory for
  Counter states;               ///< the driver said how it stands
  Counter background_pressure;  ///< the guest reclaims memory while its programs go on
  Counter calls;                ///< interrupts raised
  Counter blocked_calls;        ///< of which the VMM made one wait; its driver is called no more
  Counter ballooned_pages;      ///< the ledger's population, now
  Counter stranded_pages;       ///< of these, in huge pages that are not whole
  Counter guest_bytes;          ///< RAM in the memory map, now
};

/// The cumulative ones, by name, for people and metrics.
[[nodiscard]] std::vector<NamedCount> named_counts(const DeviceCounters& counters);

}  // namespace vballoon::datapath

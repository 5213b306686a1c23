// SPDX-License-Identifier: BSD-3-Clause
//
// reclaim/counters.hpp - what one device's reclaim came to. Written by the owner of the data path,
//                        read by anyone.
#pragma once

#include "base/counter.hpp"
#include "base/size_histogram.hpp"

namespace vballoon::reclaim {

/// What was given back on one account, or fetched.
struct Done {
  Counter calls;  ///< system calls, failed ones included
  Counter bytes;
};

struct ReclaimCounters {
  Done inflated;
  Done reported;
  Done prefaulted;
  SizeHistogram holes;       ///< that were punched, on both accounts
  Counter failed_calls;      ///< the kernel said no; the pages stay in the balloon
  Counter failed_prefaults;  ///< no memory; the guest's first touch will have to find some
  Counter retained_bytes;    ///< served and kept: inhibited, a region without holes, or uncovered
  Counter uncovered_bytes;   ///< of these: their pool of huge pages could not have given them back
  Counter gathered_pages;    ///< in the window, now
  Counter kept_pages;  ///< in the balloon now, and the host does not have them: retained or refused
  Counter
      reclaimed_pages;  ///< in the balloon now, and the host has them: Gather::reclaimed_pages()
  Counter in_flight;    ///< batches handed over and not yet back, now
  Counter sink_full;    ///< times that a batch had to wait for room: the back pressure
};

}  // namespace vballoon::reclaim

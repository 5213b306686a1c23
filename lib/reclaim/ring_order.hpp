// SPDX-License-Identifier: BSD-3-Clause
//
// reclaim/ring_order.hpp - tells ThreadSanitizer what rte_ring and rte_mempool guarantee.
//
// On x86 rte_ring orders with compiler barriers and the processor's own rules, which the sanitizer
// cannot see. Outside a TSan build these cost nothing.
#pragma once

#if defined(__SANITIZE_THREAD__)
#define VBALLOON_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define VBALLOON_TSAN 1
#endif
#endif

#ifdef VBALLOON_TSAN
extern "C" {
void __tsan_acquire(void* address);
void __tsan_release(void* address);
}
#endif

namespace vballoon::reclaim {

/// Before a pointer is enqueued, or its memory given back: what was written behind it goes with it.
inline void handing_over([[maybe_unused]] void* parcel) noexcept {
#ifdef VBALLOON_TSAN
  __tsan_release(parcel);
#endif
}

/// After a pointer was dequeued, or its memory got.
inline void taken_over([[maybe_unused]] void* parcel) noexcept {
#ifdef VBALLOON_TSAN
  __tsan_acquire(parcel);
#endif
}

}  // namespace vballoon::reclaim

// SPDX-License-Identifier: BSD-3-Clause
//
// wire/linux_check.cpp - the layouts of this layer are those of Linux's own headers.
#include <cstddef>

// Its other half is C, and no C++.
#define VIRTIO_RING_NO_LEGACY
#include <linux/virtio_balloon.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>

#include "wire/balloon_config.hpp"
#include "wire/features.hpp"
#include "wire/packed_layout.hpp"
#include "wire/split_layout.hpp"
#include "wire/stats.hpp"

namespace vballoon::wire {

static_assert(sizeof(Descriptor) == sizeof(vring_desc) &&
              offsetof(Descriptor, flags) == offsetof(vring_desc, flags) &&
              offsetof(Descriptor, next) == offsetof(vring_desc, next));
static_assert(sizeof(AvailHeader) == sizeof(vring_avail) &&
              offsetof(AvailHeader, idx) == offsetof(vring_avail, idx));
static_assert(sizeof(UsedElement) == sizeof(vring_used_elem) &&
              offsetof(UsedElement, len) == offsetof(vring_used_elem, len));
static_assert(sizeof(UsedHeader) == sizeof(vring_used) &&
              offsetof(UsedHeader, idx) == offsetof(vring_used, idx));
static_assert(kDescNext == VRING_DESC_F_NEXT && kDescWrite == VRING_DESC_F_WRITE &&
              kDescIndirect == VRING_DESC_F_INDIRECT);
static_assert(kAvailNoInterrupt == VRING_AVAIL_F_NO_INTERRUPT &&
              kUsedNoNotify == VRING_USED_F_NO_NOTIFY);

static_assert(kPackedAvail == 1U << VRING_PACKED_DESC_F_AVAIL &&
              kPackedUsed == 1U << VRING_PACKED_DESC_F_USED);
static_assert(kEventsEnable == VRING_PACKED_EVENT_FLAG_ENABLE &&
              kEventsDisable == VRING_PACKED_EVENT_FLAG_DISABLE);
static_assert(sizeof(PackedDescriptor) == sizeof(vring_packed_desc) &&
              offsetof(PackedDescriptor, id) == offsetof(vring_packed_desc, id) &&
              offsetof(PackedDescriptor, flags) == offsetof(vring_packed_desc, flags));
static_assert(sizeof(EventSuppression) == sizeof(vring_packed_desc_event) &&
              offsetof(EventSuppression, flags) == offsetof(vring_packed_desc_event, flags));

static_assert(kNumPagesOffset == offsetof(virtio_balloon_config, num_pages));
static_assert(kActualOffset == offsetof(virtio_balloon_config, actual));
static_assert(kFreePageHintOffset == offsetof(virtio_balloon_config, free_page_hint_cmd_id));
static_assert(kPoisonOffset == offsetof(virtio_balloon_config, poison_val));
static_assert(kConfigBytes == sizeof(virtio_balloon_config));
static_assert(kHintStop == VIRTIO_BALLOON_CMD_ID_STOP && kHintDone == VIRTIO_BALLOON_CMD_ID_DONE);

constexpr unsigned bit(Feature feature) {
  return static_cast<unsigned>(feature);
}
static_assert(bit(Feature::kMustTellHost) == VIRTIO_BALLOON_F_MUST_TELL_HOST &&
              bit(Feature::kStatsVq) == VIRTIO_BALLOON_F_STATS_VQ &&
              bit(Feature::kDeflateOnOom) == VIRTIO_BALLOON_F_DEFLATE_ON_OOM &&
              bit(Feature::kFreePageHint) == VIRTIO_BALLOON_F_FREE_PAGE_HINT &&
              bit(Feature::kPagePoison) == VIRTIO_BALLOON_F_PAGE_POISON &&
              bit(Feature::kReporting) == VIRTIO_BALLOON_F_REPORTING);
static_assert(bit(Feature::kAnyLayout) == VIRTIO_F_ANY_LAYOUT &&
              bit(Feature::kIndirectDesc) == VIRTIO_RING_F_INDIRECT_DESC &&
              bit(Feature::kVersion1) == VIRTIO_F_VERSION_1 &&
              bit(Feature::kRingPacked) == VIRTIO_F_RING_PACKED);
static_assert(kStatEntryBytes == sizeof(virtio_balloon_stat));

}  // namespace vballoon::wire

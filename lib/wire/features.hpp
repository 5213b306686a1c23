// SPDX-License-Identifier: BSD-3-Clause
//
// wire/features.hpp - what the device offers, and the names people know the bits by.
// Pure values.
// Source: VIRTIO 1.2, 5.5.3 (balloon bits) and 6 (transport bits); vhost-user, "Feature bits".
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace vballoon::wire {

inline constexpr std::uint32_t kVirtioDeviceId = 5;

enum class Feature : unsigned {
  kMustTellHost = 0,
  kStatsVq = 1,
  kDeflateOnOom = 2,
  kFreePageHint = 3,
  kPagePoison = 4,
  kReporting = 5,
  kLogAll = 26,     ///< vhost's own: writes to rings are marked in a dirty log
  kAnyLayout = 27,  ///< legacy only; here for its name
  kIndirectDesc = 28,
  kVhostProtocolFeatures = 30,
  kVersion1 = 32,
  kRingPacked = 34,
  kInOrder = 35,
};

/// A set of feature bits as the wire carries them.
class Features {
 public:
  constexpr Features() noexcept = default;
  constexpr explicit Features(std::uint64_t bits) noexcept : bits_(bits) {}

  [[nodiscard]] constexpr std::uint64_t bits() const noexcept { return bits_; }
  [[nodiscard]] constexpr bool has(Feature f) const noexcept { return (bits_ & mask(f)) != 0; }
  [[nodiscard]] constexpr Features with(Feature f) const noexcept {
    return Features(bits_ | mask(f));
  }
  [[nodiscard]] constexpr Features without(Feature f) const noexcept {
    return Features(bits_ & ~mask(f));
  }
  friend constexpr bool operator==(Features, Features) = default;

 private:
  static constexpr std::uint64_t mask(Feature f) noexcept {
    return std::uint64_t{1} << static_cast<unsigned>(f);
  }
  std::uint64_t bits_ = 0;
};

/// What a device offers. STATS_VQ, FREE_PAGE_HINT and REPORTING always together: then the spec's
/// queue numbers and Linux's compacted ones agree (see queue_map.hpp). PAGE_POISON and
/// INDIRECT_DESC only where the operator says so: a driver that clears a bit makes User Mode Linux
/// drop the vhost-user protocol features too, after which it no longer says when it takes its rings
/// away. A guest that poisons its free pages is safe without the first: its driver then gives up
/// REPORTING (5.5.6.7.1). Nothing is gained by the second: Linux's longest chain, a report of 32
/// ranges, fits each ring that its driver accepts, and is alone there; from 6.12.117 on Linux
/// clears the bit. Not ANY_LAYOUT: it speaks of legacy drivers (6.3), which are not served; any
/// framing is right for all others anyhow (2.7.4.1). Not ACCESS_PLATFORM: docs/librte_vhost.md
/// says why.
inline constexpr Features kOffered = Features{}
                                         .with(Feature::kMustTellHost)
                                         .with(Feature::kStatsVq)
                                         .with(Feature::kDeflateOnOom)
                                         .with(Feature::kFreePageHint)
                                         .with(Feature::kReporting)
                                         .with(Feature::kLogAll)
                                         .with(Feature::kVhostProtocolFeatures)
                                         .with(Feature::kVersion1)
                                         .with(Feature::kRingPacked)
                                         .with(Feature::kInOrder);

/// What the device's own bits and its queues mean. The message queue was proposed with bit 2, and
/// is what guests that tell of pressure speak; the specification gave the bit to DEFLATE_ON_OOM.
enum class Dialect : std::uint8_t {
  kStock,     ///< device 5, as the specification has it
  kMessages,  ///< device 5, with bit 2 as the message queue
  kLarge,     ///< device 13, whose bits are those of wire/large_balloon.hpp
};

/// Not FREE_PAGE_HINT nor REPORTING beside the message queue. A stock driver takes bit 2 for
/// DEFLATE_ON_OOM and numbers its rings as if there were no such queue: were it offered these, its
/// ring of hints would stand where messages come. As it is not, it has no ring there at all.
inline constexpr Features kOfferedWithMessages =
    kOffered.without(Feature::kFreePageHint).without(Feature::kReporting);

/// Of the bits above the devices' own: what every dialect offers.
inline constexpr Features kOfferedTransport = kOffered.without(Feature::kMustTellHost)
                                                  .without(Feature::kStatsVq)
                                                  .without(Feature::kDeflateOnOom)
                                                  .without(Feature::kFreePageHint)
                                                  .without(Feature::kReporting);

/// Names as Linux and the spec write them, lowest bit first; unknown bits as "BIT_n".
[[nodiscard]] std::vector<std::string> feature_names(Features features,
                                                     Dialect dialect = Dialect::kStock);

}  // namespace vballoon::wire

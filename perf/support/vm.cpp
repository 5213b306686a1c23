// SPDX-License-Identifier: BSD-3-Clause
#include "support/vm.hpp"

#include <algorithm>
#include <array>
#include <cstring>

#include "support/figures.hpp"

namespace vballoon::perf {
namespace {

/// Where both rings have their index.
std::uint16_t* index_of(std::byte* ring) noexcept {
  return reinterpret_cast<std::uint16_t*>(ring + 2);
}

}  // namespace

Vm::Vm(const MemoryFile& ram, reclaim::ReclaimLimits limits, Ack ack, unsigned roles)
    : arena_(or_give_up(MemoryFile::create(Kind::kSmall, kMiB))),
      path_(std::make_unique<datapath::DataPath>(config_, limits)) {
  const std::array<gmem::RegionSpec, 2> regions{
      gmem::RegionSpec{Gpa{0}, arena_.bytes(), arena_.data(), arena_.fd(), 0},
      gmem::RegionSpec{Gpa{kRamAt}, ram.bytes(), ram.data(), ram.fd(), 0}};
  path_->set_memory(or_give_up(gmem::GuestMemory::create(regions)));
  path_->provide_tables();  // as the daemon does once there is a target
  wire::Features features = wire::kOffered;
  if (ack == Ack::kLate) features = wire::Features(features.bits() & ~std::uint64_t{1});
  path_->set_features(features);
  for (unsigned queue = 0; queue < roles; ++queue) {
    datapath::QueueSetup setup;
    setup.index = queue;
    setup.areas = areas(queue);
    if (!path_->start(static_cast<wire::Role>(queue), setup)) give_up("a queue does not start");
  }
  const wire::Descriptor descriptor{kBufferAt, 0, 0, 0};
  std::memcpy(areas(0).descriptors, &descriptor, sizeof(descriptor));
}

virtq::SplitAreas Vm::areas(unsigned queue) const noexcept {
  std::byte* const base = arena_.data() + queue * kRingStride;
  return {base, base + kAvailAt, base + kUsedAt, kQueueSize};
}

void Vm::write(std::span<const Pfn> pfns) noexcept {
  const auto bytes = static_cast<std::uint32_t>(pfns.size_bytes());
  std::memcpy(arena_.data() + kBufferAt, pfns.data(), bytes);
  std::memcpy(areas(0).descriptors + offsetof(wire::Descriptor, len), &bytes, sizeof(bytes));
}

void Vm::publish() noexcept {
  // The avail ring is all zeroes: each entry names descriptor 0, which is the one there is.
  __atomic_store_n(index_of(areas(0).avail), ++sent_, __ATOMIC_RELEASE);
}

bool Vm::used() const noexcept {
  return __atomic_load_n(index_of(areas(0).used), __ATOMIC_ACQUIRE) == sent_;
}

void Vm::prepare_flood(std::span<const Pfn> pfns) {
  constexpr std::uint32_t kBytes = kPagesPerBuffer * sizeof(Pfn);
  const virtq::SplitAreas ring = areas(0);
  for (std::uint16_t i = 0; i < kQueueSize; ++i) {
    const std::uint64_t at = kBufferAt + i * std::uint64_t{kBytes};
    const wire::Descriptor descriptor{at, kBytes, 0, 0};
    std::memcpy(ring.descriptors + i * sizeof(descriptor), &descriptor, sizeof(descriptor));
    std::memcpy(arena_.data() + at, pfns.subspan(i * kPagesPerBuffer, kPagesPerBuffer).data(),
                kBytes);
    std::memcpy(ring.avail + 4 + i * sizeof(i), &i, sizeof(i));
  }
}

void Vm::flood() noexcept {
  const std::uint16_t back = __atomic_load_n(index_of(areas(0).used), __ATOMIC_ACQUIRE);
  __atomic_store_n(index_of(areas(0).avail), static_cast<std::uint16_t>(back + kQueueSize),
                   __ATOMIC_RELEASE);
}

const std::uint16_t* Vm::avail_index(unsigned queue) const noexcept {
  return index_of(areas(queue).avail);
}

bool Vm::available() const noexcept {
  return __atomic_load_n(index_of(areas(0).avail), __ATOMIC_ACQUIRE) != answered_;
}

void Vm::answer() noexcept {
  __atomic_store_n(index_of(areas(0).used), ++answered_, __ATOMIC_RELEASE);
}

void stream_through(Vm& vm, std::span<const Pfn> pfns) {
  while (!pfns.empty()) {
    const std::size_t count = std::min(pfns.size(), Vm::kPagesPerBuffer);
    vm.send(pfns.first(count));
    do {
      static_cast<void>(vm.path().poll());
    } while (!vm.used());
    pfns = pfns.subspan(count);
  }
  while (vm.path().restless()) static_cast<void>(vm.path().poll());
}

}  // namespace vballoon::perf

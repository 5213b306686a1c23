// SPDX-License-Identifier: BSD-3-Clause
//
// tests/fuzz/virtq_fuzz.cpp - a ring of either layout in memory that the input writes: pop, walk,
//                             return, stop and go on, in any order, while it is written to.
// Source: section 5 of the design, 2 and 5.
#include <sys/mman.h>

#include <bit>
#include <cstring>
#include <deque>
#include <memory>
#include <vector>

#include "base/check.hpp"
#include "fuzz_input.hpp"
#include "gmem/guest_memory.hpp"
#include "virtq/queue.hpp"

namespace vballoon::fuzz {
namespace {

using virtq::Head;

/// Two regions with a hole between them; the ring lies in the first, and so does all that is
/// written.
constexpr std::uint64_t kRegion = 64 * kKiB;
constexpr Gpa kSecond{2 * kRegion};
constexpr std::size_t kDriverArea = 4 * kKiB;
constexpr std::size_t kDeviceArea = 8 * kKiB;
constexpr unsigned kLargest = 64;

class Guest {
 public:
  Guest() : fd_(::memfd_create("fuzz", MFD_CLOEXEC)), bytes_(mapping(fd_.get())) {
    const std::vector<gmem::RegionSpec> specs{
        {Gpa{0}, kRegion, bytes_, fd_.get(), 0},
        {kSecond, kRegion, bytes_ + kRegion, fd_.get(), kRegion}};
    memory_ = gmem::GuestMemory::create(specs).value();
  }
  void clear() const { std::memset(bytes_, 0, 3 * kDeviceArea); }
  [[nodiscard]] std::byte* at(std::size_t offset) const { return bytes_ + offset; }
  [[nodiscard]] const gmem::GuestMemory& memory() const { return *memory_; }

 private:
  static std::byte* mapping(int fd) {
    VB_CHECK(::ftruncate(fd, 2 * kRegion) == 0);
    void* const at = ::mmap(nullptr, 2 * kRegion, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    VB_CHECK(at != MAP_FAILED);
    return static_cast<std::byte*>(at);
  }

  UniqueFd fd_;
  std::byte* bytes_;
  std::shared_ptr<const gmem::GuestMemory> memory_;
};

virtq::QueueAreas areas_of(const Guest& guest, bool packed, unsigned size) {
  std::byte* const driver = guest.at(kDriverArea);
  std::byte* const device = guest.at(kDeviceArea);
  if (packed) return virtq::PackedAreas{guest.at(0), driver, device, size};
  return virtq::SplitAreas{guest.at(0), driver, device, std::bit_floor(size)};
}

class Device {
 public:
  Device(const Guest& guest, virtq::QueueAreas areas, virtq::Queue queue)
      : guest_(guest), areas_(areas), queue_(queue) {}

  void act(Input& input) {
    switch (input.byte() % 4) {
      case 0:
        return write(input);
      case 1:
        return pop(input.byte() % 16U);
      case 2:
        return give_back(input.byte() % 16U);
      default:
        return go_on();
    }
  }

 private:
  void write(Input& input) {
    const std::size_t offset = input.word() % (3 * kDeviceArea - 256);
    const auto bytes = input.bytes(input.byte());
    std::memcpy(guest_.at(offset), bytes.data(), bytes.size());
  }

  void pop(unsigned most) {
    std::vector<Head> heads(most);
    heads.resize(queue_.pop(heads));
    for (const Head head : heads) {
      walk(head);
      held_.push_back(head);
    }
    VB_CHECK(held_.size() <= queue_.size());
  }

  void walk(Head head) const {
    virtq::ChainWalk walk = queue_.walk(head, guest_.memory());
    for (virtq::Segment segment; walk.next(&segment);) {
      VB_CHECK(guest_.memory().contains(segment.range));
    }
    // The ring's own descriptors, and a table's.
    VB_CHECK(walk.hops() <= 2 * queue_.size());
  }

  void give_back(unsigned count) {
    for (; count != 0 && !held_.empty(); --count) {
      queue_.stage(held_.front(), 0);
      held_.pop_front();
    }
    static_cast<void>(queue_.publish());
  }

  /// As after a pause: what is held is taken again.
  void go_on() {
    const auto now = virtq::look_at(areas_, queue_.position(), guest_.memory());
    if (auto again = virtq::Queue::open(areas_, now.position, guest_.memory())) queue_ = *again;
    held_.clear();
  }

  const Guest& guest_;
  const virtq::QueueAreas areas_;
  virtq::Queue queue_;
  std::deque<Head> held_;
};

}  // namespace

void run(Input input) {
  static const Guest guest;
  guest.clear();
  const bool packed = (input.byte() & 1) != 0;
  const auto areas = areas_of(guest, packed, 1 + input.byte() % kLargest);
  const auto now = virtq::look_at(areas, input.word(), guest.memory());
  auto queue = virtq::Queue::open(areas, now.position, guest.memory());
  if (!queue) return;
  Device device(guest, areas, *queue);
  while (!input.empty()) device.act(input);
}

}  // namespace vballoon::fuzz

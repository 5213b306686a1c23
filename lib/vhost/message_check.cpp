// SPDX-License-Identifier: BSD-3-Clause
#include "vhost/message_check.hpp"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>

#include "base/units.hpp"
#include "gmem/backing_check.hpp"
#include "vhost/libc_mappings.hpp"
#include "wire/queue_map.hpp"

namespace vballoon::vhost {
namespace {

enum class About { kProtocol, kDevice };

/// A request of this device, the least length of its payload, and whether it names a ring.
struct Rule {
  Request request;
  About about;
  std::uint32_t payload;
  bool ring;
};
constexpr std::array<Rule, 23> kRules{{
    {Request::kGetFeatures, About::kProtocol, 0, false},
    {Request::kSetFeatures, About::kDevice, 8, false},
    {Request::kSetOwner, About::kProtocol, 0, false},
    {Request::kResetOwner, About::kDevice, 0, false},
    {Request::kSetMemTable, About::kDevice, 8, false},
    {Request::kSetLogBase, About::kDevice, 16, false},
    {Request::kSetLogFd, About::kProtocol, 0, false},
    {Request::kSetVringNum, About::kDevice, 8, true},
    {Request::kSetVringAddr, About::kDevice, 40, true},
    {Request::kSetVringBase, About::kDevice, 8, true},
    {Request::kGetVringBase, About::kDevice, 8, true},
    {Request::kSetVringKick, About::kProtocol, 8, true},
    {Request::kSetVringCall, About::kProtocol, 8, true},
    {Request::kSetVringErr, About::kProtocol, 8, true},
    {Request::kGetProtocolFeatures, About::kProtocol, 0, false},
    {Request::kSetProtocolFeatures, About::kProtocol, 8, false},
    {Request::kGetQueueNum, About::kDevice, 0, false},
    {Request::kSetVringEnable, About::kProtocol, 8, true},
    {Request::kSetBackendReqFd, About::kDevice, 0, false},
    {Request::kGetConfig, About::kDevice, 0, false},  // a malformed one gets an empty reply
    {Request::kSetConfig, About::kDevice, 0, false},
    {Request::kGetInflightFd, About::kDevice, wire::kInflightBytes, false},
    {Request::kSetInflightFd, About::kDevice, wire::kInflightBytes, false},
}};

const Rule* find_rule(Request request) noexcept {
  const auto found = std::find_if(kRules.begin(), kRules.end(),
                                  [request](const Rule& rule) { return rule.request == request; });
  return found == kRules.end() ? nullptr : &*found;
}

template <typename... Args>
tl::unexpected<Status> refuse(fmt::format_string<Args...> format, Args&&... args) {
  return fail(Code::kInvalidArgument, fmt::format(format, std::forward<Args>(args)...));
}

bool wraps(std::uint64_t first, std::uint64_t bytes) noexcept {
  return first + bytes < first;
}

bool overlap(const wire::MemoryRegion& a, const wire::MemoryRegion& b) noexcept {
  return a.guest_address < b.guest_address + b.size && b.guest_address < a.guest_address + a.size;
}

Result<void> check_region(const wire::MemoryRegion& region, int fd) {
  if (region.size == 0) return refuse("a memory region of no bytes");
  if (wraps(region.guest_address, region.size) || wraps(region.user_address, region.size) ||
      wraps(region.mmap_offset, region.size)) {
    return refuse("a memory region of {:#x} bytes at {:#x} that wraps around", region.size,
                  region.guest_address);
  }
  // A page of which the guest has only a part can neither be named nor given back. The front end's
  // address must be aligned as well, because it stands for the guest's address.
  if (((region.guest_address | region.size | region.user_address | region.mmap_offset) %
       kPageSize) != 0) {
    return refuse(
        "a memory region of {:#x} bytes at {:#x} ({:#x} in its VMM, {:#x} in its file) that is not "
        "of whole pages of 4 KiB",
        region.size, region.guest_address, region.user_address, region.mmap_offset);
  }
  if (auto backed = gmem::check_backing(fd); !backed) return backed;
  struct stat file {};
  if (::fstat(fd, &file) != 0) return refuse("a memory region without a file");
  // A device file has no length.
  const auto length = static_cast<std::uint64_t>(file.st_size);
  if (S_ISREG(file.st_mode) && region.mmap_offset + region.size > length) {
    return refuse("memory beyond the end of the file behind it");
  }
  return {};
}

Result<void> check_memory_table(const Message& message) {
  const std::size_t count = message.region_count();
  if (count != message.fd_count()) {
    return refuse("a memory table of {} regions with {} file descriptors", count,
                  message.fd_count());
  }
  if (message.size() < sizeof(wire::MemoryHeader) + count * sizeof(wire::MemoryRegion)) {
    return refuse("a memory table of {} regions in {} bytes", count, message.size());
  }
  for (std::size_t i = 0; i < count; ++i) {
    const wire::MemoryRegion region = message.region(i);
    if (auto ok = check_region(region, message.fd(i)); !ok) return ok;
    for (std::size_t j = 0; j < i; ++j) {
      if (overlap(region, message.region(j))) {
        return refuse("memory regions that overlap at {:#x}", region.guest_address);
      }
    }
  }
  return {};
}

/// SET_VRING_KICK, _CALL and _ERR have the ring's index in the low byte, and a flag above it.
std::uint32_t ring_of(const Message& message) noexcept {
  switch (message.request()) {
    case Request::kSetVringKick:
    case Request::kSetVringCall:
    case Request::kSetVringErr:
      return message.ring_index() & 0xFF;
    default:
      return message.ring_index();
  }
}

}  // namespace

bool concerns_device(Request request) noexcept {
  const Rule* rule = find_rule(request);
  return rule == nullptr || rule->about == About::kDevice;
}

Result<void> check_mappings(const Message& message) {
  for (std::size_t i = 0; i < message.region_count(); ++i) {
    const wire::MemoryRegion region = message.region(i);
    if (can_be_mapped(message.fd(i), region.mmap_offset + region.size)) continue;
    return refuse("a memory region of {:#x} bytes that cannot be mapped for writing", region.size);
  }
  return {};
}

Result<void> check_message(const Message& message) {
  const auto number = static_cast<std::uint32_t>(message.request());
  const Rule* rule = find_rule(message.request());
  if (rule == nullptr) return refuse("vhost-user message {}, which is not of this device", number);
  if (message.size() < rule->payload) {
    return refuse("vhost-user message {} with {} bytes instead of {}", number, message.size(),
                  rule->payload);
  }
  if (rule->ring && ring_of(message) >= wire::kQueues) {
    return refuse("ring {} of a device that has {}", ring_of(message), wire::kQueues);
  }
  if (rule->request == Request::kSetMemTable) return check_memory_table(message);
  return {};
}

}  // namespace vballoon::vhost

// SPDX-License-Identifier: BSD-3-Clause
#include "gmem/lost_memory.hpp"

#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <mutex>

namespace vballoon::gmem {
namespace {

/// Where guest memory is mapped, for a signal handler: no locks, no allocation.
struct Slot {
  std::atomic<std::uintptr_t> begin{0};
  std::atomic<std::uintptr_t> end{0};  // 0: free. Stored last (release), read first (acquire)
  std::atomic<std::uintptr_t> page{0};
  std::atomic<std::atomic<bool>*> lost{nullptr};  // of the watch; set by the handler
};
/// librte_vhost has 1024 connections of at most 8 regions, a dirty log and a state file each.
constexpr std::size_t kSlots = 1024 * 10;
std::array<Slot, kSlots> slots;
std::mutex slots_mutex;  // for writing slots; the handler only reads them
static_assert(std::atomic<std::uintptr_t>::is_always_lock_free);
static_assert(std::atomic<bool>::is_always_lock_free);

Slot* find_slot(std::uintptr_t address) noexcept {
  for (Slot& slot : slots) {
    const std::uintptr_t end = slot.end.load(std::memory_order_acquire);
    if (address < end && address >= slot.begin.load(std::memory_order_relaxed)) return &slot;
  }
  return nullptr;
}

/// @return false where this was no guest's memory, or the kernel has no memory either.
bool put_zeroes(std::uintptr_t address) noexcept {
  Slot* slot = find_slot(address);
  if (slot == nullptr) return false;
  const std::uintptr_t page = slot->page.load(std::memory_order_relaxed);
  // A system call that is not on the list of signal-safe(7), but nothing of libc is involved in it.
  void* const zeroes =
      ::mmap(reinterpret_cast<void*>(address & ~(page - 1)), page, PROT_READ | PROT_WRITE,
             MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1, 0);
  if (zeroes == MAP_FAILED) return false;
  slot->lost.load(std::memory_order_relaxed)->store(true, std::memory_order_relaxed);
  return true;
}

/// What SIGBUS did before it came here.
struct sigaction before;

void on_bus_error(int signal, siginfo_t* info, void*) {
  const int error = errno;
  const bool mended =
      info->si_code == BUS_ADRERR && put_zeroes(reinterpret_cast<std::uintptr_t>(info->si_addr));
  errno = error;
  if (mended) return;
  // As if we had never been here: the access faults again on return, or the sender's signal is
  // raised again, and is whoever's it was before.
  ::sigaction(signal, &before, nullptr);
  if (info->si_code <= 0) ::raise(signal);
}

}  // namespace

void survive_lost_memory() {
  static std::once_flag once;
  std::call_once(once, [] {
    struct sigaction ours {};
    ours.sa_sigaction = on_bus_error;
    ours.sa_flags = SA_SIGINFO | SA_RESTART;
    ::sigaction(SIGBUS, &ours, &before);
  });
}

Result<void> MemoryWatch::watch(const GuestMemory& memory) {
  clear();
  for (const Region& region : memory.regions()) {
    auto added = add({region.host, region.bytes}, region.backing.host_page);
    if (!added) return added;
  }
  return {};
}

Result<void> MemoryWatch::watch(std::span<std::byte> shared) {
  clear();
  return add(shared, kPageSize);
}

Result<void> MemoryWatch::add(std::span<std::byte> shared, std::uint64_t page) {
  const std::scoped_lock lock(slots_mutex);
  const auto free = std::find_if(slots.begin(), slots.end(), [](const Slot& slot) {
    return slot.end.load(std::memory_order_relaxed) == 0;
  });
  if (free == slots.end()) return fail(Code::kHost, "there are too many regions of guest memory");
  const auto begin = reinterpret_cast<std::uintptr_t>(shared.data());
  free->begin.store(begin, std::memory_order_relaxed);
  free->page.store(page, std::memory_order_relaxed);
  free->lost.store(&lost_, std::memory_order_relaxed);
  // Release: a handler that sees the end sees the rest; its acquire is in find_slot().
  free->end.store(begin + shared.size(), std::memory_order_release);
  slots_.push_back(static_cast<std::size_t>(free - slots.begin()));
  return {};
}

void MemoryWatch::clear() noexcept {
  const std::scoped_lock lock(slots_mutex);
  for (const std::size_t at : slots_) slots[at].end.store(0, std::memory_order_release);
  slots_.clear();
  lost_.store(false, std::memory_order_relaxed);
}

}  // namespace vballoon::gmem

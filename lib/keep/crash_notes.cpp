// SPDX-License-Identifier: BSD-3-Clause
#include "keep/crash_notes.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <mutex>

#include "base/in_hand.hpp"
#include "keep/boot_clock.hpp"

namespace vballoon::keep {
namespace {

/// For a signal handler: no locks, no allocation.
struct Entry {
  std::atomic<const void*> whose{nullptr};  // null: free. Stored last (release), read first
  std::atomic<CrashPage*> page{nullptr};
};
/// A device is known by itself, by its rings and by its batches.
std::array<Entry, 3 * CrashBook::kPages> entries;
std::mutex entries_mutex;  // for writing; the handler only reads

CrashPage* page_of(const void* whose) noexcept {
  if (whose == nullptr) return nullptr;
  for (const Entry& entry : entries) {
    if (entry.whose.load(std::memory_order_acquire) == whose) {
      return entry.page.load(std::memory_order_relaxed);
    }
  }
  return nullptr;
}

constexpr std::array<int, 5> kCrashes{SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT};
/// What these signals did before.
std::array<struct sigaction, kCrashes.size()> before;

/// The watchdog of the service manager ends the whole process, on whatever thread, because another
/// thread does not come back.
bool is_watchdog(int signal, const siginfo_t& info) noexcept {
  return signal == SIGABRT && info.si_code <= 0 && info.si_pid != ::getpid();
}

void on_crash(int signal, siginfo_t* info, void*) {
  const int error = errno;
  const void* const whose = is_watchdog(signal, *info) ? InHand::suspected() : InHand::now();
  if (CrashPage* const page = page_of(whose)) page->note(boot_ms());
  const auto* const which = std::find(kCrashes.begin(), kCrashes.end(), signal);
  ::sigaction(signal, &before[static_cast<std::size_t>(which - kCrashes.begin())], nullptr);
  errno = error;
  // A fault happens again on return. A signal that was sent does not come again by itself.
  if (info->si_code <= 0) ::raise(signal);
}

}  // namespace

void note_crashes() {
  static std::once_flag once;
  std::call_once(once, [] {
    struct sigaction ours {};
    ours.sa_sigaction = on_crash;
    ours.sa_flags = SA_SIGINFO;
    for (std::size_t i = 0; i < kCrashes.size(); ++i) {
      ::sigaction(kCrashes[i], &ours, &before[i]);
    }
  });
}

bool answer_for(const void* whose, CrashPage& page) noexcept {
  const std::scoped_lock lock(entries_mutex);
  auto* const free = std::find_if(entries.begin(), entries.end(), [](const Entry& entry) {
    return entry.whose.load(std::memory_order_relaxed) == nullptr;
  });
  if (free == entries.end()) return false;
  free->page.store(&page, std::memory_order_relaxed);
  free->whose.store(whose, std::memory_order_release);
  return true;
}

void stop_answering(const CrashPage& page) noexcept {
  const std::scoped_lock lock(entries_mutex);
  for (Entry& entry : entries) {
    if (entry.page.load(std::memory_order_relaxed) != &page) continue;
    entry.whose.store(nullptr, std::memory_order_release);
    entry.page.store(nullptr, std::memory_order_relaxed);
  }
}

}  // namespace vballoon::keep

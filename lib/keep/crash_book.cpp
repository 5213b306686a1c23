// SPDX-License-Identifier: BSD-3-Clause
#include "keep/crash_book.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <new>
#include <utility>

#include "base/check.hpp"

namespace vballoon::keep {
namespace {

constexpr std::uint64_t kMagic = 0x316b6f4272437656;  // "VvCrBok1"
constexpr int kSeals = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW;

struct Head {
  std::uint64_t magic = kMagic;
  std::uint32_t pages = CrashBook::kPages;
  std::uint32_t page_bytes = sizeof(CrashPage);
};

constexpr std::size_t kHeadBytes = 128;
constexpr std::size_t kBytes = kHeadBytes + CrashBook::kPages * sizeof(CrashPage);
static_assert(sizeof(Head) <= kHeadBytes);

std::byte* map(int fd) noexcept {
  void* const at = ::mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  return at == MAP_FAILED ? nullptr : static_cast<std::byte*>(at);
}

tl::unexpected<Status> no_book() {
  return fail(Code::kHost, fmt::format("no memory that outlives the daemon, for its crashes: {}",
                                       std::strerror(errno)));
}

/// Of this length for good: a store in a signal handler must not fail.
bool is_as_long(int fd) noexcept {
  struct stat info {};
  return (::fcntl(fd, F_GET_SEALS) & kSeals) == kSeals && ::fstat(fd, &info) == 0 &&
         info.st_size == static_cast<off_t>(kBytes);
}

bool is_book(const std::byte* memory) noexcept {
  Head head;
  std::memcpy(&head, memory, sizeof(head));
  return head.magic == kMagic && head.pages == CrashBook::kPages &&
         head.page_bytes == sizeof(CrashPage);
}

}  // namespace

std::string_view CrashPage::name() const noexcept {
  const auto* const end = std::find(name_.begin(), name_.end(), '\0');
  return {name_.data(), static_cast<std::size_t>(end - name_.begin())};
}

void CrashPage::begin(std::string_view name) noexcept {
  VB_CHECK(name.size() <= kLongestName);
  forget_crashes();
  verdict_.store(0);
  name_.fill('\0');
  std::copy(name.begin(), name.end(), name_.begin());
}

void CrashPage::note(std::uint64_t at_ms) noexcept {
  at_ms_[next_.fetch_add(1) % kCrashes].store(at_ms);
  news_.store(1);
}

unsigned CrashPage::crashes(std::uint64_t now_ms) const noexcept {
  std::array<std::uint64_t, kCrashes> times{};
  std::uint64_t newest = 0;
  for (std::size_t i = 0; i < kCrashes; ++i) {
    times[i] = at_ms_[i].load();
    if (times[i] > now_ms) times[i] = 0;
    newest = std::max(newest, times[i]);
  }
  return static_cast<unsigned>(std::count_if(times.begin(), times.end(), [&](std::uint64_t at) {
    return at != 0 && newest - at <= kWindowMs;
  }));
}

void CrashPage::forget_crashes() noexcept {
  for (auto& at : at_ms_) at.store(0);
  next_.store(0);
  news_.store(0);
}

CrashBook::CrashBook(CrashBook&& other) noexcept
    : fd_(std::move(other.fd_)), memory_(std::exchange(other.memory_, nullptr)) {}

CrashBook::~CrashBook() {
  if (memory_ != nullptr) ::munmap(memory_, kBytes);
}

Result<CrashBook> CrashBook::make() {
  UniqueFd fd(::memfd_create("vballoon-crashes", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!fd.valid() || ::ftruncate(fd.get(), kBytes) != 0) return no_book();
  if (::fcntl(fd.get(), F_ADD_SEALS, kSeals) != 0) return no_book();
  std::byte* const memory = map(fd.get());
  if (memory == nullptr) return no_book();
  const Head head;
  std::memcpy(memory, &head, sizeof(head));
  return CrashBook(std::move(fd), memory);
}

Result<CrashBook> CrashBook::adopt(UniqueFd fd) {
  const auto refused = fail(Code::kInvalidArgument,
                            "what is kept of the daemon's crashes is not of this daemon's form; "
                            "they are forgotten");
  if (!is_as_long(fd.get())) return refused;
  std::byte* const memory = map(fd.get());
  if (memory == nullptr) return no_book();
  CrashBook book(std::move(fd), memory);
  if (!is_book(memory)) return refused;
  return book;
}

std::span<CrashPage> CrashBook::pages() const noexcept {
  return {std::launder(reinterpret_cast<CrashPage*>(memory_ + kHeadBytes)), kPages};
}

CrashPage* CrashBook::page_of(std::string_view name) noexcept {
  if (name.empty() || name.size() > CrashPage::kLongestName) return nullptr;
  CrashPage* free = nullptr;
  for (CrashPage& page : pages()) {
    if (page.name() == name) return &page;
    if (free == nullptr && page.name().empty()) free = &page;
  }
  if (free != nullptr) free->begin(name);
  return free;
}

void CrashBook::keep_only(const std::function<bool(std::string_view)>& is_there) {
  for (CrashPage& page : pages()) {
    if (!page.name().empty() && !is_there(page.name())) page.begin({});
  }
}

}  // namespace vballoon::keep

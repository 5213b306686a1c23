// SPDX-License-Identifier: BSD-3-Clause
#include "vm/state/file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>

#include "reclaim/leaving.hpp"

namespace vballoon::vm {
namespace {

constexpr mode_t kFileMode = 0600;
constexpr std::uint64_t kWordBits = 64;
/// The bytes of each file that are provided in advance. Only a guest above 128 GiB has more words.
constexpr std::size_t kReserved = kHeaderBytes + 4 * kMiB;

std::size_t words_for(std::uint64_t pages) noexcept {
  return static_cast<std::size_t>((pages + kWordBits - 1) / kWordBits);
}

/// Where the parts of a file lie, in bytes.
struct Layout {
  std::size_t ledger = kHeaderBytes;
  std::size_t table = 0;    // bytes of the ledger's words, and of the marks
  std::size_t marks = 0;    // 0: there are none
  std::size_t leaving = 0;  // likewise
  std::size_t end = 0;
};

Layout layout_for(std::uint64_t pages, std::uint32_t page_sizes) noexcept {
  Layout layout;
  layout.table = words_for(pages) * sizeof(std::uint64_t);
  layout.end = layout.ledger + layout.table;
  if (page_sizes == 0 || pages == 0) return layout;
  const auto next_page = [](std::size_t at) {
    return (at + kPageSize - 1) / kPageSize * kPageSize;
  };
  if (!std::has_single_bit(page_sizes)) {
    layout.marks = next_page(layout.end);
    layout.end = layout.marks + layout.table;
  }
  layout.leaving = next_page(layout.end);
  layout.end = layout.leaving + reclaim::Leaving::kWords * sizeof(std::uint64_t);
  return layout;
}

Layout layout_of(const Header& header) noexcept {
  return layout_for(header.fixed.pages, header.page_sizes);
}

/// FNV-1a. The sum protects against accidents. An attacker cannot write to this folder.
std::uint64_t sum_of(const Fixed& fixed) noexcept {
  std::uint64_t sum = 0xcbf29ce484222325;
  const auto* const bytes = reinterpret_cast<const unsigned char*>(&fixed);
  for (std::size_t i = 0; i < sizeof(fixed); ++i) sum = (sum ^ bytes[i]) * 0x100000001b3;
  return sum;
}

std::array<char, kBootBytes> boot_record(const std::string& boot) noexcept {
  std::array<char, kBootBytes> record{};
  boot.copy(record.data(), record.size());
  return record;
}

/// Whether some guest's memory can have these regions and pages.
bool plausible(const Fixed& fixed) noexcept {
  if (fixed.regions > kMaxRegions) return false;
  std::uint64_t pages = 0;
  for (std::size_t i = 0; i < fixed.regions; ++i) pages += bytes_to_pages(fixed.region[i].bytes);
  return pages == fixed.pages;
}

bool plausible(const Header& header) noexcept {
  const auto is_flag = [](std::uint32_t value) { return value <= 1; };
  return is_flag(header.target_set) && is_flag(header.inhibited) && is_flag(header.served) &&
         is_flag(header.complete) && is_flag(header.target_forced) &&
         is_flag(header.actual_unknown) && header.target_share <= kMostShare &&
         header.automatic <= (kSaid | kSaidOn | kConfiguredOn) &&
         (header.served == 0 || header.features_check == ~header.features) &&
         std::all_of(header.ring.begin(), header.ring.end(),
                     [](const RingRecord& ring) { return ring.layout <= kPackedRing; });
}

tl::unexpected<Status> no(const char* why) {
  return fail(Code::kInvalidArgument, why);
}

/// Sets a bit in `touched` for every 4 KiB of this part that the file has data in.
void note_data(int fd, std::size_t begin, std::size_t bytes, std::vector<std::uint64_t>* touched) {
  const auto end = static_cast<off_t>(begin + bytes);
  auto at = static_cast<off_t>(begin);
  while (at < end) {
    const off_t data = ::lseek(fd, at, SEEK_DATA);
    if ((data < 0 && errno == ENXIO) || data >= end) return;
    off_t hole = data < 0 ? end : ::lseek(fd, data, SEEK_HOLE);
    if (hole < 0) hole = end;
    const std::uint64_t first =
        (static_cast<std::uint64_t>(std::max(at, data)) - begin) / kPageSize;
    const std::uint64_t last =
        (static_cast<std::uint64_t>(std::min(hole, end)) - begin + kPageSize - 1) / kPageSize;
    for (std::uint64_t page = first; page < last; ++page) {
      (*touched)[page / kWordBits] |= std::uint64_t{1} << (page % kWordBits);
    }
    at = std::max(hole, at + 1);
  }
}

}  // namespace

DeviceState::File::File(void* at, std::size_t bytes) : at_(at), bytes_(bytes) {}

DeviceState::File::~File() {
  watch_.clear();
  ::munmap(at_, bytes_);
}

Result<std::unique_ptr<DeviceState::File>> DeviceState::File::map(int fd, std::size_t bytes) {
  void* const at = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (at == MAP_FAILED) return fail(Code::kHost, std::strerror(errno));
  auto file = std::unique_ptr<File>(new File(at, bytes));
  if (bytes <= kReserved) return file;
  const std::span all(static_cast<std::byte*>(at), bytes);
  if (auto watched = file->watch_.watch(all.subspan(kReserved)); !watched) {
    return tl::unexpected(watched.error());
  }
  return file;
}

/// For a file of which nothing was written.
void DeviceState::File::make_touched() {
  const Layout layout = layout_of(header());
  const std::size_t marks = words_for((layout.table + kPageSize - 1) / kPageSize);
  touched_.assign(marks, 0);
  marks_touched_.assign(layout.marks != 0 ? marks : 0, 0);
}

/// Notes where the file has data. A file system without SEEK_DATA counts as having data everywhere.
void DeviceState::File::find_touched(int fd) {
  const Layout layout = layout_of(header());
  make_touched();
  note_data(fd, layout.ledger, layout.table, &touched_);
  if (layout.marks != 0) note_data(fd, layout.marks, layout.table, &marks_touched_);
}

Result<std::unique_ptr<DeviceState::File>> DeviceState::File::load(const Folder& folder,
                                                                   const std::string& name) {
  const UniqueFd fd(
      ::openat(folder.fd(), name.c_str(), O_RDWR | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK));
  if (!fd.valid()) {
    return fail(errno == ENOENT ? Code::kNotFound : Code::kHost, std::strerror(errno));
  }
  struct stat file {};
  if (::fstat(fd.get(), &file) != 0) return fail(Code::kHost, std::strerror(errno));
  if (!S_ISREG(file.st_mode) || file.st_uid != ::geteuid() || (file.st_mode & 077) != 0) {
    return no("it is not a file of the daemon's alone");
  }
  const auto bytes = static_cast<std::size_t>(file.st_size);
  if (bytes < kHeaderBytes) return no("it is too short");
  auto mapped = map(fd.get(), bytes);
  if (!mapped) return mapped;
  if (auto good = (*mapped)->check(fd.get(), folder); !good) return tl::unexpected(good.error());
  (*mapped)->find_touched(fd.get());
  return mapped;
}

Result<void> DeviceState::File::check(int fd, const Folder& folder) const {
  const Header& header = this->header();
  const Fixed& fixed = header.fixed;
  if (fixed.magic != kMagic) return no("it is no state file");
  if (fixed.version != kVersion || fixed.header_bytes != kHeaderBytes) {
    return no("it is of another version");
  }
  if (header.fixed_sum != sum_of(fixed)) return no("it is damaged");
  if (folder.boot().empty() || fixed.boot != boot_record(folder.boot())) {
    return no("it is of another boot of this host");
  }
  if (!plausible(fixed) || !plausible(header) || bytes_ != layout_of(header).end) {
    return no("it is damaged");
  }
  if (!ends_well(fd)) return no("it is damaged");
  return {};
}

/// Whether no bit is set after the last page's. Reads by pread(), because a read through the
/// mapping would allocate a page.
bool DeviceState::File::ends_well(int fd) const noexcept {
  const std::uint64_t rest = header().fixed.pages % kWordBits;
  const Layout layout = layout_of(header());
  std::uint64_t last = 0;
  const auto at = static_cast<off_t>(layout.ledger + layout.table - sizeof(last));
  return rest == 0 || (::pread(fd, &last, sizeof(last), at) == sizeof(last) && (last >> rest) == 0);
}

Result<std::unique_ptr<DeviceState::File>> DeviceState::File::make(
    const Folder& folder, const std::string& name, const std::vector<RegionRecord>& regions,
    std::uint32_t page_sizes) {
  Fixed fixed;
  fixed.boot = boot_record(folder.boot());
  fixed.regions = regions.size();
  std::copy(regions.begin(), regions.end(), fixed.region.begin());
  for (const RegionRecord& region : regions) fixed.pages += bytes_to_pages(region.bytes);
  const std::size_t bytes = layout_for(fixed.pages, page_sizes).end;
  ::unlinkat(folder.fd(), name.c_str(), 0);
  const UniqueFd fd(::openat(folder.fd(), name.c_str(),
                             O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, kFileMode));
  if (!fd.valid()) return fail(Code::kHost, std::strerror(errno));
  // A store to a page for which the file system has no room would end the daemon (SIGBUS).
  const auto reserved = static_cast<off_t>(std::min(bytes, kReserved));
  int why = ::posix_fallocate(fd.get(), 0, reserved);
  if (why == 0 && ::ftruncate(fd.get(), static_cast<off_t>(bytes)) != 0) why = errno;
  if (why != 0) {
    ::unlinkat(folder.fd(), name.c_str(), 0);
    return fail(Code::kHost, std::strerror(why));
  }
  auto file = map(fd.get(), bytes);
  if (!file) return file;
  Header& header = (*file)->header();
  header.fixed = fixed;
  header.fixed_sum = sum_of(fixed);
  header.page_sizes = page_sizes;
  (*file)->make_touched();
  return file;
}

std::span<std::uint64_t> DeviceState::File::words_at(std::size_t offset,
                                                     std::size_t count) noexcept {
  auto* const first = static_cast<std::byte*>(at_) + offset;
  return {static_cast<std::uint64_t*>(static_cast<void*>(first)), count};
}

DeviceState::Room DeviceState::File::room(bool filled) noexcept {
  const Layout layout = layout_of(header());
  const std::size_t count = layout.table / sizeof(std::uint64_t);
  Room room{words_at(layout.ledger, count), touched_, filled};
  if (layout.marks != 0) {
    room.marks = words_at(layout.marks, count);
    room.marks_touched = marks_touched_;
  }
  if (layout.leaving != 0) room.leaving = words_at(layout.leaving, reclaim::Leaving::kWords);
  return room;
}

bool DeviceState::File::is_of(const std::vector<RegionRecord>& regions) const noexcept {
  const Fixed& fixed = header().fixed;
  return fixed.regions == regions.size() &&
         std::equal(regions.begin(), regions.end(), fixed.region.begin());
}

}  // namespace vballoon::vm

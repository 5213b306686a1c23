// SPDX-License-Identifier: BSD-3-Clause
#include "vm/state/device_state.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <tuple>
#include <utility>

#include "base/check.hpp"
#include "base/log.hpp"
#include "vm/state/file.hpp"

namespace vballoon::vm {
namespace {

// No device name begins with a dot, so neither file name is another device's.
std::string file_name(const std::string& device) {
  return device + ".state";
}
std::string new_name(const std::string& device) {
  return "." + device + ".new";
}

std::string elder_name(const std::string& device) {
  return "." + device + ".old";
}

std::uint64_t inode_at(const Folder& folder, const std::string& name) noexcept {
  struct stat file {};
  const bool there = ::fstatat(folder.fd(), name.c_str(), &file, AT_SYMLINK_NOFOLLOW) == 0;
  return there ? file.st_ino : 0;
}

/// Stores a field at once and in program order: this process may be killed at any instant, and the
/// next daemon reads the file.
template <typename T>
void put(T& field, T value) noexcept {
  __atomic_store_n(&field, value, __ATOMIC_RELEASE);
  std::atomic_signal_fence(std::memory_order_seq_cst);
}

/// @return nothing where a region is in no file: such memory cannot be recognized later.
std::optional<std::vector<RegionRecord>> regions_of(const gmem::GuestMemory& memory) {
  std::vector<RegionRecord> records;
  for (const gmem::Region& region : memory.regions()) {
    struct stat file {};
    if (::fstat(region.fd.get(), &file) != 0) return std::nullopt;
    records.push_back(
        {region.first.value, region.bytes, region.file_offset, file.st_dev, file.st_ino});
  }
  if (records.size() > kMaxRegions) return std::nullopt;
  return records;
}

}  // namespace

DeviceState::DeviceState(const Folder* folder, std::string name, std::uint32_t page_sizes)
    : folder_(folder), name_(std::move(name)), page_sizes_(page_sizes) {
  if (folder_ == nullptr) return;
  VB_CHECK(!name_.empty() && name_.front() != '.' && name_.find('/') == std::string::npos);
  file_ = load();
  named_ = file_ != nullptr;
  note_name();
  load_wishes();
  if (!named_) keep();
}

DeviceState::~DeviceState() = default;

std::unique_ptr<DeviceState::File> DeviceState::load() const {
  auto file = File::load(*folder_, file_name(name_));
  if (file) return *std::move(file);
  if (file.error().code != Code::kNotFound) {
    log::warn("{}: what was kept of it in {}/{} is not used: {}", name_, folder_->path(),
              file_name(name_), file.error().message);
  }
  return nullptr;
}

std::unique_ptr<DeviceState::File> DeviceState::make(const gmem::GuestMemory* memory) {
  const auto regions = memory != nullptr ? regions_of(*memory) : std::vector<RegionRecord>{};
  if (!regions) return nullptr;
  auto file = File::make(*folder_, new_name(name_), *regions, page_sizes_);
  if (file) return *std::move(file);
  fail_to("write into", file.error().message);
  return nullptr;
}

/// Logs the failure once, until a file is named again: a VMM may bring new memory as often as it
/// likes.
void DeviceState::fail_to(std::string_view what, std::string_view why) {
  why_not_ = fmt::format("cannot {} {}: {}", what, folder_->path(), why);
  if (std::exchange(told_, true)) return;
  log::warn("{}: {} outlive the daemon: {}; it is tried again", name_,
            kept() ? "its balloon will not" : "nothing of it will", why_not_);
}

DeviceState::Room DeviceState::room_for(const gmem::GuestMemory& memory) {
  if (folder_ == nullptr) return {};
  const auto regions = regions_of(memory);
  const bool same_kind = file_ != nullptr && file_->header().page_sizes == page_sizes_;
  if (same_kind && !lost() && regions && file_->is_of(*regions)) return file_->room(true);
  next_ = make(&memory);
  if (next_ != nullptr) return next_->room(false);
  // The next daemon would take the present state for this guest's.
  forget();
  give_up_ = true;
  return {};
}

/// The new file gets the operator's wishes. After a crash before it has its name, the old file is
/// still whole. Where there is no new file, or no name for it, the old file goes on to have the
/// wishes.
void DeviceState::commit(bool same_guest) {
  if (!std::exchange(give_up_, false) && next_ == nullptr) return;
  if (next_ != nullptr && file_ != nullptr && same_guest) {
    Header& header = next_->header();
    const auto mine = std::tuple(header.fixed, header.fixed_sum, header.page_sizes);
    header = file_->header();
    std::tie(header.fixed, header.fixed_sum, header.page_sizes) = mine;
  }
  if (std::exchange(named_, false)) elder_ = std::move(file_);
  file_ = std::move(next_);
  if (file_ == nullptr) return;
  put_wishes(wishes_, file_.get());
  give_name();
}

void DeviceState::release() {
  if (held_ || file_ == nullptr || file_->header().served != 0 ||
      file_->header().fixed.regions == 0)
    return;
  next_ = make(nullptr);
  commit(false);
}

/// Gives the file that make() made last the name that the next daemon reads.
/// @return  whether that succeeded.
bool DeviceState::rename() {
  const int folder = folder_->fd();
  if (keeps_elder_) {
    drop_elder();
    has_elder_ =
        ::linkat(folder, file_name(name_).c_str(), folder, elder_name(name_).c_str(), 0) == 0;
  }
  if (::renameat(folder, new_name(name_).c_str(), folder, file_name(name_).c_str()) != 0) {
    fail_to("replace a file in", std::strerror(errno));
    return false;
  }
  note_name();
  told_ = false;
  why_not_.clear();
  return true;
}

/// @pre  file_ has no name.
void DeviceState::give_name() {
  if (rename()) {
    named_ = true;
    elder_.reset();
  } else {
    // The file that still has the name is out of date, and must not count at the next start.
    forget(elder_.get());
  }
}

/// If the name of file_ was removed, file_ gets no new name, but the wishes get another file.
void DeviceState::keep() {
  if (!unfinished()) return;
  struct stat ignored {};
  const bool waits = file_ != nullptr && ::fstatat(folder_->fd(), new_name(name_).c_str(), &ignored,
                                                   AT_SYMLINK_NOFOLLOW) == 0;
  if (waits) return give_name();
  if (kept()) return;
  auto made = make(nullptr);
  if (made == nullptr) return;
  put_wishes(wishes_, made.get());
  if (rename()) elder_ = std::move(made);
}

void DeviceState::note_name() noexcept {
  inode_ = inode_at(*folder_, file_name(name_));
}

void DeviceState::drop_elder() noexcept {
  if (!std::exchange(has_elder_, false)) return;
  ::unlinkat(folder_->fd(), elder_name(name_).c_str(), 0);
}

bool DeviceState::choose_file(const Folder& folder, const std::string& name,
                              std::uint64_t inode) noexcept {
  const std::string elder = elder_name(name);
  const std::string file = file_name(name);
  const bool chosen = inode_at(folder, file) == inode;
  const bool found = !chosen && inode_at(folder, elder) == inode &&
                     ::renameat(folder.fd(), elder.c_str(), folder.fd(), file.c_str()) == 0;
  ::unlinkat(folder.fd(), elder.c_str(), 0);
  return chosen || found;
}

/// Other programs tidy folders under /run, so the name may be gone.
void DeviceState::look_after_name() {
  const std::uint64_t ours = inode_;
  note_name();
  if (!kept() || inode_ == ours) return;
  named_ = false;
  elder_.reset();
  fail_to("find its file again in", "another program removed it");
}

void DeviceState::load_wishes() noexcept {
  if (file_ == nullptr) return;
  const Header& header = file_->header();
  if (header.target_set != 0) {
    wishes_.target =
        TargetWord{header.target_pages, header.target_share, header.target_forced != 0};
  }
  wishes_.inhibited = header.inhibited != 0;
  if ((header.automatic & kSaid) != 0) {
    wishes_.automatic =
        AutomaticWord{(header.automatic & kSaidOn) != 0, (header.automatic & kConfiguredOn) != 0};
  }
}

void DeviceState::put_wishes(const Wishes& wishes, File* file) noexcept {
  Header& header = file->header();
  put(header.inhibited, wishes.inhibited ? 1U : 0U);
  if (wishes.target) {
    // A daemon that is killed in between leaves the earlier or the new size, not forced.
    put(header.target_forced, 0U);
    put(header.target_share, 0U);
    put(header.target_pages, wishes.target->pages);
    put(header.target_share, wishes.target->share);
    put(header.target_forced, wishes.target->forced ? 1U : 0U);
    put(header.target_set, 1U);
  }
  if (wishes.automatic) {
    put(header.automatic, kSaid | (wishes.automatic->on ? kSaidOn : 0) |
                              (wishes.automatic->configured ? kConfiguredOn : 0));
  }
}

/// Writes the wishes to file_ and to elder_, because the name may go from one to the other. A file
/// with the name that is neither of them does not know the wishes, so it is removed.
void DeviceState::write_wishes() {
  if (folder_ == nullptr) return;
  look_after_name();
  for (File* const file : {file_.get(), elder_.get()}) {
    if (file != nullptr) put_wishes(wishes_, file);
  }
  keep();
  if (!kept()) ::unlinkat(folder_->fd(), file_name(name_).c_str(), 0);
}

void DeviceState::set_target(TargetWord word) {
  wishes_.target = word;
  write_wishes();
}

void DeviceState::set_inhibited(bool on) {
  wishes_.inhibited = on;
  write_wishes();
}

void DeviceState::set_automatic(AutomaticWord word) {
  wishes_.automatic = word;
  write_wishes();
}

std::optional<Left> DeviceState::left() const noexcept {
  if (file_ == nullptr || file_->header().served == 0 ||
      file_->header().page_sizes != page_sizes_) {
    return std::nullopt;
  }
  const Header& header = file_->header();
  Left left{header.features, header.actual_pages,  header.actual_unknown == 0,
            header.poison,   header.complete != 0, {}};
  left.rings = header.ring;
  return left;
}

void DeviceState::begin(std::uint64_t features) noexcept {
  if (file_ == nullptr) return;
  Header& header = file_->header();
  put(header.complete, 0U);
  if (lost() || (header.served != 0 && header.features == features)) return;
  put(header.served, 0U);
  put(header.features, features);
  put(header.features_check, ~features);
  put(header.served, 1U);
}

void DeviceState::forget() noexcept {
  forget(file_.get());
}

void DeviceState::forget(File* file) noexcept {
  if (file == nullptr) return;
  Header& header = file->header();
  put(header.served, 0U);
  header.ring = {};
  put(header.actual_pages, 0U);
  put(header.actual_unknown, 1U);
}

bool DeviceState::lost() const noexcept {
  return file_ != nullptr && file_->lost();
}

/// Not forget(), because the rings go on with their marks.
void DeviceState::give_up_lost() {
  if (!lost() || file_->header().served == 0) return;
  put(file_->header().served, 0U);
  fail_to("keep its balloon in", std::strerror(ENOSPC));
}

void DeviceState::set_complete() noexcept {
  if (file_ != nullptr) put(file_->header().complete, 1U);
}

void DeviceState::set_driver_fields(std::uint32_t actual_pages, bool knows_actual,
                                    std::uint32_t poison) noexcept {
  if (file_ == nullptr) return;
  put(file_->header().actual_pages, actual_pages);
  put(file_->header().actual_unknown, knows_actual ? 0U : 1U);
  put(file_->header().poison, poison);
}

std::uint32_t* DeviceState::serial() noexcept {
  return file_ != nullptr ? &file_->header().serial : nullptr;
}

RingRecord* DeviceState::ring(std::size_t index) noexcept {
  return file_ != nullptr && index < kRings ? &file_->header().ring[index] : nullptr;
}

/// Empties the files first: where a file cannot be removed, it has nothing in it.
void DeviceState::remove() noexcept {
  if (folder_ == nullptr) return;
  for (File* const file : {file_.get(), elder_.get()}) {
    if (file == nullptr) continue;
    forget(file);
    put(file->header().target_set, 0U);
    put(file->header().inhibited, 0U);
    put(file->header().automatic, 0U);
  }
  ::unlinkat(folder_->fd(), file_name(name_).c_str(), 0);
  ::unlinkat(folder_->fd(), new_name(name_).c_str(), 0);
  drop_elder();
  next_.reset();
  file_.reset();
  elder_.reset();
}

}  // namespace vballoon::vm

// SPDX-License-Identifier: BSD-3-Clause
#include "reclaim/huge/reserve.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <utility>

namespace vballoon::reclaim {

bool covers(const PoolState& pool, std::uint64_t owed, std::uint64_t pages) noexcept {
  return pool.free >= pool.reserved + owed + std::min(pages, pool.surplus);
}

/// All files of one pool.
struct HugeReserve::Account {
  Account(std::uint64_t bytes, std::unique_ptr<HugePool> of_pool)
      : page_bytes(bytes), pool(std::move(of_pool)) {}

  const std::uint64_t page_bytes;
  std::mutex mutex;
  // By the mutex:
  const std::unique_ptr<HugePool> pool;
  std::vector<HugeFile*> files;
  // Pages, of all files:
  std::uint64_t owed = 0;
  std::uint64_t under_way = 0;
};

HugeReserve::HugeReserve(OpenPool open) : open_(std::move(open)) {}
HugeReserve::~HugeReserve() = default;

std::shared_ptr<HugeFile> HugeReserve::watch(int fd, std::uint64_t page_bytes) {
  const std::scoped_lock lock(mutex_);
  std::erase_if(files_, [](const auto& file) { return file.expired(); });
  for (const auto& known : files_) {
    if (auto file = known.lock(); file && file->is(fd)) return file;
  }
  auto account = std::find_if(accounts_.begin(), accounts_.end(), [page_bytes](const auto& one) {
    return one->page_bytes == page_bytes;
  });
  if (account == accounts_.end()) {
    account = accounts_.insert(account, std::make_shared<Account>(page_bytes, open_(page_bytes)));
  }
  auto file = std::make_shared<HugeFile>(*account, fd);
  files_.push_back(file);
  return file;
}

HugeFile::HugeFile(std::shared_ptr<HugeReserve::Account> account, int fd)
    : account_(std::move(account)), fd_(::fcntl(fd, F_DUPFD_CLOEXEC, 0)) {
  const std::scoped_lock lock(account_->mutex);
  account_->files.push_back(this);
}

HugeFile::~HugeFile() {
  const std::scoped_lock lock(account_->mutex);
  std::erase(account_->files, this);
  account_->owed -= owed_;
}

bool HugeFile::is(int fd) const noexcept {
  struct stat ours {};
  struct stat theirs {};
  return ::fstat(fd_.get(), &ours) == 0 && ::fstat(fd, &theirs) == 0 &&
         ours.st_dev == theirs.st_dev && ours.st_ino == theirs.st_ino;
}

/// Holes that the guest has filled are owed no more. @return  the pages that are owed now; those
/// under way count as far as the file has holes for them.
std::uint64_t HugeFile::settle() noexcept {
  const std::uint64_t bytes = account_->pool->holes(fd_.get());
  const std::uint64_t page = account_->page_bytes;
  const std::uint64_t holes = bytes / page + (bytes % page != 0 ? 1 : 0);
  const std::uint64_t still = std::min(owed_, holes);
  account_->owed -= owed_ - still;
  owed_ = still;
  return std::min(owed_ + under_way_, holes);
}

/// @pre  the account's mutex is held.
bool HugeFile::covers(std::uint64_t pages) const noexcept {
  HugeReserve::Account& account = *account_;
  auto pool = account.pool->look();
  if (!pool) return false;
  const std::uint64_t leaving = pages + account.under_way;
  if (reclaim::covers(*pool, account.owed + account.under_way, leaving)) return true;
  // Guests have filled holes since, and other batches may have punched none yet. The pool is looked
  // at before and after the files, and the worse figure counts: so a page that moves in between is
  // owed and not free, never free and not owed.
  std::uint64_t owed = 0;
  for (HugeFile* file : account.files) owed += file->settle();
  const auto again = account.pool->look();
  if (!again) return false;
  pool->free = std::min(pool->free, again->free);
  pool->reserved = std::max(pool->reserved, again->reserved);
  pool->surplus = std::max(pool->surplus, again->surplus);
  return reclaim::covers(*pool, owed, leaving);
}

bool HugeFile::begin(std::uint64_t bytes) noexcept {
  const std::scoped_lock lock(account_->mutex);
  const std::uint64_t pages = bytes / account_->page_bytes;
  if (!covers(pages)) return false;
  under_way_ += pages;
  account_->under_way += pages;
  return true;
}

void HugeFile::gave(std::uint64_t begun, std::uint64_t given) noexcept {
  const std::scoped_lock lock(account_->mutex);
  const std::uint64_t page = account_->page_bytes;
  under_way_ -= begun / page;
  account_->under_way -= begun / page;
  owed_ += given / page;
  account_->owed += given / page;
}

}  // namespace vballoon::reclaim

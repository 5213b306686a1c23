// SPDX-License-Identifier: BSD-3-Clause
#include "reclaim/huge_reserve.hpp"

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
  std::uint64_t owed = 0;  // pages, of all files
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

/// Holes that the guest has filled are owed no more.
void HugeFile::settle() noexcept {
  const std::uint64_t holes = account_->pool->holes(fd_.get());
  const std::uint64_t page = account_->page_bytes;
  const std::uint64_t still = std::min(owed_, holes / page + (holes % page != 0 ? 1 : 0));
  account_->owed -= owed_ - still;
  owed_ = still;
}

HugeFile::Turn::Turn(HugeFile& file) noexcept : file_(file), lock_(file.account_->mutex) {}

bool HugeFile::Turn::covers(std::uint64_t bytes) noexcept {
  HugeReserve::Account& account = *file_.account_;
  const std::uint64_t pages = bytes / account.page_bytes;
  const auto pool = account.pool->look();
  if (!pool) return false;
  if (reclaim::covers(*pool, account.owed, pages)) return true;
  // What guests have filled since is owed no more. In this order: a hole that is filled in between
  // is still owed and no longer free, not the other way round.
  for (HugeFile* file : account.files) file->settle();
  const auto again = account.pool->look();
  return again && reclaim::covers(*again, account.owed, pages);
}

void HugeFile::Turn::gave(std::uint64_t bytes) noexcept {
  const std::uint64_t pages = bytes / file_.account_->page_bytes;
  file_.owed_ += pages;
  file_.account_->owed += pages;
}

}  // namespace vballoon::reclaim

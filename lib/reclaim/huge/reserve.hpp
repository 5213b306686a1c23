// SPDX-License-Identifier: BSD-3-Clause
//
// reclaim/huge/reserve.hpp - discard no huge page that its pool could not give back.
// Thread: the event thread, or a test, calls watch() and ends a HugeFile; reclaim lcores, or poll
//         lcores, call the rest. Each pool has a mutex. Nobody holds it while a hole is punched: a
//         VMM may hold up the holes in its own file for seconds.
//
// A hole in a file of huge pages gives its page to the pool, and takes back the kernel's promise
// that the guest may have one there again: whoever comes first has it, and the guest's next
// touch of a hole that the pool cannot fill ends the guest (SIGBUS). So a batch of n pages is
// discarded only if
//
//     free >= reserved + owed + min(n, surplus)
//
// - free, reserved and surplus are the pool's, just before. Reserved pages are promised to
//   others.
// - owed are the holes which this daemon punched into the files of all its VMs and which are not
//   filled again. The batch adds n to both sides, but for surplus pages: of those, a freed one
//   leaves the pool. Other batches may be under way. Where the pool has enough, all their pages
//   count as owed; where it has not, a batch counts as far as its file shows the holes, for no
//   other page of it is free yet. That the kernel may make a surplus page again
//   (nr_overcommit_hugepages) does not count: it has to find that much memory in one piece, which
//   it cannot promise.
// - Nobody says when a guest fills a hole: it does so by its first touch, long after it took the
//   page out of its balloon. So owed is counted per file as min(punched, holes that the file
//   has), the latter by st_blocks. Pages that were never touched are holes, too: of memory that
//   its VMM did not allocate in advance owed is too large, never too small.
// - Holes of before the daemon mapped the file do not count: its mapping (librte_vhost's) had
//   the kernel promise a page for each. Where the daemon maps a file again the promise is
//   renewed, and these holes count as reserved and as owed, until they are filled: again too
//   large.
//
// What this cannot do: hold pages. Others may empty the pool afterwards; then nothing more is
// discarded, but what was may not come back. Nor does it look at nodes: the kernel counts its
// promises for the whole pool only, so a guest that is bound to one node needs a pool there that
// others leave alone. Limits of a cgroup or of a hugetlbfs mount are not seen either.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "base/unique_fd.hpp"
#include "reclaim/huge/pool.hpp"

namespace vballoon::reclaim {

class HugeFile;

/// @return whether the pool could still give back what is owed after `pages` more are discarded.
[[nodiscard]] bool covers(const PoolState& pool, std::uint64_t owed, std::uint64_t pages) noexcept;

/// One per daemon.
class HugeReserve {
 public:
  using OpenPool = std::function<std::unique_ptr<HugePool>(std::uint64_t page_bytes)>;
  /// @param open  finds the pool of a page size; called once for each.
  explicit HugeReserve(OpenPool open);
  ~HugeReserve();
  HugeReserve(const HugeReserve&) = delete;
  HugeReserve& operator=(const HugeReserve&) = delete;

  /// The account of a file; the same one for all who watch the same file at a time. What it owes
  /// is forgotten with the last of them. May outlive this.
  [[nodiscard]] std::shared_ptr<HugeFile> watch(int fd, std::uint64_t page_bytes);

 private:
  friend class HugeFile;
  struct Account;

  const OpenPool open_;
  std::mutex mutex_;
  std::vector<std::shared_ptr<Account>> accounts_;  // one per page size
  std::vector<std::weak_ptr<HugeFile>> files_;
};

/// A file of huge pages, and what it owes its guest.
class HugeFile {
 public:
  /// Keeps a descriptor of its own.
  HugeFile(std::shared_ptr<HugeReserve::Account> account, int fd);
  ~HugeFile();
  HugeFile(const HugeFile&) = delete;
  HugeFile& operator=(const HugeFile&) = delete;

  /// Whether this descriptor is of the same file.
  [[nodiscard]] bool is(int fd) const noexcept;

  /// Whether so many bytes may be discarded now: see above. Then they are under way until gave().
  [[nodiscard]] bool begin(std::uint64_t bytes) noexcept;
  /// Of so many that were under way, so many were discarded.
  void gave(std::uint64_t begun, std::uint64_t given) noexcept;

 private:
  [[nodiscard]] bool covers(std::uint64_t pages) const noexcept;
  [[nodiscard]] std::uint64_t settle() noexcept;

  const std::shared_ptr<HugeReserve::Account> account_;
  const UniqueFd fd_;
  // In pages; by the account's mutex:
  std::uint64_t owed_ = 0;
  std::uint64_t under_way_ = 0;
};

}  // namespace vballoon::reclaim

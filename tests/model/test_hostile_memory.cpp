// SPDX-License-Identifier: BSD-3-Clause
//
// Memory that a VMM may announce or share, and that cannot be, is none, or goes away.
// Source: vhost-user protocol, "Memory region description".
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>

#include "driver/huge_pages.hpp"
#include "harness/hostile_vmm.hpp"

namespace vballoon::model {
namespace {

class HostileMemory : public HostileVmm {};
INSTANTIATE_TEST_SUITE_P(Both, HostileMemory, testing::Values(Mode::kServer, Mode::kClient),
                         mode_name);

// Five warnings a device in ten seconds are shown, so each of these tests has its own.

TEST_P(HostileMemory, MemoryTablesOfOtherLengthsThanTheySay) {
  const std::array<int, 1> fd{ram_.table_fds().at(0)};
  const std::array<int, 2> two{fd[0], fd[0]};
  const auto good = one_region(0, kMiB, kUser, 0);
  expect_table_refused(good, {}, "1 regions with 0 file");
  expect_table_refused(good, two, "1 regions with 2 file");
  expect_table_refused(RawVmm::payload({2, 0, kMiB, kUser, 0}), two, "2 regions in 40 bytes");
  expect_table_refused(RawVmm::payload({0xFFFFFFFF, 0, kMiB, kUser, 0}), fd, "4294967295 regions");
  expect_next_vmm_is_served();
}

TEST_P(HostileMemory, MemoryRegionsThatWrapAround) {
  const std::array<int, 1> fd{ram_.table_fds().at(0)};
  expect_table_refused(one_region(0, 1ULL << 63U, 1ULL << 63U, 0), fd, "0x8000000000000000 bytes");
  expect_table_refused(one_region(~0xFFFULL, 2 * kPageSize, kUser, 0), fd, "0x2000 bytes");
  expect_table_refused(one_region(0, kMiB, ~0xFFFULL, 0), fd, "0x100000 bytes at 0x0 that wraps");
  expect_table_refused(one_region(0, kMiB / 2, kUser, ~0xFFFULL), fd, "0x80000 bytes at 0x0 that");
  expect_beside_is_served();
  expect_next_vmm_is_served();
}

TEST_P(HostileMemory, MemoryRegionsThatAreNotInTheirFiles) {
  const std::array<int, 1> fd{ram_.table_fds().at(0)};
  const std::array<int, 2> two{fd[0], fd[0]};
  expect_table_refused(one_region(0, 0, kUser, 0), fd, "region of no bytes");
  expect_table_refused(RawVmm::payload({2, 0, kMiB, kUser, 0, kMiB / 2, kMiB, kUser + kMiB, 0}),
                       two, "overlap");
  expect_table_refused(one_region(0, 1ULL << 62U, kUser, 0), fd, "beyond the end of the file");
  const auto last = one_region(0, kMiB, kUser, 31 * kMiB + kPageSize);
  EXPECT_EQ(RawVmm(arrive()).verdict(number(Request::kSetMemTable), last, fd), 1U);
  expect_beside_is_served();
  expect_next_vmm_is_served();
}

TEST_P(HostileMemory, MemoryThatIsNone) {
  std::array<int, 2> pipe{};
  ASSERT_EQ(::pipe2(pipe.data(), O_CLOEXEC), 0);
  const UniqueFd reader(pipe[0]);
  const UniqueFd writer(pipe[1]);
  const UniqueFd proc(::open("/proc/self/maps", O_RDONLY | O_CLOEXEC));
  const UniqueFd zero(::open("/dev/null", O_RDWR | O_CLOEXEC));
  const auto table = one_region(0, kMiB, kUser, 0);
  expect_table_refused(table, std::array{reader.get()}, "neither a file nor a device");
  expect_table_refused(table, std::array{proc.get()}, "of type proc");
  RawVmm vmm(arrive());
  EXPECT_EQ(vmm.verdict(number(Request::kSetMemTable), table, std::array{zero.get()}), 1U);
  expect_beside_is_served();
}

TEST_P(HostileMemory, MemoryThatMayNotBeWritten) {
  const auto table = one_region(0, kMiB, kUser, 0);
  for (const unsigned seal :
       {0U, static_cast<unsigned>(F_SEAL_WRITE), static_cast<unsigned>(F_SEAL_FUTURE_WRITE)}) {
    UniqueFd file(::memfd_create("ram", MFD_ALLOW_SEALING | MFD_CLOEXEC));
    ASSERT_EQ(::ftruncate(file.get(), kMiB), 0);
    if (seal != 0) {
      ASSERT_EQ(::fcntl(file.get(), F_ADD_SEALS, seal), 0);
    } else {
      file = UniqueFd(
          ::open(("/proc/self/fd/" + std::to_string(file.get())).c_str(), O_RDONLY | O_CLOEXEC));
    }
    RawVmm vmm(arrive());
    EXPECT_EQ(vmm.verdict(number(Request::kSetMemTable), table, std::array{file.get()}), 1U)
        << seal;
  }
  // Longer than any address space; librte_vhost would lose the descriptor.
  const UniqueFd huge(::memfd_create("ram", MFD_CLOEXEC));
  ASSERT_EQ(::ftruncate(huge.get(), 1LL << 62U), 0);
  expect_table_refused(one_region(0, 1ULL << 62U, kUser, 0), std::array{huge.get()},
                       "more than the 16 TiB that a guest may have");
  expect_beside_is_served();
}

/// Of a log or an in-flight region: what the daemon writes to itself, and would end by when it
/// goes.
TEST_P(HostileMemory, SharedMemoryInHugePages) {
  const auto pool = driver::HugePages::get(2);
  if (!pool) GTEST_SKIP() << pool.error().message;
  constexpr std::uint64_t kHuge = 2 * kMiB;
  const UniqueFd huge(::memfd_create("huge", MFD_CLOEXEC | MFD_HUGETLB | MFD_ALLOW_SEALING));
  ASSERT_EQ(::ftruncate(huge.get(), kHuge), 0);
  ASSERT_EQ(::fcntl(huge.get(), F_ADD_SEALS, F_SEAL_SHRINK), 0);
  RawVmm vmm(arrive());
  const std::array<int, 1> fd{huge.get()};
  EXPECT_EQ(vmm.verdict(number(Request::kSetLogBase), RawVmm::payload({kHuge, 0}), fd), 1U);
  // 4 KiB from the beginning on, of 5 rings.
  const auto region = RawVmm::payload({kPageSize, 0, 5 | 128U << 16U});
  EXPECT_EQ(vmm.verdict(number(Request::kSetInflightFd), region, fd), 1U);
  EXPECT_GE(logged("in huge pages"), 2U);
  expect_beside_is_served();
}

/// Memory of no regions: there is nothing to serve, and nothing to fall over.
TEST_P(HostileMemory, AMemoryTableOfNothing) {
  RawVmm vmm(arrive());
  EXPECT_TRUE(vmm.verdict(number(Request::kSetMemTable), RawVmm::payload({0})));
  EXPECT_TRUE(vmm.verdict(number(Request::kSetVringNum), RawVmm::payload({8ULL << 32U})));
  expect_beside_is_served();
}

}  // namespace
}  // namespace vballoon::model

// SPDX-License-Identifier: BSD-3-Clause
//
// Memory that a VMM claims: more than it uses, more than there may be, and what another has, too.
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <fstream>
#include <string_view>

#include "harness/hostile_vmm.hpp"

namespace vballoon::model {
namespace {

/// Of the daemon's build, as meson names it.
std::string_view daemon_sanitizer() {
  const char* const given = std::getenv("VBALLOON_MODEL_SANITIZER");
  return given == nullptr ? "none" : given;
}

constexpr std::uint64_t kTiB = 1024 * kGiB;

std::uint64_t resident_bytes(pid_t pid) {
  std::uint64_t all = 0;
  std::uint64_t resident = 0;
  std::ifstream("/proc/" + std::to_string(pid) + "/statm") >> all >> resident;
  return resident * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

UniqueFd sparse(std::uint64_t bytes) {
  UniqueFd file(::memfd_create("claimed", MFD_CLOEXEC));
  if (::ftruncate(file.get(), static_cast<off_t>(bytes)) != 0)
    throw std::runtime_error("ftruncate");
  return file;
}

std::uint64_t allocated_in(const std::filesystem::path& folder) {
  std::uint64_t bytes = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    struct stat file {};
    EXPECT_EQ(::stat(entry.path().c_str(), &file), 0);
    bytes += static_cast<std::uint64_t>(file.st_blocks) * 512;
  }
  return bytes;
}

/// With a state folder, and a guest that gives 64 MiB in single pages and in runs.
TEST(ClaimedMemory, Of16TiBCostsWhatIsUsedAndLeavesNothingBehind) {
  Daemon daemon({"vm"}, {}, true);
  if (daemon.log().find("this build has a sanitizer") != std::string::npos) {
    GTEST_SKIP() << "a sanitizer takes the address space, and memory of its own for what is used";
  }
  const std::uint64_t before = resident_bytes(daemon.pid());
  {
    const auto ram = must(GuestRam::create(driver::flat_ram(16 * kTiB)));
    const auto driver = connect(daemon.socket("vm"), ram);
    daemon.call("device.set", {{"name", "vm"}, {"target_bytes", 64 * kMiB}});
    std::vector<Pfn> pages;
    for (std::uint32_t i = 0; i < 64; ++i) pages.push_back(Pfn{(i + 1) * 60'000'000 + 1});
    for (std::uint32_t i = 0; i < bytes_to_pages(64 * kMiB); ++i) {
      pages.push_back(Pfn{3'010'000'000U + i});
    }
    must(driver->inflate(pages));
    EXPECT_TRUE(eventually(
        [&] { return daemon.show("vm").at("reclaimed_bytes") == pages_to_bytes(pages.size()); }));
    EXPECT_LT(resident_bytes(daemon.pid()) - before, 64 * kMiB);
  }
  EXPECT_TRUE(eventually([&] { return daemon.show("vm").at("state") == "waiting"; }));
  // The ledger of a guest that was served stays in its state file, for when it comes again.
  EXPECT_LT(resident_bytes(daemon.pid()), before + 16 * kMiB);
  EXPECT_LT(allocated_in(daemon.folder() / "state"), 8 * kMiB);
}

class Claims : public HostileVmm {
 protected:
  std::optional<std::uint64_t> claim(RawVmm& vmm, std::uint64_t bytes) {
    const UniqueFd file = sparse(bytes);
    return vmm.verdict(number(Request::kSetMemTable), one_region(0, bytes, kUser, 0),
                       std::array{file.get()});
  }
};
// What is claimed is judged alike, whoever connected.
INSTANTIATE_TEST_SUITE_P(One, Claims, testing::Values(Mode::kServer), mode_name);

TEST_P(Claims, MoreThanAGuestMayHaveIsRefusedInTheAnswer) {
  const UniqueFd file = sparse(126 * kTiB);
  expect_table_refused(one_region(0, 126 * kTiB, kUser, 0), std::array{file.get()},
                       "guest memory of 126 TiB, more than the 16 TiB that a guest may have");
  expect_table_refused(one_region(0, 16 * kTiB + kPageSize, kUser, 0), std::array{file.get()},
                       "that a guest may have");
  // In two regions, and by the start of the file, which is mapped along.
  expect_table_refused(
      RawVmm::payload({2, 0, 9 * kTiB, kUser, 0, 9 * kTiB, 9 * kTiB, kUser + 9 * kTiB, 9 * kTiB}),
      std::array{file.get(), file.get()}, "guest memory of 18 TiB");
  expect_table_refused(one_region(0, kMiB, kUser, 100 * kTiB), std::array{file.get()},
                       "of address space");
  expect_next_vmm_is_served();
}

/// Each takes all that it gets: there is room for one more of ordinary size all the same.
TEST_P(Claims, OfManyDevicesLeaveRoomForAnother) {
  if (daemon_sanitizer() == "thread") {
    GTEST_SKIP() << "TSan leaves the daemon about 3 TiB of address space";
  }
  std::vector<std::unique_ptr<RawVmm>> greedy;
  unsigned refused = 0;
  for (int i = 0; i < 6; ++i) {
    greedy.push_back(std::make_unique<RawVmm>(daemon_.socket(Lab::get().next_device())));
    std::uint64_t bytes = 16 * kTiB;
    while (claim(*greedy.back(), bytes) != 0U) {
      ++refused;
      bytes /= 2;
      ASSERT_GE(bytes, kTiB);
    }
  }
  EXPECT_GT(refused, 0U);
  expect_beside_is_served();
  expect_next_vmm_is_served();
  greedy.clear();
  // What is claimed goes with who claimed it.
  EXPECT_TRUE(eventually([&] {
    RawVmm vmm(arrive());
    return claim(vmm, 16 * kTiB) == 0U;
  }));
}

/// One whose table is refused keeps what it had.
TEST_P(Claims, ARefusedTableLeavesTheOldOne) {
  RawVmm vmm(arrive());
  ASSERT_EQ(claim(vmm, 32 * kMiB), 0U);
  EXPECT_EQ(claim(vmm, 17 * kTiB), 1U);
  EXPECT_EQ(show().at("guest_bytes"), 32 * kMiB);
}

TEST_P(Claims, RegionsThatAreNotOfWholePagesAreRefusedInTheAnswer) {
  const UniqueFd file = sparse(kMiB);
  struct Odd {
    std::uint64_t gpa, bytes, user, offset;
  };
  for (const Odd& odd :
       {Odd{0, 1, kUser, 0}, Odd{0, 4095, kUser, 0}, Odd{0, 4097, kUser, 0}, Odd{1, 4096, kUser, 0},
        Odd{0, 4096, kUser + 8, 0}, Odd{0, 8192, kUser, 2048}}) {
    RawVmm vmm(arrive());
    EXPECT_EQ(
        vmm.verdict(number(Request::kSetMemTable),
                    one_region(odd.gpa, odd.bytes, odd.user, odd.offset), std::array{file.get()}),
        1U)
        << odd.bytes << " at " << odd.gpa << " from " << odd.offset;
  }
  EXPECT_GE(logged(device_ + ": the VMM sent a memory region of 0x1 bytes at 0x0"), 1U);
  expect_next_vmm_is_served();
}

/// A second VMM comes with a memfd that a guest of ours runs in.
TEST_P(Claims, MemoryOfTwoDevicesIsDiscardedForNeither) {
  const std::string other = Lab::get().next_device();
  const auto driver = connect();
  const auto pages = fill(*driver);
  must(driver->inflate(std::span(pages).first(100)));
  expect_gone_soon(std::span(pages).first(100));
  {
    RawVmm second(daemon_.socket(other));
    ASSERT_EQ(second.verdict(number(Request::kSetMemTable), one_region(kGiB, 16 * kMiB, kUser, 0),
                             ram_.table_fds()),
              0U);
    EXPECT_TRUE(eventually([&] { return show().at("shared_with") == other; }));
    EXPECT_EQ(daemon_.show(other).at("shared_with"), device_);
    EXPECT_EQ(logged(device_ + ": memory of its guest is also that of '" + other + "'"), 1U);
    const auto more = std::span(pages).subspan(100, 1000);
    must(driver->inflate(more));
    must(driver->report(std::vector<GpaRange>{{to_gpa(pages[2000]), kPageSize}}));
    expect_ballooned(1100);
    expect_untouched(std::span(pages).subspan(100));
    EXPECT_LE(show().at("reclaimed_bytes").get<std::uint64_t>(), pages_to_bytes(100));
    EXPECT_GE(counter("retained_bytes"), pages_to_bytes(1001));
  }
  // It is gone: what had to stay can go, when the guest gives it again.
  EXPECT_TRUE(eventually([&] { return show().at("shared_with") == ""; }));
  expect_untouched(std::span(pages).subspan(100));
  must(driver->deflate(std::span(pages).subspan(100, 1000)));
  must(driver->inflate(std::span(pages).subspan(100, 1000)));
  expect_gone_soon(std::span(pages).first(1100));
  expect_untouched(std::span(pages).subspan(1100));
  expect_no_violations(*driver);
}

TEST_P(Claims, MemoryOfAGuestAtTwoAddressesIsNotDiscarded) {
  RawVmm vmm(arrive());
  const UniqueFd file = sparse(4 * kMiB);
  const auto twice =
      RawVmm::payload({2, 0, kMiB, kUser, 0, kGiB, kMiB, kUser + kGiB, kMiB - kPageSize});
  EXPECT_EQ(vmm.verdict(number(Request::kSetMemTable), twice, std::array{file.get(), file.get()}),
            0U);
  EXPECT_EQ(show().at("shared_with"), device_);
  const auto once = RawVmm::payload({2, 0, kMiB, kUser, 0, kGiB, kMiB, kUser + 2 * kGiB, kMiB});
  EXPECT_EQ(vmm.verdict(number(Request::kSetMemTable), once, std::array{file.get(), file.get()}),
            0U);
  EXPECT_EQ(show().at("shared_with"), "");
}

/// librte_vhost would go on with the old file and say that all is well.
TEST_P(Claims, OtherFilesAtTheSameAddressesAreRefusedInTheAnswer) {
  RawVmm vmm(arrive());
  const UniqueFd one = sparse(4 * kMiB);
  const UniqueFd other = sparse(4 * kMiB);
  const auto table = number(Request::kSetMemTable);
  const auto at = [](std::uint64_t offset) { return one_region(0, kMiB, kUser, offset); };
  EXPECT_EQ(vmm.verdict(table, at(0), std::array{one.get()}), 0U);
  EXPECT_EQ(vmm.verdict(table, at(0), std::array{one.get()}), 0U) << "the same again is fine";
  EXPECT_EQ(vmm.verdict(table, at(0), std::array{other.get()}), 1U);
  EXPECT_EQ(vmm.verdict(table, at(kMiB), std::array{one.get()}), 1U) << "elsewhere in the file";
  EXPECT_EQ(vmm.verdict(table, one_region(0, 2 * kMiB, kUser, 0), std::array{other.get()}), 0U);
  EXPECT_GE(logged("other files at the same addresses"), 1U);
}

/// Blocks of a disk's file come back where the kernel writes in larger pieces. Stands for that: the
/// test writes there itself.
TEST_P(Claims, OfADisksFileIsShownAsItIs) {
  driver::RamPlan plan = driver::flat_ram(16 * kMiB);
  plan.folder = "/var/tmp";
  ram_ = must(GuestRam::create(plan));
  const auto driver = connect();
  const auto pages = fill(*driver);
  if (!show().at("on_disk")) GTEST_SKIP() << "/var/tmp is not on a disk";
  const auto some = std::span(pages).first(2000);
  must(driver->inflate(some));
  expect_gone_soon(some);
  EXPECT_TRUE(
      eventually([&] { return show().at("reclaimed_bytes") == pages_to_bytes(some.size()); }));
  driver::fill_canaries(ram_, some.first(1000), 7);
  const auto reclaimed = show().at("reclaimed_bytes").get<std::uint64_t>();
  EXPECT_EQ(reclaimed, ram_.bytes() - ram_.allocated_bytes());
  EXPECT_LT(reclaimed, pages_to_bytes(1500));
  EXPECT_EQ(counter("came_back_bytes"), pages_to_bytes(2000) - reclaimed);
  expect_untouched(std::span(pages).subspan(2000));
}

}  // namespace
}  // namespace vballoon::model

// SPDX-License-Identifier: BSD-3-Clause
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "driver/temporary_folder.hpp"
#include "lcore/huge_page_advice.hpp"

namespace vballoon::lcore {
namespace {

namespace fs = std::filesystem;

class HugePageAdvice : public testing::Test {
 protected:
  void pool(const std::string& size, int all, int free, int promised = 0) const {
    const fs::path folder = fs::path(folder_.path("")) / ("hugepages-" + size);
    fs::create_directories(folder);
    std::ofstream(folder / "nr_hugepages") << all << "\n";
    std::ofstream(folder / "free_hugepages") << free << "\n";
    std::ofstream(folder / "resv_hugepages") << promised << "\n";
  }
  [[nodiscard]] std::string advice(std::uint64_t mib, std::uint64_t default_kib = 2048) const {
    return huge_page_advice(mib, default_kib, folder_.path(""));
  }
  static bool has(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
  }

  driver::TemporaryFolder folder_;
};

TEST_F(HugePageAdvice, AddsToWhatOthersHave) {
  pool("2048kB", 4096, 5, 2);
  const std::string text = advice(64);
  EXPECT_TRUE(has(text, "needs 32 huge pages of 2048 KiB, and 3 are free")) << text;
  EXPECT_TRUE(has(text, "add 29 to the 4096")) << text;
  EXPECT_TRUE(has(text, "`echo 4125 > ")) << text;
  EXPECT_TRUE(has(text, "hugepages-2048kB/nr_hugepages`")) << text;
  EXPECT_TRUE(has(text, "`vm.nr_hugepages = 4125` in a file of /etc/sysctl.d")) << text;
}

TEST_F(HugePageAdvice, DoesNotAskForGiantPagesWhereTheyAreTheDefault) {
  pool("1048576kB", 8, 0);
  pool("2048kB", 0, 0);
  const std::string text = advice(63, 1048576);
  EXPECT_TRUE(has(text, "`echo 32 > ")) << text;
  EXPECT_FALSE(has(text, "vm.nr_hugepages")) << "which would count giant ones: " << text;
  EXPECT_TRUE(has(text, "hugepagesz=2048K hugepages=32")) << text;
}

TEST_F(HugePageAdvice, TakesTheOnlySizeThereIs) {
  pool("1048576kB", 2, 0);
  const std::string text = advice(64, 1048576);
  EXPECT_TRUE(has(text, "needs 1 huge pages of 1048576 KiB")) << text;
  EXPECT_TRUE(has(text, "`vm.nr_hugepages = 3`")) << text;
}

TEST_F(HugePageAdvice, IsSilentWhereEnoughAreFree) {
  pool("2048kB", 32, 32);
  EXPECT_EQ(advice(64), "");
  EXPECT_NE(advice(65), "");
}

TEST_F(HugePageAdvice, KnowsKernelsWithoutAny) {
  EXPECT_EQ(advice(64), "this kernel has no huge pages");
}

}  // namespace
}  // namespace vballoon::lcore

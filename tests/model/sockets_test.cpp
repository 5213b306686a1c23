// SPDX-License-Identifier: BSD-3-Clause
//
// The daemon's sockets: which paths it takes, and what it leaves behind.
#include <cstdlib>
#include <filesystem>

#include "harness/fixture.hpp"

namespace vballoon::model {
namespace {

namespace fs = std::filesystem;

class Sockets : public DaemonTest {};

TEST_F(Sockets, ASocketIsTakenHoweverItIsSpelled) {
  const fs::path folder = daemon_.folder();
  const fs::path link = folder / "link";
  fs::create_directory_symlink(folder, link);
  const std::string file = device_ + ".sock";
  for (const fs::path& path : {folder / file, folder / "." / file, link / file}) {
    const auto refused =
        daemon_.try_call("device.add", {{"name", "another"}, {"socket", path.string()}});
    ASSERT_FALSE(refused) << path;
    EXPECT_NE(refused.error().message.find("belongs to device '" + device_ + "'"),
              std::string::npos)
        << refused.error().message;
  }
  EXPECT_EQ(logged(device_ + ": a VMM connected"), 0U) << "it knocked at its own door";
  fs::remove(link);
}

TEST_F(Sockets, ADaemonThatDoesNotComeUpLeavesNothing) {
  const TemporaryFolder outer;
  ::setenv("TMPDIR", outer.path().c_str(), 1);
  EXPECT_THROW(Daemon({"no name"}), std::runtime_error);
  ::unsetenv("TMPDIR");
  EXPECT_TRUE(fs::is_empty(outer.path()));
}

}  // namespace
}  // namespace vballoon::model

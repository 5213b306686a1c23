// SPDX-License-Identifier: BSD-3-Clause
//
// The daemon's sockets: which paths it takes, and what it leaves behind.
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <utility>

#include "harness/fixture.hpp"
#include "harness/raw_vmm.hpp"

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

TEST_F(Sockets, OfAnotherThatTookThePathIsLeftToIt) {
  const TemporaryFolder sockets;
  const auto path = [&](const std::string& name) { return (sockets.path() / name).string(); };
  std::string config;
  for (const std::string name : {"a", "b"}) {
    config += "[[device]]\nname = \"" + name + "\"\nsocket = \"" + path(name) + "\"\n";
  }
  std::optional<Daemon> daemon{std::in_place, std::vector<std::string>{}, config};
  ASSERT_TRUE(fs::exists(path("a")));
  // Somebody else's from here on.
  fs::remove(path("a"));
  fs::remove(path("b"));
  const auto a = must(driver::Listener::bind(path("a")));
  const auto b = must(driver::Listener::bind(path("b")));
  daemon->call("device.remove", {{"name", "a"}});
  EXPECT_TRUE(fs::exists(path("a")));
  daemon.reset();
  EXPECT_TRUE(fs::exists(path("b")));
}

TEST_F(Sockets, TheLogNamesTheDevicesSocket) {
  const auto lines = [&] { return logged("VHOST_CONFIG: (" + daemon_.socket(device_) + ")"); };
  const std::size_t before = lines();
  {
    RawVmm vmm(daemon_.socket(device_));
    // A feature that nobody offers.
    EXPECT_FALSE(vmm.verdict(2, RawVmm::payload({std::uint64_t{1} << 60})).value_or(1) == 0);
  }
  EXPECT_TRUE(eventually([&] { return lines() > before; }));
  EXPECT_EQ(logged("/proc/vballoon"), 0U);
}

}  // namespace
}  // namespace vballoon::model

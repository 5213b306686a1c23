// SPDX-License-Identifier: BSD-3-Clause
//
// A configuration that is read again, or for the first time: all of it comes true, or nothing does.
#include <signal.h>

#include <filesystem>
#include <fstream>

#include "harness/fixture.hpp"

namespace vballoon::model {
namespace {

namespace fs = std::filesystem;

std::string block(const std::string& name, const fs::path& socket, const std::string& more = {}) {
  return "[[device]]\nname = \"" + name + "\"\nsocket = \"" + socket.string() + "\"\n" + more +
         "\n";
}

class Reload : public ::testing::Test {
 protected:
  void start(const std::string& config) { daemon_.emplace(std::vector<std::string>{}, config); }
  /// Has it read another configuration, and waits until it says so.
  void reload(const std::string& config, const std::string& until) {
    std::ofstream(daemon_->folder() / "toml") << config;
    const std::size_t before = daemon_->log().size();
    ::kill(daemon_->pid(), SIGHUP);
    EXPECT_TRUE(eventually([&] { return said_since(before).find(until) != std::string::npos; }))
        << said_since(before);
  }
  [[nodiscard]] std::string said_since(std::size_t place) const {
    return daemon_->log().substr(place);
  }
  [[nodiscard]] fs::path path(const std::string& name) const { return sockets_.path() / name; }
  [[nodiscard]] std::unique_ptr<BalloonDriver> connect(const std::string& name) {
    return model::connect(path(name).string(), ram_);
  }
  /// The VM that is connected is served.
  void expect_served(BalloonDriver& driver) {
    const auto pages = usable_pages(ram_, driver);
    must(driver.inflate(std::span(pages).first(10)));
    must(driver.deflate(std::span(pages).first(10)));
  }
  [[nodiscard]] std::size_t devices() {
    return daemon_->call("device.list", Json::object()).at("devices").size();
  }
  [[nodiscard]] std::size_t sockets() const {
    return static_cast<std::size_t>(std::distance(fs::directory_iterator(sockets_.path()), {}));
  }

  const TemporaryFolder sockets_;
  const GuestRam ram_ = must(GuestRam::create(driver::flat_ram(16 * kMiB)));
  std::optional<Daemon> daemon_;
};

TEST_F(Reload, ThatFailsChangesNothing) {
  start(block("a", path("a")) + block("b", path("b")));
  const auto driver = connect("a");
  const std::vector<std::string> bad{
      block("c", path("c")) + block("a", path("missing") / "a"),  // a folder that is missing
      block("c", path("c")) + block("a", path("a"), "group = \"no-such-group\"\n"),
      block("c", path("c")) + block("a", path("elsewhere")) + block("d", "/dev/null"),
  };
  for (const std::string& config : bad) {
    SCOPED_TRACE(config);
    reload(config, "everything stays as it was");
    EXPECT_EQ(devices(), 2U);
    EXPECT_EQ(daemon_->show("a").at("state"), "running");
    EXPECT_EQ(daemon_->show("a").at("socket"), path("a").string());
    expect_served(*driver);
    EXPECT_EQ(sockets(), 2U) << "what was bound for it is gone again";
  }
  // Nor is it remembered: the next one is compared with what there is.
  reload(block("a", path("a")) + block("b", path("b")), "the devices are the same");
  reload(block("a", path("a")), "b removed");
  expect_served(*driver);
}

TEST_F(Reload, MovesADeviceToAnotherSocketAndDevicesToEachOthers) {
  start(block("a", path("1")) + block("b", path("2")));
  reload(block("a", path("3")) + block("b", path("2")), "a added on " + path("3").string());
  EXPECT_EQ(sockets(), 2U);
  expect_served(*connect("3"));
  reload(block("a", path("2")) + block("b", path("3")), "b added on " + path("3").string());
  EXPECT_EQ(sockets(), 2U);
  EXPECT_EQ(daemon_->show("a").at("socket"), path("2").string());
  expect_served(*connect("2"));
  expect_served(*connect("3"));
}

TEST_F(Reload, ADeviceThatOffersSomethingElseKeepsItsSocket) {
  start(block("a", path("a")));
  const auto inode = [&] { return fs::last_write_time(path("a")); };
  const auto before = inode();
  auto driver = connect("a");
  reload(block("a", path("a"), "packed = false\n"), "a added on");
  EXPECT_EQ(inode(), before) << "whoever knocks at the time of the change waits";
  driver.reset();
  auto socket = driver::MessageSocket::connect(path("a").string(),
                                               driver::Deadline(std::chrono::seconds(10)));
  const auto next = must(BalloonDriver::start(must(std::move(socket)), ram_, {}));
  EXPECT_FALSE(next->offered().has(wire::Feature::kRingPacked));
  expect_served(*next);
}

TEST_F(Reload, AClientBecomesAServerAndBack) {
  start(block("a", path("a"), "mode = \"client\"\n"));
  reload(block("a", path("a")), "a added on");
  expect_served(*connect("a"));
  reload(block("a", path("a"), "mode = \"client\"\n"), "a added on");
  EXPECT_FALSE(fs::exists(path("a")));
  auto listener = must(driver::Listener::bind(path("a").string()));
  auto socket = must(listener.accept(driver::Deadline(std::chrono::seconds(10))));
  expect_served(*must(BalloonDriver::start(std::move(socket), ram_, of_this_run(DriverOptions{}))));
}

TEST_F(Reload, AStartThatFailsInTheMiddleLeavesNoSocket) {
  EXPECT_THROW(start(block("a", path("a")) + block("b", path("missing") / "b")),
               std::runtime_error);
  EXPECT_EQ(sockets(), 0U);
}

TEST_F(Reload, AFolderThatIsMissingIsNamedForEverySocket) {
  start("");
  const auto added = daemon_->try_call(
      "device.add", {{"name", "a"}, {"socket", (path("missing") / "a").string()}});
  ASSERT_FALSE(added);
  const std::string folder = path("missing").string();
  EXPECT_NE(added.error().message.find("its folder " + folder + ": No such file"),
            std::string::npos)
      << added.error().message;
  EXPECT_EQ(devices(), 0U);
  EXPECT_FALSE(fs::exists(folder));
}

}  // namespace
}  // namespace vballoon::model

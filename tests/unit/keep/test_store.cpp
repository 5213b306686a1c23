// SPDX-License-Identifier: BSD-3-Clause
//
// What the daemon says to a service manager, and what it makes of what that hands over.
// Source: sd_notify(3), sd_listen_fds(3).
#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <functional>
#include <string>
#include <thread>

#include "driver/temporary_folder.hpp"
#include "keep/notice.hpp"
#include "keep/packet.hpp"
#include "keep/store.hpp"

namespace vballoon::keep {
namespace {

using namespace std::chrono_literals;

class StoreTest : public testing::Test {
 protected:
  void SetUp() override {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const std::string path = folder_.path("notify");
    path.copy(address.sun_path, path.size());
    manager_.reset(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    ASSERT_EQ(::bind(manager_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)),
              0);
    ::setenv("NOTIFY_SOCKET", path.c_str(), 1);
    notifier_.emplace();
  }

  std::string received(Packet* packet) {
    std::array<char, 256> text{};
    iovec part{text.data(), text.size()};
    EXPECT_EQ(receive_packet(manager_.get(), {&part, 1}, 0, packet), 0);
    return {text.data(), packet->bytes};
  }

  driver::TemporaryFolder folder_;
  UniqueFd manager_;
  std::optional<Notifier> notifier_;
};

TEST_F(StoreTest, AddsUnderANameWithoutPolling) {
  const Store store(*notifier_);
  const UniqueFd file(::memfd_create("m", MFD_CLOEXEC));
  ASSERT_TRUE(store.keeps());
  ASSERT_TRUE(store.add("vm1.in", file.get()));
  Packet packet;
  EXPECT_EQ(received(&packet), "FDSTORE=1\nFDPOLL=0\nFDNAME=vm1.in");
  ASSERT_EQ(packet.descriptors.size(), 1U);
  struct stat sent {
  }, came{};
  ::fstat(file.get(), &sent);
  ::fstat(packet.descriptors[0].get(), &came);
  EXPECT_EQ(sent.st_ino, came.st_ino);
}

TEST_F(StoreTest, RemovesByName) {
  Store(*notifier_).remove("vm1.in");
  Packet packet;
  EXPECT_EQ(received(&packet), "FDSTOREREMOVE=1\nFDNAME=vm1.in");
}

TEST_F(StoreTest, WaitsUntilTheManagerHasDealtWithAll) {
  const Store store(*notifier_);
  EXPECT_FALSE(store.settle(10ms)) << "nobody reads";
  Packet unread;
  EXPECT_EQ(received(&unread), "BARRIER=1");
  std::thread manager([&] {
    Packet packet;
    EXPECT_EQ(received(&packet), "BARRIER=1");
  });
  EXPECT_TRUE(store.settle(5s));
  manager.join();
}

TEST_F(StoreTest, SaysThatTheManagerIsGone) {
  const Store store(*notifier_);
  manager_.reset();
  const auto refused = store.add("a", 0);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().message,
            "the service manager does not take a to keep it: Connection refused");
}

TEST(Store, WithoutAManagerKeepsNothing) {
  ::unsetenv("NOTIFY_SOCKET");
  const Notifier none;
  const Store store(none);
  EXPECT_FALSE(store.keeps());
  store.remove("a");
  EXPECT_FALSE(store.settle(1ms));
}

TEST(Store, HasNamesThatSystemdKeeps) {
  EXPECT_TRUE(is_store_name("vm-1.in_2"));
  EXPECT_TRUE(is_store_name(std::string(32, 'a')));
  for (const std::string& name : {std::string(), std::string(33, 'a'), std::string("a:b"),
                                  std::string("A"), std::string("a\n"), std::string("\xc3\xa4")}) {
    EXPECT_FALSE(is_store_name(name)) << name;
  }
}

/// In a process to which a manager handed so many files, each with its index in it.
struct HandedOver {
  int files = 3;
  std::string count = "3";
  std::string names = "a:b:c";
  bool to_us = true;
};

/// @return whether the body is content, in that process.
bool in_a_service(const HandedOver& handed, const std::function<bool()>& body) {
  const pid_t child = ::fork();
  if (child == 0) {
    for (int i = 0; i < handed.files; ++i) {
      const int fd = ::memfd_create("handed", 0);
      const char index = static_cast<char>('0' + i);
      if (::pwrite(fd, &index, 1, 0) != 1 || ::dup2(fd, 100 + i) < 0) ::_exit(2);
    }
    for (int i = 0; i < handed.files; ++i) ::dup2(100 + i, 3 + i);
    ::setenv("LISTEN_PID", std::to_string(handed.to_us ? ::getpid() : 1).c_str(), 1);
    ::setenv("LISTEN_FDS", handed.count.c_str(), 1);
    ::setenv("LISTEN_FDNAMES", handed.names.c_str(), 1);
    const bool content = body() && std::getenv("LISTEN_PID") == nullptr &&
                         std::getenv("LISTEN_FDS") == nullptr &&
                         std::getenv("LISTEN_FDNAMES") == nullptr;
    ::_exit(content ? 0 : 1);
  }
  int status = 0;
  return ::waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

bool has(Inherited& all, std::string_view name, char index) {
  const auto fd = all.take(name);
  char found = 0;
  return fd && ::pread(fd->get(), &found, 1, 0) == 1 && found == index &&
         ::fcntl(fd->get(), F_GETFD) == FD_CLOEXEC;
}

TEST(Inherited, IsWhatTheManagerNamed) {
  EXPECT_TRUE(in_a_service({}, [] {
    Inherited all = Inherited::take();
    return has(all, "b", '1') && has(all, "c", '2') && has(all, "a", '0') && !all.take("a") &&
           all.names().empty();
  }));
}

TEST(Inherited, IsNothingWhereAnotherProcessIsMeant) {
  EXPECT_TRUE(in_a_service({.to_us = false}, [] { return Inherited::take().names().empty(); }));
}

TEST(Inherited, HasNoNamesWhereTheyAreNotAsManyAsDescriptors) {
  for (const char* const names : {"a:b", "a:b:c:d", "", ":::::"}) {
    EXPECT_TRUE(in_a_service({.names = names}, [] {
      Inherited all = Inherited::take();
      return !all.take("a") && all.names() == std::vector<std::string>{"", "", ""};
    })) << names;
  }
}

TEST(Inherited, IsNothingWhereTheNumberIsNone) {
  for (const char* const count : {"", "0", "-1", "3x", "99999999999999999999", "2000000000"}) {
    EXPECT_TRUE(in_a_service({.count = count}, [] { return Inherited::take().names().empty(); }))
        << count;
  }
}

TEST(Inherited, LeavesOutWhatIsNotOpen) {
  EXPECT_TRUE(in_a_service({.count = "4", .names = "a:b:c:d"}, [] {
    ::close(6);
    return Inherited::take().names() == std::vector<std::string>{"a", "b", "c"};
  }));
}

TEST(Inherited, GivesNoneOfTwoThatHaveTheSameName) {
  EXPECT_TRUE(in_a_service({.names = "a:b:a"}, [] {
    Inherited all = Inherited::take();
    return !all.take("a") && has(all, "b", '1') &&
           all.names() == std::vector<std::string>{"a", "a"};
  }));
}

TEST_F(StoreTest, DiscardsWhatNobodyTookHereAndThere) {
  EXPECT_TRUE(in_a_service({.names = "a:b:a"}, [this] {
    Inherited all = Inherited::take();
    const auto taken = all.take("b");
    Store(*notifier_).discard(std::move(all));
    return taken && ::fcntl(3, F_GETFD) == -1 && ::fcntl(4, F_GETFD) == FD_CLOEXEC &&
           ::fcntl(5, F_GETFD) == -1;
  }));
  Packet packet;
  EXPECT_EQ(received(&packet), "FDSTOREREMOVE=1\nFDNAME=a");
}

TEST(Notice, IsReadLineByLine) {
  const Notice all = read_notice("READY=1\nFDSTORE=1\nFDPOLL=0\nFDNAME=a\nSTATUS=x=1\nX=\n\n");
  EXPECT_TRUE(all.ready && all.store && !all.remove && !all.polled);
  EXPECT_EQ(all.name, "a");
  EXPECT_EQ(all.state, "READY=1\nSTATUS=x=1\n");
  const Notice none = read_notice("READY=10\nFDSTORE=\nXFDNAME=a\nFDPOLL=1\nMAINPID=7");
  EXPECT_TRUE(!none.ready && !none.store && none.polled && none.name.empty() && none.state.empty());
  EXPECT_TRUE(read_notice("FDSTOREREMOVE=1").remove);
}

}  // namespace
}  // namespace vballoon::keep

// SPDX-License-Identifier: BSD-3-Clause
//
// Whether a file was sent shows by its lock, as long as the peer has anything of it.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>

#include "keep/lent.hpp"
#include "keep/packet.hpp"

namespace vballoon::keep {
namespace {

class Lent : public ::testing::Test {
 protected:
  Lent() {
    std::array<int, 2> ends{};
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()), 0);
    ours_.reset(ends[0]);
    peer_.reset(ends[1]);
    file_.reset(::memfd_create("region", MFD_CLOEXEC));
    EXPECT_EQ(::ftruncate(file_.get(), 4096), 0);
    auto witness = lock_lent(file_.get());
    EXPECT_TRUE(witness) << witness.error().message;
    witness_ = *std::move(witness);
  }
  void send() {
    char byte = 'x';
    const iovec part{&byte, 1};
    const int fd = file_.get();
    ASSERT_EQ(send_packet({ours_.get()}, {&part, 1}, {&fd, 1}, 0), 0);
  }
  UniqueFd receive() {
    char byte = 0;
    iovec part{&byte, 1};
    Packet packet;
    EXPECT_EQ(receive_packet(peer_.get(), {&part, 1}, 0, &packet), 0);
    EXPECT_EQ(packet.descriptors.size(), 1U);
    return packet.descriptors.empty() ? UniqueFd() : std::move(packet.descriptors.front());
  }

  UniqueFd ours_;
  UniqueFd peer_;
  UniqueFd file_;
  UniqueFd witness_;
};

TEST_F(Lent, IsNotOutWhereItWasNotSent) {
  EXPECT_EQ(is_out(witness_.get()), true) << "it is still ours";
  file_.reset();
  EXPECT_EQ(is_out(witness_.get()), false);
}

TEST_F(Lent, IsOutUntilThePeerHasNothingOfIt) {
  send();
  file_.reset();
  EXPECT_EQ(is_out(witness_.get()), true) << "it is unread";
  UniqueFd got = receive();
  EXPECT_EQ(is_out(witness_.get()), true) << "the peer has a descriptor";
  void* const at = ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, got.get(), 0);
  ASSERT_NE(at, MAP_FAILED);
  got.reset();
  EXPECT_EQ(is_out(witness_.get()), true) << "the peer has it mapped";
  ::munmap(at, 4096);
  EXPECT_EQ(is_out(witness_.get()), false);
}

TEST_F(Lent, IsNotOutWhenItWasLostWithTheConnection) {
  send();
  file_.reset();
  peer_.reset();
  EXPECT_EQ(is_out(witness_.get()), false);
}

TEST_F(Lent, ThePeerCanWriteThere) {
  send();
  const UniqueFd got = receive();
  EXPECT_EQ(::pwrite(got.get(), "x", 1, 0), 1);
  EXPECT_LT(::pwrite(witness_.get(), "x", 1, 0), 0);
}

TEST_F(Lent, NobodyCanTellByWhatIsNoFile) {
  EXPECT_EQ(is_out(-1), std::nullopt);
}

}  // namespace
}  // namespace vballoon::keep

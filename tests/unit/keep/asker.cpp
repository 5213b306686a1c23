// SPDX-License-Identifier: BSD-3-Clause
#include "asker.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <stdexcept>
#include <utility>

#include "keep/exchange.hpp"
#include "keep/lent.hpp"
#include "keep/packet.hpp"
#include "keep/step.hpp"

namespace vballoon::keep {
namespace {

/// In the bag beside connection and answers: the newest message that was acted on.
struct Record {
  std::uint32_t acted_on = 0;
};
enum Index : std::uint8_t { kConnection, kAnswers, kWitness };

/// An answer that does not come for so long will not come.
constexpr timeval kLost{.tv_sec = 10, .tv_usec = 0};

UniqueFd file_of(std::uint32_t number) {
  UniqueFd fd(::memfd_create("question", MFD_CLOEXEC));
  return ::pwrite(fd.get(), &number, sizeof(number), 0) == sizeof(number) ? std::move(fd)
                                                                          : UniqueFd();
}

bool is_file_of(const UniqueFd& fd, std::uint32_t number) {
  std::uint32_t found = 0;
  return ::pread(fd.get(), &found, sizeof(found), 0) == sizeof(found) && found == number;
}

/// What recvmsg(2) brings beside the bytes.
class Looked {
 public:
  explicit Looked(std::span<std::byte> room) : part_{room.data(), room.size()} {
    message_.msg_iov = &part_;
    message_.msg_iovlen = 1;
    message_.msg_control = control_.data();
    message_.msg_controllen = control_.size();
  }
  [[nodiscard]] msghdr* message() { return &message_; }
  [[nodiscard]] UniqueFd descriptor() const {
    const cmsghdr* const part = CMSG_FIRSTHDR(&message_);
    if (part == nullptr || part->cmsg_type != SCM_RIGHTS) return {};
    int fd = -1;
    std::memcpy(&fd, CMSG_DATA(part), sizeof(fd));
    return UniqueFd(fd);
  }

 private:
  alignas(cmsghdr) std::array<std::byte, CMSG_SPACE(sizeof(int))> control_{};
  iovec part_;
  msghdr message_{};
};

class Server {
 public:
  Server(Bag bag, BagContents contents, Exchange exchange)
      : bag_(std::move(bag)),
        connection_(std::move(contents.descriptors[kConnection])),
        exchange_(std::move(exchange)) {
    std::memcpy(&record_, contents.record.data(), sizeof(record_));
  }

  Served serve(int flags) {
    for (;;) {
      Question question;
      UniqueFd descriptor;
      const ssize_t got = look(&question, &descriptor, flags);
      if (got <= 0) return got == 0 ? Served::kEnd : Served::kAll;
      if (!act(question, descriptor) || !answer(question)) return Served::kWrong;
    }
  }

 private:
  /// The whole of a message. Of a descriptor that is not its own nothing is left.
  ssize_t look(Question* question, UniqueFd* descriptor, int flags) {
    std::array<std::byte, sizeof(Question) + kMaxPayload> room{};
    Looked first(room);
    ssize_t got = exchange_.look(first.message(), flags);
    UniqueFd came = got > 0 ? first.descriptor() : UniqueFd();
    while (got > 0 && !is_whole(room, got)) {
      Looked more{std::span<std::byte>(room).subspan(static_cast<std::size_t>(got))};
      const ssize_t next = exchange_.look_on(more.message(), flags);
      const UniqueFd of_the_next = next > 0 ? more.descriptor() : UniqueFd();
      if (next <= 0) return next;
      got += next;
    }
    if (got <= 0) return got;
    std::memcpy(question, room.data(), sizeof(*question));
    if (question->brings_descriptor != 0) *descriptor = std::move(came);
    return exchange_.cut(bytes_of(room)) == 0 ? got : -1;
  }

  static std::size_t bytes_of(std::span<const std::byte> seen) {
    Question question;
    std::memcpy(&question, seen.data(), sizeof(question));
    return sizeof(question) + question.payload_bytes;
  }
  static bool is_whole(std::span<const std::byte> seen, ssize_t got) {
    const auto bytes = static_cast<std::size_t>(got);
    return bytes >= sizeof(Question) && bytes >= bytes_of(seen);
  }

  bool act(const Question& question, const UniqueFd& descriptor) {
    const bool next = question.number == record_.acted_on + 1;
    if (!next && question.number != record_.acted_on) return false;
    if (question.brings_descriptor != 0 && !is_file_of(descriptor, question.number)) return false;
    record_.acted_on = question.number;
    std::vector<int> fds{connection_.get(), exchange_.answers()};
    UniqueFd witness;
    if (question.wants_descriptor != 0) {
      lent_ = file_of(question.number);
      auto locked = lock_lent(lent_.get());
      if (!locked) return false;
      witness = *std::move(locked);
      fds.push_back(witness.get());
    }
    return bag_.put(std::as_bytes(std::span(&record_, 1)), fds).has_value();
  }

  bool answer(const Question& question) {
    if (question.answer_bytes != 0 && !send_answer(question)) return false;
    return exchange_.finish() == 0;
  }

  bool send_answer(const Question& question) {
    auto text = text_of(question.number, question.answer_bytes);
    if (question.wants_descriptor == 0) return exchange_.answer(text) == 0;
    exchange_.answer_beside();
    const iovec part{text.data(), text.size()};
    const int lent = lent_.get();
    const int error = send_packet({connection_.get()}, {&part, 1}, {&lent, 1}, 0);
    step(Step::kLent);
    lent_.reset();
    return error == 0;
  }

  Bag bag_;
  UniqueFd connection_;
  Exchange exchange_;
  Record record_;
  UniqueFd lent_;
};

}  // namespace

std::vector<std::byte> text_of(std::uint32_t number, std::size_t bytes) {
  std::vector<std::byte> text(bytes);
  for (std::size_t i = 0; i < bytes; ++i) {
    text[i] = static_cast<std::byte>((number * 2654435761U + i * 40503U) >> 8);
  }
  if (bytes != 0) std::memcpy(text.data(), &number, std::min(bytes, sizeof(number)));
  return text;
}

Question question(std::uint32_t number) {
  Question asked;
  asked.number = number;
  asked.answer_bytes = number % 3 == 0 ? 0 : 4 + number * 37 % 400;
  asked.payload_bytes = static_cast<std::uint16_t>(number % 4 == 1 ? 0 : number * 31 % kMaxPayload);
  asked.brings_descriptor = number % 5 < 2 ? 1 : 0;
  asked.wants_descriptor = number % 3 != 0 && number % 7 < 3 ? 1 : 0;
  return asked;
}

bool ask(int socket, const Question& question, bool in_pieces) {
  std::vector<std::byte> bytes(sizeof(question));
  std::memcpy(bytes.data(), &question, sizeof(question));
  const auto payload = text_of(question.number, question.payload_bytes);
  if (!in_pieces) bytes.insert(bytes.end(), payload.begin(), payload.end());
  const UniqueFd file = question.brings_descriptor != 0 ? file_of(question.number) : UniqueFd();
  const int fd = file.get();
  const std::span<const int> fds(&fd, file.valid() ? 1 : 0);
  const iovec part{bytes.data(), bytes.size()};
  if (send_packet({socket}, {&part, 1}, fds, 0) != 0) return false;
  if (!in_pieces || payload.empty()) return true;
  return ::send(socket, payload.data(), payload.size(), MSG_NOSIGNAL) ==
         static_cast<ssize_t>(payload.size());
}

bool read_answers(int socket, std::uint32_t first, std::uint32_t last, UniqueFd* came) {
  for (std::uint32_t number = first; number <= last; ++number) {
    const Question asked = question(number);
    std::vector<std::byte> answer(asked.answer_bytes);
    if (answer.empty()) continue;
    Looked read(answer);
    const ssize_t got = ::recvmsg(socket, read.message(), MSG_WAITALL | MSG_CMSG_CLOEXEC);
    UniqueFd descriptor = got > 0 ? read.descriptor() : UniqueFd();
    if (got != static_cast<ssize_t>(answer.size()) || answer != text_of(number, answer.size())) {
      return false;
    }
    if (descriptor.valid() != (asked.wants_descriptor != 0)) return false;
    if (!descriptor.valid()) continue;
    if (!is_file_of(descriptor, number)) return false;
    *came = std::move(descriptor);
  }
  return true;
}

bool is_quiet(int socket) {
  pollfd readable{socket, POLLIN, 0};
  return ::poll(&readable, 1, 0) == 0;
}

Asked::Asked() : bag_(std::move(*Bag::make())) {
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) {
    throw std::runtime_error("no socket pair");
  }
  client_.reset(ends[0]);
  ::setsockopt(client_.get(), SOL_SOCKET, SO_RCVTIMEO, &kLost, sizeof(kLost));
  const UniqueFd server(ends[1]);
  const auto exchange = Exchange::begin(server.get());
  const Record nothing;
  if (!exchange || !bag_.put(std::as_bytes(std::span(&nothing, 1)),
                             std::array{server.get(), exchange->answers()})) {
    throw std::runtime_error("no exchange");
  }
}

Served serve(const Bag& kept, int flags) {
  auto bag = Bag::adopt(UniqueFd::duplicate(kept.in()), UniqueFd::duplicate(kept.out()));
  if (!bag) return Served::kWrong;
  auto contents = bag->look();
  if (!contents || !*contents || (*contents)->descriptors.size() < kWitness) return Served::kWrong;
  auto& descriptors = (*contents)->descriptors;
  const int witness = descriptors.size() > kWitness ? descriptors[kWitness].get() : -1;
  Settled settled{};
  auto exchange = Exchange::go_on(descriptors[kConnection].get(), std::move(descriptors[kAnswers]),
                                  &settled, witness);
  if (!exchange || settled == Settled::kDoubtful) return Served::kWrong;
  return Server(std::move(*bag), std::move(**contents), std::move(*exchange)).serve(flags);
}

}  // namespace vballoon::keep

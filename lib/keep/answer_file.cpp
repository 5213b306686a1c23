// SPDX-License-Identifier: BSD-3-Clause
#include "keep/answer_file.hpp"

#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <new>
#include <utility>

#include "base/check.hpp"
#include "keep/sealed_memory.hpp"
#include "keep/step.hpp"

namespace vballoon::keep {
namespace {

constexpr std::size_t kPage = 4096;
constexpr std::size_t kBytes = 16 * kPage;
constexpr std::uint64_t kMagic = 0x3173776e41625600;  // "\0VbAnws1"

// Of the note; anything else says where an answer ends, and how long it is.
constexpr std::uint64_t kOpenWord = 0;
constexpr std::uint64_t kAnsweredWord = 1;
constexpr std::uint64_t kDoubtfulWord = 2;
constexpr std::uint64_t kBesideWord = 3;
constexpr unsigned kLengthBits = 32;

constexpr std::uint64_t word_of(std::size_t end, std::size_t bytes) noexcept {
  return (static_cast<std::uint64_t>(bytes) << kLengthBits) | end;
}

tl::unexpected<Status> no_file() {
  return fail(Code::kHost,
              fmt::format("no file for the answers to a VMM: {}", std::strerror(errno)));
}

std::size_t offset_of(int fd) noexcept {
  const off_t at = ::lseek(fd, 0, SEEK_CUR);
  return at < 0 ? 0 : static_cast<std::size_t>(at);
}

}  // namespace

/// In the first page; answers are in the others. Read by the next process alone, after this one's
/// end, so what counts is the order in which the program stores.
struct AnswerFile::Note {
  std::uint64_t magic = kMagic;
  std::atomic<std::uint64_t> word{kOpenWord};
  std::atomic<std::uint32_t> attempts{0};
};

AnswerFile::AnswerFile(UniqueFd fd, std::byte* memory) noexcept
    : fd_(std::move(fd)), memory_(memory), place_(offset_of(fd_.get())) {}

AnswerFile::AnswerFile(AnswerFile&& other) noexcept
    : fd_(std::move(other.fd_)),
      memory_(std::exchange(other.memory_, nullptr)),
      place_(other.place_) {}

AnswerFile::~AnswerFile() {
  if (memory_ != nullptr) ::munmap(memory_, kBytes);
}

Result<AnswerFile> AnswerFile::make() {
  UniqueFd fd = make_sealed("vballoon-answers", kBytes);
  if (!fd.valid()) return no_file();
  std::byte* const memory = map_sealed(fd.get(), kBytes);
  if (memory == nullptr) return no_file();
  new (memory) Note;
  return AnswerFile(std::move(fd), memory);
}

Result<AnswerFile> AnswerFile::adopt(UniqueFd fd) {
  const auto refused =
      fail(Code::kInvalidArgument, "a kept file of answers is none; it is not used");
  if (!is_sealed(fd.get(), kBytes)) return refused;
  std::byte* const memory = map_sealed(fd.get(), kBytes);
  if (memory == nullptr) return no_file();
  AnswerFile file(std::move(fd), memory);
  if (file.note().magic != kMagic) return refused;
  return file;
}

AnswerFile::Note& AnswerFile::note() const noexcept {
  return *std::launder(reinterpret_cast<Note*>(memory_));
}

AnswerFile::State AnswerFile::state() const noexcept {
  const std::uint64_t word = note().word.load();
  if (word == kOpenWord) return State::kOpen;
  if (word == kAnsweredWord) return State::kAnswered;
  if (word == kBesideWord) return State::kBeside;
  const std::size_t end = word & ((std::uint64_t{1} << kLengthBits) - 1);
  const std::size_t at = offset_of(fd_.get());
  if (word == kDoubtfulWord || at > end || end - at > (word >> kLengthBits)) {
    return State::kDoubtful;
  }
  if (at == end) return State::kAnswered;
  return word_of(end, end - at) == word ? State::kOpen : State::kDoubtful;
}

void AnswerFile::set(State state) noexcept {
  if (state == State::kOpen) note().word.store(kOpenWord);
  if (state == State::kAnswered) note().word.store(kAnsweredWord);
  if (state == State::kDoubtful) note().word.store(kDoubtfulWord);
  if (state == State::kBeside) note().word.store(kBesideWord);
}

std::uint32_t AnswerFile::attempts() const noexcept {
  return note().attempts.load();
}

void AnswerFile::set_attempts(std::uint32_t attempts) noexcept {
  note().attempts.store(attempts);
}

int AnswerFile::send(int socket, std::span<const std::byte> answer) noexcept {
  VB_CHECK(!answer.empty() && answer.size() <= kLongest);
  if (!move_to_room_for(answer.size())) return errno;
  step(Step::kAnswerMoved);
  std::memcpy(memory_ + place_, answer.data(), answer.size());
  step(Step::kAnswerWritten);
  note().word.store(word_of(place_ + answer.size(), answer.size()));
  step(Step::kAnswerExpected);
  return send_placed(socket, answer.size());
}

/// The offset moves while the note says that nothing was sent.
bool AnswerFile::move_to_room_for(std::size_t bytes) noexcept {
  std::size_t place = place_;
  if (place % kPage + bytes > kPage) place = (place / kPage + 1) * kPage;
  if (place < kPage || place >= kBytes) place = kPage;
  if (place == place_) return true;
  if (::lseek(fd_.get(), static_cast<off_t>(place), SEEK_SET) < 0) return false;
  place_ = place;
  return true;
}

int AnswerFile::send_placed(int socket, std::size_t bytes) noexcept {
  ssize_t sent = -1;
  do {
    sent = ::sendfile(socket, fd_.get(), nullptr, bytes);
  } while (sent < 0 && errno == EINTR);
  const int error = errno;
  if (sent > 0) place_ += static_cast<std::size_t>(sent);
  if (sent == static_cast<ssize_t>(bytes)) {
    step(Step::kAnswered);
    return 0;
  }
  set(sent > 0 ? State::kDoubtful : State::kOpen);
  return sent < 0 ? error : EPROTO;
}

}  // namespace vballoon::keep

// SPDX-License-Identifier: BSD-3-Clause
#include "driver/vhost_user.hpp"

#include <fmt/format.h>

#include <array>
#include <cstring>
#include <type_traits>

namespace vballoon::driver {
namespace {

template <typename T>
std::span<const std::byte> bytes_of(const T& value) noexcept {
  static_assert(std::is_trivially_copyable_v<T>);
  return std::as_bytes(std::span(&value, 1));
}

template <typename T>
Result<T> decode(const Message& message) {
  T value{};
  if (message.payload.size() != sizeof(T)) {
    return fail(Code::kInvalidArgument,
                fmt::format("vhost-user message {}: answer of {} bytes instead of {}",
                            message.header.request, message.payload.size(), sizeof(T)));
  }
  std::memcpy(&value, message.payload.data(), sizeof(T));
  return value;
}

wire::Header header_of(wire::Request request, std::uint32_t flags, std::size_t size) noexcept {
  return {.request = static_cast<std::uint32_t>(request),
          .flags = wire::kVersion | flags,
          .size = static_cast<std::uint32_t>(size)};
}

Status in_message(wire::Request request, Status status) {
  status.message =
      fmt::format("vhost-user message {}: {}", static_cast<unsigned>(request), status.message);
  return status;
}

}  // namespace

Result<Message> FrontEnd::ask(wire::Request request, std::span<const std::byte> payload,
                              std::span<const int> fds) {
  const Deadline deadline(timeout_);
  const auto sent = socket_.send(header_of(request, 0, payload.size()), payload, fds, deadline);
  if (!sent) return tl::unexpected(in_message(request, sent.error()));
  auto answer = socket_.receive(deadline);
  if (!answer) return tl::unexpected(in_message(request, answer.error()));
  if (answer->header.request != static_cast<std::uint32_t>(request) ||
      (answer->header.flags & wire::kFlagReply) == 0) {
    return fail(Code::kInvalidArgument,
                fmt::format("vhost-user message {}: message {} came instead of the answer",
                            static_cast<unsigned>(request), answer->header.request));
  }
  return answer;
}

Result<void> FrontEnd::tell(wire::Request request, std::span<const std::byte> payload,
                            std::span<const int> fds) {
  const Deadline deadline(timeout_);
  const std::uint32_t flags = reply_ack_ ? wire::kFlagNeedReply : 0;
  const auto sent = socket_.send(header_of(request, flags, payload.size()), payload, fds, deadline);
  if (!sent) return tl::unexpected(in_message(request, sent.error()));
  if (!reply_ack_) return {};
  const auto answer = socket_.receive(deadline);
  if (!answer) return tl::unexpected(in_message(request, answer.error()));
  const auto verdict = decode<std::uint64_t>(*answer);
  if (!verdict) return tl::unexpected(verdict.error());
  if (*verdict != 0) {
    return fail(Code::kInvalidArgument, fmt::format("vhost-user message {}: the backend refused it",
                                                    static_cast<unsigned>(request)));
  }
  return {};
}

Result<std::uint64_t> FrontEnd::ask_number(wire::Request request) {
  return ask(request, {}).and_then(decode<std::uint64_t>);
}

Result<std::uint64_t> FrontEnd::get_features() {
  return ask_number(wire::Request::kGetFeatures);
}

Result<void> FrontEnd::set_features(std::uint64_t features) {
  return tell(wire::Request::kSetFeatures, bytes_of(features));
}

Result<std::uint64_t> FrontEnd::get_protocol_features() {
  return ask_number(wire::Request::kGetProtocolFeatures);
}

Result<void> FrontEnd::set_protocol_features(std::uint64_t features) {
  auto told = tell(wire::Request::kSetProtocolFeatures, bytes_of(features));
  reply_ack_ = told.has_value() && (features & wire::protocol::kReplyAck) != 0;
  return told;
}

Result<std::uint64_t> FrontEnd::get_queue_num() {
  return ask_number(wire::Request::kGetQueueNum);
}

Result<void> FrontEnd::set_owner() {
  return tell(wire::Request::kSetOwner, {});
}

Result<void> FrontEnd::set_mem_table(const GuestRam& ram) {
  return set_mem_table(ram.table(), ram.table_fds());
}

Result<void> FrontEnd::set_mem_table(std::span<const wire::MemoryRegion> regions,
                                     std::span<const int> fds) {
  const wire::MemoryHeader head{.regions = static_cast<std::uint32_t>(regions.size())};
  std::vector<std::byte> payload(sizeof(head) + regions.size_bytes());
  std::memcpy(payload.data(), &head, sizeof(head));
  if (!regions.empty()) {
    std::memcpy(payload.data() + sizeof(head), regions.data(), regions.size_bytes());
  }
  return tell(wire::Request::kSetMemTable, payload, fds);
}

Result<void> FrontEnd::set_vring_num(unsigned index, unsigned size) {
  return tell(wire::Request::kSetVringNum, bytes_of(wire::VringState{index, size}));
}

Result<void> FrontEnd::set_vring_base(unsigned index, std::uint32_t base) {
  return tell(wire::Request::kSetVringBase, bytes_of(wire::VringState{index, base}));
}

Result<void> FrontEnd::set_vring_addr(const wire::VringAddresses& addresses) {
  return tell(wire::Request::kSetVringAddr, bytes_of(addresses));
}

Result<void> FrontEnd::tell_fd(wire::Request request, unsigned index, std::optional<int> fd) {
  const std::uint64_t number = index | (fd ? 0 : wire::kNoFd);
  if (!fd) return tell(request, bytes_of(number));
  const std::array<int, 1> fds{*fd};
  return tell(request, bytes_of(number), fds);
}

Result<void> FrontEnd::set_vring_kick(unsigned index, std::optional<int> fd) {
  return tell_fd(wire::Request::kSetVringKick, index, fd);
}

Result<void> FrontEnd::set_vring_call(unsigned index, std::optional<int> fd) {
  return tell_fd(wire::Request::kSetVringCall, index, fd);
}

Result<void> FrontEnd::set_vring_enable(unsigned index, bool enabled) {
  return tell(wire::Request::kSetVringEnable, bytes_of(wire::VringState{index, enabled ? 1U : 0U}));
}

Result<std::uint16_t> FrontEnd::get_vring_base(unsigned index) {
  const wire::VringState question{.index = index};
  return ask(wire::Request::kGetVringBase, bytes_of(question))
      .and_then(decode<wire::VringState>)
      .map([](const wire::VringState& state) { return static_cast<std::uint16_t>(state.num); });
}

Result<InflightRegion> FrontEnd::get_inflight(unsigned queues, unsigned size) {
  const wire::Inflight question{.queues = static_cast<std::uint16_t>(queues),
                                .queue_size = static_cast<std::uint16_t>(size)};
  auto answer = ask(wire::Request::kGetInflightFd, bytes_of(question));
  if (!answer) return tl::unexpected(answer.error());
  const auto info = decode<wire::Inflight>(*answer);
  if (!info) return tl::unexpected(info.error());
  if (answer->fds.size() != 1) {
    return fail(Code::kInvalidArgument, "the backend's in-flight region came without its file");
  }
  return InflightRegion{*info, std::move(answer->fds.front())};
}

Result<void> FrontEnd::set_inflight(const InflightRegion& region) {
  const std::array<int, 1> fds{region.fd.get()};
  return tell(wire::Request::kSetInflightFd, bytes_of(region.info), fds);
}

Result<std::vector<std::byte>> FrontEnd::get_config(std::uint32_t offset, std::uint32_t size) {
  const wire::ConfigHeader head{.offset = offset, .size = size};
  // The request has room for the bytes it asks for: some backends take its length for theirs.
  std::vector<std::byte> payload(sizeof(head) + size);
  std::memcpy(payload.data(), &head, sizeof(head));
  auto answer = ask(wire::Request::kGetConfig, payload);
  if (!answer) return tl::unexpected(answer.error());
  if (answer->payload.size() != payload.size()) {
    return fail(Code::kInvalidArgument,
                fmt::format("configuration space: no {} bytes at offset {}", size, offset));
  }
  answer->payload.erase(answer->payload.begin(), answer->payload.begin() + sizeof(head));
  return std::move(answer->payload);
}

Result<void> FrontEnd::set_config(std::uint32_t offset, std::span<const std::byte> bytes) {
  const wire::ConfigHeader head{.offset = offset, .size = static_cast<std::uint32_t>(bytes.size())};
  std::vector<std::byte> payload(sizeof(head) + bytes.size());
  std::memcpy(payload.data(), &head, sizeof(head));
  if (!bytes.empty()) std::memcpy(payload.data() + sizeof(head), bytes.data(), bytes.size());
  return tell(wire::Request::kSetConfig, payload);
}

Result<void> FrontEnd::set_log_base(int fd, std::uint64_t bytes, std::uint64_t offset) {
  const std::array<std::uint64_t, 2> where{bytes, offset};
  const std::array<int, 1> fds{fd};
  return ask(wire::Request::kSetLogBase, bytes_of(where), fds).map([](const Message&) {});
}

Result<void> FrontEnd::set_backend_req_fd() {
  auto ends = MessageSocket::pair();
  if (!ends) return tl::unexpected(ends.error());
  backend_requests_ = std::move(ends->first);
  const std::array<int, 1> fds{ends->second.fd()};
  return tell(wire::Request::kSetBackendReqFd, {}, fds);
}

Result<void> FrontEnd::answer_backend(const Message& message) {
  using wire::BackendRequest;
  const bool known =
      message.header.request == static_cast<std::uint32_t>(BackendRequest::kConfigChange);
  if (known) ++config_changes_;
  if ((message.header.flags & wire::kFlagNeedReply) == 0) return {};
  const std::uint64_t verdict = known ? 0 : 1;
  const wire::Header head{.request = message.header.request,
                          .flags = wire::kVersion | wire::kFlagReply,
                          .size = sizeof(verdict)};
  return backend_requests_.send(head, bytes_of(verdict), {}, Deadline(timeout_));
}

Result<std::uint64_t> FrontEnd::config_changes(Deadline deadline) {
  // Without a channel the poll inside, of descriptor -1, is a plain sleep.
  while (backend_requests_.readable(deadline)) {
    const auto message = backend_requests_.receive(Deadline(timeout_));
    if (!message) return tl::unexpected(message.error());
    if (auto answered = answer_backend(*message); !answered) {
      return tl::unexpected(answered.error());
    }
    deadline = Deadline(std::chrono::nanoseconds(0));
  }
  return config_changes_;
}

}  // namespace vballoon::driver

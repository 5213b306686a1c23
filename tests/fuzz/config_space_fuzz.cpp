// SPDX-License-Identifier: BSD-3-Clause
//
// tests/fuzz/config_space_fuzz.cpp - GET_CONFIG and SET_CONFIG as a VMM may write them, carried out
//                                    on a config space and on 16 bytes that say what it should be.
// Source: VIRTIO 1.2, 5.5.4; vhost-user, "Virtio device config space".
#include <array>
#include <cstring>

#include "base/check.hpp"
#include "datapath/config_space.hpp"
#include "fuzz_input.hpp"
#include "vhost/message.hpp"

namespace vballoon::fuzz {
namespace {

using vhost::ConfigPayload;
using wire::kConfigBytes;

class Machine {
 public:
  void act(Input& input) {
    switch (input.byte() % 4) {
      case 0:
        return get(input);
      case 1:
        return set(input);
      case 2:
        return wish(input);
      default:
        return hint(input);
    }
  }

 private:
  /// A message as librte_vhost has it: header, payload, and behind it what is its own.
  vhost::Message receive(Input& input, vhost::Request request) {
    bytes_.fill(std::byte{0xEE});
    // Mostly near what makes sense: 16 bytes at 0 to 15.
    const bool wild = input.byte() % 4 == 0;
    const auto number = [&]() -> std::uint32_t {
      const std::uint32_t low = input.word();
      return wild ? low | std::uint32_t{input.word()} << 16U : low % 20;
    };
    const std::array<std::uint32_t, 3> config{number(), number(), input.word()};
    const std::uint32_t region = wild ? number() : config[1];
    const std::array<std::uint32_t, 3> header{static_cast<std::uint32_t>(request), 1U,
                                              region + 12U - (wild ? input.byte() % 16U : 0U)};
    std::memcpy(bytes_.data(), header.data(), sizeof(header));
    std::memcpy(bytes_.data() + 12, config.data(), sizeof(config));
    const auto rest = input.bytes(input.byte());
    std::memcpy(bytes_.data() + 24, rest.data(), rest.size());
    return vhost::Message(bytes_.data());
  }

  void get(Input& input) {
    vhost::Message message = receive(input, vhost::Request::kGetConfig);
    auto payload = message.config();
    if (!payload) return;
    check(message, *payload);
    const auto out = std::span(payload->region).first(payload->header.size);
    const bool known = config_.read(payload->header.offset, out);
    VB_CHECK(known == (payload->header.offset < wire::kConfigBytes));
    const auto image = model();
    for (std::size_t i = 0; i < out.size(); ++i) {
      const std::uint64_t at = std::uint64_t{payload->header.offset} + i;
      VB_CHECK(out[i] == (at < wire::kConfigBytes ? image[at] : std::byte{0}));
    }
    message.reply_config(*payload);
    VB_CHECK(message.size() == sizeof(wire::ConfigHeader) + payload->header.size);
    check_rest();
  }

  void set(Input& input) {
    const vhost::Message message = receive(input, vhost::Request::kSetConfig);
    const auto payload = message.config();
    if (!payload) return;
    check(message, *payload);
    const auto in = std::span(payload->region).first(payload->header.size);
    const std::uint64_t end = std::uint64_t{payload->header.offset} + in.size();
    VB_CHECK(config_.write(payload->header.offset, in) == (end <= wire::kConfigBytes));
    if (end > wire::kConfigBytes) return;
    for (const std::uint32_t field : {wire::kActualOffset, wire::kPoisonOffset}) {
      if (payload->header.offset > field || end < field + 4U) continue;
      std::memcpy(&fields_[field / 4], in.data() + (field - payload->header.offset), 4);
    }
    check_fields();
  }

  void wish(Input& input) {
    fields_[0] = input.word() * 65'537U;
    config_.set_num_pages(fields_[0]);
    if (input.byte() % 8 == 0) {
      config_.begin_anew();
      fields_[1] = 0;
      fields_[2] = wire::kHintDone;
    }
    if (input.byte() % 16 == 0) {
      config_.reset_driver_fields();
      fields_[1] = fields_[3] = 0;
      fields_[2] = wire::kHintDone;
    }
    check_fields();
  }

  void hint(Input& input) {
    const auto action = static_cast<wire::HintAction>(input.byte() % 3);
    const std::uint32_t command = config_.command_hints(action);
    VB_CHECK((command >= wire::kFirstHintRound) == (action == wire::HintAction::kStart));
    if (action == wire::HintAction::kStart) {
      VB_CHECK(command > newest_round_);
      newest_round_ = command;
    }
    fields_[2] = command;
    check_fields();
  }

  /// No more than came, and no more than there is room for.
  static void check(const vhost::Message& message, const ConfigPayload& payload) {
    VB_CHECK(payload.header.size <= payload.region.size());
    VB_CHECK(message.size() >= sizeof(wire::ConfigHeader) + payload.header.size);
  }
  /// A reply stays within the payload of a config message.
  void check_rest() const {
    for (std::size_t i = 12 + sizeof(ConfigPayload); i < bytes_.size(); ++i) {
      VB_CHECK(bytes_[i] == std::byte{0xEE});
    }
  }

  void check_fields() const {
    VB_CHECK(config_.num_pages() == fields_[0] && config_.actual() == fields_[1]);
    VB_CHECK(config_.hint_command() == fields_[2] && config_.poison_value() == fields_[3]);
  }
  [[nodiscard]] std::array<std::byte, wire::kConfigBytes> model() const {
    std::array<std::byte, wire::kConfigBytes> image{};
    std::memcpy(image.data(), fields_.data(), image.size());
    return image;
  }

  datapath::ConfigSpace config_;
  std::array<std::uint32_t, 4> fields_{0, 0, wire::kHintDone, 0};
  std::uint32_t newest_round_ = wire::kHintDone;
  std::array<std::byte, 1200> bytes_{};
};

}  // namespace

void run(Input input) {
  Machine machine;
  while (!input.empty()) machine.act(input);
}

}  // namespace vballoon::fuzz

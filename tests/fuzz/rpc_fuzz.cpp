// SPDX-License-Identifier: BSD-3-Clause
//
// tests/fuzz/rpc_fuzz.cpp - a client's bytes through lines, requests and methods, to the replies.
//                           However the stream is cut, the answers are the same.
// Source: JSON-RPC 2.0, 4 and 5.
#include <asio/io_context.hpp>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "../unit/service/fake_fleet.hpp"
#include "../unit/service/fake_host.hpp"
#include "base/check.hpp"
#include "base/log.hpp"
#include "fuzz_input.hpp"
#include "rpc/line_buffer.hpp"
#include "service/rpc/methods.hpp"

namespace vballoon::fuzz {
namespace {

using rpc::Json;

constexpr std::size_t kLongestLine = 1000;

/// A connection without its socket.
class Session {
 public:
  Session()
      : autopilot_(host_.open(loop_, fleet_)),
        settings_(fleet_, *autopilot_),
        methods_(loop_, fleet_, *autopilot_, settings_, Json{{"version", "fuzz"}}) {
    fleet_.guest("vm1");
    fleet_.guest("vm2").state = vm::State::kWaiting;
    fleet_.lcore_reports.push_back({1, "1", 0, "poll", "because"});
  }
  ~Session() { methods_.stop(); }
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  void receive(std::string_view bytes) {
    lines_.append(bytes);
    while (const auto line = lines_.next()) {
      VB_CHECK(line->size() <= kLongestLine);
      if (!line->empty()) serve(*line);
    }
  }
  [[nodiscard]] const std::vector<std::string>& replies() const noexcept { return replies_; }

 private:
  void serve(const std::string& line) {
    const auto request = rpc::parse_request(line);
    if (!request) return reply(rpc::format_error(request.error().id, request.error().error));
    unsigned answers = 0;
    methods_.call(*request, nullptr, [&](const rpc::Outcome<rpc::Body>& outcome) {
      ++answers;
      if (request->notification) return;
      reply(outcome ? rpc::format_result(request->id, *outcome)
                    : rpc::format_error(request->id, outcome.error()));
    });
    // None where its guest, or an event, is waited for; that one is dropped with this session.
    VB_CHECK(answers <= 1);
    VB_CHECK(answers == 1 || request->method == "device.stats" || request->method == "events.wait");
  }

  /// One line, and what a client takes for a reply.
  void reply(const std::string& line) {
    VB_CHECK(line.find('\n') == line.size() - 1);
    VB_CHECK(rpc::parse_reply(line).has_value());
    replies_.push_back(line);
  }

  asio::io_context loop_;
  service::FakeFleet fleet_;
  service::FakeHost host_;
  std::unique_ptr<policy::Autopilot> autopilot_;
  service::VmSettings settings_;
  service::Methods methods_;
  rpc::LineBuffer lines_{kLongestLine};
  std::vector<std::string> replies_;
};

std::string_view text_of(Input& input) {
  const auto bytes = input.bytes(std::numeric_limits<std::size_t>::max());
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace

void run(Input input) {
  log::set_level(log::level::off);
  const std::string_view text = text_of(input);
  Session whole;
  whole.receive(text);
  Session cut;
  const std::size_t piece = 1 + text.size() % 13;
  for (std::size_t at = 0; at < text.size(); at += piece) cut.receive(text.substr(at, piece));
  VB_CHECK(whole.replies() == cut.replies());
}

}  // namespace vballoon::fuzz

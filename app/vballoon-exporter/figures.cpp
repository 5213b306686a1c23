// SPDX-License-Identifier: BSD-3-Clause
#include "figures.hpp"

#include <fmt/format.h>

#include <cstdio>

#include "base/printable.hpp"
#include "rpc/client.hpp"

namespace vballoon::exporter {
namespace {

constexpr std::chrono::seconds kFresh{1};
constexpr std::chrono::seconds kPatience{5};  // Prometheus waits for 10 s by default

constexpr std::string_view kUp =
    "# HELP vballoon_up Whether the daemon answers.\n# TYPE vballoon_up gauge\nvballoon_up ";

rpc::Outcome<std::string> asked(const std::string& rpc_socket) {
  auto client = rpc::Client::connect(rpc_socket);
  if (!client) return tl::unexpected(client.error());
  const auto result = client->call("daemon.metrics", rpc::Json::object(), kPatience);
  if (!result) return tl::unexpected(result.error());
  return result->value("text", std::string());
}

}  // namespace

const std::string& Figures::text(Clock::time_point now) {
  if (text_.empty() || now - asked_ >= kFresh) {
    asked_ = now;
    ask();
  }
  return text_;
}

void Figures::ask() {
  const auto answer = asked(rpc_socket_);
  text_ = fmt::format("{}{}{}\n", answer ? *answer : "", kUp, answer ? 1 : 0);
  say(answer ? fmt::format("vballoond answers at {}", rpc_socket_) : answer.error().message);
}

void Figures::say(const std::string& what) {
  if (what == said_) return;
  said_ = what;
  fmt::print(stderr, "vballoon-exporter: {}\n", printable(what));
}

}  // namespace vballoon::exporter

// SPDX-License-Identifier: BSD-3-Clause
//
// service/rpc/daemon_methods.cpp - the methods about the daemon itself: which it is, what its VMs
//                                  outlived, and its next one.
#include <fmt/format.h>
#include <unistd.h>

#include <chrono>
#include <limits>

#include "rpc/json_writer.hpp"
#include "service/rpc/device_json.hpp"
#include "service/rpc/methods.hpp"
#include "service/rpc/metrics_text.hpp"
#include "service/rpc/params.hpp"

namespace vballoon::service {
namespace {

constexpr std::uint64_t kUsualWaitMs = 10'000;
constexpr std::uint64_t kLongestWaitMs = 60'000;
constexpr std::uint64_t kMostEvents = std::numeric_limits<std::int64_t>::max();

void write_vm(const vm::Vm& vm, rpc::JsonWriter* out) {
  const vm::DeviceReport report = vm.report();
  out->begin_object();
  out->field("name", vm.settings().name);
  out->field("state", vm::state_name(report.state));
  write_restarts(report, out);
  out->end_object();
}

}  // namespace

Methods::Answer Methods::version(const rpc::Json& object) {
  const Params params(object, "version");
  if (auto ok = params.finish(); !ok) return tl::unexpected(ok.error());
  return version_;
}

Methods::Answer Methods::restarts(const rpc::Json& object) {
  const Params params(object, "daemon.restarts");
  if (auto ok = params.finish(); !ok) return tl::unexpected(ok.error());
  const auto earlier = succession_ == nullptr ? std::nullopt : succession_->earlier();
  rpc::JsonWriter out;
  out.begin_object();
  out.field("started_by", succession_ == nullptr ? "nobody" : succession_->who());
  out.field("earlier_version", earlier ? rpc::Json(earlier->version) : rpc::Json(nullptr));
  write_warnings(warnings(), &out);
  out.key("vms");
  out.begin_array();
  for (const vm::Vm* vm : fleet_.vms()) write_vm(*vm, &out);
  out.end_array();
  out.end_object();
  return rpc::Body(out.take());
}

/// The answer is on its way before the keeper ends this daemon: it is sent with this call.
Methods::Answer Methods::upgrade(const rpc::Json& object) {
  const Params params(object, "daemon.upgrade");
  if (auto ok = params.finish(); !ok) return tl::unexpected(ok.error());
  if (succession_ == nullptr) {
    return rpc::refuse(rpc::kUnavailable, "nobody starts the next daemon");
  }
  if (auto asked = succession_->manager().ask_for_next(); !asked) {
    return tl::unexpected<rpc::Error>(rpc::to_error(asked.error()));
  }
  say("the next daemon is to go on: a client asked for it");
  return version_;
}

Methods::Answer Methods::metrics(const rpc::Json& object) {
  const Params params(object, "daemon.metrics");
  if (auto ok = params.finish(); !ok) return tl::unexpected(ok.error());
  Figures figures{{version_.value("version", std::string()), started_ms_ / 1000, counters_},
                  autopilot_.report(),
                  {},
                  fleet_.lcores()};
  for (const vm::Vm* vm : fleet_.vms()) {
    const vm::Settings& settings = vm->settings();
    figures.vms.push_back(
        {settings.name, settings.kind, autopilot_.automatic(settings.name), vm->report()});
  }
  rpc::JsonWriter out;
  out.begin_object();
  out.field("text", metrics_text(figures));
  out.end_object();
  return rpc::Body(out.take());
}

void Methods::wait_for_events(const rpc::Json& object, Asker asker, Responder done) {
  Params params(object, "events.wait");
  const auto after = params.optional_number("after", kMostEvents);
  const auto daemon = params.optional_number("daemon", kMostEvents);
  const auto timeout = params.optional_number("timeout_ms", kLongestWaitMs);
  if (after.has_value() != daemon.has_value()) {
    params.refuse(after ? "after" : "daemon",
                  "'after' and 'daemon' go together: an answer has both");
  }
  if (auto ok = params.finish(); !ok) return done(tl::unexpected(ok.error()));
  const Bookmark from = after ? Bookmark{*after, *daemon} : events_.end();
  events_.wait(from, std::chrono::milliseconds(timeout.value_or(kUsualWaitMs)), asker,
               std::move(done));
}

std::vector<std::string> Methods::warnings() const {
  if (succession_ == nullptr || succession_->trouble().empty()) return {};
  return {succession_->trouble()};
}

}  // namespace vballoon::service

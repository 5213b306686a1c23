// SPDX-License-Identifier: BSD-3-Clause
//
// control/start_log.cpp - where the daemon's log goes, and how a line of it looks.
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/stdout_color_sinks.h>

#include <memory>
#include <string>

#include "base/log.hpp"
#include "base/printable.hpp"
#include "control/daemon.hpp"
#include "control/notify.hpp"

namespace vballoon::control {
namespace {

/// What a line says. It may name what a VMM or a client of RPC sent.
class PrintableMessage final : public spdlog::custom_flag_formatter {
 public:
  void format(const spdlog::details::log_msg& message, const std::tm&,
              spdlog::memory_buf_t& out) override {
    const std::string text = printable({message.payload.data(), message.payload.size()});
    out.append(text.data(), text.data() + text.size());
  }
  [[nodiscard]] std::unique_ptr<custom_flag_formatter> clone() const override {
    return std::make_unique<PrintableMessage>();
  }
};

}  // namespace

void start_log(std::string_view level) {
  auto logger = spdlog::stderr_color_mt("vballoond");
  auto formatter = std::make_unique<spdlog::pattern_formatter>();
  formatter->add_flag<PrintableMessage>('*').set_pattern(
      logs_to_journal() ? "%l: %*" : "%H:%M:%S.%e %^%l%$: %*");
  logger->set_formatter(std::move(formatter));
  logger->set_level(spdlog::level::from_str(std::string(level)));
  spdlog::set_default_logger(std::move(logger));
}

}  // namespace vballoon::control

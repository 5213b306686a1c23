// SPDX-License-Identifier: BSD-3-Clause
#include "service/process/log_level.hpp"

#include <fmt/format.h>
#include <rte_log.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "base/log.hpp"
#include "base/printable.hpp"
#include "lcore/plan.hpp"

namespace vballoon::service {
namespace {

std::uint32_t eal_level(std::string_view name) {
  if (name == "error") return RTE_LOG_ERR;
  return name == "info" ? RTE_LOG_INFO : RTE_LOG_WARNING;
}

/// Whether standard error goes to the journal, which adds the time to each line itself.
/// @source systemd.exec(5), $JOURNAL_STREAM
bool logs_to_journal() {
  const char* stream = std::getenv("JOURNAL_STREAM");
  struct stat info {};
  if (stream == nullptr || ::fstat(STDERR_FILENO, &info) != 0) return false;
  return fmt::format("{}:{}", info.st_dev, info.st_ino) == stream;
}

/// The message of a line, made printable: it may contain what a VMM or an RPC client sent.
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

void start_log(const std::string& level) {
  auto logger = spdlog::stderr_color_mt("vballoond");
  auto formatter = std::make_unique<spdlog::pattern_formatter>();
  formatter->add_flag<PrintableMessage>('*').set_pattern(
      logs_to_journal() ? "%l: %*" : "%H:%M:%S.%e %^%l%$: %*");
  logger->set_formatter(std::move(formatter));
  logger->set_level(spdlog::level::from_str(level));
  spdlog::set_default_logger(std::move(logger));
}

void change_log_level(const std::string& level) {
  for (const lcore::EalLogLevel& entry : lcore::eal_log_levels(level)) {
    rte_log_set_level_pattern(entry.pattern, eal_level(entry.level));
  }
  // Logged at the more verbose of both levels.
  const auto after = spdlog::level::from_str(level);
  log::set_level(std::min(log::get_level(), after));
  log::info("reload: daemon.log_level is now {}", level);
  log::set_level(after);
}

}  // namespace vballoon::service

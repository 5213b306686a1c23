// SPDX-License-Identifier: BSD-3-Clause
#include "base/output.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string>
#include <system_error>

namespace vballoon {

int with_output_written(std::string_view program, int failed, const std::function<int()>& body) {
  int status = 0;
  std::string why;
  try {
    status = body();
    if (std::ferror(stdout) != 0) why = "not all of it could be written";
    if (std::fflush(stdout) != 0) why = std::strerror(errno);
  } catch (const std::system_error& error) {
    why = error.what();  // fmt's, where a line does not fit into the buffer any more
  }
  if (why.empty()) return status;
  fmt::print(stderr, "{}: standard output: {}\n", program, why);
  return status != 0 ? status : failed;
}

bool say_line(std::string_view line) noexcept {
  const bool written = std::fwrite(line.data(), 1, line.size(), stdout) == line.size() &&
                       std::fputc('\n', stdout) != EOF && std::fflush(stdout) == 0;
  if (!written) std::clearerr(stdout);
  return written;
}

}  // namespace vballoon

// SPDX-License-Identifier: BSD-3-Clause
//
// tests/fuzz/libfuzzer.cpp - where libFuzzer comes in; see tools/fuzz.
#include "fuzz_input.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  vballoon::fuzz::run(vballoon::fuzz::Input(std::as_bytes(std::span(data, size))));
  return 0;
}

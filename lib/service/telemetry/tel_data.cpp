// SPDX-License-Identifier: BSD-3-Clause
#include "service/telemetry/tel_data.hpp"

#include <rte_telemetry.h>
#include <rte_version.h>

#include <cerrno>
#include <cstdint>
#include <string>

namespace vballoon::service {
namespace {

using rpc::Json;

int add_number(const char* key, std::uint64_t number, rte_tel_data* data) {
#if RTE_VERSION >= RTE_VERSION_NUM(23, 3, 0, 0)
  return rte_tel_data_add_dict_uint(data, key, number);
#else
  return rte_tel_data_add_dict_u64(data, key, number);
#endif
}

int fill_array(const Json& array, rte_tel_data* data) {
#if RTE_VERSION >= RTE_VERSION_NUM(23, 3, 0, 0)
  constexpr rte_tel_value_type kNumbers = RTE_TEL_UINT_VAL;
  const auto add = rte_tel_data_add_array_uint;
#else
  constexpr rte_tel_value_type kNumbers = RTE_TEL_U64_VAL;
  const auto add = rte_tel_data_add_array_u64;
#endif
  const bool texts = array.empty() || array.front().is_string();
  int failed = rte_tel_data_start_array(data, texts ? RTE_TEL_STRING_VAL : kNumbers);
  for (const Json& item : array) {
    if (failed != 0) break;
    failed = texts ? rte_tel_data_add_array_string(data, item.get_ref<const std::string&>().c_str())
                   : add(data, item.get<std::uint64_t>());
  }
  return failed;
}

int add_structured(const char* key, const Json& value, rte_tel_data* data) {
  rte_tel_data* const inner = rte_tel_data_alloc();
  if (inner == nullptr) return -ENOMEM;
  int failed = value.is_array() ? fill_array(value, inner) : fill(value, inner);
  if (failed == 0) failed = rte_tel_data_add_dict_container(data, key, inner, 0);
  if (failed != 0) rte_tel_data_free(inner);
  return failed;
}

}  // namespace

int fill(const Json& object, rte_tel_data* data) {
  int failed = rte_tel_data_start_dict(data);
  for (const auto& [key, value] : object.items()) {
    if (failed != 0) break;
    if (value.is_structured()) {
      failed = add_structured(key.c_str(), value, data);
    } else if (value.is_string()) {
      failed = rte_tel_data_add_dict_string(data, key.c_str(),
                                            value.get_ref<const std::string&>().c_str());
    } else {
      failed = add_number(key.c_str(), value.get<std::uint64_t>(), data);
    }
  }
  return failed;
}

}  // namespace vballoon::service

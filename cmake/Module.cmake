# headrace_module(<folder> [USES <module>...] [LIBS <target>...]): a static library of src/<folder> and, where the
# folder has *_test.cc files, one test program of it. Files are found by their names: x.cc is source, x_test.cc its
# unit test, x_bench.cc a Google Benchmark, x_fuzz.cc a libFuzzer target.
function(headrace_module folder)
  cmake_parse_arguments(M "" "" "USES;LIBS" ${ARGN})
  string(REPLACE "/" "_" name ${folder})
  file(GLOB_RECURSE all CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${folder}/*.cc)
  set(sources ${all})
  list(FILTER sources EXCLUDE REGEX "_(test|bench|fuzz)\\.cc$")
  list(FILTER sources EXCLUDE REGEX "/main\\.cc$")
  set(tests ${all})
  list(FILTER tests INCLUDE REGEX "_test\\.cc$")
  set(benches ${all})
  list(FILTER benches INCLUDE REGEX "_bench\\.cc$")
  set(fuzzers ${all})
  list(FILTER fuzzers INCLUDE REGEX "_fuzz\\.cc$")

  set(kind PUBLIC)
  if(sources)
    add_library(headrace_${name} STATIC ${sources})
  else()
    add_library(headrace_${name} INTERFACE)
    set(kind INTERFACE)
  endif()
  target_include_directories(headrace_${name} ${kind} ${CMAKE_CURRENT_SOURCE_DIR} ${CMAKE_BINARY_DIR}/generated)
  foreach(used ${M_USES})
    string(REPLACE "/" "_" used ${used})
    target_link_libraries(headrace_${name} ${kind} headrace_${used})
  endforeach()
  target_link_libraries(headrace_${name} ${kind} ${M_LIBS} fmt::fmt Threads::Threads)

  if(tests)
    add_executable(${name}_test ${tests})
    target_link_libraries(${name}_test headrace_${name} GTest::gmock GTest::gtest_main)
    target_precompile_headers(${name}_test PRIVATE <gtest/gtest.h> <gmock/gmock.h> <string> <vector>)
    add_test(NAME unit.${name} COMMAND ${name}_test --gtest_brief=1)
  endif()
  foreach(bench ${benches})
    get_filename_component(stem ${bench} NAME_WE)
    add_executable(${name}_${stem} EXCLUDE_FROM_ALL ${bench})
    target_link_libraries(${name}_${stem} headrace_${name} benchmark::benchmark_main)
    set_property(GLOBAL APPEND PROPERTY headrace_benches ${name}_${stem})
  endforeach()
  if(HEADRACE_SANITIZE MATCHES "fuzzer")
    foreach(fuzzer ${fuzzers})
      get_filename_component(stem ${fuzzer} NAME_WE)
      add_executable(${name}_${stem} ${fuzzer})
      target_link_libraries(${name}_${stem} headrace_${name})
      target_link_options(${name}_${stem} PRIVATE -fsanitize=fuzzer)
      set_target_properties(${name}_${stem} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/fuzz)
    endforeach()
  endif()
endfunction()

# headrace_component_table(<folder> <suffix> <type> <header>): writes the table of a folder's components. A file
# <folder>/x_<suffix>.cc defines `const <type>& x_<suffix>()` in the folder's namespace; the generated source
# defines `std::span<const <type>* const> <suffix>_table()` over all of them, in alphabetical order.
function(headrace_component_table folder suffix type header)
  file(GLOB_RECURSE files CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${folder}/*_${suffix}.cc)
  list(SORT files)
  set(declarations "")
  set(entries "")
  foreach(file ${files})
    get_filename_component(stem ${file} NAME_WE)
    string(APPEND declarations "const ${type}& ${stem}();\n")
    string(APPEND entries "      &${stem}(),\n")
  endforeach()
  set(out ${CMAKE_BINARY_DIR}/generated/${folder}/${suffix}_table.cc)
  file(CONFIGURE OUTPUT ${out} @ONLY CONTENT
"// Generated from the files of src/${folder}.
#include \"${header}\"

#include <span>

namespace headrace::${folder} {
${declarations}
std::span<const ${type}* const> ${suffix}_table() {
  static const ${type}* const table[] = {
${entries}  };
  return table;
}
}  // namespace headrace::${folder}
")
  target_sources(headrace_${folder} PRIVATE ${out})
endfunction()

# headrace_kafka_messages(): writes wire/kafka/all_messages.h, which includes every src/wire/kafka/messages/NN_name.h and
# names their API keys as the type AllApiKeys.
function(headrace_kafka_messages)
  file(GLOB files CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/wire/kafka/messages/*.h)
  list(SORT files)
  set(includes "")
  set(keys "")
  foreach(file ${files})
    get_filename_component(stem ${file} NAME_WE)
    string(REGEX REPLACE "^0?([0-9]+)_.*$" "\\1" key ${stem})
    string(APPEND includes "#include \"wire/kafka/messages/${stem}.h\"\n")
    list(APPEND keys ${key})
  endforeach()
  list(JOIN keys ", " keys)
  file(CONFIGURE OUTPUT ${CMAKE_BINARY_DIR}/generated/wire/kafka/all_messages.h @ONLY CONTENT
"// Generated from the files of src/wire/kafka/messages.
#pragma once

#include <cstdint>
#include <utility>

${includes}
namespace headrace::wire::kafka {
using AllApiKeys = std::integer_sequence<int16_t, ${keys}>;
}  // namespace headrace::wire::kafka
")
endfunction()

# headrace_kafka_apis(): writes the dispatch table of src/kafka/api/NN_name.cc, each of which defines
# `const Api& api_NN()` (the number without leading zeros) in headrace::kafka. The table is `api_table()`.
function(headrace_kafka_apis)
  file(GLOB files CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/kafka/api/*.cc)
  list(FILTER files EXCLUDE REGEX "_test\\.cc$")
  list(SORT files)
  if(NOT files)
    return()
  endif()
  set(declarations "")
  set(entries "")
  foreach(file ${files})
    get_filename_component(stem ${file} NAME_WE)
    string(REGEX REPLACE "^0?([0-9]+)_.*$" "\\1" key ${stem})
    string(APPEND declarations "const Api& api_${key}();\n")
    string(APPEND entries "      &api_${key}(),\n")
  endforeach()
  set(out ${CMAKE_BINARY_DIR}/generated/kafka/api_table.cc)
  file(CONFIGURE OUTPUT ${out} @ONLY CONTENT
"// Generated from the files of src/kafka/api.
#include \"kafka/api.h\"

#include <span>

namespace headrace::kafka {
${declarations}
std::span<const Api* const> api_table() {
  static const Api* const table[] = {
${entries}  };
  return table;
}
}  // namespace headrace::kafka
")
  target_sources(headrace_kafka PRIVATE ${out})
endfunction()

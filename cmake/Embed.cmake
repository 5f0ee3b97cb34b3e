# headrace_embed(<target> <name> <file>...): puts files into the program. Declares, in "embedded/<name>.h",
# `std::span<const headrace::embedded::File> headrace::embedded::<name>()`: each file's base name and bytes, in the
# order given. A file may be one that the build makes. Several targets may ask for the same name: it is embedded once.
function(headrace_embed target name)
  set(library headrace_embedded_${name})
  if(NOT TARGET ${library})
    set(dir ${CMAKE_BINARY_DIR}/generated/embedded)
    set(blobs "")
    set(entries "")
    set(index 0)
    foreach(file ${ARGN})
      get_filename_component(path ${file} ABSOLUTE)
      get_filename_component(base ${file} NAME)
      set(symbol headrace_embedded_${name}_${index})
      string(APPEND blobs
"__asm__(\".section .rodata\\n.balign 16\\n.global ${symbol}\\n${symbol}:\\n.incbin \\\"${path}\\\"\\n\"
        \".global ${symbol}_end\\n${symbol}_end:\\n.byte 0\\n.previous\\n\");
extern \"C\" const char ${symbol}[], ${symbol}_end[];
")
      string(APPEND entries "      {\"${base}\", {${symbol}, static_cast<size_t>(${symbol}_end - ${symbol})}},\n")
      list(APPEND paths ${path})
      math(EXPR index "${index} + 1")
    endforeach()
    file(CONFIGURE OUTPUT ${dir}/file.h @ONLY CONTENT
"// Generated. A file inside the program.
#pragma once

#include <string_view>

namespace headrace::embedded {
struct File {
  std::string_view name;   ///< The base name.
  std::string_view bytes;  ///< Followed by a zero byte; lives as long as the program.
};
}  // namespace headrace::embedded
")
    file(CONFIGURE OUTPUT ${dir}/${name}.h @ONLY CONTENT
"// Generated.
#pragma once

#include <span>

#include \"embedded/file.h\"

namespace headrace::embedded {
std::span<const File> ${name}();
}  // namespace headrace::embedded
")
    file(CONFIGURE OUTPUT ${dir}/${name}.cc @ONLY CONTENT
"// Generated.
#include \"embedded/${name}.h\"

#include <cstddef>

${blobs}
namespace headrace::embedded {
std::span<const File> ${name}() {
  static const File files[] = {
${entries}  };
  return files;
}
}  // namespace headrace::embedded
")
    set_source_files_properties(${dir}/${name}.cc PROPERTIES OBJECT_DEPENDS "${paths}")
    add_library(${library} STATIC ${dir}/${name}.cc)
    target_include_directories(${library} PUBLIC ${CMAKE_BINARY_DIR}/generated)
  endif()
  target_link_libraries(${target} PUBLIC ${library})
endfunction()

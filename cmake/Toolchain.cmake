# Compiler, linker and warning settings; ccache and mold are used where they are present.
find_program(HEADRACE_CCACHE ccache)
if(HEADRACE_CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${HEADRACE_CCACHE})
  set(CMAKE_C_COMPILER_LAUNCHER ${HEADRACE_CCACHE})
endif()
find_program(HEADRACE_MOLD mold)
if(HEADRACE_MOLD)
  add_link_options(-fuse-ld=mold)
endif()

add_compile_options(-Wall -Wextra -Wno-missing-field-initializers -msse4.2 -fno-omit-frame-pointer)
if(HEADRACE_SANITIZE)
  # The vptr check looks at memory through a pipe: in tests that leave no descriptor it takes a sound object for a bad one.
  add_compile_options(-fsanitize=${HEADRACE_SANITIZE} -fno-sanitize-recover=undefined -fno-sanitize=vptr)
  add_link_options(-fsanitize=${HEADRACE_SANITIZE})
endif()

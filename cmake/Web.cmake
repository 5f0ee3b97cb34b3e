# The console's pages: built by npm from web/ inside the build folder and embedded into headrace_console.
include(Embed)

find_program(HEADRACE_NPM npm)
if(NOT HEADRACE_NPM)
  message(FATAL_ERROR "npm was not found: the console's pages are built with it. "
                      "Run 'make setup', or install the Debian packages nodejs and npm")
endif()

set(web_source ${CMAKE_SOURCE_DIR}/web)
set(web_build ${CMAKE_BINARY_DIR}/web)
set(web_manifest ${web_source}/package.json ${web_source}/package-lock.json ${web_source}/.npmrc)
file(GLOB_RECURSE web_files CONFIGURE_DEPENDS ${web_source}/src/* ${web_source}/public/*)
list(APPEND web_files ${web_source}/index.html ${web_source}/vite.config.ts ${web_source}/tsconfig.json)
set(web_dist ${web_build}/dist/index.html ${web_build}/dist/assets/app.js ${web_build}/dist/assets/app.css
             ${web_build}/dist/assets/icon.svg)

add_custom_command(
  OUTPUT ${web_build}/installed
  COMMAND ${CMAKE_COMMAND} -E make_directory ${web_build}
  COMMAND ${CMAKE_COMMAND} -E copy ${web_manifest} ${web_build}
  COMMAND ${CMAKE_COMMAND} -E chdir ${web_build} ${HEADRACE_NPM} ci --silent
  COMMAND ${CMAKE_COMMAND} -E touch ${web_build}/installed
  DEPENDS ${web_manifest}
  COMMENT "Installing what the console's pages are built with"
  VERBATIM COMMAND_EXPAND_LISTS)

set(copies "")
foreach(file ${web_files})
  file(RELATIVE_PATH path ${web_source} ${file})
  list(APPEND copies COMMAND ${CMAKE_COMMAND} -E copy_if_different ${file} ${web_build}/${path})
endforeach()
foreach(file ${web_files})
  file(RELATIVE_PATH path ${web_source} ${file})
  get_filename_component(dir ${web_build}/${path} DIRECTORY)
  file(MAKE_DIRECTORY ${dir})
endforeach()
add_custom_command(
  OUTPUT ${web_dist}
  ${copies}
  COMMAND ${CMAKE_COMMAND} -E chdir ${web_build} ${HEADRACE_NPM} run --silent build
  DEPENDS ${web_files} ${web_build}/installed
  COMMENT "Building the console's pages"
  VERBATIM)

add_test(NAME web.unit COMMAND ${HEADRACE_NPM} test --silent WORKING_DIRECTORY ${web_build})

headrace_embed(headrace_console streets ${CMAKE_SOURCE_DIR}/examples/cabs/streets.json)
headrace_embed(headrace_console web ${web_dist})

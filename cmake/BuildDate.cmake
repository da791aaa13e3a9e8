# The date that src/base/build_date.cc gives, in seconds since 1970. Builds of one commit are alike, so it is the
# commit's and not of the moment; https://reproducible-builds.org/specs/source-date-epoch/ takes precedence.
if("$ENV{SOURCE_DATE_EPOCH}" MATCHES "^[0-9]+$")
  set(BUILD_DATE "$ENV{SOURCE_DATE_EPOCH}")
else()
  execute_process(COMMAND git log -1 --format=%ct WORKING_DIRECTORY ${CMAKE_SOURCE_DIR}
                  OUTPUT_VARIABLE BUILD_DATE OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
  if(NOT BUILD_DATE MATCHES "^[0-9]+$")
    string(TIMESTAMP BUILD_DATE "%s" UTC)
  endif()
endif()
# For this one file, so that the others are found in the compiler cache whatever the date.
set_source_files_properties(src/base/build_date.cc PROPERTIES
  COMPILE_DEFINITIONS DOTWARD_BUILD_DATE=${BUILD_DATE} SKIP_PRECOMPILE_HEADERS ON)

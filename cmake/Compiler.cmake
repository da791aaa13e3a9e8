set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
# One flag for libraries and programs alike, so that they can share a precompiled header.
add_compile_options(-fPIE)
add_link_options(-pie)

# Paths inside objects are relative to the source, so that builds of one commit are alike whatever folder they stand in,
# and a second clone is served from the cache of the first.
add_compile_options(-ffile-prefix-map=${CMAKE_SOURCE_DIR}=.)
find_program(CCACHE ccache)
if(CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER
      ${CMAKE_COMMAND} -E env CCACHE_BASEDIR=${CMAKE_SOURCE_DIR} CCACHE_NOHASHDIR=1
      CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime ${CCACHE})
endif()

# Every target of ours links this: warnings are errors here and nowhere else.
add_library(dotward_options INTERFACE)
target_include_directories(dotward_options INTERFACE ${CMAKE_SOURCE_DIR}/include ${CMAKE_SOURCE_DIR}/src)
target_compile_options(dotward_options INTERFACE
  -Wall -Wextra -Werror -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wnon-virtual-dtor
  -Wold-style-cast -Woverloaded-virtual -Wcast-align -Wno-missing-field-initializers -Wformat=2 -Wimplicit-fallthrough
  -fno-strict-aliasing -fstack-protector-strong)
target_compile_definitions(dotward_options INTERFACE DOTWARD_VERSION="${PROJECT_VERSION}")

if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # ccache can only hash a precompiled header that was preprocessed with this flag.
  target_compile_options(dotward_options INTERFACE -fpch-preprocess)
  # GCC 12 reports these inside Abseil and the standard library when it inlines coroutines.
  target_compile_options(dotward_options INTERFACE -Wno-maybe-uninitialized -Wno-mismatched-new-delete)
else()
  target_compile_options(dotward_options INTERFACE -Xclang -fno-pch-timestamp -Wthread-safety)
endif()
if(CMAKE_BUILD_TYPE STREQUAL "Release")
  target_compile_definitions(dotward_options INTERFACE _FORTIFY_SOURCE=2)
endif()

if(DOTWARD_SANITIZE)
  target_compile_options(dotward_options INTERFACE
    -fsanitize=${DOTWARD_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_link_options(dotward_options INTERFACE -fsanitize=${DOTWARD_SANITIZE})
  if(DOTWARD_SANITIZE MATCHES "thread" AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # GCC warns that it does not follow Asio's fences. They only stand beside its mutexes, which it does follow.
    target_compile_options(dotward_options INTERFACE -Wno-tsan)
  endif()
endif()

# All of these are Debian 12 packages; README.md has the reason for each.
find_package(Threads REQUIRED)
find_package(absl REQUIRED)
find_package(spdlog REQUIRED)
find_package(yaml-cpp REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(ZLIB REQUIRED)
find_package(OpenSSL 3.0 REQUIRED COMPONENTS Crypto)
find_package(PkgConfig REQUIRED)
pkg_check_modules(LDNS REQUIRED IMPORTED_TARGET ldns>=1.8.3)
pkg_check_modules(GNUTLS REQUIRED IMPORTED_TARGET gnutls>=3.7.9)
pkg_check_modules(PSL REQUIRED IMPORTED_TARGET libpsl>=0.21)
pkg_check_modules(SYSTEMD REQUIRED IMPORTED_TARGET libsystemd>=252)
# With the flags of its pkg-config file: they decide the layout of the library's classes.
pkg_check_modules(HTTPLIB REQUIRED IMPORTED_TARGET cpp-httplib>=0.11)
add_library(dotward::ldns ALIAS PkgConfig::LDNS)
add_library(dotward::gnutls ALIAS PkgConfig::GNUTLS)
add_library(dotward::psl ALIAS PkgConfig::PSL)
add_library(dotward::httplib ALIAS PkgConfig::HTTPLIB)
add_library(dotward::systemd ALIAS PkgConfig::SYSTEMD)

find_path(ASIO_INCLUDE_DIR asio.hpp REQUIRED)
add_library(dotward_asio INTERFACE)
add_library(dotward::asio ALIAS dotward_asio)
target_include_directories(dotward_asio SYSTEM INTERFACE ${ASIO_INCLUDE_DIR})
# Asio 1.22 does not recognise the coroutines of a clang that uses libstdc++.
target_compile_definitions(dotward_asio INTERFACE
  ASIO_STANDALONE ASIO_NO_DEPRECATED
  $<$<CXX_COMPILER_ID:Clang>:ASIO_HAS_CO_AWAIT=1 ASIO_HAS_STD_COROUTINE=1>)

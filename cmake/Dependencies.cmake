# Every outside library in one place, with the Debian package to name when it is missing. All that lack are named at once.
set(missing_packages "")

find_program(PKG_CONFIG_EXECUTABLE NAMES pkg-config pkgconf)
if(NOT PKG_CONFIG_EXECUTABLE)
  message(FATAL_ERROR "pkg-config is missing: install the Debian package pkg-config, or run deploy/install-packages.sh")
endif()
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)

# Target dcps_dep_<name> for the pkg-config module `module` of Debian's `package`.
macro(dcps_find name module package)
  pkg_check_modules(${name} QUIET IMPORTED_TARGET ${module})
  if(${name}_FOUND)
    add_library(dcps_dep_${name} ALIAS PkgConfig::${name})
  else()
    list(APPEND missing_packages "${package} (for ${module})")
  endif()
endmacro()

dcps_find(zmq libzmq libzmq3-dev)
dcps_find(protobuf_c libprotobuf-c libprotobuf-c-dev)
dcps_find(uv libuv libuv1-dev)
dcps_find(jansson jansson libjansson-dev)
dcps_find(zlib zlib zlib1g-dev)
dcps_find(lzma liblzma liblzma-dev)

find_program(PROTOC_C protoc-c)
if(NOT PROTOC_C)
  list(APPEND missing_packages "protobuf-c-compiler (for protoc-c)")
endif()
# oneDNN by hand: Debian's package configuration asks for OpenCL, which the CPU engine does not need.
find_path(DNNL_INCLUDE_DIR dnnl.h)
find_library(DNNL_LIBRARY dnnl)
if(DNNL_INCLUDE_DIR AND DNNL_LIBRARY)
  add_library(DNNL::dnnl UNKNOWN IMPORTED)
  set_target_properties(DNNL::dnnl PROPERTIES
    IMPORTED_LOCATION ${DNNL_LIBRARY} INTERFACE_INCLUDE_DIRECTORIES ${DNNL_INCLUDE_DIR})
else()
  list(APPEND missing_packages "libdnnl-dev (for oneDNN)")
endif()

if(missing_packages)
  list(JOIN missing_packages "\n  " listed)
  message(FATAL_ERROR "missing Debian packages:\n  ${listed}\ndeploy/install-packages.sh installs all of them")
endif()

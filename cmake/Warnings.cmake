# Language level, warnings and optimisation of all our own code.
set(CMAKE_C_STANDARD 11)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS ON) # GNU: argp, memfd, attributes
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)

# No NDEBUG: assertions stay on outside inner loops. No -march: hot kernels choose their processor themselves at run time.
set(CMAKE_C_FLAGS_RELEASE "-O3")
set(CMAKE_C_FLAGS_RELWITHDEBINFO "-O2 -g")
if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "Release, RelWithDebInfo or Debug" FORCE)
endif()

option(DCPS_WERROR "Warnings are errors" OFF)

set(warnings -Wall -Wextra -Wconversion -Wshadow -Wvla -Wdouble-promotion)
# Element-wise maths gives the same bits on every processor.
set(host_options ${warnings} -ffp-contract=off)

add_library(dcps_warnings INTERFACE)
target_compile_definitions(dcps_warnings INTERFACE _GNU_SOURCE)
target_compile_options(dcps_warnings INTERFACE
  $<$<COMPILE_LANGUAGE:C,CXX>:${host_options}>
  $<$<COMPILE_LANGUAGE:C>:-Wstrict-prototypes>
  $<$<COMPILE_LANGUAGE:CXX>:-Wno-missing-field-initializers> # of designated ones, which C does not ask for
  $<$<AND:$<COMPILE_LANGUAGE:C,CXX>,$<BOOL:${DCPS_WERROR}>>:-Werror>)

# Code for the host that nvcc generates round ours does not bear all of them.
target_compile_options(dcps_warnings INTERFACE
  "$<$<COMPILE_LANGUAGE:CUDA>:-Xcompiler=-Wall,-Wextra,-Wshadow,-Wno-missing-field-initializers>"
  "$<$<AND:$<COMPILE_LANGUAGE:CUDA>,$<BOOL:${DCPS_WERROR}>>:-Werror=all-warnings>")

# Instrumented libraries cannot be linked by a compiler that is not told so.
if(TARGET dcps_shared AND NOT DCPS_SANITIZE AND NOT DCPS_COVERAGE AND NOT DCPS_FUZZ)
  dcps_script_test(install LABELS integration COMMAND ${CMAKE_CURRENT_LIST_DIR}/install.sh)
endif()

# Real processes over real sockets.
find_program(DCPS_PYTHON3 python3 REQUIRED)
set(tests_that_wait test_kill test_groups test_trace)
foreach(name ${tests_that_wait} test_hostile test_end_to_end test_model_runs)
  set(waits)
  if(name IN_LIST tests_that_wait)
    set(waits WAITS)
  endif()
  dcps_script_test(${name} LABELS integration TIMEOUT 900 ${waits} COMMAND ${DCPS_PYTHON3} ${CMAKE_CURRENT_LIST_DIR}/${name}.py)
  set_property(TEST ${name} APPEND PROPERTY ENVIRONMENT "DCPS_BIN=${CMAKE_BINARY_DIR}/bin")
endforeach()

add_library(paced_plugin MODULE support/paced_plugin.c)
target_link_libraries(paced_plugin PRIVATE dcps_warnings dcps_shared)
set_target_properties(paced_plugin PROPERTIES
  PREFIX "" OUTPUT_NAME paced C_VISIBILITY_PRESET hidden LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests/models)

# Programs that stand in for the real ones, under their names.
set(fake_dir ${CMAKE_BINARY_DIR}/tests/fake)
add_executable(fake_server ${CMAKE_CURRENT_LIST_DIR}/fake/fake_server.c)
target_link_libraries(fake_server PRIVATE dcps_warnings dcps_proto)
set_target_properties(fake_server PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${fake_dir} OUTPUT_NAME dcps-server)
foreach(program dcps dcps-worker)
  configure_file(${CMAKE_CURRENT_LIST_DIR}/fake/${program} ${fake_dir}/${program} COPYONLY)
endforeach()

foreach(test test_cluster test_cluster_patience)
  dcps_test(${test} LABELS integration SOURCES ${CMAKE_CURRENT_LIST_DIR}/${test}.c support/cluster_trial.c LINKS dcps_cli m TIMEOUT 300 WAITS)
  add_dependencies(${test} fake_server)
  set_property(TEST ${test} APPEND PROPERTY ENVIRONMENT "DCPS_FAKE_DIR=${fake_dir}")
endforeach()

dcps_script_test(test_cli LABELS integration COMMAND python3 ${CMAKE_CURRENT_LIST_DIR}/test_cli.py TIMEOUT 900)
set_property(TEST test_cli APPEND PROPERTY ENVIRONMENT "DCPS_BIN=${CMAKE_BINARY_DIR}/bin")

dcps_script_test(test_sim LABELS integration COMMAND python3 ${CMAKE_CURRENT_LIST_DIR}/test_sim.py TIMEOUT 600)
set_property(TEST test_sim APPEND PROPERTY ENVIRONMENT "DCPS_BIN=${CMAKE_BINARY_DIR}/bin")

dcps_script_test(test_sim_times LABELS integration FIGURES COMMAND python3 ${CMAKE_CURRENT_LIST_DIR}/test_sim_times.py TIMEOUT 600)
if(TEST test_sim_times)
  set_property(TEST test_sim_times APPEND PROPERTY ENVIRONMENT "DCPS_BIN=${CMAKE_BINARY_DIR}/bin")
endif()

dcps_script_test(test_compare LABELS integration COMMAND python3 ${CMAKE_CURRENT_LIST_DIR}/test_compare.py TIMEOUT 300)
set_property(TEST test_compare APPEND PROPERTY ENVIRONMENT "DCPS_BIN=${CMAKE_BINARY_DIR}/bin" "DCPS_FAKE_DIR=${fake_dir}")

dcps_script_test(test_border LABELS integration FIGURES COMMAND python3 ${CMAKE_CURRENT_LIST_DIR}/test_border.py TIMEOUT 300)
if(TEST test_border)
  set_property(TEST test_border APPEND PROPERTY ENVIRONMENT "DCPS_BIN=${CMAKE_BINARY_DIR}/bin")
endif()

dcps_script_test(test_prediction LABELS integration FIGURES COMMAND python3 ${CMAKE_CURRENT_LIST_DIR}/test_prediction.py TIMEOUT 300)
if(TEST test_prediction)
  set_property(TEST test_prediction APPEND PROPERTY ENVIRONMENT "DCPS_BIN=${CMAKE_BINARY_DIR}/bin")
endif()

foreach(module config safetensors)
  dcps_test(test_${module} LABELS unit
    SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_${module}.c ${CMAKE_CURRENT_LIST_DIR}/../support/temp_folder.c
    LINKS dcps_server dcps_dep_zlib TIMEOUT 300)
endforeach()
foreach(module checkpoint checkpoint_damage checkpoint_states)
  dcps_test(test_${module} LABELS unit ONE_THREAD
    SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_${module}.c ${CMAKE_CURRENT_LIST_DIR}/../support/temp_folder.c ${CMAKE_CURRENT_LIST_DIR}/../support/checkpoint_fixture.c
    LINKS dcps_server dcps_dep_zlib TIMEOUT 300)
endforeach()
foreach(module memory lease_guard)
  dcps_test(test_${module} LABELS unit SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_${module}.c LINKS dcps_server)
endforeach()
dcps_test(test_server_status LABELS unit SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_server_status.c LINKS dcps_server)
foreach(module trace_files trace_hostile)
  dcps_test(test_${module} LABELS unit
    SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_${module}.c ${CMAKE_CURRENT_LIST_DIR}/../support/temp_folder.c ${CMAKE_CURRENT_LIST_DIR}/../support/trace_fixture.c
    LINKS dcps_server_trace dcps_dep_zlib)
endforeach()

foreach(module config safetensors)
  dcps_test(test_${module} LABELS unit ONE_THREAD
    SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_${module}.c ${CMAKE_CURRENT_LIST_DIR}/../support/temp_folder.c
    LINKS dcps_server dcps_dep_zlib TIMEOUT 300)
endforeach()
foreach(module checkpoint checkpoint_damage checkpoint_states)
  dcps_test(test_${module} LABELS unit ONE_THREAD
    SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_${module}.c ${CMAKE_CURRENT_LIST_DIR}/../support/temp_folder.c ${CMAKE_CURRENT_LIST_DIR}/../support/checkpoint_fixture.c
    LINKS dcps_server dcps_dep_zlib TIMEOUT 300)
endforeach()
foreach(module lease_guard server_status)
  dcps_test(test_${module} LABELS unit ONE_THREAD SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_${module}.c LINKS dcps_server)
endforeach()
foreach(module trace_files trace_hostile)
  dcps_test(test_${module} LABELS unit ONE_THREAD
    SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_${module}.c ${CMAKE_CURRENT_LIST_DIR}/../support/temp_folder.c ${CMAKE_CURRENT_LIST_DIR}/../support/trace_fixture.c
    LINKS dcps_server_trace dcps_dep_zlib)
endforeach()

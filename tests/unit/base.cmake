foreach(module alloc buffer pool queue status text)
  dcps_test(test_${module} LABELS unit SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_${module}.c LINKS dcps_base)
endforeach()
foreach(module arena descriptors hash histogram options options_file rng stop_signal)
  dcps_test(test_${module} LABELS unit ONE_THREAD SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_${module}.c LINKS dcps_base)
endforeach()
# JSON lines are read by another implementation.
dcps_test(test_log LABELS unit SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_log.c LINKS dcps_base dcps_dep_jansson)
dcps_test(test_new_file LABELS unit ONE_THREAD
  SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_new_file.c ${CMAKE_CURRENT_LIST_DIR}/../support/temp_folder.c LINKS dcps_base dcps_dep_zlib)
dcps_test(test_folder LABELS unit ONE_THREAD
  SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_folder.c ${CMAKE_CURRENT_LIST_DIR}/../support/temp_folder.c LINKS dcps_base dcps_dep_zlib)

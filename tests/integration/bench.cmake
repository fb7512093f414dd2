# dcps bench with real servers.
find_program(DCPS_PYTHON3 python3 REQUIRED)
dcps_script_test(test_bench_programs LABELS integration TIMEOUT 600 COMMAND ${DCPS_PYTHON3} ${CMAKE_CURRENT_LIST_DIR}/test_bench.py)
set_property(TEST test_bench_programs APPEND PROPERTY ENVIRONMENT "DCPS_BIN=${CMAKE_BINARY_DIR}/bin")

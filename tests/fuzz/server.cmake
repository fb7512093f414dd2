dcps_fuzz_target(fuzz_trace_row
  SOURCES ${CMAKE_CURRENT_LIST_DIR}/fuzz_trace_row.c
  LINKS dcps_server_trace
  CORPUS ${CMAKE_CURRENT_LIST_DIR}/corpus/trace_row)

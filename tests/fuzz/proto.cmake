dcps_fuzz_target(fuzz_wire_decode
  SOURCES ${CMAKE_CURRENT_LIST_DIR}/fuzz_wire_decode.c
  LINKS dcps_proto
  CORPUS ${CMAKE_CURRENT_LIST_DIR}/corpus/wire_decode)

# Not part of a build: ninja make_wire_corpus && tests/make_wire_corpus …/tests/fuzz/corpus/wire_decode
add_executable(make_wire_corpus EXCLUDE_FROM_ALL
  ${CMAKE_CURRENT_LIST_DIR}/make_wire_corpus.c ${CMAKE_CURRENT_LIST_DIR}/../support/wire_samples.c)
target_link_libraries(make_wire_corpus PRIVATE dcps_warnings dcps_proto)
target_include_directories(make_wire_corpus PRIVATE ${CMAKE_SOURCE_DIR}/tests)
set_target_properties(make_wire_corpus PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)

foreach(module layout partition run_statistics transport)
  dcps_test(test_${module} LABELS unit SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_${module}.c LINKS dcps_proto)
endforeach()
dcps_test(test_transport_hostile LABELS unit
  SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_transport_hostile.c ${CMAKE_CURRENT_LIST_DIR}/zmtp_peer.c
  LINKS dcps_proto)
dcps_test(test_wire_status LABELS unit
  SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_wire_status.c ${CMAKE_CURRENT_LIST_DIR}/../support/wire_compare.c
          ${CMAKE_CURRENT_LIST_DIR}/../support/wire_samples.c
  LINKS dcps_proto)
dcps_test(test_wire LABELS unit
  SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_wire.c ${CMAKE_CURRENT_LIST_DIR}/../support/wire_compare.c
          ${CMAKE_CURRENT_LIST_DIR}/../support/wire_samples.c
  LINKS dcps_proto)

foreach(module layout partition run_statistics)
  dcps_test(test_${module} LABELS unit ONE_THREAD SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_${module}.c LINKS dcps_proto)
endforeach()
dcps_test(test_transport LABELS unit SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_transport.c LINKS dcps_proto)
dcps_test(test_transport_hostile LABELS unit
  SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_transport_hostile.c ${CMAKE_CURRENT_LIST_DIR}/zmtp_peer.c
  LINKS dcps_proto)
dcps_test(test_wire_status LABELS unit ONE_THREAD
  SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_wire_status.c ${CMAKE_CURRENT_LIST_DIR}/../support/wire_compare.c
          ${CMAKE_CURRENT_LIST_DIR}/../support/wire_samples.c
  LINKS dcps_proto)
dcps_test(test_wire LABELS unit ONE_THREAD
  SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_wire.c ${CMAKE_CURRENT_LIST_DIR}/../support/wire_compare.c
          ${CMAKE_CURRENT_LIST_DIR}/../support/wire_samples.c
  LINKS dcps_proto)

# Kernels share their work among threads of libgomp, whose way of waiting for each other ThreadSanitizer cannot see.
if(NOT DCPS_SANITIZE MATCHES thread)
  dcps_test(test_parity LABELS parity TIMEOUT 300
    SOURCES parity/test_parity.c parity/bench.c parity/rows_basic.c parity/rows_elementwise.c parity/rows_images.c parity/rows_sequence.c parity/rows_shape.c support/tape_fixture.c
    LINKS dcps_tensor dcps_proto)
endif()

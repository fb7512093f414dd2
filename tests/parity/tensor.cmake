# One table for all backends: test_parity_ref holds `ref` to its own slopes, the others hold a backend to `ref`.
set(parity_sources parity/bench.c parity/rows.c parity/rows_basic.c parity/rows_elementwise.c parity/rows_images.c parity/rows_sequence.c
    parity/rows_shape.c support/tape_fixture.c)

dcps_test(test_parity_ref LABELS parity TIMEOUT 300 ONE_THREAD SOURCES parity/test_parity_ref.c ${parity_sources} LINKS dcps_tensor dcps_proto)

# Kernels share their work among threads of libgomp, whose way of waiting for each other ThreadSanitizer cannot see.
if(NOT DCPS_SANITIZE MATCHES thread)
  dcps_test(test_parity LABELS parity TIMEOUT 300
    SOURCES parity/test_parity.c parity/subject_cpu.c ${parity_sources} LINKS dcps_tensor dcps_proto)
endif()

# The same on a GPU, and on the one that the CPU plays.
dcps_test(test_parity_cuda LABELS parity TIMEOUT 600
  SOURCES parity/test_parity.c parity/subject_cuda.c ${parity_sources} LINKS dcps_cuda dcps_tensor dcps_proto)
if(TARGET dcps_cuda_emulated)
  dcps_test(test_parity_cuda_emulated LABELS parity TIMEOUT 600
    SOURCES parity/test_parity.c parity/subject_cuda.c ${parity_sources} LINKS dcps_cuda_emulated dcps_tensor dcps_proto)
  if(DCPS_SANITIZE)
    target_compile_definitions(test_parity_cuda_emulated PRIVATE PARITY_SMALL_ROWS=1)
  endif()
endif()

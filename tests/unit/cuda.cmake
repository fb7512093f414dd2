if(TARGET dcps_cuda_emulated)
  dcps_test(test_device_tape LABELS unit SOURCES unit/test_device_tape.c support/tape_fixture.c LINKS dcps_cuda_emulated dcps_tensor dcps_proto m)
endif()

# Whole models on every backend. See tensor.cmake for what ThreadSanitizer cannot see.
if(TARGET model_mlp AND NOT DCPS_SANITIZE MATCHES thread)
  function(dcps_steps_test name subject)
    dcps_test(${name} LABELS parity TIMEOUT 600
      SOURCES parity/test_steps.c parity/subject_${subject}.c support/data_fixture.c support/coded_file.c support/temp_folder.c
      LINKS dcps_worker dcps_dep_zlib dcps_dep_lzma m ${ARGN})
    add_dependencies(${name} model_lstm model_resnet)
  endfunction()
  dcps_steps_test(test_steps cpu)
  dcps_offer_api(test_steps)
  dcps_steps_test(test_steps_cuda cuda)
  dcps_offer_api(test_steps_cuda)
  if(TARGET dcps_cuda_emulated)
    dcps_steps_test(test_steps_cuda_emulated cuda stdc++)
    dcps_offer_api(test_steps_cuda_emulated dcps_test_cuda_emulated)
  endif()
endif()

# See tensor.cmake for what ThreadSanitizer cannot see.
if(TARGET model_mlp AND NOT DCPS_SANITIZE MATCHES thread)
  dcps_test(test_steps LABELS parity TIMEOUT 300
    SOURCES parity/test_steps.c support/data_fixture.c support/coded_file.c support/temp_folder.c
    LINKS dcps_worker dcps_dep_zlib dcps_dep_lzma m)
  dcps_offer_api(test_steps)
  add_dependencies(test_steps model_lstm model_resnet)
endif()

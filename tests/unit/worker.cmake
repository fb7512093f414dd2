# The loopback server is the engines alone, so that programs that link libdcps can be tested against it too.
add_library(dcps_test_loopback STATIC support/loopback_server.c)
target_include_directories(dcps_test_loopback PUBLIC ${CMAKE_SOURCE_DIR}/tests)
target_link_libraries(dcps_test_loopback PRIVATE dcps_warnings PUBLIC PkgConfig::check dcps_server_engine)

add_library(dcps_test_client STATIC support/client_fixture.c support/toy_model.c)
target_link_libraries(dcps_test_client PRIVATE dcps_warnings PUBLIC dcps_test_loopback dcps_worker m)

dcps_test(test_clip LABELS unit ONE_THREAD SOURCES unit/test_clip.c LINKS dcps_worker m)
dcps_test(test_pace LABELS unit SOURCES unit/test_pace.c LINKS dcps_worker)
dcps_test(test_shuffle LABELS unit ONE_THREAD SOURCES unit/test_shuffle.c LINKS dcps_worker)
foreach(module client evaluate)
  dcps_test(test_${module} LABELS unit SOURCES unit/test_${module}.c LINKS dcps_test_client)
endforeach()
foreach(module client_waiting trainer)
  dcps_test(test_${module} LABELS unit SOURCES unit/test_${module}.c LINKS dcps_test_client WAITS)
endforeach()

if(TARGET dcps_cuda_emulated)
  dcps_test(test_trainer_device LABELS unit SOURCES unit/test_trainer_device.c LINKS dcps_cuda_emulated dcps_test_client)
endif()

# The program as a function of libdcps, which plugins share with it.
add_library(toy_plugin MODULE support/toy_plugin.c)
target_link_libraries(toy_plugin PRIVATE dcps_warnings dcps_shared)
set_target_properties(toy_plugin PROPERTIES
  PREFIX "" OUTPUT_NAME toy C_VISIBILITY_PRESET hidden LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests/models)
dcps_test(test_worker_program LABELS unit SOURCES unit/test_worker_program.c LINKS dcps_shared dcps_test_loopback)
target_compile_definitions(test_worker_program PRIVATE TEST_MODELS_DIR="${CMAKE_BINARY_DIR}/tests/models")
add_dependencies(test_worker_program toy_plugin variant_good variant_old_abi)

# The models themselves, on data made up in the form of the published sets. The program offers them the public functions, as dcps does.
if(TARGET model_mlp)
  dcps_test(test_models LABELS unit SOURCES unit/test_models.c support/data_fixture.c support/coded_file.c support/temp_folder.c
    LINKS dcps_worker dcps_dep_zlib dcps_dep_lzma m)
  dcps_offer_api(test_models)
  add_dependencies(test_models model_cnn model_lstm model_quadratic model_resnet)
endif()

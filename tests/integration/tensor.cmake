# Models call the public functions; the program offers them its own, as dcps does.
add_executable(serial_train ${CMAKE_SOURCE_DIR}/tests/support/serial_train.c)
target_include_directories(serial_train PRIVATE ${CMAKE_SOURCE_DIR}/tests)
target_link_libraries(serial_train PRIVATE dcps_warnings dcps_worker dcps_tensor dcps_proto dcps_base)
set_target_properties(serial_train PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
dcps_offer_api(serial_train)

if(TARGET model_mlp)
  add_dependencies(serial_train model_mlp)
  dcps_script_test(mlp_learns LABELS integration TIMEOUT 300 FIGURES
    COMMAND serial_train --epochs 1 --learning-rate 0.2 --max-error 0.20)
  dcps_script_test(mlp_validates LABELS integration TIMEOUT 300 FIGURES
    COMMAND serial_train --epochs 1 --learning-rate 0.2 --model-opt validation=5000 --split validation --max-error 0.20)
endif()

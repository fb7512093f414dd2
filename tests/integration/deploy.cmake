dcps_script_test(offline_bundle LABELS integration FIGURES COMMAND sh ${CMAKE_CURRENT_SOURCE_DIR}/integration/offline_bundle.sh)

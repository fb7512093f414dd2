# What `cmake --install` puts under the prefix: bin/, lib/libdcps.so, lib/dcps/models/, lib/pkgconfig/dcps.pc, include/dcps/.
set(DCPS_MODELS_DIR ${CMAKE_INSTALL_LIBDIR}/dcps/models)

foreach(program dcps dcps-server dcps-worker)
  if(TARGET ${program})
    install(TARGETS ${program} RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
  endif()
endforeach()

if(TARGET dcps_shared)
  set_target_properties(dcps_shared PROPERTIES
    OUTPUT_NAME dcps VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR} INSTALL_RPATH "$ORIGIN")
  install(TARGETS dcps_shared LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
endif()

# Every module library of examples/ is a model plugin.
function(dcps_install_models directory)
  get_property(targets DIRECTORY ${directory} PROPERTY BUILDSYSTEM_TARGETS)
  foreach(target ${targets})
    get_target_property(type ${target} TYPE)
    if(type STREQUAL "MODULE_LIBRARY")
      set_target_properties(${target} PROPERTIES INSTALL_RPATH "$ORIGIN/../..")
      install(TARGETS ${target} LIBRARY DESTINATION ${DCPS_MODELS_DIR})
    endif()
  endforeach()
  get_property(subdirectories DIRECTORY ${directory} PROPERTY SUBDIRECTORIES)
  foreach(subdirectory ${subdirectories})
    dcps_install_models(${subdirectory})
  endforeach()
endfunction()
dcps_install_models(${CMAKE_SOURCE_DIR}/examples)

install(DIRECTORY ${CMAKE_SOURCE_DIR}/include/dcps DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN "*.h")
configure_file(${CMAKE_SOURCE_DIR}/cmake/dcps.pc.in ${CMAKE_BINARY_DIR}/dcps.pc @ONLY)
install(FILES ${CMAKE_BINARY_DIR}/dcps.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

# dotward_embed_text(LAYER NAME.html) makes the file src/LAYER/NAME.html part of the program: NAME.cc of the build
# folder, made from src/LAYER/NAME.cc.in, defines what src/LAYER/NAME.h declares.
function(dotward_embed_text LAYER FILE)
  set(SOURCE ${CMAKE_SOURCE_DIR}/src/${LAYER}/${FILE})
  get_filename_component(NAME ${FILE} NAME_WE)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${SOURCE})
  file(READ ${SOURCE} TEXT)
  set(TARGET ${CMAKE_BINARY_DIR}/embedded/${LAYER}/${NAME}.cc)
  configure_file(${CMAKE_SOURCE_DIR}/src/${LAYER}/${NAME}.cc.in ${TARGET} @ONLY)
  target_sources(dotward_${LAYER} PRIVATE ${TARGET})
endfunction()

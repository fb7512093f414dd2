# Writes a C file with the bytes of one file: cmake -DINPUT=… -DOUTPUT=… -DNAME=symbol -P embed.cmake
file(READ ${INPUT} bytes HEX)
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${bytes}")
file(WRITE ${OUTPUT} "#include \"cli/results/report/embedded.h\"\n\nconst unsigned char ${NAME}[] = {${bytes}0};\nconst size_t ${NAME}_bytes = sizeof(${NAME}) - 1;\n")

# Libraries that consist of headers only.
unpack nlohmann-json3
cp -R "$WORK/nlohmann-json3/single_include/nlohmann" "$SYSROOT/include/"
unpack cli11
cp -R "$WORK/cli11/include/CLI" "$SYSROOT/include/"

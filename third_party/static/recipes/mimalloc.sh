# The memory allocator, in the place of musl's, which has one lock for all threads. Encoded free
# lists show a damaged heap; more checks (MI_SECURE) touch all memory at once, and double the
# worker's peak.
unpack mimalloc
cd "$WORK/mimalloc"
"$TOOLS/cc" $LIB_FLAGS -O2 -w -DNDEBUG -DMI_MALLOC_OVERRIDE -DMI_ENCODE_FREELIST \
  -ftls-model=local-exec -Iinclude -c src/static.c -o mimalloc.o
llvm-ar-19 rcsD "$SYSROOT/lib/libmimalloc.a" mimalloc.o

# The memory allocator. It replaces the one of musl, which has one lock for all threads. Encoded free
# lists detect a damaged heap. MI_SECURE checks more, but doubles the worker's peak memory.
unpack mimalloc
cd "$WORK/mimalloc"
# Each thread reserves one segment of address space. With 50 threads, segments of 32 MiB would exceed
# a limit of 1 GiB (ulimit -v). Segments of 4 MiB work with 200 MB, and take less memory.
sed -i 's/( 9 + MI_SEGMENT_SLICE_SHIFT)/( 6 + MI_SEGMENT_SLICE_SHIFT)/' include/mimalloc-types.h
grep -q '( 6 + MI_SEGMENT_SLICE_SHIFT)' include/mimalloc-types.h
# mimalloc replaces aligned_alloc only if __USE_ISOC11 is set, as glibc does. Without the macro,
# mimalloc would free memory that musl allocated.
"$TOOLS/cc" $LIB_FLAGS -O2 -w -DNDEBUG -DMI_MALLOC_OVERRIDE -DMI_ENCODE_FREELIST \
  -D__USE_ISOC11=1 -ftls-model=local-exec -Iinclude -c src/static.c -o mimalloc.o
llvm-ar-19 rcsD "$SYSROOT/lib/libmimalloc.a" mimalloc.o

# The C library and the kernel's headers.
unpack musl
cd "$WORK/musl"
CC="$TOOLS/cc" AR=llvm-ar-19 RANLIB=llvm-ranlib-19 CFLAGS="$LIB_FLAGS -O2" \
  ./configure --target="$TARGET-linux-musl" --prefix="$SYSROOT" --syslibdir="$SYSROOT/lib" \
  --disable-shared --disable-wrapper
make -j"$JOBS" install

headers=/usr/include
machine=$headers/$TARGET-linux-gnu
[ -d "$machine/asm" ] || machine=/usr/$TARGET-linux-gnu/include  # the cross package's
[ -d "$machine/asm" ] || fail "no kernel headers for $TARGET: install linux-libc-dev-arm64-cross"
cp -R "$headers/linux" "$headers/asm-generic" "$SYSROOT/include/"
cp -R "$machine/asm" "$SYSROOT/include/"

# The start code relocates the program to the address that the kernel chose. This release of musl
# knows only long relocations (24 bytes each, 700 kB for the worker). The code below applies short
# ones (RELR, one bit each) before it calls any function. Format of RELR: an even word is the
# address of a word to relocate. An odd word is a bit map of the next 63 words; its lowest bit is the
# mark.
cat > "$WORK/musl/crt/rcrt1.c" <<'START'
#define START "_start"
#define _dlstart_c _start_c
/* By its distance from the code: a pointer in memory would not be right yet. */
#define GETFUNCSYM(fp, sym, got) do { hidden void sym(); *(fp) = (stage2_func)sym; } while (0)
#include "../ldso/dlstart.c"

#define TAG_RELRSZ 35
#define TAG_RELR 36

int main();
weak void _init();
weak void _fini();
int __libc_start_main(int (*)(), int, char **, void (*)(), void (*)(), void (*)());
extern hidden size_t _DYNAMIC[];

hidden void __dls2(unsigned char *base, size_t *sp)
{
	size_t *map = 0, *end = 0, *place = 0, *tag;
	for (tag = _DYNAMIC; *tag; tag += 2) {
		if (tag[0] == TAG_RELR) map = (size_t *)(base + tag[1]);
	}
	for (tag = _DYNAMIC; *tag && map; tag += 2) {
		if (tag[0] == TAG_RELRSZ) end = map + tag[1] / sizeof *map;
	}
	for (; map < end; map++) {
		if (*map % 2 == 0) {
			place = (size_t *)(base + *map);
			*place++ += (size_t)base;
		} else {
			size_t bits, i;
			for (bits = *map >> 1, i = 0; bits; bits >>= 1, i++) {
				if (bits % 2) place[i] += (size_t)base;
			}
			place += 8 * sizeof *map - 1;
		}
	}
	__libc_start_main(main, *sp, (void *)(sp + 1), _init, _fini, 0);
}
START
make -j"$JOBS" lib/rcrt1.o
cp lib/rcrt1.o "$SYSROOT/lib/"

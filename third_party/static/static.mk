# The static lane: `make static` writes dist/sparklesworker.
# The libraries are outside of the source tree, in one directory for each target (settings.sh has
# the same names).

STATIC_CACHE := $(or $(SPARKLES_STATIC_CACHE),$(or $(XDG_CACHE_HOME),$(HOME)/.cache)/sparklesworker/static)
# The libraries' build writes this file only if a library has changed.
STATIC_BUILT = $(STATIC_TREE)/built
STATIC_TREE := $(STATIC_CACHE)/$(TARGET)
STATIC_BUILD := build/static$(if $(filter-out x86_64,$(TARGET)),-$(TARGET))
DIST := dist$(if $(filter-out x86_64,$(TARGET)),/$(TARGET))

LANE_PKG_CONFIG := pkg-config
ifeq ($(LANE),static)
LANE_PKG_CONFIG := PKG_CONFIG_LIBDIR=$(STATIC_TREE)/sysroot/lib/pkgconfig pkg-config --static
# Checks of the C++ library with very low cost replace _FORTIFY_SOURCE, which musl lacks. The
# program must contain no path of this machine. Stacks can be as small as 64 KiB.
LANE_CXXFLAGS := -gline-tables-only -fPIE -fstack-clash-protection \
  -D_LIBCPP_HARDENING_MODE=_LIBCPP_HARDENING_MODE_FAST \
  -ffile-prefix-map=$(CURDIR)=. -Wframe-larger-than=20000
# musl takes the stack size of threads from the program's header; the default is 128 KiB. mimalloc
# comes before the C library, because the linker takes malloc from the first library that has it.
LANE_LDFLAGS := -L$(STATIC_TREE)/sysroot/lib -lmimalloc -static-pie -Wl,--icf=safe \
  -Wl,--build-id=sha1 -Wl,-z,noexecstack \
  -Wl,--pack-dyn-relocs=relr \
  -Wl,-z,stack-size=1048576
$(BINARY): private LDFLAGS += -Wl,-Map=$(BINARY).map
endif

# The time of the commit replaces the time of the build, so that equal sources give equal files.
EPOCH := $(or $(shell git log -1 --format=%ct 2> /dev/null),1700000000)

.PHONY: static static-libraries static-sizes deps-static deps-static-found test-static reproducible \
        dist dist-files image

STATIC_PACKAGES = $(BUILD_PACKAGES) third_party/static/packages.txt \
                  $(if $(filter-out x86_64,$(TARGET)),third_party/static/packages-$(TARGET).txt)
TARGET_ARGUMENT := $(if $(filter-out x86_64,$(TARGET)), TARGET=$(TARGET))
deps-static: | $(filter deps deps-check,$(MAKECMDGOALS))
	@$(PACKAGES) install $(STATIC_PACKAGES)
deps-static-found:
	@$(PACKAGES) check 'make deps-static$(TARGET_ARGUMENT)' $(STATIC_PACKAGES)

$(STATIC_BUILT): static-libraries
	@true

static-libraries: deps-static-found
	@TARGET=$(TARGET) SPARKLES_STATIC_CACHE='$(STATIC_CACHE)' third_party/static/build.sh

IN_STATIC_LANE = +@$(MAKE) --no-print-directory LANE=static TARGET=$(TARGET)

static:
	$(IN_STATIC_LANE) $(DIST)/sparklesworker

# Prints the bytes of each library in the program.
static-sizes: static
	@python3 third_party/static/linked.py $(STATIC_BUILD)/sparklesworker.map

# Another architecture's binary runs under QEMU.
RUN := $(if $(filter-out $(shell uname -m),$(TARGET)),qemu-$(TARGET)-static)

ifeq ($(LANE),static)
# A stripped binary with its debug file; gdb and llvm-symbolizer find that by the build-id. The
# files of dist-files would not match a new binary, so they are removed.
$(DIST)/sparklesworker $(DIST)/sparklesworker.debug &: $(BINARY)
	@mkdir -p $(DIST)
	@rm -f $(addprefix $(DIST)/,$(addprefix sparklesworker.,1 bash spdx.json) SHA256SUMS)
	@llvm-objcopy-19 --only-keep-debug $< $(DIST)/sparklesworker.debug
	@llvm-objcopy-19 --strip-all --add-gnu-debuglink=$(DIST)/sparklesworker.debug $< $(BINARY).stripped
	@mv $(BINARY).stripped $(DIST)/sparklesworker
	@echo "$(DIST)/sparklesworker: $$(stat -c %s $(DIST)/sparklesworker) bytes"

dist-files: $(DIST)/sparklesworker
	@python3 third_party/static/sbom.py --binary $< --map $(BINARY).map --source src \
	  --resolved $(STATIC_CACHE)/resolved.txt --licences $(STATIC_TREE)/licences --out $(DIST) \
	  --version $(VERSION) --commit $(COMMIT) \
	  --epoch $(EPOCH)
	@$(RUN) $< man > $(DIST)/sparklesworker.1
	@$(RUN) $< completion > $(DIST)/sparklesworker.bash
	@cd $(DIST) && { ls sparklesworker $(addprefix sparklesworker.,1 bash debug spdx.json); \
	  find licences -type f; } | LC_ALL=C sort | xargs sha256sum > $(CURDIR)/$(BUILD)/sums && \
	  mv $(CURDIR)/$(BUILD)/sums SHA256SUMS
	@echo "$(DIST)/: the binary, its debug file, SBOM, licences, manual page, completion and checksums"
endif

dist:
	$(IN_STATIC_LANE) dist-files

# QEMU is too slow for all tests.
test-static: dist
	@python3 tests/run_tests.py --binary $(DIST)/sparklesworker --only '$(or $(T),$(CROSS_TESTS))'
CROSS_TESTS := $(if $(RUN),test_cross.)

# DIRECTORIES='src/base src/cli': compiles only these again.
reproducible: static
	@third_party/static/build_elsewhere.sh $(DIST)/sparklesworker '$(TARGET)' '$(COMMIT)' \
	  $(STATIC_BUILD) $(DIRECTORIES)

IMAGE ?= sparklesworker
image:
	@third_party/static/build_image.sh '$(IMAGE)' '$(TARGET)' '$(VERSION)' '$(COMMIT)' '$(EPOCH)'

# The static lane: `make static` leaves dist/sparklesworker. Its libraries lie outside the source
# tree, in a folder for each target (settings.sh has the same names).

STATIC_CACHE := $(or $(SPARKLES_STATIC_CACHE),$(or $(XDG_CACHE_HOME),$(HOME)/.cache)/sparklesworker/static)
STATIC_TREE := $(STATIC_CACHE)/$(TARGET)
DIST := dist$(if $(filter-out x86_64,$(TARGET)),/$(TARGET))

LANE_PKG_CONFIG := pkg-config
ifeq ($(LANE),static)
LANE_PKG_CONFIG := PKG_CONFIG_LIBDIR=$(STATIC_TREE)/sysroot/lib/pkgconfig pkg-config --static
# Checks of the C++ library that cost next to nothing take the place of _FORTIFY_SOURCE, which musl
# does not have. No path of this machine comes into the program.
LANE_CXXFLAGS := -gline-tables-only -fPIE -fstack-clash-protection \
  -D_LIBCPP_HARDENING_MODE=_LIBCPP_HARDENING_MODE_FAST \
  -ffile-prefix-map=$(CURDIR)=. -ffile-prefix-map=$(STATIC_TREE)=/build
# musl takes the stack size of threads from the program's header; its own default is 128 KiB.
LANE_LDFLAGS := -static-pie -Wl,--icf=safe -Wl,--build-id=sha1 -Wl,-z,noexecstack \
  -Wl,-z,stack-size=1048576
endif

.PHONY: static static-libraries deps-static test-static dist image

deps-static: deps
	@third_party/native/install_packages.sh third_party/static/packages.txt
	@[ '$(TARGET)' = x86_64 ] || \
	  third_party/native/install_packages.sh third_party/static/packages-$(TARGET).txt

static-libraries: deps-static
	@TARGET=$(TARGET) SPARKLES_STATIC_CACHE='$(STATIC_CACHE)' third_party/static/build.sh

static:
	@$(MAKE) --no-print-directory LANE=static TARGET=$(TARGET) $(DIST)/sparklesworker

ifeq ($(LANE),static)
# Stripped, with the debug file beside it: gdb and llvm-symbolizer find that by the build-id.
$(DIST)/sparklesworker: $(BINARY)
	@mkdir -p $(@D)
	@llvm-objcopy-19 --only-keep-debug $< $@.debug
	@llvm-objcopy-19 --strip-all --add-gnu-debuglink=$@.debug $< $@.new
	@mv $@.new $@
	@echo "$@: $$(stat -c %s $@) bytes"
endif

test-static: static
	@python3 tests/run_tests.py --binary $(DIST)/sparklesworker $(if $(T),--only '$(T)')

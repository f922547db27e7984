# Builds sparklesworker; `make help` lists the targets.
# LANE selects the compiler and the libraries. Each lane has its own directory below build/.
#   native (default)  g++, Debian's libraries          clang  the same with clang 19
#   asan, tsan, fuzz  clang 19 with sanitizers, for tests
#   static            the released binary: clang 19 and musl, libraries built by third_party/static;
#                     TARGET=aarch64 for ARM

LANE ?= native
TARGET ?= x86_64
BUILD := build/$(LANE)$(if $(filter static,$(LANE)),$(if $(filter-out x86_64,$(TARGET)),-$(TARGET)))
BINARY := $(BUILD)/sparklesworker
VERSION := 0.1.0
# Only if this directory is the root of the repository.
COMMIT := $(shell [ -e .git ] && git describe --always --exclude '*' --abbrev=12 --dirty || echo unknown)

ifneq ($(words $(CURDIR)),1)
$(error make cannot work in a directory whose path has a space: $(CURDIR))
endif

CLANG := clang++-19
CXX_native := g++
CXX_clang := $(CLANG)
CXX_asan := $(CLANG)
CXX_tsan := $(CLANG)
CXX_fuzz := $(CLANG)
CXX_static = $(STATIC_TREE)/tools/c++
include third_party/static/static.mk
LANE_CXX := $(CXX_$(LANE))
ifeq ($(LANE_CXX),)
$(error LANE=$(LANE) is not one of native clang asan tsan fuzz static)
endif

SANITIZE_asan := -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
SANITIZE_tsan := -fsanitize=thread -fno-omit-frame-pointer
SANITIZE_fuzz := -fsanitize=address,undefined,fuzzer-no-link -fno-sanitize-recover=all
SANITIZE := $(SANITIZE_$(LANE))
OPTIMIZE_native := -O2
OPTIMIZE_clang := -O2
OPTIMIZE_static := -Os
OPTIMIZE := $(or $(OPTIMIZE_$(LANE)),-O1)
TEST_OPTIMIZE := -O0 -g1

WARNINGS := -Wall -Wextra -Wconversion -Wshadow -Werror
ifneq ($(LANE),native)
WARNINGS += -Wthread-safety
endif

ABSEIL := absl_status absl_statusor absl_strings \
          absl_str_format absl_time
# Libraries that only the Monitor needs.
MONITOR_LIBS := grpc++ protobuf
GEN := $(BUILD)/gen
CPPFLAGS := -Isrc -I.
CXXFLAGS = -std=c++20 -g $(OPTIMIZE) $(WARNINGS) $(SANITIZE) -fstack-protector-strong -pthread \
            -ffunction-sections -fdata-sections $(LANE_CXXFLAGS)
LDFLAGS := $(SANITIZE) -pthread -Wl,--as-needed -Wl,--gc-sections -Wl,-z,relro,-z,now \
           $(LANE_LDFLAGS)
LIBS = $(shell $(LANE_PKG_CONFIG) --libs $(MONITOR_LIBS) $(ABSEIL) libcurl libcares libssl libcrypto)
TEST_LIBS := -lgmock -lgtest

LIB_SRC := $(filter-out src/main.cc,$(wildcard src/*.cc src/*/*.cc))
# Directories. All files of a directory are compiled as one.
UNIT_DIRS := $(wildcard tests/unit/*)
SIM_SUPPORT_SRC := $(patsubst %,tests/support/%.cc,fake_datastore fake_gcs fake_process_runner \
                                                   temp_directory)
FUZZ_SRC := $(wildcard tests/fuzz/*_fuzz.cc)
FLEET_SRC := bench/fleet.cc
BENCH_SRC := $(filter-out $(FLEET_SRC),$(wildcard bench/*.cc))
BENCH_SUPPORT_SRC := $(wildcard bench/support/*.cc)
OBJ = $(patsubst %.cc,$(BUILD)/obj/%.o,$(1))
UNITY_OBJ = $(patsubst %,$(BUILD)/obj/%.o,$(1))

LIB := $(BUILD)/libsparkles.a
UNIT_TESTS := $(BUILD)/unit_tests
CONTRACT_TESTS := $(BUILD)/contract_tests
SIM_TESTS := $(BUILD)/sim_tests
FUZZ_TARGETS := $(patsubst tests/fuzz/%.cc,$(BUILD)/%,$(FUZZ_SRC))
FUZZ_REPLAYS := $(patsubst tests/fuzz/%.cc,$(BUILD)/%_replay,$(FUZZ_SRC))
FLEET := $(BUILD)/bench_fleet
BENCHES := $(patsubst bench/%.cc,$(BUILD)/bench_%,$(BENCH_SRC))

.DEFAULT_GOAL := all
.PHONY: all help build man deps deps-check deps-found deps-check-found test-programs
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules
ifeq ($(MAKELEVEL),0)
MAKEFLAGS += -j$(shell nproc)
endif

all: build

# A test compares the file in docs/ with what the program prints.
man: build
	@$(BINARY) man > docs/sparklesworker.1

help:
	@echo 'make              build build/native/sparklesworker'
	@echo 'make demo         run the example job and show its results; installs missing packages'
	@echo "make test         run all tests; T='Retry*': only tests with such names; installs packages"
	@echo 'make quick        run the unit and contract tests that need no Datastore emulator'
	@echo 'make static       build dist/sparklesworker, which runs in any image; TARGET=aarch64 for ARM'
	@echo 'make dist, image  the same with SBOM, licences, manual page and checksums; as a container image'
	@echo 'make test-static  run the end-to-end tests with the static binary'
	@echo 'make reproducible build the static binary again in another directory and compare'
	@echo 'make man          write docs/sparklesworker.1, the manual page'
	@echo 'make docs-test    run the commands that README.md and docs/ show'
	@echo 'make check        check formatting, include directions and documents'
	@echo 'make tidy         run clang-tidy on src/ (minutes)'
	@echo 'make asan, tsan   run all tests with sanitizers'
	@echo 'make valgrind     run the chaos and queue tests with the worker under valgrind'
	@echo 'make sim          simulate SEEDS=1000 clusters of workers; SEED=N: one with its trace'
	@echo 'make chaos        kill, freeze and disturb real workers for CHAOS_SECONDS=120; SEED=N'
	@echo 'make fleet        simulate WORKERS=1000 that empty a queue of TASKS=10000; requests, makespan'
	@echo 'make fuzz         fuzz each target for SECONDS=60; F=glob: only this target'
	@echo 'make bench        measure speed and memory'
	@echo 'make deps         install the Debian packages for builds and tests'
	@echo 'make deps-check   the same for make check, asan, tsan, fuzz and valgrind (clang 19 and its tools)'
	@echo 'make format       reformat the sources'
	@echo 'make clean        remove build/'

# Only `make deps`, `make demo`, `make test` and targets named deps-* install packages. All other
# targets stop if a package is missing, and name the target that installs it.
PACKAGES := third_party/native/packages.sh
BUILD_PACKAGES := third_party/native/build-packages.txt
CHECK_PACKAGES := $(BUILD_PACKAGES) third_party/native/check-packages.txt
deps:
	@$(PACKAGES) install $(BUILD_PACKAGES)
deps-found:
	@$(PACKAGES) check 'make deps' $(BUILD_PACKAGES)
# apt-get takes one lock: `make deps deps-check` installs one list after the other.
deps-check: | $(filter deps,$(MAKECMDGOALS))
	@$(PACKAGES) install $(CHECK_PACKAGES)
deps-check-found:
	@$(PACKAGES) check 'make deps-check' $(CHECK_PACKAGES)

# Every compilation needs the packages of its lane.
ifeq ($(LANE),native)
LANE_DEPS := $(if $(filter deps demo test,$(MAKECMDGOALS)),deps,deps-found)
else ifeq ($(LANE),static)
LANE_DEPS := static-libraries
else
LANE_DEPS := deps-check-found
endif

# Changed flags rebuild everything, as do changed libraries of the static lane.
MADE_WITH := $(BUILD)/flags.stamp $(if $(filter static,$(LANE)),$(STATIC_BUILT))
$(BUILD)/flags.stamp: FORCE | $(LANE_DEPS)
	@mkdir -p $(@D)
	@echo '$(subst $(CURDIR),.,$(LANE_CXX) $(CPPFLAGS) $(CXXFLAGS) $(TEST_OPTIMIZE) $(LDFLAGS) $(LIBS))' > $@.new
	@cmp -s $@.new $@ || mv $@.new $@

build: $(BINARY)
test-programs: $(BINARY) $(UNIT_TESTS) $(CONTRACT_TESTS) $(SIM_TESTS) $(FUZZ_REPLAYS)

# The Monitor's messages and stubs are generated code, so they compile without our warnings.
PROTO_STAMP := $(GEN)/proto.stamp
PROTOS := proto/monitor.proto proto/reflection.proto
PROTO_OBJ := $(foreach kind,pb grpc.pb,$(PROTOS:proto/%.proto=$(BUILD)/obj/gen/%.$(kind).o))
$(PROTO_STAMP): $(PROTOS) | $(LANE_DEPS)
	@mkdir -p $(GEN)
	@echo '  GEN  $(PROTOS)'
	@protoc -Iproto --cpp_out=$(GEN) --grpc_out=$(GEN) \
	  --plugin=protoc-gen-grpc=$$(command -v grpc_cpp_plugin) $(^F)
	@touch $@
$(PROTO_OBJ): $(BUILD)/obj/gen/%.o: $(PROTO_STAMP) $(MADE_WITH)
	@mkdir -p $(@D)
	@echo '  CXX  gen/$*.cc'
	@$(LANE_CXX) -I$(GEN) $(filter-out $(WARNINGS),$(CXXFLAGS)) -w -c $(GEN)/$*.cc -o $@
# Files that include the generated headers.
PROTO_USERS := $(call OBJ,$(wildcard src/monitor/*.cc bench/monitor*.cc)) \
               $(call UNITY_OBJ,tests/unit/monitor tests/contract)
$(PROTO_USERS): private CPPFLAGS += -isystem $(GEN)
$(PROTO_USERS): $(PROTO_STAMP)

# Two savings that together halve the time: the headers that nearly every file includes are compiled
# once for each lane, and tests are not optimized. The other lanes check that each file of src/
# includes what it needs.
SRC_OBJ := $(call OBJ,$(LIB_SRC) src/main.cc)
TEST_OBJ := $(call UNITY_OBJ,$(UNIT_DIRS) tests/contract tests/support)
$(GEN)/test_headers.h.gch: tests/support/test_headers.h
$(GEN)/src_headers.h.gch: src/src_headers.h
$(GEN)/%.h.gch: $(MADE_WITH) | $(LANE_DEPS)
	@mkdir -p $(@D)
	@echo '  PCH  $(filter %.h,$^)'
	@[ -e $(GEN)/$*.h ] || echo '#include "$(filter %.h,$^)"' > $(GEN)/$*.h
	@$(LANE_CXX) $(CPPFLAGS) $(CXXFLAGS) -x c++-header $(GEN)/$*.h -o $@
$(GEN)/test_headers.h.gch $(TEST_OBJ): private OPTIMIZE := $(TEST_OPTIMIZE)
$(TEST_OBJ): private EXTRA := -include $(GEN)/test_headers.h
$(TEST_OBJ): $(GEN)/test_headers.h.gch
ifneq ($(filter native static,$(LANE)),)
$(SRC_OBJ): private EXTRA := -include $(GEN)/src_headers.h
$(SRC_OBJ): $(GEN)/src_headers.h.gch
endif

$(BUILD)/obj/%.o: %.cc $(MADE_WITH) | $(LANE_DEPS)
	@mkdir -p $(@D)
	@echo '  CXX  $<'
	@$(LANE_CXX) $(CPPFLAGS) $(CXXFLAGS) $(EXTRA) $(EXTRA_$(subst /,_,$*)) -MMD -MP -c $< -o $@

# The compiler gets all tests of a directory as one file, which takes a third of the time.
UNITY := $(patsubst %,$(GEN)/%.cc,$(UNIT_DIRS) tests/contract tests/support tests/sim)
$(UNITY): $(GEN)/%.cc: FORCE
	@mkdir -p $(@D)
	@awk -f tests/unity.awk $(wildcard $*/*.cc) > $@.new
	@cmp -s $@.new $@ || mv $@.new $@
$(patsubst $(GEN)/%.cc,$(BUILD)/obj/%.o,$(UNITY)): $(BUILD)/obj/%.o: $(GEN)/%.cc $(MADE_WITH) \
                                                   | $(LANE_DEPS)
	@mkdir -p $(@D)
	@echo '  CXX  $*/*.cc'
	@$(LANE_CXX) $(CPPFLAGS) $(CXXFLAGS) $(EXTRA) -MMD -MP -c $< -o $@

# One object has the version. It is rebuilt when the commit or the version changes.
VERSION_STAMP := $(BUILD)/version.stamp
EXTRA_src_cli_version := -DSPARKLES_VERSION='"$(VERSION)"' -DSPARKLES_COMMIT='"$(COMMIT)"' \
                         -DSPARKLES_LANE='"$(LANE)"'
$(BUILD)/obj/src/cli/version.o: $(VERSION_STAMP)
$(VERSION_STAMP): FORCE
	@mkdir -p $(@D)
	@echo '$(VERSION) $(COMMIT)' | cmp -s - $@ || echo '$(VERSION) $(COMMIT)' > $@
FORCE:

# The CA roots for images without any come from Debian's package, not from this machine's settings.
CA_PACKAGE := /var/lib/dpkg/info/ca-certificates.list
CA_BUNDLE_SRC := $(GEN)/ca_bundle.cc
$(CA_PACKAGE): | $(LANE_DEPS) ;
$(CA_BUNDLE_SRC): $(CA_PACKAGE) third_party/ca_bundle.sh
	@mkdir -p $(@D)
	@third_party/ca_bundle.sh > $@
$(BUILD)/obj/gen/ca_bundle.o: $(CA_BUNDLE_SRC) src/http/ca_roots.h $(MADE_WITH)
	@mkdir -p $(@D)
	@echo '  CXX  gen/ca_bundle.cc'
	@$(LANE_CXX) $(CPPFLAGS) $(CXXFLAGS) -c $< -o $@

$(LIB): $(call OBJ,$(LIB_SRC)) $(BUILD)/obj/gen/ca_bundle.o $(PROTO_OBJ)
	@rm -f $@ && ar rcs $@ $(filter %.o,$^)

define LINK
@echo '  LINK $@'
@$(LANE_CXX) $(LDFLAGS) -o $@ $(filter %.o %.a,$^) $(1) $(LIBS)
endef

$(BINARY): $(BUILD)/obj/src/main.o $(LIB)
	$(call LINK,)
$(UNIT_TESTS): $(call UNITY_OBJ,$(UNIT_DIRS) tests/support) $(LIB)
	$(call LINK,-lgtest_main $(TEST_LIBS))
$(CONTRACT_TESTS): $(call UNITY_OBJ,tests/contract tests/support) $(LIB)
	$(call LINK,-lgtest_main $(TEST_LIBS))
$(SIM_TESTS): $(call UNITY_OBJ,tests/sim) $(call OBJ,$(SIM_SUPPORT_SRC)) $(LIB)
	$(call LINK,-lgtest_main $(TEST_LIBS))
$(FUZZ_REPLAYS): $(BUILD)/%_replay: $(BUILD)/obj/tests/fuzz/%.o \
                 $(BUILD)/obj/tests/fuzz/replay_main.o $(LIB)
	$(call LINK,)
$(BENCHES): $(BUILD)/bench_%: $(BUILD)/obj/bench/%.o $(call OBJ,$(BENCH_SUPPORT_SRC)) $(LIB)
	$(call LINK,)
$(FLEET): $(call OBJ,$(FLEET_SRC) $(BENCH_SUPPORT_SRC) tests/sim/scheduler.cc) \
          $(call OBJ,$(patsubst %,tests/support/%.cc,datastore_lab fake_datastore recorded_log)) $(LIB)
	$(call LINK,)
ifeq ($(LANE),fuzz)
$(FUZZ_TARGETS): $(BUILD)/%: $(BUILD)/obj/tests/fuzz/%.o $(LIB)
	@echo '  LINK $@'
	@$(LANE_CXX) $(LDFLAGS) -fsanitize=fuzzer -o $@ $(filter %.o %.a,$^) $(LIBS)
endif

-include $(shell find $(BUILD)/obj -name '*.d' 2>/dev/null)
include tests/tests.mk

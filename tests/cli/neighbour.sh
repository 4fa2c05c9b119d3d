#!/bin/bash
# A good neighbour: a shared object exports its network's API and nothing else, nothing comes between an application and its
# BLAS, a shared object may be closed and opened again, a network may run after fork().
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/networks.bash"
# a sanitizer's runtime exports, maps and starts much on its own account, and must be the first in a process
[ -z "$SANITIZED" ] || { finish; exit; }
cd "$WORK" || exit 1
tiny > net.rn
sed -i 's/network [a-z]*/network net/' net.rn
INCLUDE=$OUT/include/rn
LIBS="-lcjson -lxxhash -lgomp -lpthread -lrt -ldl -lm"
API="net_arena_size net_create net_destroy net_message net_model net_run net_run_rgb net_weights_close net_weights_memory net_weights_open"

# ---- what is exported ----
exports() { nm -D --defined-only "$1" | sed 's/.* //' | LC_ALL=C sort | tr '\n' ' '; }
is() { if [ "$2" = "$3" ]; then ok; else bad "$1" "'$2' instead of '$3'"; fi; }
export_test() { # export_test NAME WANTED FILE OPTIONS...
    local name=$1 wanted=$2 file=$3
    shift 3
    expect "$name" 0 "$RNC" -o "$file" --random-weights "$@" net.rn
    is "$name: exports" "$(exports "$file")" "$wanted "
}
with_images=$(echo "$API net_image_free net_image_read" | tr ' ' '\n' | sort | tr '\n' ' ' | sed 's/ $//')
export_test jit "$with_images" jit.so
export_test static "$with_images" static.so --kernels=static
export_test standalone "$API" standalone.so --standalone
CC="$CC -fopenmp" export_test "standalone, OpenMP" "$API" pool.so --standalone
expect program 0 "$RNC" -o prog --random-weights net.rn
is "program: exports" "$(exports prog)" ""
# librn: what its headers declare, and in the archive no global name but its own
is "librn.so" "$(exports "$OUT/librn.so" | tr ' ' '\n' | while read -r name; do [ -z "$name" ] || grep -q "\b$name(" "$INCLUDE"/rn*.h || echo "$name"; done)" ""
is "librn.a" "$(nm --defined-only "$OUT/librn.a" 2> /dev/null | sed -n 's/.* [A-TV-Z] //p' | grep -v '^rn_')" ""

# ---- an application with a BLAS of its own: whole, though libxsmm has stand-ins of these names ----
cat > blas.c <<'C'
#include <stdio.h>
void sgemm_(void);
void dgemm_(void);
void sgemm_(void) { printf("sgemm "); }
void dgemm_(void) { printf("dgemm "); }
C
cat > app.c <<'C'
#include <stdio.h>
#include "net.h"
void sgemm_(void);
void dgemm_(void);
static float image[NET_INPUT_SIZE], output[NET_OUTPUT_SIZE];
int main(void) {
    rn_weights *weights;
    net *n;
    char error[RN_ERROR_SIZE] = "";
    rn_options options = {.error = error, .error_size = sizeof error};
    sgemm_();
    if (rn_weights_open(&weights, net_model(), "net.rnw", error, sizeof error) || net_create(&n, NULL, 0, weights, &options) ||
        net_run(n, 1, image, output))
        return puts(error), 1;
    dgemm_();
    net_destroy(n);
    rn_weights_close(weights);
    return puts("and the network") < 0;
}
C
expect blas 0 $CC -shared -fPIC -o libfake.so blas.c
blas_test() { # blas_test NAME WORDS...: links the application with these
    local name=$1
    shift
    expect "BLAS, $name" 0 $CC -std=c11 -I. -I"$INCLUDE" -o app app.c "$@"
    expect "BLAS, $name" 0 env LD_LIBRARY_PATH="$OUT:$WORK" ./app
    prints "BLAS, $name" "sgemm dgemm and the network"
}
expect "BLAS: C" 0 "$RNC" -o net.c --random-weights net.rn
blas_test "librn.a, then BLAS" net.c "$OUT/librn.a" $LIBS -L. -lfake
blas_test "BLAS inside, librn.a" net.c blas.c "$OUT/librn.a" $LIBS
blas_test "librn.so" net.c -L"$OUT" -lrn -L. -lfake
expect "BLAS: standalone" 0 "$RNC" -o net.c --standalone --random-weights net.rn
blas_test standalone net.c -L. -lfake -lm
expect "BLAS: shared" 0 "$RNC" -o net.so --random-weights net.rn
blas_test "shared object" ./net.so -L. -lfake
expect "header of a shared object, alone" 0 $CC -std=c11 -I. -o app app.c ./net.so -L. -lfake
expect "header of a shared object, in C++" 0 bash -c "echo '#include \"net.h\"' | $CXX -x c++ -std=c++11 -Wall -Wextra -Werror -I. -fsyntax-only -"

# a host with plugins: the network first, for all to see, then a plugin that needs a BLAS
cat > host.c <<'C'
#include <dlfcn.h>
#include <stdio.h>
int main(void) {
    if (!dlopen("./net.so", RTLD_NOW | RTLD_GLOBAL)) return puts(dlerror()), 1;
    void *plugin = dlopen("./plugin.so", RTLD_NOW);
    if (!plugin) return puts(dlerror()), 1;
    void (*plug)(void);
    *(void **)&plug = dlsym(plugin, "plug");
    plug();
    return 0;
}
C
echo 'void dgemm_(void); void plug(void) { dgemm_(); }' > plugin.c
expect plugin 0 $CC -shared -fPIC -o plugin.so plugin.c -L. -lfake
expect host 0 $CC -o host host.c -ldl
expect "host runs" 0 env LD_LIBRARY_PATH="$WORK" ./host
prints "host runs" dgemm

# ---- closed and opened again, in turns: no crash, no mapping and no memory more ----
cat > turns.c <<'C'
#include <dlfcn.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include "rn.h"
static long pages(void) { /* resident */
    long all, resident;
    FILE *file = fopen("/proc/self/statm", "r");
    if (!file || fscanf(file, "%ld %ld", &all, &resident) != 2) exit(2);
    fclose(file);
    return resident;
}
static long mappings(void) {
    long lines = 0;
    FILE *file = fopen("/proc/self/maps", "r");
    for (int c; (c = fgetc(file)) != EOF;) lines += c == '\n';
    fclose(file);
    return lines;
}
static float image[3 * 32 * 32], output[1000];
static void turn(const char *so, int threads) {
    char error[RN_ERROR_SIZE] = "";
    void *library = dlopen(so, RTLD_NOW | RTLD_LOCAL);
    if (!library) puts(dlerror()), exit(2);
    const rn_model *(*find)(void);
    *(void **)&find = dlsym(library, "net_model");
    const rn_model *model = find();
    rn_weights *weights;
    void *net;
    rn_options options = {.threads = threads, .error = error, .error_size = sizeof error};
    if (model->weights_open(&weights, model, "net.rnw", error, sizeof error) ||
        model->create(&net, NULL, 0, weights, &options) || model->run(net, 1, image, output))
        puts(error), exit(2);
    model->destroy(net);
    weights->close(weights);
    dlclose(library);
}
typedef struct Growth { long pages, bytes, mappings; } Growth; /* bytes: that malloc gave and has not back */
static Growth grow(const char *so, int threads, int turns) {
    const Growth before = {pages(), (long)mallinfo2().uordblks, mappings()};
    for (int i = 0; i < turns; i++) turn(so, threads);
    return (Growth){pages() - before.pages, (long)mallinfo2().uordblks - before.bytes, mappings() - before.mappings};
}
int main(int argc, char **argv) { /* a leak grows with the turns; what the C library keeps for itself does not */
    if (argc != 4) return 2;
    const int threads = atoi(argv[2]), turns = atoi(argv[3]);
    grow(argv[1], threads, 2 * turns);
    const Growth few = grow(argv[1], threads, turns), many = grow(argv[1], threads, 3 * turns);
    printf("more in %d turns: %ld pages, %ld bytes, %ld mappings; in %d: %ld, %ld, %ld\n", turns, few.pages, few.bytes,
           few.mappings, 3 * turns, many.pages, many.bytes, many.mappings);
    const long libgomp = 32 * 2 * turns; /* which it keeps each time that it is loaded again */
    return many.pages - few.pages > 4 || many.bytes - few.bytes > libgomp || few.mappings + many.mappings > 0;
}
C
turns_test() { # turns_test NAME: of net.so
    for threads in 1 4; do
        expect "$1, $threads threads, closed and opened again" 0 ./turns ./net.so $threads 30 || cat "$WORK/.out"
    done
}
expect turns 0 $CC -std=c11 -I"$INCLUDE" -o turns turns.c -ldl
for form in jit static standalone pool; do
    cp $form.so net.so
    if [ $form = standalone ]; then
        expect "standalone, closed and opened again" 0 ./turns ./net.so 1 30
    else
        turns_test $form
    fi
done
expect "turns: C" 0 "$RNC" -o net.c --random-weights net.rn
expect "own shared object" 0 $CC -std=c11 -shared -fPIC -I. -I"$INCLUDE" -o net.so net.c "$OUT/librn.a" $LIBS
turns_test "own shared object"
expect "own shared object, librn.so" 0 $CC -std=c11 -shared -fPIC -I. -I"$INCLUDE" -o net.so net.c -L"$OUT" -lrn -Wl,-rpath,"$OUT"
turns_test "own shared object, librn.so"
expect "turns: standalone" 0 "$RNC" -o net.c --standalone --random-weights net.rn
for compiler in gcc clang; do
    expect "own standalone, $compiler" 0 $compiler -O1 -shared -fPIC -fopenmp -I. -o net.so net.c -lm
    turns_test "own standalone, $compiler"
done

# ---- fork ----
cat > forks.c <<'C'
#include <omp.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include "net.h"
static float image[NET_INPUT_SIZE], first[NET_OUTPUT_SIZE];
static rn_weights *weights;
static net *parents;

static int run(net *n) { /* 0: as in the parent */
    float output[NET_OUTPUT_SIZE];
    return net_run(n, 1, image, output) || memcmp(output, first, sizeof first);
}
static int make_and_run(int threads) {
    net *n = NULL;
    char error[RN_ERROR_SIZE] = "";
    rn_weights *own = NULL;
    rn_options options = {.threads = threads, .error = error, .error_size = sizeof error};
    int bad = rn_weights_open(&own, net_model(), "net.rnw", error, sizeof error) || net_create(&n, NULL, 0, own, &options) || run(n);
    if (*error) puts(error);
    net_destroy(n);
    rn_weights_close(own);
    return bad;
}
static void *thread(void *arg) { return make_and_run(3) ? arg : NULL; }
static int child(int generation) {
    pthread_t other;
    void *failed = NULL;
    alarm(60);
    if (run(parents) || run(parents) || make_and_run(3)) return 1;
    if (generation) {
        int status;
        pid_t grandchild = fork();
        if (!grandchild) _exit(child(generation - 1));
        if (waitpid(grandchild, &status, 0) < 0 || status) return 2;
    }
    if (pthread_create(&other, NULL, thread, image) || pthread_join(other, &failed) || failed) return 3;
    return 0;
}
int main(void) {
    int status, threads = 0;
    char error[RN_ERROR_SIZE] = "";
    rn_options options = {.threads = 3, .error = error, .error_size = sizeof error};
    for (int i = 0; i < NET_INPUT_SIZE; i++) image[i] = (float)(i * 37 % 101) / 50 - 1;
    if (rn_weights_open(&weights, net_model(), "net.rnw", error, sizeof error) || net_create(&parents, NULL, 0, weights, &options))
        return puts(error), 1;
    /* the application's own region, before the network's first */
#pragma omp parallel num_threads(4) reduction(+ : threads)
    threads++;
    pid_t id = fork();
    if (!id) {
        alarm(60);
        _exit(net_run(parents, 1, image, first));
    }
    if (waitpid(id, &status, 0) < 0 || status) return printf("child of %d threads: %d\n", threads, status), 1;
    if (net_run(parents, 1, image, first)) return puts(net_message(parents)), 1;
    id = fork();
    if (!id) _exit(child(2));
    if (waitpid(id, &status, 0) < 0 || status) return printf("child: %d\n", status), 1;
    return run(parents) ? puts("the parent differs") : 0;
}
C
fork_test() { # fork_test NAME COMPILER WORDS...
    local name=$1
    shift
    expect "$name: builds" 0 "$@"
    expect "$name" 0 env LD_LIBRARY_PATH="$OUT" timeout 120 ./forks || cat "$WORK/.out"
}
for kernels in jit static; do
    expect "fork: C" 0 "$RNC" -o net.c --kernels=$kernels --random-weights net.rn
    fork_test "fork, $kernels" $CC -std=gnu11 -fopenmp -I. -I"$INCLUDE" -o forks forks.c net.c "$OUT/librn.a" $LIBS
done
expect "fork: standalone C" 0 "$RNC" -o net.c --standalone --random-weights net.rn
fork_test "fork, standalone" $CC -std=gnu11 -O1 -fopenmp -I. -o forks forks.c net.c -lm
fork_test "fork, standalone, clang" clang -std=gnu11 -O1 -fopenmp -I. -o forks forks.c net.c -lm

# ---- fork while another thread reads a long header of JSON: the child's first file waits for nobody ----
cat > reads.c <<'C'
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>
#include "net.h"
static atomic_int is_over;
static int is_refused(const char *path) {
    rn_weights *weights;
    return rn_weights_open(&weights, net_model(), path, NULL, 0) == RN_ERROR_FORMAT;
}
static void *reader(void *arg) {
    while (!is_over)
        if (!is_refused("long.safetensors")) return arg;
    return NULL;
}
int main(void) {
    int status, good = 1;
    pthread_t thread;
    void *failed;
    if (pthread_create(&thread, NULL, reader, &status)) return 2;
    for (int i = 0; i < 20 && good; i++) {
        usleep(10007);
        pid_t id = fork();
        if (!id) {
            alarm(20);
            _exit(!is_refused("short.safetensors"));
        }
        good = waitpid(id, &status, 0) == id && !status;
    }
    is_over = 1;
    pthread_join(thread, &failed);
    return !good || failed;
}
C
"$PYTHON" - <<'PY'
import json, struct
for path, head in (("short", {}), ("long", {"__metadata__": {str(i): "x" for i in range(200000)}})):
    text = json.dumps(head).encode()
    open(path + ".safetensors", "wb").write(struct.pack("<Q", len(text)) + text)
PY
expect "C for threads" 0 "$RNC" -o net.c --random-weights net.rn
expect "fork beside JSON: builds" 0 $CC -std=gnu11 -fopenmp -I. -I"$INCLUDE" -o reads reads.c net.c "$OUT/librn.a" $LIBS
expect "fork beside JSON" 0 timeout 60 ./reads

# ---- a constructor of a shared object makes a network while another thread makes the first: neither waits for ever ----
cat > constructs.c <<'C'
#include <dlfcn.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>
#include "net.h"
static float image[NET_INPUT_SIZE];
static atomic_int is_inside, failures;
static void make(void) {
    float output[NET_OUTPUT_SIZE];
    net *n = NULL;
    rn_weights *weights = NULL;
    rn_options options = {.threads = 2};
    if (rn_weights_open(&weights, net_model(), "net.rnw", NULL, 0) || net_create(&n, NULL, 0, weights, &options) || net_run(n, 1, image, output))
        failures++;
    net_destroy(n);
    rn_weights_close(weights);
}
void construct(void);
void construct(void) {
    is_inside = 1;
    usleep(300000); /* the other thread gets as far as it can */
    make();
}
static void *loader(void *arg) {
    if (!dlopen("./constructor.so", RTLD_NOW)) puts(dlerror()), failures++;
    return arg;
}
int main(void) {
    pthread_t thread;
    if (pthread_create(&thread, NULL, loader, NULL)) return 2;
    while (!is_inside) usleep(1000);
    make();
    pthread_join(thread, NULL);
    return failures;
}
C
echo 'void construct(void); __attribute__((constructor)) static void begin(void) { construct(); }' > constructor.c
expect constructor 0 $CC -shared -fPIC -o constructor.so constructor.c
expect "constructor: builds" 0 $CC -std=gnu11 -fopenmp -rdynamic -I. -I"$INCLUDE" -o constructs constructs.c net.c "$OUT/librn.a" $LIBS
expect "a network in a constructor" 0 timeout 20 ./constructs
finish

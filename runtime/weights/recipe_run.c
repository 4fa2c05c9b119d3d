/* Runs a whole recipe: the same in the compiler (rnc --weights) and in librn (a safetensors file at start-up), so that
 * both make equal bytes. */
#include "recipe.h"
#include "rn_emitted.h"

#include <stdlib.h>
#include <string.h>

enum { CACHE_LINE = 64 };
enum { PARALLEL_MIN_ELEMENTS = 1 << 16 }; /* smaller steps cost less than waking threads */
enum { PARTS_PER_THREAD = 4 };            /* that a step is divided into: threads that wait for others are few */

/* Guards the table itself: arguments come first and packed areas lie inside the payload, on cache lines. */
static int step_is_sound(const rn_recipe *recipe, int i) {
    const rn_recipe_step *step = &recipe->steps[i];
    if (step->op >= RN_RECIPE_OP_COUNT || step->type >= RN_DTYPE_COUNT) return 0;
    for (int a = 0; a < rn_recipe_arity(step); a++)
        if (step->arg[a] < 0 || step->arg[a] >= i || rn_recipe_is_packing(&recipe->steps[step->arg[a]])) return 0;
    if (step->op == RN_PARAM && !step->name) return 0;
    if (!rn_recipe_is_packing(step)) return step->type == RN_F32 || step->op == RN_CAST;
    if (step->offset % CACHE_LINE || !rn_recipe_pack_is_sound(step)) return 0;
    if (rn_recipe_element_count(step->dim) != rn_recipe_element_count(recipe->steps[step->arg[0]].dim)) return 0;
    return step->offset <= recipe->packed_size && rn_recipe_pack_size(step) <= recipe->packed_size - step->offset;
}

static int recipe_is_sound(const rn_recipe *recipe) {
    for (int i = 0; i < recipe->count; i++)
        if (!step_is_sound(recipe, i)) return 0;
    return 1;
}

typedef struct Area {
    uint64_t begin, end;
} Area;

static int area_compare(const void *a, const void *b) {
    const Area *x = a, *y = b;
    return x->begin < y->begin ? -1 : x->begin > y->begin;
}

/* Zeroes what no step writes (a checksum covers the whole payload). Returns -1 where areas overlap or no memory. */
static int clear_gaps(const rn_recipe *recipe, uint8_t *payload) {
    Area *areas = malloc(((size_t)recipe->count + 1) * sizeof *areas);
    if (!areas) return -1;
    int n = 0, result = 0;
    for (int i = 0; i < recipe->count; i++)
        if (rn_recipe_is_packing(&recipe->steps[i]))
            areas[n++] =
                (Area){recipe->steps[i].offset, recipe->steps[i].offset + rn_recipe_pack_size(&recipe->steps[i])};
    areas[n] = (Area){recipe->packed_size, recipe->packed_size};
    qsort(areas, (size_t)n, sizeof *areas, area_compare);
    uint64_t at = 0;
    for (int i = 0; i <= n && result == 0; i++) {
        if (areas[i].begin < at)
            result = -1;
        else
            memset(payload + at, 0, areas[i].begin - at);
        at = areas[i].end;
    }
    free(areas);
    return result;
}

typedef struct StepJob { /* one step, divided among threads, each of which takes the next of the parts */
    const rn_recipe_step *step;
    const float *args[3];
    const int32_t *arg_dims[3];
    float *out;
    uint8_t *payload;
    int64_t units, parts, next;
} StepJob;

static void run_parts(void *arg, int thread, int threads) {
    StepJob *job = arg;
    (void)thread, (void)threads;
    for (int64_t part; (part = __atomic_fetch_add(&job->next, 1, __ATOMIC_RELAXED)) < job->parts;) {
        const int64_t begin = job->units * part / job->parts, end = job->units * (part + 1) / job->parts;
        if (rn_recipe_is_packing(job->step))
            rn_recipe_pack_part(job->step, job->args[0], job->payload, begin, end);
        else
            rn_recipe_evaluate_rows(job->step, job->args, job->arg_dims, job->out, begin, end);
    }
}

static void run_step(const rn_recipe *recipe, const rn_recipe_step *step, float *const *tensors, float *out,
                     uint8_t *payload, int threads) {
    StepJob job = {.step = step, .out = out, .payload = payload};
    for (int a = 0; a < rn_recipe_arity(step); a++) {
        job.args[a] = tensors[step->arg[a]];
        job.arg_dims[a] = recipe->steps[step->arg[a]].dim;
    }
    job.units = rn_recipe_is_packing(step) ? rn_recipe_pack_units(step) : rn_recipe_extent(step->dim, 0);
    const int64_t work = job.args[0] ? rn_recipe_element_count(job.arg_dims[0]) : rn_recipe_element_count(step->dim);
    if (work < PARALLEL_MIN_ELEMENTS) threads = 1;
    job.parts = threads > 1 ? PARTS_PER_THREAD * threads : 1;
    if (job.parts > job.units) job.parts = job.units;
    rn_context context = {.threads = threads};
    rn_parallel(&context, run_parts, &job);
}

int rn_recipe_run(const rn_recipe *recipe, rn_param_source source, void *user, uint8_t *payload, int threads) {
    if (!recipe_is_sound(recipe) || clear_gaps(recipe, payload)) return -1;
    const size_t count = (size_t)recipe->count;
    float **tensors = calloc(count + 1, sizeof *tensors);
    int *last_use = malloc((count + 1) * sizeof *last_use);
    int result = tensors && last_use ? 0 : -1;
    for (int i = 0; result == 0 && i < recipe->count; i++) {
        last_use[i] = i; /* a result that nothing reads goes at once */
        for (int a = 0; a < rn_recipe_arity(&recipe->steps[i]); a++) last_use[recipe->steps[i].arg[a]] = i;
    }
    for (int i = 0; result == 0 && i < recipe->count; i++) {
        const rn_recipe_step *step = &recipe->steps[i];
        if (step->op == RN_PARAM) {
            tensors[i] = source(user, step->name, step->ndim, step->dim);
        } else if (!rn_recipe_is_packing(step)) {
            tensors[i] = malloc((size_t)rn_recipe_element_count(step->dim) * sizeof(float));
        }
        if (!rn_recipe_is_packing(step) && !tensors[i]) {
            result = -1;
            break;
        }
        if (step->op != RN_PARAM) run_step(recipe, step, tensors, tensors[i], payload, threads);
        for (int a = -1; a < rn_recipe_arity(step); a++) {
            const int used = a < 0 ? i : step->arg[a];
            if (last_use[used] == i) {
                free(tensors[used]);
                tensors[used] = NULL;
            }
        }
    }
    for (size_t i = 0; tensors && i < count; i++) free(tensors[i]);
    free(tensors);
    free(last_use);
    return result;
}

/* Checkpoints, see checkpoint.h. One table says what a state's numbers are called; writing and reading walk over it. */
#include "train/checkpoint.h"
#include "core/cpu.h"
#include "core/status.h"
#include "train/schedule.h"
#include "train/tensors.h"

#include <errno.h>
#include <inttypes.h>
#include <locale.h>
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef enum Kind { WHOLE, BITS, REAL } Kind; /* int64_t; uint64_t, hexadecimal; double */

typedef struct Row {
    const char *name;
    Kind kind;
    size_t offset; /* in rn_train_state */
    int count;     /* numbers, separated by blanks */
    int is_negative_allowed;
} Row;

static const Row rows[] = {
    {"step", WHOLE, offsetof(rn_train_state, step), 1, 0},
    {"seed", BITS, offsetof(rn_train_state, seed), 1, 0},
    {"lr", REAL, offsetof(rn_train_state, schedule.lr), 1, 0},
    {"warm", WHOLE, offsetof(rn_train_state, schedule.warm), 1, 1},
    {"told", WHOLE, offsetof(rn_train_state, schedule.told), 1, 0},
    {"divisions", WHOLE, offsetof(rn_train_state, schedule.divisions), 1, 0},
    {"waited", WHOLE, offsetof(rn_train_state, schedule.waited), 1, 0},
    {"plateau", REAL, offsetof(rn_train_state, schedule.best), 1, 0},
    {"wrong", WHOLE, offsetof(rn_train_state, schedule.wrong), RN_TRAIN_WINDOW, 0},
    {"images", WHOLE, offsetof(rn_train_state, schedule.images), RN_TRAIN_WINDOW, 0},
    {"data", BITS, offsetof(rn_train_state, data), 1, 0},
    {"test_every", WHOLE, offsetof(rn_train_state, test_every), 1, 0},
    {"save_every", WHOLE, offsetof(rn_train_state, save_every), 1, 0},
    {"log_every", WHOLE, offsetof(rn_train_state, log_every), 1, 0},
    {"tested", WHOLE, offsetof(rn_train_state, tested), 1, 0},
    {"logged", WHOLE, offsetof(rn_train_state, logged), 1, 0},
    {"sum_images", WHOLE, offsetof(rn_train_state, sum_images), 1, 0},
    {"sum_wrong", WHOLE, offsetof(rn_train_state, sum_wrong), 1, 0},
    {"sum_loss", REAL, offsetof(rn_train_state, sum_loss), 1, 0},
    {"best_step", WHOLE, offsetof(rn_train_state, best_step), 1, 1},
    {"best", REAL, offsetof(rn_train_state, best), 1, 0},
};
enum { ROWS = sizeof rows / sizeof *rows, NUMBER_SIZE = 32 };

void rn_train_state_begin(rn_train_state *state) {
    *state = (rn_train_state){.best = INFINITY, .best_step = -1};
    state->schedule.warm = -1;
    state->schedule.best = INFINITY;
}

/* The state's numbers are read and written as in C, whatever the application's language. */
typedef struct Locale {
    locale_t made, before;
} Locale;

static int locale_plain(Locale *locale) {
    locale->made = newlocale(LC_NUMERIC_MASK, "C", (locale_t)0);
    if (!locale->made) return 0;
    locale->before = uselocale(locale->made);
    return 1;
}

static void locale_restore(Locale *locale) {
    uselocale(locale->before);
    freelocale(locale->made);
}

const char *rn_checkpoint_cpu(void) {
    if (rn_cpu_runs(RN_ISA_X86_64_V4)) return rn_isa_name(RN_ISA_X86_64_V4);
    if (rn_cpu_runs(RN_ISA_X86_64_V3)) return rn_isa_name(RN_ISA_X86_64_V3);
    return rn_isa_name(RN_ISA_GENERIC);
}

/* ---- writing ---- */

static int put_number(char *text, size_t size, const Row *row, const char *at) {
    switch (row->kind) {
    case WHOLE:
        return snprintf(text, size, "%" PRId64, *(const int64_t *)(const void *)at);
    case BITS:
        return snprintf(text, size, "%016" PRIx64, *(const uint64_t *)(const void *)at);
    case REAL:
        return snprintf(text, size, "%.17g", *(const double *)(const void *)at);
    }
    return 0;
}

static int put_row(cJSON *metadata, const Row *row, const rn_train_state *state) {
    char text[RN_TRAIN_WINDOW * NUMBER_SIZE];
    int used = 0;
    for (int i = 0; i < row->count; i++) {
        if (i) text[used++] = ' ';
        used += put_number(text + used, NUMBER_SIZE - 1, row, (const char *)state + row->offset + 8 * (size_t)i);
    }
    return cJSON_AddStringToObject(metadata, row->name, text) != NULL;
}

static cJSON *make_metadata(const rn_train_model *model, const rn_train_state *state) {
    static const char no_checksum[] = "0000000000000000";
    cJSON *metadata = cJSON_CreateObject();
    char batch[NUMBER_SIZE];
    snprintf(batch, sizeof batch, "%d", model->recipe->batch);
    int is_made = metadata && cJSON_AddStringToObject(metadata, RN_CHECKSUM_KEY, no_checksum) &&
                  cJSON_AddStringToObject(metadata, "network", model->name) &&
                  cJSON_AddStringToObject(metadata, "source", model->source_hash) &&
                  cJSON_AddStringToObject(metadata, "plan", model->plan_hash) &&
                  cJSON_AddStringToObject(metadata, "batch", batch) &&
                  cJSON_AddStringToObject(metadata, "cpu", rn_checkpoint_cpu());
    for (int i = 0; i < ROWS && is_made; i++) is_made = put_row(metadata, &rows[i], state);
    if (is_made) return metadata;
    cJSON_Delete(metadata);
    return NULL;
}

rn_status rn_checkpoint_write(const rn_train_context *context, const rn_train_state *state, const char *path,
                              char *error, size_t error_size) {
    rn_train_state all = *state;
    all.step = context->step;
    all.seed = context->seed;
    all.schedule = context->schedule;
    Locale locale;
    cJSON *metadata = NULL;
    if (locale_plain(&locale)) {
        metadata = make_metadata(context->model, &all);
        locale_restore(&locale);
    }
    if (!metadata) return rn_status_fail(error, error_size, RN_ERROR_MEMORY, "%s: out of memory", path);
    const rn_status status = rn_tensors_write(context, 1, metadata, path, error, error_size);
    cJSON_Delete(metadata);
    return status;
}

/* ---- reading ---- */

typedef struct Reader {
    const char *file;
    char *error;
    size_t error_size;
} Reader;

#define FAIL(reader, ...) rn_status_fail((reader)->error, (reader)->error_size, RN_ERROR_FORMAT, __VA_ARGS__)

/* A number that the format can have written; the rest of the text. NULL: none is there. */
static const char *get_number(const char *text, const Row *row, char *at) {
    char *end = NULL;
    errno = 0;
    if (*text == ' ' || *text == '+' || (*text == '-' && !row->is_negative_allowed)) return NULL;
    switch (row->kind) {
    case WHOLE:
        *(int64_t *)(void *)at = strtoll(text, &end, 10);
        break;
    case BITS:
        *(uint64_t *)(void *)at = strtoull(text, &end, 16);
        break;
    case REAL:
        *(double *)(void *)at = strtod(text, &end);
        if (isnan(*(double *)(void *)at)) return NULL;
        if (errno == ERANGE && fabs(*(double *)(void *)at) < 1) errno = 0; /* a denormal number is one */
        break;
    }
    return end == text || errno ? NULL : end;
}

static const char *find_text(const cJSON *metadata, const char *name) {
    return cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(metadata, name));
}

static rn_status get_row(const Reader *reader, const cJSON *metadata, const Row *row, rn_train_state *state) {
    const char *text = find_text(metadata, row->name), *rest = text;
    if (!text)
        return FAIL(reader, "%s: not a checkpoint of this librn: its metadata has no '%s'", reader->file, row->name);
    for (int i = 0; i < row->count && rest; i++) {
        if (i && *rest++ != ' ') rest = NULL;
        if (rest) rest = get_number(rest, row, (char *)state + row->offset + 8 * (size_t)i);
    }
    if (rest && !*rest) return RN_OK;
    return FAIL(reader, "%s: its metadata has '%s' of '%.40s', which is not %s", reader->file, row->name, text,
                row->count > 1 ? "a hundred numbers" : "a number that can be");
}

/* What a run can have left; all else would be followed blindly. */
static int is_possible(const rn_train_state *state) {
    const rn_train_schedule *s = &state->schedule;
    for (int i = 0; i < RN_TRAIN_WINDOW; i++)
        if (s->wrong[i] > s->images[i] || s->images[i] > INT32_MAX) return 0;
    return isfinite(s->lr) && s->warm >= -1 && s->warm <= state->step && s->divisions <= RN_TRAIN_PLATEAUS &&
           s->waited < RN_TRAIN_PATIENCE && state->tested <= state->step && state->logged <= state->step &&
           state->sum_wrong <= state->sum_images && isfinite(state->sum_loss) && state->best_step >= -1 &&
           state->best_step <= state->step;
}

static rn_status read_metadata(rn_checkpoint *checkpoint, const cJSON *metadata, const Reader *reader) {
    rn_status status = RN_OK;
    Locale locale;
    if (!locale_plain(&locale))
        return rn_status_fail(reader->error, reader->error_size, RN_ERROR_MEMORY, "%s: out of memory", reader->file);
    for (int i = 0; i < ROWS && !status; i++) status = get_row(reader, metadata, &rows[i], &checkpoint->state);
    locale_restore(&locale);
    if (status) return status;
    const char *batch = find_text(metadata, "batch");
    checkpoint->network = find_text(metadata, "network");
    checkpoint->source = find_text(metadata, "source");
    checkpoint->plan = find_text(metadata, "plan");
    checkpoint->cpu = find_text(metadata, "cpu");
    if (!checkpoint->network || !checkpoint->source || !checkpoint->plan || !checkpoint->cpu || !batch)
        return FAIL(reader, "%s: not a checkpoint of this librn: its metadata does not say of what it is",
                    reader->file);
    checkpoint->batch = strtoll(batch, NULL, 10);
    if (!is_possible(&checkpoint->state))
        return FAIL(reader, "%s: the state in its metadata is none that training can have", reader->file);
    return RN_OK;
}

rn_status rn_checkpoint_parse(rn_checkpoint *checkpoint, const void *bytes, size_t size, const char *source,
                              char *error, size_t error_size) {
    const Reader reader = {source, error, error_size};
    memset(checkpoint, 0, sizeof *checkpoint);
    rn_train_state_begin(&checkpoint->state);
    rn_status status = rn_safetensors_parse(&checkpoint->tensors, bytes, size, source, error, error_size);
    if (status) return status;
    const cJSON *metadata = cJSON_GetObjectItemCaseSensitive(checkpoint->tensors.header, "__metadata__");
    const char *digits = find_text(metadata, RN_CHECKSUM_KEY);
    if (!rn_checksum_has_place(bytes, size) || !digits)
        status = FAIL(&reader, "%s: weights, not a checkpoint: there is no state of training in it", source);
    if (!status) {
        char sum[RN_CHECKSUM_DIGITS + 1];
        snprintf(sum, sizeof sum, "%016" PRIx64, rn_checksum_of(bytes, size));
        if (strcmp(sum, digits) != 0)
            status =
                FAIL(&reader, "%s: damaged or altered: its checksum is %.16s, its bytes have %s", source, digits, sum);
    }
    if (!status) status = read_metadata(checkpoint, metadata, &reader);
    if (status) rn_safetensors_free(&checkpoint->tensors);
    return status;
}

rn_status rn_checkpoint_open(rn_checkpoint *checkpoint, const char *path, char *error, size_t error_size) {
    rn_pages pages;
    rn_status status = rn_pages_map(&pages, path, error, error_size);
    if (status) return status;
    if (rn_pages_fault(pages.bytes, pages.count))
        status =
            rn_status_fail(error, error_size, RN_ERROR_FILE, "%s: cannot be read, or was cut short meanwhile", path);
    else
        status = rn_checkpoint_parse(checkpoint, pages.bytes, pages.count, path, error, error_size);
    if (status)
        rn_pages_free(&pages);
    else
        checkpoint->pages = pages;
    return status;
}

void rn_checkpoint_close(rn_checkpoint *checkpoint) {
    rn_safetensors_free(&checkpoint->tensors);
    rn_pages_free(&checkpoint->pages);
    memset(checkpoint, 0, sizeof *checkpoint);
}

/* ---- into a trainer ---- */

static rn_status check_origin(const rn_checkpoint *c, const rn_train_model *model, const Reader *reader) {
    if (strcmp(c->network, model->name) != 0)
        return FAIL(reader, "%s: a checkpoint of the network %.100s; this is %s", reader->file, c->network,
                    model->name);
    if (strcmp(c->source, model->source_hash) != 0)
        return FAIL(reader, "%s: a checkpoint of another source, %.64s; this program is of %s", reader->file, c->source,
                    model->source_hash);
    if (c->batch != model->recipe->batch)
        return FAIL(reader, "%s: a checkpoint of batches of %" PRId64 " images; this program has %d", reader->file,
                    c->batch, model->recipe->batch);
    if (strcmp(c->plan, model->plan_hash) != 0)
        return FAIL(reader,
                    "%s: a checkpoint of another build, %.64s; this program is %s, whose results have other bits",
                    reader->file, c->plan, model->plan_hash);
    return RN_OK;
}

static const rn_safetensor *find_tensor(const rn_checkpoint *checkpoint, const char *prefix,
                                        const rn_train_parameter *p) {
    char name[512];
    if ((size_t)snprintf(name, sizeof name, "%s%s", prefix, p->name) >= sizeof name) return NULL;
    const rn_safetensor *tensor = rn_safetensors_find(&checkpoint->tensors, name);
    if (!tensor || strcmp(tensor->dtype, "F32") != 0 || tensor->ndim != p->ndim) return NULL;
    for (int i = 0; i < p->ndim; i++)
        if (tensor->dim[i] != p->dim[i]) return NULL;
    return tensor;
}

/* Every tensor that the trainer needs, first looked for (to is NULL), then copied. */
static const rn_train_parameter *each_tensor(const rn_checkpoint *checkpoint, const rn_train_model *model,
                                             rn_train_context *to) {
    for (int i = 0; i < model->parameter_count; i++) {
        const rn_train_parameter *p = &model->parameters[i];
        const rn_safetensor *value = find_tensor(checkpoint, "", p);
        const rn_safetensor *momentum = p->trained ? find_tensor(checkpoint, "momentum.", p) : NULL;
        if (!value || (p->trained && !momentum)) return p;
        if (!to) continue;
        rn_safetensor_read(value, to->parameters + p->offset);
        if (momentum) rn_safetensor_read(momentum, to->momentum + p->offset);
    }
    return NULL;
}

rn_status rn_checkpoint_restore(const rn_checkpoint *checkpoint, rn_train_context *context, const char *source,
                                char *error, size_t error_size) {
    const rn_train_model *model = context->model;
    const Reader reader = {source, error, error_size};
    rn_status status = check_origin(checkpoint, model, &reader);
    if (status) return status;
    const rn_train_parameter *missing = each_tensor(checkpoint, model, NULL);
    if (missing)
        return FAIL(&reader, "%s: it has no %.200s, or no momentum of it, of this network's shape", source,
                    missing->name);
    each_tensor(checkpoint, model, context);
    context->step = checkpoint->state.step;
    context->seed = checkpoint->state.seed;
    context->schedule = checkpoint->state.schedule;
    context->changed = 1;
    return RN_OK;
}

rn_status rn_train_save(void *trainer, const char *path) {
    rn_train_context *context = trainer;
    rn_train_state state;
    rn_train_state_begin(&state);
    return rn_checkpoint_write(context, &state, path, context->base.message, sizeof context->base.message);
}

rn_status rn_train_load(void *trainer, const char *path) {
    rn_train_context *context = trainer;
    char *error = context->base.message;
    rn_checkpoint checkpoint;
    rn_status status = rn_checkpoint_open(&checkpoint, path, error, sizeof context->base.message);
    if (status) return status;
    status = rn_checkpoint_restore(&checkpoint, context, path, error, sizeof context->base.message);
    rn_checkpoint_close(&checkpoint);
    return status;
}

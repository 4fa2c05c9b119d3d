/* info: what the network is, what it was made by and for, and whether its weights are there. */
#include "cli.h"
#include "core/cpu.h"
#include "rn_recipe.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void shape_text(char *text, size_t size, rn_shape s) {
    snprintf(text, size, "%d x %d x %d", s.c, s.h, s.w);
}

static const char *layout_text(rn_layout layout) {
    return layout == RN_NHWC ? ", in memory H x W x C" : "";
}

static const char *layout_word(rn_layout layout) {
    return layout == RN_NHWC ? "nhwc" : "nchw";
}

static cJSON *shape_json(rn_shape s) {
    return cli_json_shape((size_t[]){(size_t)s.c, (size_t)s.h, (size_t)s.w}, 3);
}

/* Of what the recipe reads of a weights file, in float32. */
static int64_t source_bytes(const rn_model *m) {
    int64_t bytes = 0;
    for (int i = 0; i < m->recipe->count; i++) {
        const rn_recipe_step *s = &m->recipe->steps[i];
        if (s->op != RN_PARAM) continue;
        int64_t numbers = 1;
        for (int d = 0; d < s->ndim; d++) numbers *= s->dim[d];
        bytes += numbers * (int64_t)rn_dtype_size((rn_dtype)s->type);
    }
    return bytes;
}

static cJSON *info_json(const rn_model *m, const char *weights, size_t arena) {
    cJSON *json = cJSON_CreateObject(), *outputs = cJSON_CreateArray();
    cJSON_AddStringToObject(json, "network", m->name);
    cJSON_AddStringToObject(json, "rnc", m->rnc_version);
    cJSON_AddStringToObject(json, "command", m->command);
    cJSON_AddStringToObject(json, "source_hash", m->source_hash);
    cJSON_AddStringToObject(json, "isa", rn_isa_name(m->isa));
    cJSON_AddStringToObject(json, "best_isa", rn_isa_name(m->best_isa));
    cJSON_AddNumberToObject(json, "batch", m->batch);
    cJSON_AddItemToObject(json, "input", shape_json(m->input));
    cJSON_AddStringToObject(json, "input_layout", layout_word(m->input_layout));
    for (int i = 0; i < m->output_count; i++) {
        cJSON *row = cJSON_CreateObject();
        cJSON_AddStringToObject(row, "name", m->outputs[i].name);
        cJSON_AddItemToObject(row, "shape", shape_json(m->outputs[i].shape));
        cJSON_AddStringToObject(row, "layout", layout_word(m->outputs[i].layout));
        cJSON_AddItemToArray(outputs, row);
    }
    cJSON_AddItemToObject(json, "outputs", outputs);
    cJSON_AddBoolToObject(json, "probabilities", m->probabilities);
    cJSON_AddNumberToObject(json, "parameters", (double)m->parameters);
    cJSON_AddNumberToObject(json, "multiply_adds", (double)m->macs);
    cJSON_AddNumberToObject(json, "layers", m->layer_count);
    cJSON_AddNumberToObject(json, "weights_bytes", (double)source_bytes(m));
    cJSON_AddNumberToObject(json, "packed_weights_bytes", (double)m->recipe->packed_size);
    cJSON_AddNumberToObject(json, "arena_bytes", (double)arena);
    cJSON_AddStringToObject(json, "weights", weights);
    return json;
}

static int subtracts_image(const rn_model *m) {
    for (int i = 0; i < m->recipe->count; i++) {
        const rn_recipe_step *s = &m->recipe->steps[i];
        if (s->op == RN_PARAM && strcmp(s->name, "input.mean") == 0) return 1;
    }
    return 0;
}

static void info_text(const rn_model *m, const char *weights, size_t arena) {
    static const char *const orders[] = {"rgb", "bgr", "gray"};
    const rn_preprocess *p = &m->preprocess;
    char shape[64];
    shape_text(shape, sizeof shape, m->input);
    printf("network         %s\n", m->name);
    printf("input           %s%s, batch at most %d\n", shape, layout_text(m->input_layout), m->batch);
    for (int i = 0; i < m->output_count; i++) {
        shape_text(shape, sizeof shape, m->outputs[i].shape);
        printf("output          %s: %s%s%s\n", m->outputs[i].name, shape, layout_text(m->outputs[i].layout),
               i + 1 == m->output_count && m->probabilities ? ", probabilities" : "");
    }
    printf("pictures        %s, 0..%g", p->order >= 0 && p->order < 3 ? orders[p->order] : "?", p->range);
    for (int c = 0; c < m->input.c && c < 4; c++)
        printf("%s(%g, %g)", c ? " " : ", (mean, std) ", p->mean[c], p->std[c]);
    if (subtracts_image(m)) printf(", less input.mean");
    if (p->resize) printf(", shorter side to %d, centre crop", p->resize);
    printf("\nparameters      %" PRId64 "\n", m->parameters);
    printf("multiply-adds   %" PRId64 " an image\n", m->macs);
    printf("layers          %d calls\n", m->layer_count);
    printf("arena           %zu bytes an instance (one thread)\n", arena);
    printf("packed weights  %llu bytes (in float32 %" PRId64 ")\n", (unsigned long long)m->recipe->packed_size,
           source_bytes(m));
    printf("weights         %s\n", weights);
    printf("instructions    %s", rn_isa_name(m->isa));
    if (m->best_isa > m->isa) printf(", or %s where the CPU has it", rn_isa_name(m->best_isa));
    putchar('\n');
    printf("compiled by     rnc %s: %s\n", m->rnc_version, m->command);
    printf("source hash     %s\n", m->source_hash);
}

int cli_info(const Cli *cli) {
    const rn_model *m = cli->model;
    bool found;
    char error[RN_ERROR_SIZE];
    char *path;
    if (!cli_weights_path(cli, &path, &found)) return CLI_FAILED;
    const char *weights = m->embedded ? "embedded" : m->parameters ? "none (--weights FILE)" : "none needed";
    if (path) {
        rn_weights *opened;
        weights = path;
        const rn_status status = rn_weights_open(&opened, m, path, error, sizeof error);
        if (status) {
            if (cli->weights || status == RN_ERROR_MEMORY) { /* asked for: a check of that file */
                free(path);
                return cli_fail(cli, "%s", error);
            }
            weights = error;
        }
        rn_weights_close(opened);
    }
    const size_t arena = m->arena_size(m->batch, cli->threads);
    int status = CLI_OK;
    if (cli->json)
        status = cli_print_json(cli, info_json(m, weights, arena));
    else
        info_text(m, weights, arena);
    free(path);
    return status;
}

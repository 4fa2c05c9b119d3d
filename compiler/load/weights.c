/* Weights from a safetensors file or a PyTorch checkpoint: the graph's parameters by name and dims, as floats by tensor
 * id. */
#include "graph/tensor.h"
#include "load.h"
#include "torch.h"

#include "runtime/weights/format.h"
#include "runtime/weights/packed.h"
#include "runtime/core/pages.h"
#include "runtime/weights/params.h"

#include <float.h>
#include <stdlib.h>
#include <string.h>

enum { LISTED_PROBLEMS = 50 };

typedef struct Report {
    Diag *diag;
    Place place;
    int told;
} Report;

static void report_problem(Report *report, const char *text) {
    diag_error(report->diag, report->place, "%s", text);
}

/* Of a file for another network there may be hundreds: many of them, with how many there are, and not the usual few. */
static void report_match(void *user, int hint, const char *text) {
    Report *report = user;
    if (hint)
        diag_note(report->diag, report->place, "%s", text);
    else if (report->told++ < LISTED_PROBLEMS)
        report_problem(report, text);
}

/* The parameters in the order of tensor ids. Returns how many. */
static int collect_params(const Graph *graph, rn_param *params, int *tensor_ids) {
    int count = 0;
    for (int i = 0; i < graph->tensor_count; i++) {
        const Tensor *tensor = graph->tensors[i];
        if (tensor->op != RN_PARAM) continue;
        tensor_ids[count] = i;
        params[count++] = (rn_param){tensor->name, tensor->ndim, tensor->dim, NULL, tensor->integer[0]};
    }
    return count;
}

/* An index of a file's tensors, and what reads their elements. */
typedef struct Weights {
    rn_safetensors safetensors;
    TorchFile *torch; /* NULL: the safetensors' own bytes */
    bool damaged;     /* so that nothing more need be tried */
} Weights;

static const rn_safetensors *weights_index(const Weights *weights) {
    return weights->torch ? torch_tensors(weights->torch) : &weights->safetensors;
}

/* One parameter as floats, malloc'd; NULL after a diagnostic. */
static float *read_param(Weights *weights, const rn_param *param, Report *report) {
    char error[TORCH_ERROR_SIZE];
    if (!param->tensor) { /* optional */
        float *zeros = calloc((size_t)rn_param_count(param), sizeof *zeros);
        if (!zeros) out_of_memory();
        return zeros;
    }
    rn_safetensor tensor = *param->tensor;
    if (weights->torch && !(tensor.data = torch_elements(weights->torch, param->tensor, error))) {
        report_problem(report, error);
        weights->damaged = true;
        return NULL;
    }
    tensor.size = (size_t)tensor.count * (size_t)rn_safetensor_bytes(&tensor);
    float *values = malloc((size_t)tensor.count * sizeof *values + 1);
    if (!values) out_of_memory();
    const rn_param found = {param->name, param->ndim, param->dim, &tensor, 0};
    if (rn_param_read(&found, values, error, sizeof error)) return values;
    report_problem(report, error);
    free(values);
    return NULL;
}

/* false after a diagnostic for each tensor with a value that cannot be one */
static bool read_params(const Graph *graph, const rn_param *params, const int *tensor_ids, int count, Weights *weights,
                        TensorData *out, Report *report) {
    bool sound = true;
    out->count = graph->tensor_count;
    out->data = calloc((size_t)graph->tensor_count + 1, sizeof *out->data);
    if (!out->data) out_of_memory();
    for (int i = 0; i < count && !weights->damaged; i++) {
        out->data[tensor_ids[i]] = read_param(weights, &params[i], report);
        sound &= out->data[tensor_ids[i]] != NULL;
    }
    return sound;
}

/* A glob that excuses nothing is a mistake, or will be one with the next file. */
static void check_globs(const WeightsOptions *options, const rn_param *params, int count, const rn_safetensors *file,
                        const char *prefix, Report *report) {
    for (int g = 0; g < options->ignore_count; g++) {
        bool wanted = false, surplus = false;
        for (int i = 0; i < file->count && !surplus; i++) {
            const rn_safetensor *tensor = &file->tensors[i];
            if (!rn_params_glob(options->ignore[g], prefix, tensor->name)) continue;
            int taker = 0;
            while (taker < count && params[taker].tensor != tensor) taker++;
            if (taker < count)
                wanted = true;
            else
                surplus = true;
        }
        if (!surplus)
            diag_warning(report->diag, report->place,
                         wanted ? "--ignore '%s' matches only tensors that the network takes"
                                : "--ignore '%s' matches no tensor",
                         options->ignore[g]);
    }
}

static bool match_params(const Graph *graph, rn_param *params, int count, const rn_safetensors *file,
                         const WeightsOptions *options, const char *prefix, Report *report) {
    const int limit = report->diag->limit;
    const rn_params_options how = {prefix, options->ignore, options->ignore_count};
    rn_params_result result;
    report->diag->limit = report->diag->errors + LISTED_PROBLEMS + 1;
    const int problems = rn_params_match(params, count, file, &how, &result, report_match, report);
    if (problems < 0) out_of_memory();
    if (report->told > 1) {
        char counts[256], listed[48] = "";
        if (report->told > LISTED_PROBLEMS)
            snprintf(listed, sizeof listed, "; the first %d are listed", LISTED_PROBLEMS);
        rn_params_counts(counts, sizeof counts, &result, count, file);
        diag_note(report->diag, report->place, "these are not the weights of %s: %s%s", graph->name, counts, listed);
    }
    if (*result.prefix && !prefix)
        diag_note(report->diag, report->place, "all names begin with '%s', which is left out", result.prefix);
    for (int i = 0; i < count && !problems; i++)
        if (!params[i].tensor)
            diag_note(report->diag, report->place, "%s is not there: nothing is subtracted from pictures",
                      params[i].name);
    report->diag->limit = limit;
    check_globs(options, params, count, file, result.prefix, report);
    return problems == 0;
}

static bool load_params(const Graph *graph, const WeightsOptions *options, const char *prefix, Weights *weights,
                        TensorData *out, Report *report) {
    rn_param *params = calloc((size_t)graph->tensor_count + 1, sizeof *params);
    int *tensor_ids = calloc((size_t)graph->tensor_count + 1, sizeof *tensor_ids);
    if (!params || !tensor_ids) out_of_memory();
    const int count = collect_params(graph, params, tensor_ids);
    const bool good = match_params(graph, params, count, weights_index(weights), options, prefix, report) &&
                      read_params(graph, params, tensor_ids, count, weights, out, report);
    if (!good) tensor_data_free(out);
    free(params);
    free(tensor_ids);
    return good;
}

bool weights_check(const Graph *graph, const TensorData *data, Place place, Diag *diag) {
    bool sound = true;
    for (int i = 0; i < graph->tensor_count; i++) {
        const Tensor *tensor = graph->tensors[i];
        const float *values = tensor->op == RN_PARAM ? data->data[i] : NULL;
        const int64_t at = values ? rn_param_unsound(tensor->name, values, tensor_size(tensor)) : -1;
        if (at < 0) continue;
        diag_error(diag, place, "%s: element %lld is %g%s", tensor->name, (long long)at, (double)values[at],
                   values[at] < 0 && values[at] >= -FLT_MAX ? ", a variance" : "");
        sound = false;
    }
    return sound;
}

/* Indexes the file by its kind; false after a diagnostic. */
static bool open_weights(Weights *weights, const rn_pages *file, const char *path, const char **prefix,
                         Report *report) {
    const size_t named = strlen(path) + 2; /* the runtime's messages begin with "path: ", as diag's do */
    const char *advice;
    char error[RN_ERROR_SIZE > TORCH_ERROR_SIZE ? RN_ERROR_SIZE : TORCH_ERROR_SIZE];
    *weights = (Weights){0};
    if (file->count && rn_pages_fault(file->bytes, file->count)) {
        report_problem(report, "cannot be read");
    } else if (rn_packed_recognize(file->bytes, file->count)) {
        report_problem(
            report, "packed weights are for the emitted code to load; rnc reads safetensors and PyTorch checkpoints");
    } else if (torch_recognize(file->bytes, file->count)) {
        weights->torch = torch_open(file->bytes, file->count, prefix, error);
        if (!weights->torch) report_problem(report, error);
        return weights->torch;
    } else if (!rn_safetensors_recognize(file->bytes, file->count) &&
               (advice = rn_format_advice(file->bytes, file->count))) {
        report_problem(report, advice);
    } else if (rn_safetensors_parse(&weights->safetensors, file->bytes, file->count, path, error, sizeof error)) {
        report_problem(report, strlen(error) > named ? error + named : error);
    } else {
        return true;
    }
    return false;
}

bool weights_load(const Graph *graph, const WeightsOptions *options, TensorData *out, Diag *diag) {
    const Source source = {.path = options->path};
    Report report = {diag, {.source = &source}, 0};
    char error[RN_ERROR_SIZE];
    const char *prefix = options->prefix;
    rn_pages file;
    Weights weights;
    *out = (TensorData){0};
    if (rn_pages_map(&file, options->path, error, sizeof error)) {
        diag_error(diag, (Place){0}, "%s", error);
        return false;
    }
    bool good = open_weights(&weights, &file, options->path, &prefix, &report);
    if (good) {
        if (weights.torch && torch_note(weights.torch)) diag_note(diag, report.place, "%s", torch_note(weights.torch));
        /* a prefix that was wholly the way to a state dict says nothing about its names */
        const bool used_up = prefix != options->prefix && !*prefix;
        good = load_params(graph, options, used_up ? NULL : prefix, &weights, out, &report);
        if (!weights.torch) rn_safetensors_free(&weights.safetensors);
        torch_close(weights.torch);
    }
    rn_pages_free(&file);
    return good;
}

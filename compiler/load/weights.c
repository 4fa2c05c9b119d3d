/* Weights from a safetensors file: the graph's parameters by name and dims, as floats by tensor id. */
#include "load.h"

#include "../../runtime/packed.h"
#include "../../runtime/pages.h"
#include "../../runtime/params.h"

#include <stdlib.h>
#include <string.h>

enum { LISTED_PROBLEMS = 500 };

typedef struct Report {
    Diag *diag;
    Place place;
} Report;

static void report_problem(void *user, const char *text) {
    Report *report = user;
    diag_error(report->diag, report->place, "%s", text);
}

/* The parameters in the order of tensor ids. Returns how many. */
static int collect_params(const Graph *graph, rn_param *params, int *tensor_ids) {
    int count = 0;
    for (int i = 0; i < graph->tensor_count; i++) {
        const Tensor *tensor = graph->tensors[i];
        if (tensor->op != RN_PARAM) continue;
        tensor_ids[count] = i;
        params[count++] = (rn_param){tensor->name, tensor->ndim, tensor->dim, NULL};
    }
    return count;
}

/* false after a diagnostic for each tensor with a value that cannot be one */
static bool read_params(const Graph *graph, const rn_param *params, const int *tensor_ids, int count, TensorData *out,
                        Report *report) {
    bool sound = true;
    out->count = graph->tensor_count;
    out->data = calloc((size_t)graph->tensor_count + 1, sizeof *out->data);
    if (!out->data) bug("out of memory");
    for (int i = 0; i < count; i++) {
        float *values = malloc((size_t)params[i].tensor->count * sizeof *values + 1);
        if (!values) bug("out of memory");
        rn_safetensor_read(params[i].tensor, values);
        out->data[tensor_ids[i]] = values;
        char fault[256];
        if (rn_param_sound(&params[i], values, (int64_t)params[i].tensor->count, fault, sizeof fault)) continue;
        report_problem(report, fault);
        sound = false;
    }
    return sound;
}

static bool match_params(const Graph *graph, rn_param *params, int count, const rn_safetensors *file, Report *report) {
    /* a file for another network names hundreds: rather all of them than the usual few */
    const int limit = report->diag->limit;
    report->diag->limit = report->diag->errors + LISTED_PROBLEMS;
    const int problems = rn_params_match(params, count, file, report_problem, report);
    if (problems < 0) bug("out of memory");
    if (problems > 0)
        diag_note(report->diag, report->place, "%d of its tensors do not fit the network %s, which has %d", problems,
                  graph->name, count);
    report->diag->limit = limit;
    return problems == 0;
}

bool weights_load(const Graph *graph, const char *path, TensorData *out, Diag *diag) {
    const Source source = {.path = path};
    Report report = {diag, {.source = &source}};
    char error[RN_ERROR_SIZE];
    rn_pages file;
    *out = (TensorData){0};
    if (rn_pages_map(&file, path, error, sizeof error)) {
        diag_error(diag, (Place){0}, "%s", error);
        return false;
    }
    const size_t prefix = strlen(path) + 2; /* the runtime's messages begin with "path: ", as diag's do */
    rn_safetensors index;
    bool ok = false;
    if (file.count && rn_pages_fault(file.bytes, file.count)) {
        diag_error(diag, report.place, "cannot be read");
    } else if (rn_packed_recognize(file.bytes, file.count)) {
        diag_error(diag, report.place, "packed weights are for the emitted code to load; rnc reads safetensors");
    } else if (rn_safetensors_parse(&index, file.bytes, file.count, path, error, sizeof error)) {
        diag_error(diag, report.place, "%s", strlen(error) > prefix ? error + prefix : error);
    } else {
        rn_param *params = calloc((size_t)graph->tensor_count + 1, sizeof *params);
        int *tensor_ids = calloc((size_t)graph->tensor_count + 1, sizeof *tensor_ids);
        if (!params || !tensor_ids) bug("out of memory");
        const int count = collect_params(graph, params, tensor_ids);
        ok = match_params(graph, params, count, &index, &report);
        if (ok) ok = read_params(graph, params, tensor_ids, count, out, &report);
        if (!ok) tensor_data_free(out);
        free(params);
        free(tensor_ids);
        rn_safetensors_free(&index);
    }
    rn_pages_free(&file);
    return ok;
}

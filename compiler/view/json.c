/* What --json prints of a summary, a report, a bench and a comparison; docs/json.md says what each member means. */
#include "bench_view.h"
#include "compare_view.h"
#include "emit/describe.h"
#include "graph/ops.h"
#include "rn.h"
#include "report.h"
#include "runtime/core/cpu.h"

void json_add_string(cJSON *json, const char *name, const char *text) {
    Text utf8 = {0};
    text_puts_utf8(&utf8, text);
    cJSON_AddStringToObject(json, name, utf8.s ? utf8.s : "");
    text_free(&utf8);
}

/* What is not known is null. */
static void add_positive(cJSON *json, const char *name, double number) {
    if (number > 0)
        cJSON_AddNumberToObject(json, name, number);
    else
        cJSON_AddNullToObject(json, name);
}

static void add_sizes(cJSON *json, const Sizes *sizes) {
    cJSON_AddNumberToObject(json, "level", sizes->level);
    json_add_string(json, "target", sizes->target);
    json_add_string(json, "tune", sizes->tune);
    cJSON_AddNumberToObject(json, "batch", sizes->batch);
    cJSON_AddNumberToObject(json, "threads", sizes->threads);
    cJSON_AddNumberToObject(json, "weights_bytes", (double)sizes->weights);
    cJSON_AddNumberToObject(json, "packed_weights_bytes", (double)sizes->packed);
    cJSON_AddNumberToObject(json, "arena_bytes", (double)sizes->arena);
}

cJSON *json_document(const char *network, const char *command) {
    Arena arena = {0};
    cJSON *json = cJSON_CreateObject();
    json_add_string(json, "rnc", RN_VERSION);
    json_add_string(json, "network", network);
    json_add_string(json, "command", command);
    json_add_string(json, "machine", view_machine(&arena));
    json_add_string(json, "date", view_date(&arena));
    arena_free(&arena);
    return json;
}

cJSON *json_shape(Shape shape) {
    return cJSON_CreateIntArray((const int[]){shape.c, shape.h, shape.w}, 3);
}

cJSON *json_machine(const Machine *machine, const char *origin) {
    Arena arena = {0};
    cJSON *json = cJSON_CreateObject();
    json_add_string(json, "tune", machine_spelling(&arena, machine));
    json_add_string(json, "target", rn_isa_name(machine->isa));
    json_add_string(json, "origin", origin);
#define NUMBER(member, kind, text) cJSON_AddNumberToObject(json, #member, machine->member);
#include "plan/machine.def"
#undef NUMBER
    json_add_string(json, "fetching", fetching_names[machine->fetching]);
    arena_free(&arena);
    return json;
}

/* ---- summary ---- */
static cJSON *summary_value(const Value *value) {
    cJSON *json = cJSON_CreateObject();
    json_add_string(json, "name", value->name ? value->name : "");
    cJSON_AddItemToObject(json, "shape", json_shape(value->shape));
    json_add_string(json, "layout", value->channels_last ? "nhwc" : "nchw");
    return json;
}

cJSON *json_summary(const Graph *graph, const Sizes *sizes) {
    Arena arena = {0};
    const Totals totals = graph_totals(graph);
    cJSON *json = cJSON_CreateObject();
    cJSON_AddItemToObject(json, "input", summary_value(graph->input));
    cJSON *outputs = cJSON_AddArrayToObject(json, "outputs");
    for (int i = 0; i < graph->output_count; i++) cJSON_AddItemToArray(outputs, summary_value(graph->outputs[i]));
    cJSON *layers = cJSON_AddArrayToObject(json, "layers");
    for (int i = 0; i < graph->node_count; i++) {
        const Node *node = graph->nodes[i];
        cJSON *layer = cJSON_CreateObject();
        json_add_string(layer, "name", node->name);
        json_add_string(layer, "operation", summary_operation(&arena, node));
        json_add_string(layer, "place", describe_place(&arena, node->place));
        cJSON_AddItemToObject(layer, "shape", json_shape(node->out->shape));
        cJSON_AddNumberToObject(layer, "parameters", (double)node_params(node));
        cJSON_AddNumberToObject(layer, "multiply_adds", (double)node_cost(node));
        cJSON_AddItemToArray(layers, layer);
    }
    cJSON_AddNumberToObject(json, "parameters", (double)totals.params);
    cJSON_AddNumberToObject(json, "multiply_adds", (double)totals.macs);
    cJSON_AddNumberToObject(json, "activation_bytes", (double)totals.activation_bytes);
    cJSON_AddNumberToObject(json, "live_bytes", (double)totals.live_bytes);
    if (sizes) add_sizes(json, sizes);
    arena_free(&arena);
    return json;
}

/* ---- report ---- */
static cJSON *report_layer(const Report *r, const ReportRow *row) {
    cJSON *json = cJSON_CreateObject();
    json_add_string(json, "name", row->name);
    json_add_string(json, "operation", row->operation);
    json_add_string(json, "shape", row->shape);
    json_add_string(json, "place", row->place);
    json_add_string(json, "algorithm", row->algorithm);
    cJSON_AddNumberToObject(json, "us", row->us);
    cJSON_AddNumberToObject(json, "share", r->us > 0 ? row->us / r->us : 0);
    add_positive(json, "direct_us", row->direct);
    add_positive(json, "error", row->error);
    cJSON_AddNumberToObject(json, "weights_bytes", (double)row->weights);
    cJSON_AddNumberToObject(json, "packed_weights_bytes", (double)row->packed);
    cJSON_AddNumberToObject(json, "activation_bytes", (double)row->activations);
    cJSON_AddNumberToObject(json, "multiply_adds", (double)row->macs);
    cJSON_AddNumberToObject(json, "multiplications", (double)row->multiplications);
    json_add_string(json, "reason", row->reason);
    cJSON *others = cJSON_AddArrayToObject(json, "others");
    for (int i = 0; i < row->others; i++) {
        cJSON *other = cJSON_CreateObject();
        json_add_string(other, "algorithm", row->other[i]);
        cJSON_AddNumberToObject(other, "us", row->other_us[i]);
        cJSON_AddItemToArray(others, other);
    }
    return json;
}

cJSON *json_report(const Plan *plan, const Sizes *sizes) {
    Report r = report_make(plan);
    cJSON *json = cJSON_CreateObject();
    cJSON_AddBoolToObject(json, "measured", r.measured);
    cJSON_AddNumberToObject(json, "us", r.us);
    cJSON_AddNumberToObject(json, "tolerance", plan->options.tolerance);
    cJSON_AddNumberToObject(json, "predicted_error", plan->predicted_error);
    add_positive(json, "measured_error", plan->measured_error);
    cJSON_AddNumberToObject(json, "multiply_adds", (double)r.macs);
    cJSON_AddNumberToObject(json, "multiplications", (double)r.multiplications);
    cJSON_AddNumberToObject(json, "activation_bytes", (double)r.activations);
    add_sizes(json, sizes);
    cJSON *layers = cJSON_AddArrayToObject(json, "layers");
    for (int i = 0; i < r.count; i++) cJSON_AddItemToArray(layers, report_layer(&r, &r.rows[i]));
    report_free(&r);
    return json;
}

/* ---- bench ---- */
void json_add_bench(cJSON *json, const Bench *b) {
    static const char *const kinds[] = {"unfused", "alone", "without", "all"};
    cJSON_AddNumberToObject(json, "batch", b->batch);
    cJSON_AddNumberToObject(json, "threads", b->threads);
    json_add_string(json, "target", b->target);
    json_add_string(json, "weights", b->weights);
    cJSON *variants = cJSON_AddArrayToObject(json, "variants");
    for (int i = 0; i < b->count; i++) {
        const BenchVariant *v = &b->variants[i];
        cJSON *row = cJSON_CreateObject();
        json_add_string(row, "name", v->name);
        json_add_string(row, "kind", kinds[v->kind]);
        cJSON_AddBoolToObject(row, "changes_code", !v->same_as_first);
        cJSON_AddNumberToObject(row, "min_ms", v->min_ms);
        cJSON_AddNumberToObject(row, "median_ms", v->median_ms);
        cJSON_AddNumberToObject(row, "runs", v->runs);
        cJSON_AddNumberToObject(row, "traffic_bytes", (double)v->traffic);
        cJSON_AddNumberToObject(row, "arena_bytes", (double)v->arena);
        cJSON_AddNumberToObject(row, "speedup", v->speedup);
        cJSON_AddNumberToObject(row, "difference", v->difference);
        cJSON_AddItemToArray(variants, row);
    }
}

/* ---- compare ---- */
static void add_pair(cJSON *json, const char *name, const char *const text[2]) {
    cJSON *pair = cJSON_AddObjectToObject(json, name);
    json_add_string(pair, "first", text[0]);
    json_add_string(pair, "second", text[1]);
}

static void add_counts(cJSON *json, const char *name, const int count[2]) {
    cJSON *pair = cJSON_AddObjectToObject(json, name);
    cJSON_AddNumberToObject(pair, "first", count[0]);
    cJSON_AddNumberToObject(pair, "second", count[1]);
}

/* A number that is not finite is null. */
static void add_numbers(cJSON *json, Shape shape, const CompareNumbers *d) {
    cJSON_AddItemToObject(json, "shape", json_shape(shape));
    cJSON_AddNumberToObject(json, "largest", d->largest);
    cJSON_AddNumberToObject(json, "relative", d->relative);
    cJSON_AddNumberToObject(json, "rms", d->rms);
    cJSON_AddNumberToObject(json, "relative_rms", d->relative_rms);
}

static void add_class(cJSON *json, const char *name, int class) {
    if (class < 0)
        cJSON_AddNullToObject(json, name);
    else
        cJSON_AddNumberToObject(json, name, class);
}

static cJSON *compare_image(const CompareImage *image) {
    cJSON *json = cJSON_CreateObject();
    cJSON_AddNumberToObject(json, "image", image->index + 1);
    json_add_string(json, "name", image->name);
    cJSON_AddNumberToObject(json, "relative", image->relative);
    cJSON *top1 = cJSON_AddObjectToObject(json, "top1");
    add_class(top1, "first", image->top1[0]);
    add_class(top1, "second", image->top1[1]);
    add_class(json, "label", image->label);
    return json;
}

static cJSON *compare_layer(const CompareLayer *layer) {
    cJSON *json = cJSON_CreateObject();
    add_pair(json, "name", layer->name);
    add_pair(json, "operation", layer->operation);
    add_numbers(json, layer->shape, &layer->d);
    cJSON_AddNumberToObject(json, "limit", layer->limit);
    cJSON_AddBoolToObject(json, "beyond", layer->beyond);
    return json;
}

static void add_compared_classes(cJSON *json, const Compare *c) {
    cJSON_AddNumberToObject(json, "classes", c->classes);
    add_class(json, "top1_agree", c->classes ? c->top1 : -1);
    add_class(json, "top5_agree", c->classes ? c->top5 : -1);
    if (!c->labelled) return;
    add_counts(json, "top1_right", c->right1);
    if (c->top5 >= 0) add_counts(json, "top5_right", c->right5);
}

cJSON *compare_json(const Compare *c) {
    cJSON *json = cJSON_CreateObject();
    add_pair(json, "networks", c->label);
    cJSON_AddBoolToObject(json, "agrees", c->agrees);
    cJSON_AddNumberToObject(json, "threshold", c->threshold);
    json_add_string(json, "data", c->images_of);
    cJSON_AddNumberToObject(json, "images", c->images);
    add_compared_classes(json, c);
    cJSON *outputs = cJSON_AddArrayToObject(json, "outputs");
    for (int i = 0; i < c->output_count; i++) {
        cJSON *output = cJSON_CreateObject();
        add_pair(output, "name", c->outputs[i].name);
        add_numbers(output, c->outputs[i].shape, &c->outputs[i].d);
        cJSON_AddNumberToObject(output, "worst_image", c->outputs[i].worst + 1);
        cJSON_AddItemToArray(outputs, output);
    }
    cJSON *worst = cJSON_AddArrayToObject(json, "worst_images");
    for (int i = 0; i < c->worst_count; i++) cJSON_AddItemToArray(worst, compare_image(&c->worst[i]));
    cJSON *layers = cJSON_AddArrayToObject(json, "layers");
    for (int i = 0; i < c->layer_count; i++) cJSON_AddItemToArray(layers, compare_layer(&c->layers[i]));
    if (c->part >= 0)
        add_pair(json, "part", c->layers[c->part].name);
    else
        cJSON_AddNullToObject(json, "part");
    add_counts(json, "without_counterpart", c->single);
    if (c->hint) json_add_string(json, "hint", c->hint);
    return json;
}

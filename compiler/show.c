/* What a compilation prints instead of writing it to -o's file: dumps, the summary, the report, what --verify found;
 * and with --json the last three as one document.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "graph/irtext.h"
#include "driver.h"
#include "emit/describe.h"
#include "measure/verify_run.h"

static bool print_text(Text *text) {
    fwrite(text->s, 1, text->size, stdout);
    text_free(text);
    return true;
}

/* ---- dumps ---- */
bool show_tree(Compilation *c) {
    Text text = {0};
    ast_dump(c->ast, &text);
    return print_text(&text);
}

bool show_graph(Compilation *c) {
    Graph *graph = c->training ? c->training : c->source;
    Text text = {0};
    if (c->options->run_pass) {
        for (int i = 0; i < PASS_COUNT; i++)
            if (!strcmp(pass_name((PassId)i), c->options->run_pass)) pass_run(graph, (PassId)i);
    }
    irtext_print(graph, &text);
    return print_text(&text);
}

bool show_dot(Compilation *c) {
    Text text = {0};
    graph_dot(c->graph, &text);
    return print_text(&text);
}

bool show_plan(Compilation *c) {
    Text text = {0};
    plan_print(c->training_plan ? c->training_plan : c->plan, &text);
    return print_text(&text);
}

bool show_c(Compilation *c) {
    Text text = {0};
    const EmitOptions options = compilation_emit_options(c);
    emit_c(c->plan, &options, &text);
    return print_text(&text);
}

/* ---- summary, report, verify ---- */
/* The document, begun when the first part comes. */
static void add_json(Compilation *c, const char *part, cJSON *json) {
    if (!c->json) c->json = json_document(c->source->name, c->options->command);
    cJSON_AddItemToObject(c->json, part, json);
}

static bool print_summary(Compilation *c, const Sizes *sizes) {
    if (c->options->json)
        add_json(c, "summary", json_summary(c->source, sizes));
    else
        summary_print(c->source, sizes, stdout);
    return true;
}

/* Of a plan by the cost model, which -O3's differs from little: a summary measures nothing. */
bool show_summary(Compilation *c) {
    if (!plan_fits(c->source, NULL)) return print_summary(c, NULL);
    PassOptions passes = c->options->passes;
    if (passes.level > 2) passes.level = 2;
    passes.verbose = false;
    passes.dump_after = NULL;
    Graph *graph = graph_clone(c->source, &c->arena);
    passes_run(graph, &passes);
    const PlanOptions options = compilation_plan_options(c, &passes);
    return print_summary(c, compilation_sizes(c, plan_make(&c->arena, graph, &options), passes.level));
}

static bool write_page(Compilation *c) {
    const char *path = c->options->report;
    Text text = {0};
    if (c->training_plan)
        report_train_html(c->training_plan, c->options->command, &text);
    else
        report_html(c->plan, compilation_sizes(c, c->plan, c->options->passes.level), c->options->command, &text);
    const bool good = file_write(path, text.s, text.size);
    if (!good) diag_error(&c->diag, (Place){0}, "cannot write '%s': %s", path, strerror(errno));
    text_free(&text);
    return good;
}

bool show_report(Compilation *c) {
    if (*c->options->report && !write_page(c)) return false;
    if (c->options->json) {
        add_json(c, "report",
                 c->training_plan ? json_report_train(c->training_plan)
                                  : json_report(c->plan, compilation_sizes(c, c->plan, c->options->passes.level)));
    } else if (!*c->options->report) {
        Text text = {0};
        if (c->training_plan)
            report_train_text(c->training_plan, &text);
        else
            report_text(c->plan, &text);
        return print_text(&text);
    }
    return true;
}

static cJSON *verify_json(Compilation *c, const VerifyResult *r) {
    cJSON *json = cJSON_CreateObject();
    cJSON_AddBoolToObject(json, "agrees", r->agrees);
    cJSON_AddNumberToObject(json, "tolerance", c->options->tolerance);
    cJSON_AddNumberToObject(json, "limit", r->output_limit);
    cJSON_AddNumberToObject(json, "predicted_error", c->plan->predicted_error);
    cJSON_AddNumberToObject(json, "images", r->images);
    if (c->options->verify_input) json_add_string(json, "input", c->options->verify_input);
    cJSON_AddNumberToObject(json, "compared", r->compared);
    cJSON_AddNumberToObject(json, "skipped", r->skipped);
    cJSON_AddNumberToObject(json, "output_error", r->output_error);
    cJSON_AddNumberToObject(json, "layer_error", r->layer_error);
    json_add_string(json, "layer", r->layer);
    if (r->rounded) cJSON_AddNumberToObject(json, "rounding_error", r->rounding);
    if (r->agrees) return json;
    const VerifyDifference *d = &r->difference;
    cJSON *at = cJSON_AddObjectToObject(json, "difference");
    json_add_string(at, "layer", d->layer);
    json_add_string(at, "operation", d->what);
    json_add_string(at, "place", describe_place(&c->arena, d->place));
    cJSON_AddNumberToObject(at, "error", d->error);
    cJSON_AddNumberToObject(at, "limit", d->limit);
    cJSON_AddNumberToObject(at, "image", d->image);
    cJSON_AddNumberToObject(at, "channel", d->channel);
    cJSON_AddNumberToObject(at, "row", d->row);
    cJSON_AddNumberToObject(at, "column", d->column);
    cJSON_AddNumberToObject(at, "value", d->got);
    cJSON_AddNumberToObject(at, "expected", d->expected);
    return json;
}

static void print_verify(const Compilation *c, const VerifyResult *r) {
    const Options *o = c->options;
    printf("verify: %s: %d results agree with the interpreter, outputs within %.3g: relative error %.3g (predicted: "
           "%.3g), of any layer %.3g ('%s')",
           c->source->name, r->compared, r->output_limit, r->output_error, c->plan->predicted_error, r->layer_error,
           r->layer);
    if (o->verify_input) printf("; %d image%s of %s", r->images, r->images == 1 ? "" : "s", path_base(o->verify_input));
    if (r->skipped) printf("; %d intermediate ones have no counterpart", r->skipped);
    if (r->rounded) printf("; rounding weights to bf16 moves the output by %.3g of its largest", r->rounding);
    printf("\n");
}

static cJSON *verify_training_json(Compilation *c, const VerifyTraining *r) {
    cJSON *json = cJSON_CreateObject();
    cJSON_AddBoolToObject(json, "agrees", r->agrees);
    cJSON_AddNumberToObject(json, "tolerance", c->options->tolerance);
    cJSON_AddNumberToObject(json, "limit", r->limit);
    cJSON_AddNumberToObject(json, "images", r->images);
    cJSON_AddNumberToObject(json, "compared", r->compared);
    cJSON_AddNumberToObject(json, "loss_error", r->loss_error);
    cJSON_AddNumberToObject(json, "gradient_error", r->error);
    json_add_string(json, "parameter", r->worst);
    if (r->agrees) return json;
    cJSON *at = cJSON_AddObjectToObject(json, "difference");
    json_add_string(at, "what", r->what);
    json_add_string(at, "parameter", r->parameter);
    json_add_string(at, "place", describe_place(&c->arena, r->place));
    cJSON_AddNumberToObject(at, "element", (double)r->element);
    cJSON_AddNumberToObject(at, "value", r->got);
    cJSON_AddNumberToObject(at, "expected", r->expected);
    return json;
}

static bool show_verify_training(Compilation *c) {
    VerifyTraining r;
    const bool agrees = verify_training(c, &r);
    if (c->options->json && (agrees || r.what))
        add_json(c, "verify", verify_training_json(c, &r));
    else if (agrees)
        printf("verify: %s: a step's loss, and %d gradients and statistics agree with the interpreter, within %.3g: "
               "relative error %.3g ('%s'), of the loss %.3g; %d image%s\n",
               c->source->name, r.compared, r.limit, r.error, r.worst, r.loss_error, r.images, r.images > 1 ? "s" : "");
    return agrees;
}

bool show_verify(Compilation *c) {
    if (c->training_plan) return show_verify_training(c);
    VerifyResult result;
    const bool agrees = verify_run(c, &result);
    if (c->options->json && (agrees || result.difference.layer))
        add_json(c, "verify", verify_json(c, &result));
    else if (agrees)
        print_verify(c, &result);
    return agrees;
}

bool show_json(Compilation *c) {
    const Options *o = c->options;
    if (!o->json || o->bench || (o->verify && !cJSON_HasObjectItem(c->json, "verify"))) return true;
    char *text = cJSON_Print(c->json);
    if (!text) out_of_memory();
    puts(text);
    cJSON_free(text);
    return true;
}

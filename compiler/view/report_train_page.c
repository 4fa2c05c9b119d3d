/* --train --report as a page and as JSON (docs/json.md). */
#include "html.h"
#include "report.h"
#include "report_train.h"
#include "runtime/core/cpu.h"

/* ---- JSON ---- */
static void add_row(cJSON *json, const TrainReport *r, const TrainRow *row) {
    cJSON_AddNumberToObject(json, "us", row->us);
    cJSON_AddNumberToObject(json, "share", r->sum.us > 0 ? row->us / r->sum.us : 0);
    cJSON_AddNumberToObject(json, "calls", row->calls);
    cJSON_AddNumberToObject(json, "multiply_adds", (double)row->macs);
    cJSON_AddNumberToObject(json, "multiplications", (double)row->multiplications);
    cJSON_AddNumberToObject(json, "bytes", (double)row->bytes);
}

cJSON *json_report_train(const Plan *plan) {
    TrainReport r = report_train_make(plan);
    cJSON *json = cJSON_CreateObject();
    cJSON_AddNumberToObject(json, "batch", plan->options.batch);
    json_add_string(json, "target", rn_isa_name((rn_isa)plan->options.isa));
    json_add_string(json, "tune", machine_spelling(&r.arena, plan->options.machine));
    add_row(json, &r, &r.sum);
    cJSON *parts = cJSON_AddObjectToObject(json, "passes");
    for (int i = 0; i < TRAIN_PARTS; i++)
        if (r.part[i].calls) add_row(cJSON_AddObjectToObject(parts, report_train_parts[i]), &r, &r.part[i]);
    cJSON_AddNumberToObject(json, "computed", r.computed);
    cJSON_AddNumberToObject(json, "stored_bytes", (double)r.stored);
    cJSON_AddNumberToObject(json, "parameter_bytes", (double)r.fixed);
    cJSON_AddNumberToObject(json, "value_bytes", (double)r.values);
    cJSON_AddNumberToObject(json, "scratch_bytes", (double)r.scratch);
    json_add_string(json, "fullest", r.fullest);
    cJSON *held = cJSON_AddArrayToObject(json, "held");
    for (int i = 0; i < r.held_count; i++) {
        cJSON *one = cJSON_CreateObject();
        json_add_string(one, "name", r.held[i].name);
        cJSON_AddNumberToObject(one, "bytes", (double)r.held[i].bytes);
        json_add_string(one, "first", r.held[i].first);
        json_add_string(one, "last", r.held[i].last);
        cJSON_AddItemToArray(held, one);
    }
    cJSON *layers = cJSON_AddArrayToObject(json, "layers");
    for (int i = 0; i < r.count; i++) {
        const TrainRow *row = &r.rows[i];
        cJSON *layer = cJSON_CreateObject();
        json_add_string(layer, "name", row->name);
        json_add_string(layer, "pass", report_train_parts[row->part]);
        json_add_string(layer, "operation", row->operation);
        json_add_string(layer, "shape", row->shape);
        json_add_string(layer, "place", row->place);
        json_add_string(layer, "algorithm", row->algorithm);
        add_row(layer, &r, row);
        cJSON_AddItemToArray(layers, layer);
    }
    report_train_free(&r);
    return json;
}

/* ---- page ---- */
static void put_cell(Text *out, const char *class, const char *word, const char *title) {
    text_printf(out, "<td class=\"%s\" title=\"", class);
    html_escape(out, title);
    text_puts(out, "\">");
    html_escape(out, word);
    text_puts(out, "</td>");
}

static void put_word(Text *out, const char *word, const char *title) {
    put_cell(out, "l", word, title);
}

static void put_number(Text *out, double value, const char *shown) {
    text_printf(out, "<td data-v=\"%.9g\">%s</td>", value, shown);
}

static void put_figures(TrainReport *r, Text *out) {
    Arena *a = &r->arena;
    text_puts(out, "<div class=\"figures\">\n");
    html_figure(out, arena_printf(a, "%.2f ms", r->sum.us * 1e-3),
                arena_printf(a, "a step of %d images, by the machine's rates", r->plan->options.batch));
    for (int i = 0; i < TRAIN_PARTS; i++)
        if (r->part[i].calls) html_figure(out, arena_printf(a, "%.2f ms", r->part[i].us * 1e-3), report_train_parts[i]);
    html_figure(out, arena_printf(a, "%.2f G", (double)r->sum.multiplications * 1e-9),
                arena_printf(a, "multiplications; the source has %.2f G", (double)r->sum.macs * 1e-9));
    html_figure(out, view_bytes(a, (double)r->sum.bytes), "read and written");
    html_figure(out, view_bytes(a, (double)(r->fixed + r->values + r->scratch)), "a trainer, on one thread");
    text_puts(out, "</div>\n");
}

static void put_layers(TrainReport *r, Text *out) {
    Arena *a = &r->arena;
    double longest = 1e-9;
    for (int i = 0; i < r->count; i++)
        if (r->rows[i].us > longest) longest = r->rows[i].us;
    text_puts(out,
              "<h2>Layers</h2>\n<div class=\"scroll\"><table class=\"sort\"><thead><tr><th>#</th>"
              "<th class=\"l\">layer</th><th class=\"l\">pass</th><th class=\"l\">operation</th>"
              "<th class=\"l\">shape</th><th class=\"l\">computed by</th><th class=\"l\" data-down>time</th>"
              "<th data-down>&#181;s</th><th data-down>share</th><th class=\"w\" data-down>M multiply-adds</th>"
              "<th class=\"w\" data-down>M multi&#173;plications</th><th data-down>bytes</th></tr></thead>\n<tbody>\n");
    for (int i = 0; i < r->count; i++) {
        const TrainRow *row = &r->rows[i];
        text_printf(out, "<tr><td data-v=\"%d\" class=\"s\">%d</td>", i, i + 1);
        put_word(out, row->name, row->place);
        put_word(out, report_train_parts[row->part], "");
        put_word(out, row->operation, "");
        put_word(out, row->shape, "");
        put_cell(out, "l w", row->algorithm, "");
        text_printf(out, "<td class=\"bar l k%d\" data-v=\"%.9g\"><i style=\"width:%.1f%%\"></i></td>", row->part,
                    row->us, 100 * row->us / longest);
        put_number(out, row->us, report_us(a, row->us));
        put_number(out, row->us, arena_printf(a, "%.1f %%", r->sum.us > 0 ? 100 * row->us / r->sum.us : 0));
        put_number(out, (double)row->macs, row->macs ? arena_printf(a, "%.2f", (double)row->macs * 1e-6) : "");
        put_number(out, (double)row->multiplications,
                   row->macs ? arena_printf(a, "%.2f", (double)row->multiplications * 1e-6) : "");
        put_number(out, (double)row->bytes, view_bytes(a, (double)row->bytes));
        text_puts(out, "</tr>\n");
    }
    text_puts(out, "</tbody></table></div>\n");
}

static void put_memory(TrainReport *r, Text *out) {
    text_puts(out, "<h2>What holds memory</h2>\n<div class=\"scroll\"><table class=\"sort\"><thead><tr>"
                   "<th class=\"l\">value</th><th data-down>bytes</th><th class=\"l\">from</th>"
                   "<th class=\"l\">to</th></tr></thead>\n<tbody>\n");
    for (int i = 0; i < r->held_count; i++) {
        text_puts(out, "<tr>");
        put_word(out, r->held[i].name, "");
        put_number(out, (double)r->held[i].bytes, view_bytes(&r->arena, (double)r->held[i].bytes));
        put_word(out, r->held[i].first, "");
        put_word(out, r->held[i].last, "");
        text_puts(out, "</tr>\n");
    }
    text_puts(out, "</tbody></table></div>\n");
}

void report_train_html(const Plan *plan, const char *command, Text *out) {
    TrainReport r = report_train_make(plan);
    Text step = {0}, memory = {0};
    report_train_totals(&r, &step, &memory);
    html_begin(out, arena_printf(&r.arena, "%s: how it is trained", plan->graph->name), command);
    put_figures(&r, out);
    text_puts(out, "<p>");
    html_prose(out, arena_printf(&r.arena, "A step has %s. Its %s.", step.s, report_train_time(&r)));
    text_puts(out, "</p>\n");
    put_layers(&r, out);
    put_memory(&r, out);
    text_puts(out, "<p>");
    html_prose(out, arena_printf(&r.arena, "There %s.", memory.s));
    text_puts(out, "</p>\n");
    html_end(out);
    text_free(&step);
    text_free(&memory);
    report_train_free(&r);
}

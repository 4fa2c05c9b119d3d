/* rnc: text -> tree -> graph -> passes -> plan -> C -> object. compile() is the whole of it, a call a stage.
 *
 * A stage returns false after its errors were printed. What the command line asked to see is shown as soon as the stage
 * that has it is done, and nothing later runs that nobody asked for.
 */
#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>
#include <xxhash.h>

#include "graph/irtext.h"
#include "graph/tensor.h"
#include "driver.h"
#include "save/files.h"
#include "load/load.h"
#include "base/toolchain.h"
#include "measure/bench.h"
#include "measure/compare.h"
#include "measure/machine.h"
#include "measure/probe.h"
#include "save/save.h"
#include "measure/tune.h"
#include "passes/differentiate.h"
#include "plan/training.h"
#include "view/view.h"
#include "rn.h"

enum { EXIT_INPUT = 1, EXIT_USAGE = 2 };

/* ---- stages ---- */
static bool format_source(Compilation *c) {
    Source *source = source_read(&c->arena, c->options->input, &c->diag, (Place){0});
    Text text = {0};
    const bool good = source && ast_format(source, &text, &c->diag);
    if (good) fwrite(text.s, 1, text.size, stdout);
    text_free(&text);
    return good;
}

static bool has_block(const Ast *ast, const Source *source) {
    const Decl *block = ast->blocks;
    while (block && block->source != source) block = block->next;
    return block;
}

/* The file's bytes and those of the files that its blocks and its train section come from, each once. */
static void hash_source(Compilation *c, const Source *main_source) {
    XXH3_state_t *state = XXH3_createState();
    if (!state) out_of_memory();
    const Source *last = main_source;
    XXH3_64bits_reset(state);
    XXH3_64bits_update(state, main_source->text, main_source->size);
    for (const Decl *block = c->ast ? c->ast->blocks : NULL; block; block = block->next) {
        if (block->source == last || block->source == main_source) continue;
        last = block->source; /* blocks of one file are neighbours */
        XXH3_64bits_update(state, last->text, last->size);
    }
    const Source *train = c->ast && c->ast->has_train ? c->ast->train_place.source : main_source;
    if (train != main_source && !has_block(c->ast, train)) XXH3_64bits_update(state, train->text, train->size);
    snprintf(c->hash, sizeof c->hash, "%016llx", (unsigned long long)XXH3_64bits_digest(state));
    XXH3_freeState(state);
}

/* A model has its weights in it, and perhaps says for how many images it is; its file's name is the network's. */
static bool read_onnx(Compilation *c, Options *options) {
    Source *source = arena_alloc(&c->arena, sizeof *source);
    source->path = options->input;
    const OnnxOptions how = {options->input, options->batch_given ? options->batch : 0, options->defines,
                             options->define_count, 0};
    if (!onnx_read(&c->arena, source, &how, &c->onnx, &c->diag)) return false;
    c->source = c->onnx.graph;
    if (emit_name_is_taken(c->source->name) || emit_name_is_c(c->source->name)) /* model.onnx is a common name */
        c->source->name = arena_printf(&c->arena, "%s_net", c->source->name);
    if (!options->batch_given) options->batch = c->onnx.batch;
    snprintf(c->hash, sizeof c->hash, "%016llx", (unsigned long long)c->onnx.hash);
    return true;
}

static bool parse(Compilation *c, Options *options) {
    if (options->input_kind == INPUT_ONNX) return read_onnx(c, options);
    if (options->input_kind == INPUT_GRAPH) {
        const Source *source = source_read(&c->arena, options->input, &c->diag, (Place){0});
        if (!source) return false;
        c->source = irtext_parse(&c->arena, source, &c->diag);
        if (c->source) hash_source(c, source);
        return c->source;
    }
    c->ast = ast_parse_file(&c->arena, options->input, &c->diag);
    if (c->ast) hash_source(c, c->ast->source);
    return c->ast;
}

static bool elaborate_graph(Compilation *c) {
    const Options *options = c->options;
    if (c->ast) c->source = elaborate(&c->arena, c->ast, options->defines, options->define_count, &c->diag);
    if (c->source) c->name = options->name ? options->name : c->source->name;
    if (c->source && c->ast) ast_warn_unused(c->ast, &c->diag);
    return c->source;
}

/* --output LAYER: these results instead of the network's own. */
static bool choose_outputs(Compilation *c) {
    const Options *options = c->options;
    Graph *graph = c->source;
    if (!options->output_count) return true;
    for (int i = 0; i < graph->output_count; i++) graph->outputs[i]->is_output = false;
    graph->output_count = 0;
    for (int i = 0; i < options->output_count; i++) {
        Value *value = graph_find_layer(graph, options->outputs[i]);
        if (value) {
            if (!value->is_output) graph_add_output(graph, value);
            continue;
        }
        const char **names = arena_alloc(&c->arena, (size_t)graph->node_count * sizeof *names), *last = NULL;
        const size_t length = strlen(options->outputs[i]);
        for (int j = 0; j < graph->node_count; j++) {
            names[j] = graph->nodes[j]->name;
            if (!strncmp(names[j], options->outputs[i], length) && names[j][length] == '.') last = names[j];
        }
        const char *nearest = diag_suggest(options->outputs[i], names, graph->node_count);
        diag_error(&c->diag, (Place){0}, "--output: %s has no layer called '%s'%s", graph->name, options->outputs[i],
                   last      ? arena_printf(&c->arena, "; the last one below it is '%s'", last)
                   : nearest ? arena_printf(&c->arena, "; did you mean '%s'?", nearest)
                             : "; --summary lists them");
    }
    return !c->diag.errors;
}

/* Whether --train goes as far as a plan: of the training step, beside that of inference. */
static bool makes_trainer(const Compilation *c) {
    const Options *o = c->options;
    return o->train && (o->output || o->verify || o->report || o->dump == DUMP_PLAN || o->dump == DUMP_C);
}

/* --train: the graph of a training step; a file of graph text may be one. */
static bool make_training(Compilation *c) {
    const Options *o = c->options;
    if (c->source->training && !o->train && o->dump != DUMP_IR && o->dump != DUMP_DOT && !o->run_pass &&
        !o->passes.dump_after) {
        diag_error(&c->diag, (Place){0},
                   "'%s' is the graph of a training step: --dump=ir, --dump=dot and --dump-after "
                   "show it, but it is no network",
                   o->input);
        return false;
    }
    if (makes_trainer(c) && c->source->training) {
        diag_error(&c->diag, (Place){0},
                   "'%s' is the graph of a training step, which has no network to test and ship: give --train the "
                   "network's",
                   o->input);
        return false;
    }
    if (makes_trainer(c) && !c->source->train) {
        diag_error(&c->diag, (Place){0}, "'%s' has no train section, which says how a program of --train trains",
                   o->input);
        return false;
    }
    if (makes_trainer(c) && c->source->input->channels_last) {
        diag_error(
            &c->diag, (Place){0},
            "'%s' takes images as H x W x C (nhwc), and trainers take C x H x W: train it without the word, which "
            "changes no weight",
            o->input);
        return false;
    }
    if (o->ranks && o->output && o->kind == OUTPUT_PROGRAM && !toolchain_librn(&c->arena, LIBRN_MPI)) {
        diag_error(&c->diag, (Place){0},
                   "--mpi: this rnc was built without MPI, so librn_mpi.a is not beside librn.a, and no program can be "
                   "linked: install libopenmpi-dev and openmpi-bin, and build rnc again");
        return false;
    }
    if (c->source->training)
        c->training = c->source;
    else if (o->train)
        c->training = differentiate(c->source, &c->arena, &c->diag);
    return c->training || !o->train;
}

/* The API's prefix becomes a type and part of every function's name. */
static bool check_name(Compilation *c) {
    const bool free = !emit_name_is_taken(c->name) && !emit_name_is_c(c->name) &&
                      !(c->options->standalone && emit_standalone_name_is_taken(c->name));
    if (!free)
        diag_error(&c->diag, (Place){0}, "'%s' cannot name the emitted type and functions; say --name OTHER", c->name);
    return free;
}

static bool load_weights(Compilation *c) {
    const Options *options = c->options;
    if (options->weights) {
        const WeightsOptions file = {options->weights, options->weights_prefix, options->ignores,
                                     options->ignore_count};
        c->has_weights = weights_load(c->source, &file, &c->weights, &c->diag);
        return c->has_weights;
    }
    c->has_weights = files_have_weights(options);
    if (c->onnx.graph && !options->random_weights) {
        const Place place = {.source = c->onnx.graph->source};
        if (!weights_check(c->source, &c->onnx.weights, place, &c->diag)) return false;
        c->weights = c->onnx.weights, c->onnx.weights = (TensorData){0};
    } else if (c->has_weights) {
        weights_random(c->source, options->seed, &c->weights, options->threads);
    }
    return true;
}

static bool run_passes(Compilation *c) {
    c->graph = graph_clone(c->training && !makes_trainer(c) ? c->training : c->source, &c->arena);
    passes_run(c->graph, &c->options->passes);
    return true;
}

/* --weights-limit: what is chosen is the smallest where nothing keeps it. */
static bool keeps_weights_limit(Compilation *c) {
    const double megabytes = (double)c->plan->recipe.packed_size / 1e6, limit = c->options->weights_limit;
    if (!limit || megabytes <= limit) return true;
    diag_error(&c->diag, (Place){0},
               "--weights-limit: %s's packed weights take at least %.2f MB, more than %g (within --tolerance %g)",
               c->source->name, ceil(megabytes * 100) / 100, limit, c->options->tolerance);
    return false;
}

/* --train: the plan of the training step beside that of inference. */
static bool make_training_plan(Compilation *c) {
    const Options *o = c->options;
    if (!c->training) return true;
    Graph *graph = graph_clone(c->training, &c->arena);
    passes_run(graph, &o->passes);
    pass_run(graph, PASS_dce); /* at any level: the loss takes the place of a softmax, which nobody reads then */
    PlanOptions options = compilation_plan_options(c, &o->passes);
    const int batch = c->source->train->recipe.batch;
    options.batch = o->batch_given ? o->batch : batch;
    options.ranks = o->ranks;
    if (o->ranks && batch % o->ranks) {
        diag_error(&c->diag, (Place){0},
                   "--mpi=%d: the train section's batch of %d images is no multiple of %d; the largest number of ranks "
                   "that has the bits of one is then %d: --mpi=%d",
                   o->ranks, batch, o->ranks, batch & -batch, batch & -batch);
        return false;
    }
    if (o->ranks) options.rank_images = batch / o->ranks;
    for (Recompute mode = RECOMPUTE_NONE; mode <= RECOMPUTE_BLOCKS; mode++)
        if (mode == o->recompute || o->recompute_given)
            c->training_memory[mode] = plan_training_memory(graph, c->source, &options, mode);
    recompute(graph, o->recompute, c->training_memory[o->recompute].every);
    c->training_plan = plan_training(&c->arena, graph, c->source, &options, &c->diag);
    return c->training_plan;
}

static bool make_plan(Compilation *c) {
    PlanOptions options = compilation_plan_options(c, &c->options->passes);
    if (c->options->passes.level >= 3) {
        options.candidates_user = tune_run(c);
        options.candidates = tune_candidates;
        if (!options.candidates_user) return false;
    }
    c->plan = plan_make(&c->arena, c->graph, &options);
    if (!c->plan || !keeps_weights_limit(c)) return false;
    const bool given =
        c->options->weights || c->options->random_weights || c->onnx.graph; /* others are for this run alone */
    if (c->options->passes.level >= 3 && given && options.tolerance > 0) return tune_error(c, &options);
    if (options.tolerance > 0 && c->plan->predicted_error > options.tolerance)
        diag_warning(&c->diag, (Place){0},
                     "%s: rounding may change an output by %.2g of its largest number, more than the tolerance of %g: "
                     "in fp32 no way to compute it does better, not even direct sums",
                     c->source->name, c->plan->predicted_error, options.tolerance);
    return true;
}

/* ---- the pipeline ---- */
static bool compile(Compilation *c, Options *options) {
    const Options *o = options;
    if (o->format) return format_source(c);

    if (!parse(c, options)) return false; /* text -> tree; a graph's file or a model is one already */
    if (o->dump == DUMP_AST) return show_tree(c);

    if (!elaborate_graph(c)) return false; /* tree -> graph */
    if (!choose_outputs(c)) return false;
    if (!make_training(c)) return false; /* graph -> graph of a training step */
    if (o->dump == DUMP_IR || o->run_pass) return show_graph(c);
    if (c->training && !makes_trainer(c)) return run_passes(c) && (o->dump != DUMP_DOT || show_dot(c));
    if (!files_check(c)) return false;
    const bool saves_source = o->kind == OUTPUT_SAFETENSORS || o->kind == OUTPUT_ONNX || o->kind == OUTPUT_SOURCE;
    const bool emits = !saves_source || o->verify;
    if (emits || o->summary) machine_find(c); /* that plans are made for */
    if (o->summary && !show_summary(c)) return false;
    if (!o->output && !o->verify && !o->bench && !o->dump && !o->report && !o->passes.dump_after) return show_json(c);
    if (emits && (!check_name(c) || !plan_fits(c->source, &c->diag))) return false;
    if (o->kind == OUTPUT_ONNX && !onnx_check(c->source, o->output, &c->diag)) return false;

    if (!load_weights(c)) return false;
    if (saves_source && !o->verify) return driver_write(c) && show_json(c);
    if (o->bench) return bench_run(c);

    if (!run_passes(c)) return false; /* graph -> graph */
    if (o->dump == DUMP_DOT) return show_dot(c);
    if (!make_plan(c) || !make_training_plan(c)) return false; /* graph -> plan */
    if (o->report && !show_report(c)) return false;
    if (o->dump == DUMP_PLAN) return show_plan(c);
    if (o->dump == DUMP_C) return show_c(c);

    if (o->verify && !show_verify(c)) {
        show_json(c); /* the difference, where there is one */
        return false;
    }
    if (o->output && !driver_write(c)) return false; /* plan -> C -> object */
    return show_json(c);
}

static void release(Compilation *c) {
    cJSON_Delete(c->json);
    tensor_data_free(&c->weights);
    tensor_data_free(&c->onnx.weights);
    arena_free(&c->arena);
}

/* ---- rnc compare: two networks ---- */
static bool read_network(Compilation *c, Options *options) {
    if (!parse(c, options) || !elaborate_graph(c) || !choose_outputs(c)) return false;
    if (!make_training(c)) return false; /* refuses the graph of a step */
    return options->reference || (check_name(c) && plan_fits(c->source, &c->diag));
}

/* The interpreter takes the graph as it is. */
static bool make_network(Compilation *c) {
    if (!load_weights(c)) return false;
    if (c->options->reference) return true;
    machine_find(c);
    return run_passes(c) && make_plan(c);
}

static bool compare(Compilation *first, Options *options) {
    Compilation second = {.options = options->second};
    const bool read = read_network(first, options);
    const bool good = read_network(&second, options->second) && read && files_check(first) && files_check(&second) &&
                      compare_check(first, &second) && make_network(first) && make_network(&second) &&
                      compare_run(first, &second) && !second.diag.errors;
    release(&second);
    return good;
}

int main(int argc, char **argv) {
    Arena arena = {0};
    Options options;
    Compilation c = {.options = &options};
    int status = 0;
    signal(SIGXFSZ, SIG_IGN);                          /* a file that may grow no more is an error of its write */
    cJSON_InitHooks(&(cJSON_Hooks){heap_alloc, free}); /* else a document would lack what there is no memory for */
    if (argc > 1 && !strcmp(argv[1], "--probe")) return probe_main(argc - 2, argv + 2);
    if (!options_parse(&options, &arena, argc, argv, &c.diag)) {
        status = EXIT_USAGE;
    } else if (options.help) {
        options_help(stdout);
    } else if (options.version) {
        printf("rnc %s\n", RN_VERSION);
    } else if (options.list_passes) {
        options_list_passes(stdout);
    } else if (options.print_machine) {
        machine_show(&c);
    } else if (options.compare) {
        status = compare(&c, &options) && !c.diag.errors ? 0 : EXIT_INPUT;
    } else {
        status = compile(&c, &options) && !c.diag.errors ? 0 : EXIT_INPUT;
    }
    if (fflush(stdout) || ferror(stdout)) {
        diag_error(&c.diag, (Place){0}, "cannot write to standard output: %s", strerror(errno));
        status = EXIT_INPUT;
    }
    release(&c);
    arena_free(&arena);
    return status;
}

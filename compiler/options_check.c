/* What no single option of the command line can know: which do not go together, and what each input takes. */
#include "options.h"

#include <string.h>

/* What does not go with --train, or NULL. */
static const char *no_training(const Options *o) {
    if (o->weights || o->random_weights || o->embed)
        return "--train does not go with --weights, --random-weights or --embed: what is trained begins as the train "
               "section says";
    if (o->output_count) return "--train does not go with --output: what is trained is the network's result";
    if (o->passes.set[PASS_store_bf16] > 0) return "--train does not go with --store bf16: what is trained is fp32";
    if (o->standalone) return "--train does not go with --standalone: a trainer needs librn";
    if (o->dump == DUMP_AST || o->format)
        return "--train does not go with --dump=ast or --format: it changes no source";
    if (o->kind == OUTPUT_SOURCE) return "--train does not go with -o FILE.rn: leave it out, the train section is kept";
    if (o->kind == OUTPUT_SAFETENSORS || o->kind == OUTPUT_ONNX)
        return "--train makes no weights: say -o with a .c, .o, .a or .so file or a program, whose `export` writes "
               "them";
    if (o->verify_input) return "--train does not go with --input, which is no batch with labels";
    if (o->summary)
        return "--train does not go with --summary, which is of the network: leave one out; --train --report is of a "
               "step";
    return NULL;
}

static const char *cannot_mix(const Options *o) {
    if (o->train && no_training(o)) return no_training(o);
    if (o->ranks && !o->train) return "--mpi is of training: say --train too";
    const bool weights = o->weights || o->random_weights || o->input_kind == INPUT_ONNX;
    if (o->compare && !strcmp(o->input, "-"))
        return "rnc compare reads files, not standard input: a network may have to be read twice";
    if (o->weights && o->random_weights) return "--weights and --random-weights exclude each other";
    if (!o->weights && (o->weights_prefix || o->ignore_count))
        return o->ignore_count ? "--ignore needs --weights FILE" : "--weights-prefix needs --weights FILE";
    if (o->embed && !weights) return "--embed needs --weights FILE or --random-weights";
    const bool saves = o->kind == OUTPUT_SAFETENSORS || o->kind == OUTPUT_ONNX || o->kind == OUTPUT_SOURCE;
    if (o->embed && (o->kind == OUTPUT_NONE || saves))
        return "--embed needs -o with a .c, .o, .a or .so file or a program";
    if (o->standalone && o->kind == OUTPUT_PROGRAM)
        return "--standalone makes no program, whose commands are librn's: say -o with a .c, .o, .a or .so file";
    if (o->standalone && (saves || (!o->output && o->dump != DUMP_C)))
        return "--standalone needs -o with a .c, .o, .a or .so file, or --dump=c";
    if (o->standalone && o->target.kernels == KERNELS_JIT)
        return "--standalone does not go with --kernels=jit, which needs libxsmm at run time: leave it out (static), "
               "or "
               "say --kernels=c";
    if (o->kind == OUTPUT_SAFETENSORS && !weights)
        return "-o FILE.safetensors needs --weights FILE or --random-weights";
    if (o->kind == OUTPUT_ONNX && !weights)
        return "-o FILE.onnx needs --weights FILE or --random-weights: an ONNX file holds its network's weights";
    if (o->json && o->train && !o->report && !o->verify)
        return "--json needs --report or --verify: with --train it prints what these say of a step";
    if (o->json && !o->bench && !o->compare && !o->summary && !o->report && !o->verify)
        return "--json needs --summary, --report or --verify";
    if (o->json && (o->dump || o->run_pass || o->format || o->passes.dump_after))
        return "--json does not go with --dump, --dump-after or --format, which print something else";
    if (o->verify_input && !o->verify) return "--input is what --verify runs on: say --verify too";
    if (o->output && (o->dump || o->run_pass || o->format))
        return "-o does not go with --dump or --format, which print to standard output";
    const bool says_how = o->depfile || o->depend_target_count || o->depend_phony;
    if (says_how && !o->depend) return "-MF, -MT, -MQ and -MP go with -MD or -MMD";
    if (o->depend && !o->output) return "-MD and -MMD need -o FILE: what they write is about that file";
    if (!o->bench && !o->compare && !o->output && !o->dump && !o->run_pass && !o->summary && !o->verify && !o->format &&
        !o->report && !o->passes.dump_after)
        return "nothing to do: say -o FILE (.c, .o, .a, .so or a program), --summary, --report, --verify, --format or "
               "--dump=WHAT";
    return NULL;
}

bool options_check(Options *options, Diag *diag) {
    if (!options->input) {
        diag_error(diag, (Place){0}, "no input file; rnc --help says more");
        return false;
    }
    const char *dot = strrchr(path_base(options->input), '.');
    const bool is_ir = dot && !strcmp(dot, ".ir"), is_onnx = dot && !strcmp(dot, ".onnx");
    options->input_kind = is_ir ? INPUT_GRAPH : is_onnx ? INPUT_ONNX : INPUT_SOURCE;
    if (!is_ir && !is_onnx && strcmp(options->input, "-") && (!dot || strcmp(dot, ".rn"))) {
        diag_error(diag, (Place){0}, "'%s' ends in neither .rn nor .onnx", options->input);
        return false;
    }
    if (is_ir && (options->dump == DUMP_AST || options->format || options->define_count)) {
        diag_error(diag, (Place){0}, "'%s' is a graph: --dump=ast, --format and -D need a .rn file", options->input);
        return false;
    }
    if (is_onnx && (options->dump == DUMP_AST || options->format)) {
        diag_error(diag, (Place){0}, "'%s' is a model: --dump=ast and --format need a .rn file", options->input);
        return false;
    }
    if (!is_ir && options->run_pass) {
        diag_error(diag, (Place){0}, "--run-pass needs a .ir file");
        return false;
    }
    for (int i = 0; i < PASS_COUNT && options->train; i++)
        if (options->passes.set[i] > 0 && i != PASS_store_bf16 && !pass_suits((PassId)i, true)) {
            diag_error(diag, (Place){0}, "-f%s: this pass does not run on graphs of training", pass_name((PassId)i));
            return false;
        }
    const char *trouble = cannot_mix(options);
    if (trouble) diag_error(diag, (Place){0}, "%s", trouble);
    return !trouble;
}

/* The train section: what its statements become, their defaults, and what they make of the graph's parameters. What is
 * said of wrong ones is held by tests/golden/parse/train_*. */
#include <CUnit/CUnit.h>
#include <string.h>

#include "example.h"
#include "graph/train.h"

#define NETWORK                                                                                                        \
    "block basic(w) { residual { conv w, 3x3 /stride; bn; relu; conv w, 3x3; bn } shortcut project\n relu }\n"         \
    "network n(k = 1) { input 3x8x8; conv 4, 3x3; bn momentum 0.2; prelu\n stage 2 basic(8) /2\n"                      \
    "residual { convtranspose 4, 4x4 /2 pad 1; maxpool 2x2 /2; conv 8, 3x3 groups 4; bn\n"                             \
    "gate { avgpool global; conv 8, 1x1 bias; sigmoid }; dropout 0.1 }\n fc 10; softmax }\n"

static const Train *load(Arena *arena, const char *section) {
    const Graph *graph = example_source(arena, arena_printf(arena, "%strain {%s}", NETWORK, section));
    CU_ASSERT_PTR_NOT_NULL_FATAL(graph);
    CU_ASSERT_PTR_NOT_NULL_FATAL(graph->train);
    return graph->train;
}

static void test_defaults(void) {
    Arena arena = {0};
    const Train *train = load(&arena, "");
    const rn_train_recipe expected = {.batch = 128, .lr = 0.1, .momentum = 0.9, .decay = 1e-4};
    const rn_train_recipe *r = &train->recipe;
    CU_ASSERT(r->batch == expected.batch && r->lr == expected.lr && r->momentum == expected.momentum);
    CU_ASSERT(r->decay == expected.decay && !r->decay_all && !r->nesterov && r->smooth == 0 && r->mixup == 0);
    CU_ASSERT(r->divide_by == 0 && !r->divide_at && !r->divide_count && !r->divide_at_plateau && !r->cosine);
    CU_ASSERT(!r->warmup && !r->stop && r->init == RN_TRAIN_HE && !r->zero_last && !r->test_every && !r->save_every);
    CU_ASSERT(!r->pad && !r->crop_h && !r->resize_min && r->area_min == 0 && !r->mirror && !r->colour);
    CU_ASSERT(r->subtract == RN_TRAIN_SUBTRACT_NOTHING && train->frozen_count == 0);
    CU_ASSERT_PTR_NULL(example_source(&arena, NETWORK)->train);
    arena_free(&arena);
}

/* The recipe of He et al. 2016, section 4.2. */
static void test_paper(void) {
    Arena arena = {0};
    const rn_train_recipe *r =
        &load(&arena,
              "\n loss crossentropy; batch 64\n sgd lr 0.2, decay 5e-4\n divide lr by 5 at 32k, 48k; stop at 64k\n"
              " warmup lr 0.01 until error < 80%\n init xavier\n augment pad 4, crop 8x8, mirror\n"
              " subtract pixel mean; test every 500; save every 2k\n")
             ->recipe;
    CU_ASSERT(r->batch == 64 && r->lr == 0.2 && r->momentum == 0.9 && r->decay == 5e-4 && r->divide_by == 5);
    CU_ASSERT(r->divide_count == 2 && r->divide_at[0] == 32000 && r->divide_at[1] == 48000 && r->stop == 64000);
    CU_ASSERT(r->warmup && r->warmup_lr == 0.01 && r->warmup_error == 0.8 && r->warmup_steps == 0 && !r->warmup_rise);
    CU_ASSERT(r->init == RN_TRAIN_XAVIER && r->pad == 4 && r->crop_h == 8 && r->crop_w == 8 && r->mirror && !r->colour);
    CU_ASSERT(r->subtract == RN_TRAIN_SUBTRACT_PIXEL_MEAN && r->test_every == 500 && r->save_every == 2000);
    arena_free(&arena);
}

static void test_later_recipes(void) {
    Arena arena = {0};
    const rn_train_recipe *r =
        &load(&arena, "\n loss crossentropy smooth 0.1; sgd nesterov lr 0.5 decay 1e-3 on all momentum 0.8\n"
                      " cosine to 1e-5; stop at 9k; warmup lr 0 rise for (5*k); init he, zero last\n"
                      " augment area 8% to 100%, mirror, colour; mixup 0.2; subtract channel mean\n")
             ->recipe;
    CU_ASSERT(r->smooth == 0.1 && r->nesterov && r->lr == 0.5 && r->decay == 1e-3 && r->decay_all &&
              r->momentum == 0.8);
    CU_ASSERT(r->cosine && r->cosine_to == 1e-5 && r->warmup && r->warmup_lr == 0 && r->warmup_rise);
    CU_ASSERT(r->warmup_steps == 5 && r->init == RN_TRAIN_HE && r->zero_last && r->mixup == 0.2);
    CU_ASSERT(r->area_min == 0.08 && r->area_max == 1 && r->mirror && r->colour && !r->crop_h);
    CU_ASSERT(r->subtract == RN_TRAIN_SUBTRACT_CHANNEL_MEAN);
    r = &load(&arena, "divide lr by 10 at plateau; warmup lr 0.01 for 400; augment resize 9 to 12, crop 8x8")->recipe;
    CU_ASSERT(r->divide_by == 10 && r->divide_at_plateau && !r->divide_count && r->warmup_steps == 400);
    CU_ASSERT(r->resize_min == 9 && r->resize_max == 12);
    r = &load(&arena, "sgd decay 0.1 on weights; augment area 50%")->recipe;
    CU_ASSERT(!r->decay_all && r->area_min == 0.5 && r->area_max == 0.5);
    arena_free(&arena);
}

static const rn_train_parameter *parameter(const TrainParameter *all, int count, const char *name) {
    for (int i = 0; i < count; i++)
        if (strcmp(all[i].row.name, name) == 0) return &all[i].row;
    fprintf(stderr, "no parameter %s\n", name);
    CU_FAIL_FATAL("a parameter is missing");
    return NULL;
}

/* Every kind, with the fans that a reader counts: taps times the channels of a group; of a transposed convolution with
 * a 4 x 4 kernel at stride 2 four of the sixteen taps meet a pixel. */
static void test_parameters(void) {
    static const struct {
        const char *name;
        rn_train_kind kind;
        int64_t fan_in, fan_out;
        double momentum;
    } expected[] = {
        {"conv1.weight", RN_TRAIN_WEIGHT, 3 * 9, 4 * 9, 0},
        {"bn1.weight", RN_TRAIN_NORM_WEIGHT, 0, 0, 0},
        {"bn1.bias", RN_TRAIN_NORM_BIAS, 0, 0, 0},
        {"bn1.running_mean", RN_TRAIN_RUNNING_MEAN, 0, 0, 0.2},
        {"layer1.0.bn1.running_var", RN_TRAIN_RUNNING_VAR, 0, 0, 0.1},
        {"prelu.weight", RN_TRAIN_SLOPE, 0, 0, 0},
        {"convtranspose.weight", RN_TRAIN_WEIGHT, 8 * 16 / 4, 4 * 16, 0},
        {"conv2.weight", RN_TRAIN_WEIGHT, 9, 2 * 9, 0},
        {"conv3.bias", RN_TRAIN_BIAS, 0, 0, 0},
        {"fc.weight", RN_TRAIN_WEIGHT, 8 * 16, 10, 0},
        {"fc.bias", RN_TRAIN_BIAS, 0, 0, 0},
    };
    Arena arena = {0};
    int count = 0;
    const TrainParameter *all = train_parameters(example_source(&arena, NETWORK), &arena, &count);
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
        const rn_train_parameter *p = parameter(all, count, expected[i].name);
        const bool statistic = p->kind == RN_TRAIN_RUNNING_MEAN || p->kind == RN_TRAIN_RUNNING_VAR;
        CU_ASSERT_EQUAL(p->kind, expected[i].kind);
        CU_ASSERT_EQUAL(p->fan_in, expected[i].fan_in);
        CU_ASSERT_EQUAL(p->fan_out, expected[i].fan_out);
        CU_ASSERT_EQUAL(p->momentum, expected[i].momentum);
        CU_ASSERT_EQUAL(p->trained, !statistic);
    }
    const rn_train_parameter *weight = parameter(all, count, "fc.weight");
    CU_ASSERT(weight->ndim == 2 && weight->dim[0] == 10 && weight->dim[1] == 128 && weight->dim[2] == 1);
    CU_ASSERT_STRING_EQUAL(all[0].row.name, "conv1.weight");
    CU_ASSERT_STRING_EQUAL(all[count - 1].row.name, "fc.bias");
    arena_free(&arena);
}

/* What training subtracts is a constant beside the parameters, of pixels or of channels, whoever says so. */
static void test_mean(void) {
    static const struct {
        const char *input, *section;
        int ndim;
        bool may_be_missing;
        rn_train_subtract subtract;
    } cases[] = {
        {"3x4x5", "train { subtract pixel mean }", 3, true, RN_TRAIN_SUBTRACT_PIXEL_MEAN},
        {"3x4x5", "train { subtract channel mean }", 1, true, RN_TRAIN_SUBTRACT_CHANNEL_MEAN},
        {"3x4x5 mean pixel", "train { subtract pixel mean }", 3, false, RN_TRAIN_SUBTRACT_PIXEL_MEAN},
        {"3x4x5 mean channel", "train { }", 1, false, RN_TRAIN_SUBTRACT_CHANNEL_MEAN},
        {"3x4x5 mean 0.5", "train { }", 0, false, RN_TRAIN_SUBTRACT_NOTHING},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Arena arena = {0};
        int count = 0;
        const Graph *graph = example_source(
            &arena, arena_printf(&arena, "network n { input %s; fc 2 }\n%s", cases[i].input, cases[i].section));
        const TrainParameter *all = train_parameters(graph_clone(graph, &arena), &arena, &count);
        const rn_train_parameter *last = &all[count - 1].row;
        CU_ASSERT_EQUAL(graph->train->recipe.subtract, cases[i].subtract);
        CU_ASSERT_EQUAL(count, cases[i].ndim ? 3 : 2);
        CU_ASSERT_EQUAL(strcmp(last->name, "input.mean") == 0, cases[i].ndim > 0);
        if (cases[i].ndim) {
            CU_ASSERT(last->kind == RN_TRAIN_CONSTANT && !last->trained && last->ndim == cases[i].ndim);
            CU_ASSERT(last->dim[0] == 3 && rn_train_count(last) == (last->ndim == 3 ? 60 : 3));
            CU_ASSERT_EQUAL(all[count - 1].tensor->integer[0], cases[i].may_be_missing);
        }
        arena_free(&arena);
    }
}

static void check_marked(const char *source, const char *expected) {
    Arena arena = {0};
    Text marked = {0};
    int count = 0;
    const TrainParameter *all = train_parameters(example_source(&arena, source), &arena, &count);
    for (int i = 0; i < count; i++)
        if (all[i].row.last) text_printf(&marked, "%s ", all[i].row.name);
    CU_ASSERT_STRING_EQUAL(marked.size ? marked.s : "", expected);
    text_free(&marked);
    arena_free(&arena);
}

/* The body's batch norm, not the shortcut's; through a gate and a dropout; not behind an activation. */
static void test_last(void) {
    check_marked(NETWORK, "layer1.0.bn2.weight layer1.1.bn2.weight bn2.weight ");
    check_marked("network n { input 3x8x8; conv 4, 3x3; bn; relu\n residual { conv 4, 3x3; bn; relu }\n"
                 "residual { bn; relu; conv 4, 3x3 }\n residual { conv 4, 3x3; bn } shortcut none }",
                 "");
}

static void check_frozen(const char *names, const char *expected) {
    Arena arena = {0};
    const char *source = arena_printf(&arena, "%strain { freeze %s }", NETWORK, names);
    const Graph *graph = example_source(&arena, source), *copy = graph_clone(graph, &arena);
    Text frozen = {0};
    int count = 0;
    const TrainParameter *all = train_parameters(copy, &arena, &count);
    for (int i = 0; i < count; i++) {
        const bool statistic = all[i].row.kind == RN_TRAIN_RUNNING_MEAN || all[i].row.kind == RN_TRAIN_RUNNING_VAR;
        const bool stays = statistic ? all[i].row.momentum == 0 : !all[i].row.trained;
        CU_ASSERT_EQUAL(stays, train_freezes(copy->train, all[i].node));
        if (stays) text_printf(&frozen, "%s ", all[i].row.name);
    }
    CU_ASSERT_STRING_EQUAL(frozen.s, expected);
    if (strcmp(frozen.s, expected)) fprintf(stderr, "freeze %s: %s\n", names, frozen.s);
    text_free(&frozen);
    arena_free(&arena);
}

static void test_freeze(void) {
#define BN(layer) layer ".weight " layer ".bias " layer ".running_mean " layer ".running_var "
#define COPY(prefix) prefix "conv1.weight " BN(prefix "bn1") prefix "conv2.weight " BN(prefix "bn2")
#define DOWN "layer1.0.downsample.0.weight " BN("layer1.0.downsample.1")
    check_frozen("conv1", "conv1.weight ");
    check_frozen("bn1, # behind a comma a line goes on\n    prelu", BN("bn1") "prelu.weight ");
    check_frozen("layer1.0.downsample", DOWN);
    check_frozen("layer1.1, fc", COPY("layer1.1.") "fc.weight fc.bias ");
    check_frozen("/layer{k}", COPY("layer1.0.") DOWN COPY("layer1.1.")); /* not all that begins like that */
    check_frozen("conv{max(1, k)}", "conv1.weight ");
}

void suite_train(void) {
    CU_pSuite suite = CU_add_suite("train", NULL, NULL);
    CU_add_test(suite, "defaults", test_defaults);
    CU_add_test(suite, "the paper's recipe", test_paper);
    CU_add_test(suite, "later recipes", test_later_recipes);
    CU_add_test(suite, "parameters' kinds and fans", test_parameters);
    CU_add_test(suite, "the last batch norm of a branch", test_last);
    CU_add_test(suite, "frozen layers", test_freeze);
    CU_add_test(suite, "the mean that is subtracted", test_mean);
}

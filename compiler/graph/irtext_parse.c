/* Text -> graph: the format of irtext.c, for tests of single passes and for reading dumps back.
 *
 * One statement a line; `#` starts a comment. A value's shape and a tensor's order may be checked by hand-written files
 * as much as they like: shapes may be left out, values and tensors may have any numbers, each before its use (a `home`
 * may come later). The first error ends the parse. Whatever the text, the result is a graph that graph_check() accepts,
 * or an error.
 */

#include "act.h"
#include "irtext.h"
#include "irtext_fields.h"
#include "irtext_words.h"
#include "verify.h"
#include "tensor.h"
#include "core/dtype.h"

#include <ctype.h>
#include <limits.h>
#include <math.h>
#include <string.h>

enum { INPUT_LIMIT = 1024 };

typedef struct LeftSide { /* "%9 128x28x28 name =": what is said of a node's value */
    int number;
    Shape shape; /* 0 where it is left out */
    rn_dtype type;
    bool all;
    const char *name;
} LeftSide;

/* ---- lines ---- */

static bool parse_input(IrParser *parser) {
    int number, dims[3], count;
    rn_dtype type = RN_F32;
    const char *name;
    if (!irtext_read_number(parser, "%", &number) || !irtext_read_dims(parser, 3, 3, dims, &count)) return false;
    irtext_read_type(parser, &type);
    if (!irtext_read_name(parser, &name)) return false;
    if (parser->graph->input) return irtext_fail(parser, "a second input");
    parser->graph->input = graph_add_value(parser->graph, name, (Shape){dims[0], dims[1], dims[2]});
    parser->graph->input->type = type;
    parser->graph->input->channels_last = irtext_accept(parser, "nhwc");
    return irtext_define_value(parser, number, parser->graph->input);
}

static bool parse_preprocess(IrParser *parser) {
    if (!parser->graph->input) return irtext_fail(parser, "preprocess before the input");
    Preprocess *preprocess = &parser->graph->preprocess;
    int channels = parser->graph->input->shape.c < 4 ? parser->graph->input->shape.c : 4;
    int order = 0;
    while (order < 3 && !irtext_accept(parser, irtext_orders[order])) order++;
    if (order == 3) return irtext_fail(parser, "expected rgb, bgr or gray");
    preprocess->given = true;
    preprocess->order = order;
    if (!irtext_expect(parser, "range") || !irtext_read_real(parser, &preprocess->range) ||
        !irtext_expect(parser, "mean") || !irtext_read_reals(parser, preprocess->mean, channels) ||
        !irtext_expect(parser, "std") || !irtext_read_reals(parser, preprocess->std, channels))
        return false;
    int crop[2], count;
    if (irtext_accept(parser, "resize") && !irtext_read_integer(parser, 1, &preprocess->resize)) return false;
    if (!irtext_accept(parser, "crop")) return true;
    if (!irtext_read_dims(parser, 2, 2, crop, &count)) return false;
    preprocess->crop_h = crop[0];
    preprocess->crop_w = crop[1];
    return true;
}

static bool parse_tensor_args(IrParser *parser, Tensor **args, int nargs) {
    if (nargs == 0) return true;
    if (!irtext_expect(parser, "(")) return false;
    for (int i = 0; i < nargs; i++)
        if ((i > 0 && !irtext_expect(parser, ",")) || !irtext_read_tensor(parser, &args[i])) return false;
    return irtext_expect(parser, ")");
}

static bool parse_tensor(IrParser *parser) {
    int number, dims[4], count, integers[2] = {0};
    rn_dtype type = RN_F32;
    const char *word, *name = NULL;
    Tensor *args[TENSOR_MAX_ARGS] = {NULL};
    double real = 0;
    if (!irtext_read_number(parser, "@", &number) || !irtext_expect(parser, "=")) return false;
    Place place = irtext_here(parser);
    if (!irtext_read_word(parser, &word)) return false;
    rn_recipe_op op = recipe_op_by_name(word);
    if (op == RN_RECIPE_OP_COUNT || recipe_op_arity(op) < 0)
        return irtext_fail(parser, "unknown expression '%s'", word);
    if (!parse_tensor_args(parser, args, recipe_op_arity(op)) || !irtext_read_dims(parser, 1, 4, dims, &count))
        return false;
    irtext_read_type(parser, &type);
    if (irtext_accept(parser, "real") && !irtext_read_real(parser, &real)) return false;
    if (irtext_accept(parser, "integers") &&
        (!irtext_read_integer(parser, 0, &integers[0]) || !irtext_expect(parser, ",") ||
         !irtext_read_integer(parser, 0, &integers[1])))
        return false;
    if (irtext_accept(parser, "name") && !irtext_read_name(parser, &name)) return false;
    Tensor *tensor;
    if (op == RN_PARAM)
        tensor = graph_add_param(parser->graph, name, count, dims, place);
    else
        tensor = graph_add_expr(parser->graph, op, name, count, dims, recipe_op_arity(op), args, real);
    tensor->type = type;
    tensor->real = real;
    tensor->place = place;
    tensor->integer[0] = integers[0], tensor->integer[1] = integers[1];
    parser->tensors = irtext_grown(parser, parser->tensors, &parser->tensor_capacity, number);
    if (parser->tensors[number]) return irtext_fail(parser, "tensor @%d is made twice", number);
    parser->tensors[number] = tensor;
    return true;
}

/* 7x7 /2 pad 3 dilate 2 ceil */
static bool parse_window(IrParser *parser, Window *window) {
    int dims[2], count;
    if (!irtext_read_dims(parser, 2, 2, dims, &count)) return false;
    *window = (Window){.r = dims[0], .s = dims[1], .stride_h = 1, .stride_w = 1, .dilate_h = 1, .dilate_w = 1};
    if (irtext_accept(parser, "/") && !irtext_read_pair(parser, &window->stride_h, &window->stride_w)) return false;
    if (irtext_accept(parser, "pad")) {
        int *const sides[4] = {&window->top, &window->left, &window->bottom, &window->right};
        if (!irtext_read_integer(parser, 0, sides[0])) return false;
        bool all = parser->end - parser->at > 1 && *parser->at == ',' && isdigit((unsigned char)parser->at[1]);
        parser->at += all; /* a comma before a space parts terms */
        for (int i = 1; i < 4; i++) {
            *sides[i] = *sides[0];
            if (all && ((i > 1 && !irtext_expect(parser, ",")) || !irtext_read_integer(parser, 0, sides[i])))
                return false;
        }
    }
    if (irtext_accept(parser, "dilate") && !irtext_read_pair(parser, &window->dilate_h, &window->dilate_w))
        return false;
    window->ceil = irtext_accept(parser, "ceil");
    return true;
}

static bool parse_inputs(IrParser *parser, Op op, Value **in, Term *terms, int *nin) {
    if (!irtext_expect(parser, "(")) return false;
    for (*nin = 0; *nin == 0 || irtext_accept(parser, ",");) {
        if (*nin == op_info(op)->max_in) return irtext_fail(parser, "more than %d inputs", op_info(op)->max_in);
        if (!irtext_read_value(parser, &in[*nin])) return false;
        Term *term = &terms[*nin < NODE_MAX_TERMS ? *nin : 0];
        (*nin)++;
        if (!(op_info(op)->flags & OPF_TERMS)) continue;
        *term = (Term){.groups = 1};
        if (!irtext_expect(parser, "*") || !irtext_read_tensor(parser, &term->weight)) return false;
        if (op == OP_FC) continue;
        if (!parse_window(parser, &term->window)) return false;
        if (irtext_accept(parser, "groups") && !irtext_read_integer(parser, 1, &term->groups)) return false;
    }
    if (*nin < op_info(op)->min_in) return irtext_fail(parser, "fewer than %d inputs", op_info(op)->min_in);
    return irtext_expect(parser, ")");
}

static bool parse_list(IrParser *parser, const char *word, IntList *list) {
    list->count = 0;
    do {
        if (list->count == INT_LIST_MOST) return irtext_fail(parser, "more than %d %s", INT_LIST_MOST, word);
        if (!irtext_read_integer(parser, 1, &list->item[list->count++])) return false;
    } while (irtext_accept(parser, ","));
    return true;
}

/* The activation of a .gate, which stands alone: "gate(%1, %2) relu". */
static bool parse_gated(IrParser *parser, Attr *attr) {
    for (int i = ACT_NONE + 1; i < ACT_COUNT; i++)
        if (irtext_accept(parser, act_info((Act)i)->word)) {
            attr->act = (Act)i;
            return true;
        }
    return irtext_fail(parser, "expected an activation");
}

/* Those that are left out have their defaults; a list and an activation have none. */
static bool parse_attribute(IrParser *parser, const OpAttr *use, Attr *attr) {
    const AttrInfo *info = use->info;
    const bool said = info->kind != ATTR_ACT && irtext_accept(parser, info->word);
    switch (info->kind) {
    case ATTR_FLAG:
        *attr_flag_of(info, attr) = said;
        return true;
    case ATTR_INT:
    case ATTR_NAT:
        return !said || irtext_read_integer(parser, INT_MIN, attr_int_of(info, attr));
    case ATTR_ACT:
        return parse_gated(parser, attr);
    case ATTR_INTS:
        if (!said) return irtext_fail(parser, "expected '%s'", info->word);
        return parse_list(parser, info->word, attr_ints_of(info, attr));
    default:
        return !said || irtext_read_real(parser, attr_real_of(info, attr));
    }
}

static bool parse_attributes(IrParser *parser, Node *node) {
    Attr *attr = &node->attr;
    for (int i = 0; i < NODE_MAX_WEIGHTS; i++)
        if (irtext_accept(parser, irtext_slots[i]) && !irtext_read_tensor(parser, &node->weight[i])) return false;
    if (op_info(node->op)->flags & OPF_WINDOW) {
        irtext_skip_spaces(parser);
        bool window = parser->at < parser->end && isdigit((unsigned char)*parser->at);
        if (window && !parse_window(parser, &attr->window)) return false;
    }
    const char *at = op_info(node->op)->attrs;
    OpAttr next;
    while (attr_next(&at, &next))
        if (attr_is_kept(node->op, next.info) && !parse_attribute(parser, &next, attr)) return false;
    return true;
}

/* A number that may be left out is a bound; it is infinite where nothing is said. */
static bool parse_act_numbers(IrParser *parser, Act act, ActNumbers *numbers) {
    const ActInfo *info = act_info(act);
    Attr attr = {0};
    attr_set_defaults(info->op, &attr);
    for (int i = 0; i < 2 && info->attribute[i]; i++) {
        double *number = attr_real_of(attr_info(info->attribute[i]), &attr);
        if (irtext_accept(parser, info->attribute[i]) ? !irtext_read_real(parser, number) : !isinf(*number))
            return irtext_fail(parser, "expected '%s' and a number", info->attribute[i]);
    }
    *numbers = act_numbers(act, &attr);
    return true;
}

static bool parse_act(IrParser *parser, Epilogue *epilogue, bool *found) {
    for (Act act = ACT_NONE + 1; act < ACT_COUNT; act++) {
        const ActInfo *info = act_info(act);
        if (!irtext_accept(parser, info->word)) continue;
        *found = true;
        epilogue->act = act;
        if (info->parameter == PARAMETER_NUMBER) return parse_act_numbers(parser, act, &epilogue->numbers);
        if (info->parameter == PARAMETER_PER_CHANNEL)
            return irtext_expect(parser, "weight") && irtext_read_tensor(parser, &epilogue->prelu);
        return true;
    }
    *found = false;
    return true;
}

static bool parse_pool(IrParser *parser, Epilogue *epilogue) {
    if (irtext_accept(parser, "avgpool")) {
        if (!irtext_expect(parser, "global")) return false;
        epilogue->pool = POOL_GLOBAL_AVG;
    } else {
        if (!irtext_accept(parser, "maxpool"))
            return irtext_fail(parser, "expected an activation, maxpool or avgpool global");
        epilogue->pool = irtext_accept(parser, "global") ? POOL_GLOBAL_MAX : POOL_MAX;
        if (epilogue->pool == POOL_MAX && !parse_window(parser, &epilogue->pool_window)) return false;
    }
    const char *name;
    if (!irtext_accept(parser, "hides")) return true;
    if (!irtext_read_name(parser, &name)) return false;
    epilogue->unpooled_value = graph_add_value(parser->graph, name, (Shape){0, 0, 0});
    return true;
}

static bool parse_addend(IrParser *parser, Epilogue *epilogue) {
    if (!irtext_read_value(parser, &epilogue->addend)) return false;
    if (irtext_accept(parser, "stride") && !irtext_read_integer(parser, 1, &epilogue->addend_stride)) return false;
    epilogue->addend_partial = irtext_accept(parser, "partial");
    epilogue->in_place = irtext_accept(parser, "in_place");
    return true;
}

/* + @bias + %addend -> activation -> pool, each at most once and in this order */
static bool parse_epilogue(IrParser *parser, Epilogue *epilogue) {
    bool plus = irtext_accept(parser, "+");
    irtext_skip_spaces(parser);
    if (plus && parser->at < parser->end && *parser->at == '@') {
        if (!irtext_read_tensor(parser, &epilogue->bias)) return false;
        plus = irtext_accept(parser, "+");
    }
    if (plus && !parse_addend(parser, epilogue)) return false;
    if (!irtext_accept(parser, "->")) return true;
    bool act;
    if (!parse_act(parser, epilogue, &act)) return false;
    if (act && !irtext_accept(parser, "->")) return true;
    return parse_pool(parser, epilogue);
}

static bool read_op(IrParser *parser, Op *op) {
    const char *word;
    if (!irtext_read_word(parser, &word)) return false;
    *op = op_by_word(word);
    if (*op == OP_COUNT) *op = op_by_word(arena_printf(parser->arena, ".%s", word));
    return *op != OP_COUNT || irtext_fail(parser, "unknown operation '%s'", word);
}

/* The word before the name of a value that is one for the batch; a value may also be called so. */
static bool accept_all(IrParser *parser) {
    const char *start = parser->at;
    if (!irtext_accept(parser, "all")) return false;
    const char *end = parser->at;
    const bool is_name = irtext_accept(parser, "=") || (irtext_accept(parser, "in") && irtext_accept(parser, "%"));
    parser->at = is_name ? start : end;
    return !is_name;
}

/* %9 128x28x28 name in %20[64] = */
static bool parse_left_side(IrParser *parser, LeftSide *left, IrHome *home) {
    int dims[3], count;
    if (!irtext_read_number(parser, "%", &left->number)) return false;
    irtext_skip_spaces(parser);
    const char *start = parser->at;
    while (parser->at < parser->end && (isdigit((unsigned char)*parser->at) || irtext_dims_go_on(parser))) parser->at++;
    irtext_read_type(parser, &left->type);
    bool given = parser->at > start && (parser->at == parser->end || !irtext_bare(*parser->at)) &&
                 memchr(start, 'x', (size_t)(parser->at - start)); /* a shape, not a name such as 10x or 3 */
    parser->at = start;
    if (given) {
        if (!irtext_read_dims(parser, 3, 3, dims, &count)) return false;
        left->shape = (Shape){dims[0], dims[1], dims[2]};
        irtext_read_type(parser, &left->type);
    }
    left->all = accept_all(parser);
    if (!irtext_read_name(parser, &left->name)) return false;
    home->number = -1;
    if (irtext_accept(parser, "in")) {
        home->place = irtext_here(parser);
        if (!irtext_read_number(parser, "%", &home->number) || !irtext_expect(parser, "[") ||
            !irtext_read_integer(parser, 0, &home->value->home_channel) || !irtext_expect(parser, "]"))
            return false;
    }
    return irtext_expect(parser, "=");
}

/* Of a transposed convolution, whose weights have a group's. */
static bool find_features(IrParser *parser, Node *node) {
    const Tensor *weight = node->term[0].weight;
    const int64_t features = (int64_t)weight->dim[1] * node->term[0].groups;
    if (weight->ndim != 4 || features > INT_MAX)
        return irtext_fail(parser, "weights that are not C x K/groups x R x S");
    node->features = (int)features;
    return true;
}

/* What follows from the parts: features, the shapes; all that the ops' rules can find wrong. */
static bool finish_node(IrParser *parser, Node *node, const LeftSide *left) {
    const Term *term = node->term;
    const Shape given = left->shape;
    if (term) node->features = term->weight->dim[0];
    if (node->op == OP_CONVTRANSPOSE && !find_features(parser, node)) return false;
    if (!op_info(node->op)->infer(node, parser->diag)) return false;
    const Shape shape = node->out->shape;
    const bool all = node->out->all;
    if (given.c && !shape_equal(given, shape)) {
        diag_error(parser->diag, node->place, "%s gives %dx%dx%d, not %dx%dx%d", op_info(node->op)->word, shape.c,
                   shape.h, shape.w, given.c, given.h, given.w);
        return false;
    }
    if (left->all ? !all : all && given.c) {
        diag_error(parser->diag, node->place, "the value is one for %s: %s", all ? "the batch" : "each image",
                   all ? "'all' must stand before its name" : "'all' is not of it");
        return false;
    }
    if (node->epilogue.unpooled_value) node->epilogue.unpooled_value->shape = node->epilogue.unpooled;
    return true;
}

static bool parse_node(IrParser *parser) {
    Value *in[INPUT_LIMIT], scratch = {0};
    Term terms[NODE_MAX_TERMS];
    LeftSide left = {.type = RN_F32};
    IrHome home = {.value = &scratch};
    int nin;
    Op op;
    Place place = irtext_here(parser);
    if (!parse_left_side(parser, &left, &home) || !read_op(parser, &op) || !parse_inputs(parser, op, in, terms, &nin))
        return false;
    Node *node = graph_add_node(parser->graph, op, left.name, in, nin, place);
    for (int i = 0; node->term && i < nin; i++) node->term[i] = terms[i];
    node->out->type = left.type;
    if (home.number >= 0) {
        node->out->home_channel = scratch.home_channel;
        home.value = node->out;
        ARENA_PUSH(parser->arena, parser->homes, parser->home_count, parser->home_capacity, home);
    }
    if (!parse_attributes(parser, node)) return false;
    node->backward = irtext_accept(parser, "backward");
    if (irtext_accept(parser, "layer") && !irtext_read_name(parser, &node->name)) return false;
    return parse_epilogue(parser, &node->epilogue) && finish_node(parser, node, &left) &&
           irtext_define_value(parser, left.number, node->out);
}

/* ---- training: lines of a graph that has labels ---- */

static bool parse_labels(IrParser *parser) {
    int number;
    if (parser->graph->training) return irtext_fail(parser, "labels a second time");
    if (!irtext_read_number(parser, "%", &number)) return false;
    Training *training = parser->graph->training = arena_alloc(parser->arena, sizeof *training);
    training->labels = graph_add_value(parser->graph, "labels", (Shape){4, 1, 1});
    training->loss = -1;
    return irtext_define_value(parser, number, training->labels);
}

/* A value that a line above lists as an output. */
static bool read_output(IrParser *parser, int *output) {
    const Graph *graph = parser->graph;
    Value *value;
    if (!irtext_read_value(parser, &value)) return false;
    for (*output = 0; *output < graph->output_count; (*output)++)
        if (graph->outputs[*output] == value) return true;
    return irtext_fail(parser, "the value is no output listed above");
}

/* loss %9 */
static bool parse_loss(IrParser *parser) {
    Training *training = parser->graph->training;
    if (training->loss >= 0) return irtext_fail(parser, "a second loss");
    return read_output(parser, &training->loss);
}

/* gradient @3 = %20[1] */
static bool parse_gradient(IrParser *parser) {
    Training *training = parser->graph->training;
    Trained trained = {0};
    if (!irtext_read_tensor(parser, &trained.param) || !irtext_expect(parser, "=") ||
        !read_output(parser, &trained.output))
        return false;
    if (irtext_accept(parser, "[") &&
        (!irtext_read_integer(parser, 0, &trained.channel) || !irtext_expect(parser, "]")))
        return false;
    ARENA_PUSH(parser->arena, training->trained, training->trained_count, training->trained_capacity, trained);
    return true;
}

/* running @5 @6 = %7 momentum 0.1 */
static bool parse_running(IrParser *parser) {
    Training *training = parser->graph->training;
    Running running = {0};
    if (!irtext_read_tensor(parser, &running.mean) || !irtext_read_tensor(parser, &running.var) ||
        !irtext_expect(parser, "=") || !read_output(parser, &running.output) || !irtext_expect(parser, "momentum") ||
        !irtext_read_real(parser, &running.momentum))
        return false;
    ARENA_PUSH(parser->arena, training->running, training->running_count, training->running_capacity, running);
    return true;
}

/* ---- the lines together ---- */

static bool parse_network(IrParser *parser) {
    if (*parser->graph->name) return irtext_fail(parser, "a second network");
    return irtext_read_name(parser, &parser->graph->name);
}

static bool parse_output(IrParser *parser) {
    Value *value;
    if (!irtext_read_value(parser, &value)) return false;
    graph_add_output(parser->graph, value);
    value->channels_last = irtext_accept(parser, "nhwc");
    return true;
}

static bool parse_mean(IrParser *parser) {
    return irtext_read_tensor(parser, &parser->graph->preprocess.mean_image);
}

static bool parse_line(IrParser *parser) {
    static const struct {
        const char *word;
        bool training;
        bool (*parse)(IrParser *parser);
    } lines[] = {{"network", false, parse_network}, {"input", false, parse_input},
                 {"labels", false, parse_labels},   {"preprocess", false, parse_preprocess},
                 {"mean", false, parse_mean},       {"output", false, parse_output},
                 {"loss", true, parse_loss},        {"gradient", true, parse_gradient},
                 {"running", true, parse_running}};
    if (irtext_at_line_end(parser)) return true;
    if (*parser->at == '@') return parse_tensor(parser);
    if (*parser->at == '%') return parse_node(parser);
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        if (!irtext_accept(parser, lines[i].word)) continue;
        if (lines[i].training && !parser->graph->training)
            return irtext_fail(parser, "%s without labels above", lines[i].word);
        return lines[i].parse(parser);
    }
    return irtext_fail(parser, "expected network, input, preprocess, mean, output, a tensor (@) or a value (%%)");
}

static bool resolve_homes(IrParser *parser) {
    for (int i = 0; i < parser->home_count; i++) {
        const IrHome *home = &parser->homes[i];
        Value *value = home->number < parser->value_capacity ? parser->values[home->number] : NULL;
        if (!value) {
            diag_error(parser->diag, home->place, "value %%%d is never made", home->number);
            return false;
        }
        home->value->home = value;
    }
    return true;
}

static bool parse_lines(IrParser *parser) {
    while (parser->at < parser->end) {
        parser->line++;
        parser->line_start = parser->at;
        if (!parse_line(parser)) return false;
        if (!irtext_at_line_end(parser)) return irtext_fail(parser, "unexpected text");
        if (parser->at < parser->end) parser->at++;
    }
    return true;
}

Graph *irtext_parse(Arena *arena, const Source *source, Diag *diag) {
    IrParser parser = {.arena = arena,
                       .source = source,
                       .diag = diag,
                       .graph = graph_new(arena, ""),
                       .at = source->text,
                       .end = source->text + source->size};
    parser.graph->source = source;
    if (!parse_lines(&parser) || !resolve_homes(&parser)) return NULL;
    if (!parser.graph->input) {
        diag_error(diag, (Place){.source = source}, "no input");
        return NULL;
    }
    Text problem = {0};
    Place place;
    bool right = graph_check(parser.graph, &problem, &place);
    if (!right) {
        if (!place.source) place = (Place){.source = source};
        diag_error(diag, place, "%s", problem.s);
    }
    text_free(&problem);
    return right ? parser.graph : NULL;
}

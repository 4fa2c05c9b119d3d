/* Graph -> text. The format is docs/ir.md's; irtext_parse.c reads it back, and what it read prints to the same bytes.
 *
 *     network tiny
 *     input %0 3x8x8 image
 *
 *     @0 = param 16x3x3x3 conv1.weight
 *     @1 = param 16 conv1.bias
 *
 *     %1 16x8x8 relu1 = conv(%0 * @0 3x3 pad 1) layer conv1 + @1 -> relu
 *     output %1
 *
 * Values are numbered as they appear, whatever their ids, so that a pass's dead values leave no gaps. Source places and
 * the training section are not printed.
 */

#include "act.h"
#include "irtext_fields.h"
#include "irtext.h"
#include "tensor.h"
#include "core/dtype.h"
#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

const char *const irtext_orders[3] = {[ORDER_RGB] = "rgb", [ORDER_BGR] = "bgr", [ORDER_GRAY] = "gray"};
const char *const irtext_slots[NODE_MAX_WEIGHTS] = {"weight", "bias", "mean", "var"};

bool irtext_bare(char c) {
    return isalnum((unsigned char)c) || c == '_' || c == '.' || c == '-';
}

/* ---- pieces ---- */

/* A name as it is where it reads back as one word, else in quotes. */
static void print_name(Text *text, const char *name) {
    bool bare = name && *name && *name != '-';
    for (const char *c = name; bare && *c; c++) bare = irtext_bare(*c);
    if (bare) {
        text_puts(text, name);
        return;
    }
    text_puts(text, "\"");
    for (const char *c = name ? name : ""; *c; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            text_printf(text, "\\x%02x", (unsigned char)*c);
        else
            text_printf(text, *c == '"' || *c == '\\' ? "\\%c" : "%c", *c);
    text_puts(text, "\"");
}

static void print_pair(Text *text, const char *word, int a, int b) {
    text_printf(text, a == b ? "%s%d" : "%s%dx%d", word, a, b);
}

void irtext_print_window(Text *text, const Window *window) {
    text_printf(text, " %dx%d", window->r, window->s);
    if (window->stride_h != 1 || window->stride_w != 1) print_pair(text, " /", window->stride_h, window->stride_w);
    if (window->top == window->left && window->top == window->bottom && window->top == window->right) {
        if (window->top) text_printf(text, " pad %d", window->top);
    } else {
        text_printf(text, " pad %d,%d,%d,%d", window->top, window->left, window->bottom, window->right);
    }
    if (window->dilate_h != 1 || window->dilate_w != 1)
        print_pair(text, " dilate ", window->dilate_h, window->dilate_w);
    if (window->ceil) text_puts(text, " ceil");
}

/* What follows the dims: "xbf16", of f32 nothing. */
static void print_type(Text *text, rn_dtype type) {
    if (type != RN_F32) text_printf(text, "x%s", rn_dtype_name(type));
}

static void print_list(Text *text, const char *word, const int *items, int count) {
    text_printf(text, " %s ", word);
    for (int i = 0; i < count; i++) text_printf(text, i ? ",%d" : "%d", items[i]);
}

/* ---- lines ---- */

static void print_preprocess(const Graph *graph, Text *text) {
    const Preprocess *preprocess = &graph->preprocess;
    if (!preprocess->given) return;
    int channels = graph->input->shape.c < 4 ? graph->input->shape.c : 4;
    text_printf(text, "preprocess %s range ", irtext_orders[preprocess->order]);
    text_real(text, preprocess->range);
    for (int i = 0; i < channels; i++) {
        text_puts(text, i ? "," : " mean ");
        text_real(text, preprocess->mean[i]);
    }
    for (int i = 0; i < channels; i++) {
        text_puts(text, i ? "," : " std ");
        text_real(text, preprocess->std[i]);
    }
    if (preprocess->resize) text_printf(text, " resize %d", preprocess->resize);
    if (preprocess->crop_h || preprocess->crop_w)
        text_printf(text, " crop %dx%d", preprocess->crop_h, preprocess->crop_w);
    text_puts(text, "\n");
}

static void print_tensor(const Tensor *tensor, Text *text) {
    text_printf(text, "@%d = %s", tensor->id, recipe_op_name(tensor->op));
    for (int i = 0; i < tensor->nargs; i++) text_printf(text, i ? ", @%d" : "(@%d", tensor->arg[i]->id);
    if (tensor->nargs) text_puts(text, ")");
    for (int i = 0; i < tensor->ndim; i++) text_printf(text, i ? "x%d" : " %d", tensor->dim[i]);
    print_type(text, tensor->type);
    if (tensor->real != 0) {
        text_puts(text, " real ");
        text_real(text, tensor->real);
    }
    if (tensor->integer[0] || tensor->integer[1]) print_list(text, "integers", tensor->integer, 2);
    if (tensor->name && *tensor->name) {
        text_puts(text, " name ");
        print_name(text, tensor->name);
    }
    text_puts(text, "\n");
}

static void print_tensor_id(Text *text, const Tensor *tensor) {
    if (tensor)
        text_printf(text, "@%d", tensor->id);
    else
        text_puts(text, "@none"); /* a broken graph, shown for debugging; does not read back */
}

static void print_inputs(const Node *node, const int *number, Text *text) {
    for (int i = 0; i < node->nin; i++) {
        text_printf(text, i ? ", %%%d" : "%%%d", number[node->in[i]->id]);
        if (!node->term) continue;
        text_puts(text, " * ");
        print_tensor_id(text, node->term[i].weight);
        if (node->op == OP_FC) continue;
        irtext_print_window(text, &node->term[i].window);
        if (node->term[i].groups != 1) text_printf(text, " groups %d", node->term[i].groups);
    }
}

static void print_attribute(Text *text, const AttrInfo *info, Attr *attr) {
    switch (info->kind) {
    case ATTR_FLAG:
        if (*attr_flag_of(info, attr)) text_printf(text, " %s", info->word);
        break;
    case ATTR_INT:
    case ATTR_NAT:
        text_printf(text, " %s %d", info->word, *attr_int_of(info, attr));
        break;
    case ATTR_ACT:
        text_printf(text, " %s", act_info((Act)*attr_int_of(info, attr))->word);
        break;
    case ATTR_INTS:
        print_list(text, info->word, attr_ints_of(info, attr)->item, attr_ints_of(info, attr)->count);
        break;
    default: /* a bound that is infinite is none, and is left out */
        if (isinf(*attr_real_of(info, attr))) break;
        text_printf(text, " %s ", info->word);
        text_real(text, *attr_real_of(info, attr));
    }
}

void irtext_print_attributes(Text *text, const Node *node) {
    Attr attr = node->attr;
    if ((op_info(node->op)->flags & OPF_WINDOW) && !attr.global) irtext_print_window(text, &attr.window);
    const char *at = op_info(node->op)->attrs;
    OpAttr next;
    while (attr_next(&at, &next))
        if (attr_is_kept(node->op, next.info)) print_attribute(text, next.info, &attr);
}

/* As the layer prints them. */
static void print_act_numbers(Text *text, const Epilogue *epilogue) {
    const ActInfo *info = act_info(epilogue->act);
    Attr attr = {0};
    act_set_numbers(epilogue->act, epilogue->numbers, &attr);
    for (int i = 0; i < 2 && info->attribute[i]; i++) print_attribute(text, attr_info(info->attribute[i]), &attr);
}

static void print_epilogue(const Epilogue *epilogue, const int *number, Text *text) {
    if (epilogue->bias) text_printf(text, " + @%d", epilogue->bias->id);
    if (epilogue->addend) {
        text_printf(text, " + %%%d", number[epilogue->addend->id]);
        if (epilogue->addend_stride != 1) text_printf(text, " stride %d", epilogue->addend_stride);
        if (epilogue->addend_partial) text_puts(text, " partial");
        if (epilogue->in_place) text_puts(text, " in_place");
    }
    const ActInfo *act = act_info(epilogue->act);
    if (epilogue->act != ACT_NONE) text_printf(text, " -> %s", act->word);
    if (act->parameter == PARAMETER_NUMBER) print_act_numbers(text, epilogue);
    if (act->parameter == PARAMETER_PER_CHANNEL) {
        text_puts(text, " weight ");
        print_tensor_id(text, epilogue->prelu);
    }
    if (epilogue->pool == POOL_NONE) return;
    text_puts(text, epilogue->pool == POOL_GLOBAL_AVG ? " -> avgpool global" : " -> maxpool");
    if (epilogue->pool == POOL_GLOBAL_MAX) text_puts(text, " global");
    if (epilogue->pool == POOL_MAX) irtext_print_window(text, &epilogue->pool_window);
    if (epilogue->unpooled_value) {
        text_puts(text, " hides ");
        print_name(text, epilogue->unpooled_value->name);
    }
}

static void print_node(const Node *node, const int *number, Text *text) {
    const Value *out = node->out;
    text_printf(text, "%%%d %dx%dx%d", number[out->id], out->shape.c, out->shape.h, out->shape.w);
    print_type(text, out->type);
    text_puts(text, out->all ? " all " : " ");
    print_name(text, out->name);
    if (out->home) text_printf(text, " in %%%d[%d]", number[out->home->id], out->home_channel);
    const char *word = op_info(node->op)->word;
    text_printf(text, " = %s(", *word == '.' ? word + 1 : word);
    print_inputs(node, number, text);
    text_puts(text, ")");
    for (int i = 0; i < NODE_MAX_WEIGHTS; i++)
        if (node->weight[i]) text_printf(text, " %s @%d", irtext_slots[i], node->weight[i]->id);
    irtext_print_attributes(text, node);
    if (node->backward) text_puts(text, " backward");
    if (strcmp(node->name, out->name ? out->name : "")) {
        text_puts(text, " layer ");
        print_name(text, node->name);
    }
    print_epilogue(&node->epilogue, number, text);
    text_puts(text, "\n");
}

/* What the update reads: "loss %9", "gradient @3 = %20[1]", "running @5 @6 = %7 momentum 0.1". */
static void print_training(const Graph *graph, const int *number, Text *text) {
    const Training *t = graph->training;
    text_printf(text, "loss %%%d\n", number[graph->outputs[t->loss]->id]);
    for (int i = 0; i < t->trained_count; i++) {
        const Trained *trained = &t->trained[i];
        text_printf(text, "gradient @%d = %%%d", trained->param->id, number[graph->outputs[trained->output]->id]);
        text_printf(text, trained->channel ? "[%d]\n" : "\n", trained->channel);
    }
    for (int i = 0; i < t->running_count; i++) {
        const Running *running = &t->running[i];
        text_printf(text, "running @%d @%d = %%%d momentum ", running->mean->id, running->var->id,
                    number[graph->outputs[running->output]->id]);
        text_real(text, running->momentum);
        text_puts(text, "\n");
    }
}

void irtext_print(const Graph *graph, Text *text) {
    Arena arena = {0};
    int *number = arena_alloc(&arena, sizeof(int) * (size_t)(graph->value_count + 1)); /* by value id */
    const int before = graph->training ? 2 : 1;
    for (int i = 0; i < graph->node_count; i++) number[graph->nodes[i]->out->id] = i + before;
    if (graph->training) number[graph->training->labels->id] = 1;

    Shape input = graph->input->shape;
    text_puts(text, "network ");
    print_name(text, graph->name);
    text_printf(text, "\ninput %%0 %dx%dx%d ", input.c, input.h, input.w);
    print_name(text, graph->input->name);
    text_puts(text, graph->input->channels_last ? " nhwc\n" : "\n");
    if (graph->training) text_puts(text, "labels %1\n");
    print_preprocess(graph, text);
    text_puts(text, "\n");
    for (int i = 0; i < graph->tensor_count; i++) print_tensor(graph->tensors[i], text);
    if (graph->tensor_count) text_puts(text, "\n");
    for (int i = 0; i < graph->node_count; i++) print_node(graph->nodes[i], number, text);
    if (graph->preprocess.mean_image) text_printf(text, "mean @%d\n", graph->preprocess.mean_image->id);
    for (int i = 0; i < graph->output_count; i++)
        text_printf(text, "output %%%d%s\n", number[graph->outputs[i]->id],
                    graph->outputs[i]->channels_last ? " nhwc" : "");
    if (graph->training) print_training(graph, number, text);
    arena_free(&arena);
}

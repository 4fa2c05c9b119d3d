/* Small source graphs built by hand, for tests that need weights and no language. */
#ifndef TESTS_NETS_H
#define TESTS_NETS_H

#include "graph/build.h"
#include "graph/ops.h"

#include <stdio.h>
#include <string.h>

/* Finishes a node as the front end does: parameters named LAYER.suffix, shape inferred. */
static Value *net_finish(Graph *graph, Node *node, bool bias) {
    Diag diag = {0};
    build_params(graph, node, bias);
    if (!op_info(node->op)->infer(node, &diag)) bug("the test's network is wrong");
    return node->out;
}

static Graph *net_new(Arena *arena, const char *name, Shape input) {
    Graph *graph = graph_new(arena, name);
    graph->input = graph_add_value(graph, "input", input);
    return graph;
}

static inline Value *net_conv(Graph *graph, Value *in, int features, int kernel, int stride, int groups, bool bias) {
    const char *name = arena_printf(graph->arena, "conv%d", graph->node_count);
    Node *node = graph_add_node(graph, OP_CONV, name, &in, 1, (Place){0});
    node->features = features;
    const int pad = (kernel - 1) / 2;
    node->term[0].groups = groups;
    node->term[0].window = (Window){kernel, kernel, stride, stride, 1, 1, pad, pad, pad, pad, false};
    return net_finish(graph, node, bias);
}

static inline Value *net_fc(Graph *graph, Value *in, int features) {
    Node *node =
        graph_add_node(graph, OP_FC, arena_printf(graph->arena, "fc%d", graph->node_count), &in, 1, (Place){0});
    node->features = features;
    return net_finish(graph, node, true);
}

static inline Value *net_op(Graph *graph, Op op, Value *a, Value *b) {
    const char *name = arena_printf(graph->arena, "%s%d", op_info(op)->word, graph->node_count);
    Node *node = graph_add_node(graph, op, name, (Value *[]){a, b}, b ? 2 : 1, (Place){0});
    if (op == OP_BN) node->attr.eps = 1e-5;
    if (op == OP_AVGPOOL || op == OP_MAXPOOL) node->attr.global = true;
    return net_finish(graph, node, true);
}

static inline Value *net_maxpool(Graph *graph, Value *in) {
    Node *node =
        graph_add_node(graph, OP_MAXPOOL, arena_printf(graph->arena, "pool%d", graph->node_count), &in, 1, (Place){0});
    node->attr.window = (Window){3, 3, 2, 2, 1, 1, 1, 1, 1, 1, false};
    return net_finish(graph, node, false);
}

/* An ImageNet ResNet of bottlenecks, or a CIFAR one of basic blocks where `depth` has three numbers. */
static inline Graph *net_resnet(Arena *arena, const char *name, int size, const int *depth, int stages,
                                bool normalise) {
    Graph *graph = net_new(arena, name, (Shape){3, size, size});
    const bool bottleneck = stages == 4;
    Value *x = bottleneck ? net_conv(graph, graph->input, 64, 7, 2, 1, !normalise)
                          : net_conv(graph, graph->input, 16, 3, 1, 1, !normalise);
    if (normalise) x = net_op(graph, OP_BN, x, NULL);
    x = net_op(graph, OP_RELU, x, NULL);
    if (bottleneck) x = net_maxpool(graph, x);
    for (int s = 0; s < stages; s++)
        for (int i = 0; i < depth[s]; i++) {
            const int width = (bottleneck ? 64 : 16) << s, out = bottleneck ? 4 * width : width,
                      stride = s > 0 && i == 0 ? 2 : 1;
            Value *y = x, *shortcut = x;
            const int layers = bottleneck ? 3 : 2;
            for (int l = 0; l < layers; l++) {
                const int kernel = bottleneck && l != 1 ? 1 : 3;
                y = net_conv(graph, y, l == layers - 1 ? out : width, kernel, l == layers - 2 ? stride : 1, 1,
                             !normalise);
                if (normalise) y = net_op(graph, OP_BN, y, NULL);
                if (l < layers - 1) y = net_op(graph, OP_RELU, y, NULL);
            }
            if (x->shape.c != out || stride != 1) {
                shortcut = net_conv(graph, x, out, 1, stride, 1, !normalise);
                if (normalise) shortcut = net_op(graph, OP_BN, shortcut, NULL);
            }
            x = net_op(graph, OP_RELU, net_op(graph, OP_ADD, y, shortcut), NULL);
        }
    x = net_op(graph, OP_AVGPOOL, x, NULL);
    x = net_fc(graph, x, bottleneck ? 1000 : 10);
    graph_add_output(graph, x);
    return graph;
}

#endif

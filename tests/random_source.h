/* Random sources in the network language: stages of blocks that have parameters and every kind of shortcut, gates,
 * joins, repeats, conditions, computed numbers, named layers that are added, gone back to and put out. The same from
 * the same seed; all are right.
 */
#ifndef RNC_TEST_RANDOM_SOURCE_H
#define RNC_TEST_RANDOM_SOURCE_H

#include "language/ast.h"
#include "random_graph.h"

typedef struct RandomSource {
    Random random;
    Text *text;
    int channels, side; /* of the value at hand */
    int names;          /* s1, s2 ... */
    int kept_channels, kept_side;
} RandomSource;

static inline const char *random_word(RandomSource *r, const char *const *words, int count) {
    return words[random_int(&r->random, 0, count - 1)];
}

static inline const char *random_act_word(RandomSource *r) {
    static const char *const words[] = {"relu", "relu", "relu6", "prelu", "leakyrelu 0.2", "clip -1, 1", "clip high 2", "sigmoid", "tanh", "silu",
                                        "gelu", "gelu approximate", "hardsigmoid", "hardswish", "elu 0.5", "selu",
                                        "mish", "softplus"};
    return random_word(r, words, (int)(sizeof words / sizeof *words));
}

static inline void random_blocks(RandomSource *r) {
    static const char *const shortcuts[] = {
        "project",
        "project always",
        "pad",
        "identity or none",
        "none",
        "{ if (stride > 1) { avgpool 2x2 /stride ceil }; conv width, 1x1; bn }",
        "always { conv width, 1x1 /stride bias; scale }",
        "{ avgpool 1x1 /stride } fill",
    };
    static const char *const norms[] = {"bn", "bn", "bn", "scale", "layernorm", "groupnorm 1", "responsenorm"};
    for (int i = 1; i <= 2; i++)
        text_printf(
            r->text,
            "block basic%d(width, kernel = 3) {\n    residual {\n        conv width, kernel x kernel /stride; bn; %s\n"
            "        conv width, 3x3%s; %s\n    } shortcut %s\n    %s\n}\n",
            i, random_act_word(r), random_chance(&r->random, 30) ? " bias" : "",
            random_word(r, norms, 6), random_word(r, shortcuts, 8), random_act_word(r));
    text_puts(r->text, "block inverted(expand, out) {\n    residual {\n"
                       "        if (expand > 1) { conv expand*channels, 1x1; bn; relu6 }\n"
                       "        conv channels, 3x3 /stride groups channels; bn; relu6\n"
                       "        conv out, 1x1; bn\n    } shortcut identity or none\n}\n");
}

static inline void random_statement(RandomSource *r) {
    Random *random = &r->random;
    Text *t = r->text;
    const int stride = r->side >= 4 && random_chance(random, 40) ? 2 : 1, c = r->channels;
    int out = random_int(random, 1, 9);
    switch (random_int(random, 0, 12)) {
    case 0:
    case 1: /* wide enough for option A */
        out += c;
        text_printf(t, "    stage %d basic%d(%d%s)%s\n", random_int(random, 1, 2), random_int(random, 1, 2), out,
                    random_chance(random, 40) ? ", kernel = 5" : "", stride > 1 ? " /2" : "");
        r->channels = out, r->side = (r->side - 1) / stride + 1;
        break;
    case 2:
        text_printf(t, "    stage %d inverted(%d, %d)%s\n", random_int(random, 1, 3), random_int(random, 1, 3), out,
                    stride > 1 ? " /2" : "");
        r->channels = out, r->side = (r->side - 1) / stride + 1;
        break;
    case 3:
        text_printf(t, "    gate { avgpool global; fc max(1, floor(channels / 2.0)); %s; fc %d; sigmoid }\n",
                    random_act_word(r), c);
        break;
    case 4:
        text_printf(t, "    concat { { conv %d, 1x1; %s } { maxpool 3x3 pad 1 } { identity } as side%d }\n", out,
                    random_act_word(r), ++r->names);
        r->channels = out + 2 * c;
        break;
    case 5:
        text_printf(t, "    repeat %d { conv channels, 3x3 dilate (index + 1) pad (index + 1); %s }\n",
                    random_int(random, 1, 3), random_act_word(r));
        break;
    case 6:
        text_printf(t, "    if (channels %% 2 == 0) { conv %d, 3x3 groups 2; bn } else { conv %d, 1x1 }\n", 2 * out,
                    2 * out);
        r->channels = 2 * out;
        break;
    case 7:
        if (r->names && r->kept_channels == c && r->kept_side == r->side && random_chance(random, 70)) {
            text_printf(t, "    add kept%s\n", random_chance(random, 50) ? " fill" : "");
            break;
        }
        if (r->kept_channels) { /* a second network from there, and back */
            r->names++;
            text_printf(t, "    identity as here%d; from kept; conv %d, 1x1; %s; output; from here%d\n", r->names, out,
                        random_act_word(r), r->names);
            break;
        }
        text_printf(t, "    %s as kept\n", random_act_word(r));
        r->kept_channels = c, r->kept_side = r->side;
        break;
    case 8:
        if (r->side < 3) break;
        text_printf(t, "    %spool %s\n", random_chance(random, 50) ? "max" : "avg",
                    random_chance(random, 50) ? "2x2 /2 ceil" : "3x3 /2 pad 1");
        r->side = (r->side + 1) / 2;
        break;
    case 9:
        if (r->side > 6) break;
        if (random_chance(random, 50)) {
            text_printf(t, "    convtranspose %d, 2x2 /2%s; groupnorm channels; %s\n", out,
                        random_chance(random, 50) ? " bias" : "", random_act_word(r));
            r->channels = out, r->side *= 2;
        } else {
            static const char *const ways[] = {"", " bilinear", " bilinear align_corners", " bilinear asymmetric"};
            const int side = random_int(random, 3, 9);
            text_printf(t, "    resize %dx%d%s\n", side, side, random_word(r, ways, 4));
            r->side = side;
        }
        break;
    case 11:
        if (c % 2) break;
        text_printf(t, "    concat { { slice channels %d } { slice channel %d; conv %d, 3x3; %s } }; shuffle 2\n", c / 2,
                    c / 2, c / 2, random_act_word(r));
        break;
    default:
        text_printf(t, "    conv %d, 3x3%s; bn; %s\n", out, stride > 1 ? " /2" : "", random_act_word(r));
        r->channels = out, r->side = (r->side - 1) / stride + 1;
    }
}

/* In `arena`; the text goes to *text, for who wants to show it. NULL where it is not right, which is a fault. */
static inline Graph *random_source(Arena *arena, uint64_t seed, Text *text, Diag *diag) {
    RandomSource source = {.random = {.state = seed ^ 0x50e}, .text = text}, *r = &source;
    Random *random = &r->random;
    random_blocks(r);
    r->channels = random_int(random, 1, 5), r->side = random_int(random, 5, 12);
    text_printf(text, "network random(classes = %d) {\n    input %dx%dx%d%s\n", random_int(random, 1, 10), r->channels,
                r->side, r->side, seed % 5 ? "" : ", mean pixel");
    for (int n = random_int(random, 3, 7); n > 0; n--) {
        random_statement(r);
        if (r->channels > 24) text_printf(text, "    conv %d, 1x1\n", r->channels = random_int(random, 1, 9));
    }
    text_printf(text, "    %s\n    fc classes\n}\n",
                random_chance(random, 50) ? "avgpool global" : "conv 5, 1x1; flatten");
    Source *file = arena_alloc(arena, sizeof *file);
    *file = (Source){.path = "random.rn", .text = arena_strndup(arena, text->s, text->size), .size = text->size};
    const Ast *ast = ast_parse_text(arena, file, diag);
    return ast ? elaborate(arena, ast, NULL, 0, diag) : NULL;
}

#endif

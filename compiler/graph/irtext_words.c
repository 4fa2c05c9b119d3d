/* Words, numbers and references of the graph's text: what its lines (irtext_parse.c) are made of. */
#include "irtext_words.h"
#include "core/dtype.h"
#include "irtext_fields.h"

#include <ctype.h>
#include <float.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { NUMBER_LIMIT = 1000000 };

/* ---- words of a line ---- */

Place irtext_here(const IrParser *parser) {
    int length = parser->at > parser->token ? (int)(parser->at - parser->token) : 1;
    return (Place){parser->source, parser->line, (int)(parser->token - parser->line_start) + 1, length};
}

bool irtext_fail(IrParser *parser, const char *format, ...) {
    Text text = {0};
    va_list args;
    va_start(args, format);
    text_vprintf(&text, format, args);
    va_end(args);
    diag_error(parser->diag, irtext_here(parser), "%s", text.s);
    text_free(&text);
    return false;
}

void irtext_skip_spaces(IrParser *parser) {
    while (parser->at < parser->end && (*parser->at == ' ' || *parser->at == '\t' || *parser->at == '\r')) parser->at++;
    if (parser->at < parser->end && *parser->at == '#')
        while (parser->at < parser->end && *parser->at != '\n') parser->at++;
    parser->token = parser->at;
}

bool irtext_at_line_end(IrParser *parser) {
    irtext_skip_spaces(parser);
    return parser->at == parser->end || *parser->at == '\n';
}

bool irtext_accept(IrParser *parser, const char *text) {
    irtext_skip_spaces(parser);
    size_t n = strlen(text);
    if ((size_t)(parser->end - parser->at) < n || memcmp(parser->at, text, n)) return false;
    bool is_word = isalpha((unsigned char)*text);
    if (is_word && parser->at + n < parser->end && irtext_bare(parser->at[n])) return false;
    parser->at += n;
    return true;
}

bool irtext_expect(IrParser *parser, const char *text) {
    return irtext_accept(parser, text) || irtext_fail(parser, "expected '%s'", text);
}

bool irtext_read_word(IrParser *parser, const char **word) {
    irtext_skip_spaces(parser);
    const char *start = parser->at;
    while (parser->at < parser->end && irtext_bare(*parser->at)) parser->at++;
    if (parser->at == start) return irtext_fail(parser, "expected a word");
    *word = arena_strndup(parser->arena, start, (size_t)(parser->at - start));
    return true;
}

static int hex_digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return -1;
}

/* One character of a quoted name, escapes undone; -1 after an error. */
static int read_quoted_char(IrParser *parser) {
    unsigned char c = (unsigned char)*parser->at++;
    if (c != '\\') return c;
    if (parser->end - parser->at >= 1 && (*parser->at == '"' || *parser->at == '\\')) return *parser->at++;
    if (parser->end - parser->at >= 3 && *parser->at == 'x') {
        int high = hex_digit(parser->at[1]), low = hex_digit(parser->at[2]);
        parser->at += 3;
        if (high >= 0 && low >= 0 && high + low > 0) return high * 16 + low;
    }
    irtext_fail(parser, "unknown escape");
    return -1;
}

bool irtext_read_name(IrParser *parser, const char **name) {
    if (!irtext_accept(parser, "\"")) return irtext_read_word(parser, name);
    Text text = {0};
    bool good = true;
    while (good && parser->at < parser->end && *parser->at != '"' && *parser->at != '\n') {
        int c = read_quoted_char(parser);
        good = c >= 0 && (c > 0 || irtext_fail(parser, "a name with a zero byte"));
        if (good) text_write(&text, &(char){(char)c}, 1);
    }
    if (good && (parser->at == parser->end || *parser->at != '"')) good = irtext_fail(parser, "the name does not end");
    if (good) parser->at++;
    *name = arena_strndup(parser->arena, text.s ? text.s : "", text.size);
    text_free(&text);
    return good;
}

/* A decimal integer from `low` to `high`; no other character may stand before it. */
static bool read_digits(IrParser *parser, int low, int high, int *number) {
    const char *start = parser->at;
    bool minus = start < parser->end && *start == '-';
    int64_t value = 0;
    parser->at += minus;
    const char *digits = parser->at;
    while (parser->at < parser->end && isdigit((unsigned char)*parser->at) && value <= INT_MAX)
        value = value * 10 + (*parser->at++ - '0');
    if (parser->at == digits) return irtext_fail(parser, "expected a number");
    if (minus) value = -value;
    if (value < low || value > high) return irtext_fail(parser, "a number from %d to %d must stand here", low, high);
    *number = (int)value;
    return true;
}

bool irtext_read_integer(IrParser *parser, int low, int *number) {
    irtext_skip_spaces(parser);
    return read_digits(parser, low, INT_MAX, number);
}

bool irtext_read_real(IrParser *parser, double *number) {
    irtext_skip_spaces(parser);
    char digits[64];
    size_t n = 0;
    while (n + 1 < sizeof digits && parser->at < parser->end && (irtext_bare(*parser->at) || *parser->at == '+'))
        digits[n++] = *parser->at++;
    digits[n] = 0;
    char *end;
    *number = strtod(digits, &end);
    if (n == 0 || *end || !isfinite(*number)) return irtext_fail(parser, "expected a finite real number");
    if (*number != 0 && (fabs(*number) < FLT_MIN || fabs(*number) > FLT_MAX))
        return irtext_fail(parser, "%s is beyond what a float holds", digits);
    return true;
}

bool irtext_dims_go_on(const IrParser *parser) {
    return parser->end - parser->at > 1 && *parser->at == 'x' &&
           (isdigit((unsigned char)parser->at[1]) || parser->at[1] == '-');
}

bool irtext_read_dims(IrParser *parser, int least, int most, int *dims, int *count) {
    irtext_skip_spaces(parser);
    for (*count = 0; *count < most;) {
        if (!read_digits(parser, 1, INT_MAX, &dims[(*count)++])) return false;
        if (!irtext_dims_go_on(parser)) break;
        if (*count < most) parser->at++;
    }
    if (*count < least || irtext_dims_go_on(parser)) {
        if (least == most) return irtext_fail(parser, "expected %d numbers joined by x", least);
        return irtext_fail(parser, "expected %d to %d numbers joined by x", least, most);
    }
    return true;
}

void irtext_read_type(IrParser *parser, rn_dtype *type) {
    for (int t = 0; t < RN_DTYPE_COUNT; t++) {
        const char *word = rn_dtype_name((rn_dtype)t);
        const size_t n = strlen(word), left = (size_t)(parser->end - parser->at);
        if (left < n + 1 || *parser->at != 'x' || memcmp(parser->at + 1, word, n)) continue;
        if (left > n + 1 && irtext_bare(parser->at[n + 1])) continue;
        parser->at += n + 1;
        *type = (rn_dtype)t;
        return;
    }
}

bool irtext_read_pair(IrParser *parser, int *a, int *b) {
    int dims[2], count;
    if (!irtext_read_dims(parser, 1, 2, dims, &count)) return false;
    *a = dims[0];
    *b = dims[count - 1];
    return true;
}

bool irtext_read_reals(IrParser *parser, double *items, int count) {
    for (int i = 0; i < count; i++)
        if ((i > 0 && !irtext_expect(parser, ",")) || !irtext_read_real(parser, &items[i])) return false;
    return true;
}

/* ---- references ---- */

bool irtext_read_number(IrParser *parser, const char *sigil, int *number) {
    return irtext_expect(parser, sigil) && read_digits(parser, 0, NUMBER_LIMIT, number);
}

bool irtext_read_value(IrParser *parser, Value **value) {
    int number;
    if (!irtext_read_number(parser, "%", &number)) return false;
    *value = number < parser->value_capacity ? parser->values[number] : NULL;
    return *value || irtext_fail(parser, "value %%%d is not made above", number);
}

bool irtext_read_tensor(IrParser *parser, Tensor **tensor) {
    int number;
    if (!irtext_read_number(parser, "@", &number)) return false;
    *tensor = number < parser->tensor_capacity ? parser->tensors[number] : NULL;
    return *tensor || irtext_fail(parser, "tensor @%d is not made above", number);
}

void *irtext_grown(IrParser *parser, void *table, int *capacity, int number) {
    if (number < *capacity) return table;
    int wanted = *capacity ? *capacity : 64;
    while (wanted <= number) wanted *= 2;
    void **fresh = arena_alloc(parser->arena, sizeof(void *) * (size_t)wanted);
    if (*capacity) memcpy(fresh, table, sizeof(void *) * (size_t)*capacity);
    *capacity = wanted;
    return fresh;
}

bool irtext_define_value(IrParser *parser, int number, Value *value) {
    parser->values = irtext_grown(parser, parser->values, &parser->value_capacity, number);
    if (parser->values[number]) return irtext_fail(parser, "value %%%d is made twice", number);
    parser->values[number] = value;
    return true;
}

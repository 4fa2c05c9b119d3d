/* rnc --format: the source in the one true layout. Works on tokens, so comments and the author's lines stay.
 *
 *     conv width,1x1 ; bn;relu            conv width, 1x1;         bn; relu
 *       conv width ,3x3 / stride;bn  ->   conv width, 3x3 /stride; bn; relu
 *
 * Lines are indented by their braces, a continued one once more; one blank line at most. In neighbouring lines of
 * one indentation the statement after the first `;` is aligned, and so are comments behind the code. The text depends
 * on the tokens alone and never on the blanks between them: hence formatting twice changes nothing.
 */
#include "parse.h"
#include "rn.tab.h"

#include <string.h>

enum { INDENT = 4, WIDEST_ALIGNED = 70 };

typedef struct Line {
    char *head, *tail;   /* code up to its first `;` or, without one, to its `as`; and what follows, or "" */
    int alignment;       /* only tails of one kind are aligned: what parts them, in how many braces */
    const char *comment; /* or NULL */
    int head_width;      /* what the head is padded to, where there is a tail */
    int indent;
    bool blank_before, opens, closes;
} Line;

typedef struct Formatter {
    Arena *arena;
    Line *lines;
    int count, capacity;
    int depth;      /* of braces at the start of the next line */
    bool continued; /* the last line ended in a comma */
    bool blank;     /* a blank line came before */
} Formatter;

/* ---- spacing ---- */
static bool is_operand_end(int kind) {
    switch (kind) {
    case T_INTEGER:
    case T_REAL:
    case T_IDENT:
    case T_DIMS2:
    case T_DIMS3:
    case T_TRUE:
    case T_FALSE:
    case ')':
    case ']':
        return true;
    default:
        return false;
    }
}

/* A '-' or '!' that has no left operand. */
static bool is_unary(const Token *tokens, int i) {
    if (tokens[i].kind == '!') return true;
    return tokens[i].kind == '-' && (i == 0 || !is_operand_end(tokens[i - 1].kind));
}

static bool is_tight_operator(const Token *token) {
    return token->kind == '*' || token->kind == '%' || (token->kind == '/' && !token->is_stride);
}

/* in_name: between the braces of a computed name */
static bool needs_space(const Token *tokens, int i, bool in_name) {
    const Token *before = &tokens[i - 1], *token = &tokens[i];
    switch (token->kind) {
    case ')':
    case ']':
    case ',':
    case T_SEPARATOR:
    case T_NAME_CLOSE:
        return false;
    case '(':
        if (before->kind == T_IDENT) return false;
        break;
    case '}':
        if (before->kind == '{') return false;
        break;
    case T_NAME_OPEN:
    case T_NAMEPART:
        if (before->kind == T_NAMEPART || before->kind == T_NAME_CLOSE) return false;
        break;
    }
    if (before->kind == '(' || before->kind == '[' || before->kind == T_NAME_OPEN) return false;
    if (before->kind == '/' && before->is_stride) return false;
    if (is_unary(tokens, i - 1)) return false;
    if (is_tight_operator(before) && !before->is_percent && is_operand_end(i > 1 ? tokens[i - 2].kind : 0))
        return false;
    if (is_tight_operator(token)) return false;
    return !in_name;
}

/* ---- lines ---- */
static bool ends_statement(const Token *tokens, int i, int count) {
    return i + 1 < count && tokens[i + 1].kind != T_SEPARATOR && tokens[i + 1].kind != '}';
}

/* A `;` that separates nothing is dropped: at either end of a line, doubled, inside of a brace. */
static int drop_empty_statements(Token *tokens, int count) {
    int kept = 0;
    for (int i = 0; i < count; i++) {
        bool opening = kept == 0 || tokens[kept - 1].kind == '{';
        if (tokens[i].kind == T_SEPARATOR && (opening || !ends_statement(tokens, i, count))) continue;
        tokens[kept++] = tokens[i];
    }
    return kept;
}

/* Where the line's tail begins, 0 where it has none. */
static int find_split(const Token *tokens, int count, int *alignment) {
    int depth = 0, name = 0;
    for (int i = 0; i < count; i++) {
        depth += (tokens[i].kind == '{') - (tokens[i].kind == '}');
        *alignment = 2 * depth;
        if (tokens[i].kind == T_SEPARATOR) return i + 1;
        if (tokens[i].kind == T_AS && depth == 0) name = i;
    }
    *alignment = 1;
    return name;
}

static void add_line(Formatter *formatter, Token *tokens, int count, const char *comment) {
    count = drop_empty_statements(tokens, count);
    if (count == 0 && !comment) {
        formatter->blank = true;
        return;
    }
    Line line = {.head = "", .tail = "", .comment = comment, .blank_before = formatter->blank};
    int leading = 0, change = 0;
    while (leading < count && tokens[leading].kind == '}') leading++;
    int split = find_split(tokens, count, &line.alignment);
    for (int i = 0; i < count; i++) change += (tokens[i].kind == '{') - (tokens[i].kind == '}');
    int depth = formatter->depth - leading;
    line.indent = INDENT * ((depth > 0 ? depth : 0) + (formatter->continued && !leading));
    line.opens = count > 0 && tokens[count - 1].kind == '{';
    line.closes = leading > 0;
    Text head = {0}, tail = {0};
    bool in_name = false;
    for (int i = 0; i < count; i++) {
        Text *text = split && i >= split ? &tail : &head;
        if (text->size && needs_space(tokens, i, in_name)) text_puts(text, " ");
        if (tokens[i].kind == T_NAME_OPEN || tokens[i].kind == T_NAME_CLOSE) in_name = tokens[i].kind == T_NAME_OPEN;
        text_write(text, tokens[i].text, tokens[i].length);
    }
    if (head.size) line.head = arena_strndup(formatter->arena, head.s, head.size);
    if (tail.size) line.tail = arena_strndup(formatter->arena, tail.s, tail.size);
    text_free(&head);
    text_free(&tail);
    ARENA_PUSH(formatter->arena, formatter->lines, formatter->count, formatter->capacity, line);
    formatter->depth += change;
    if (formatter->depth < 0) formatter->depth = 0;
    if (count) formatter->continued = tokens[count - 1].kind == ',';
    formatter->blank = false;
}

static const char *trim_comment(Arena *arena, const Token *token) {
    size_t n = token->length;
    while (n && strchr(" \t\r\f", token->text[n - 1])) n--;
    return arena_strndup(arena, token->text, n);
}

static bool ends_line(const Token *token) {
    return token->kind < 0 || token->kind == T_END || (token->kind == T_SEPARATOR && token->text[0] == '\n');
}

static void split_lines(Formatter *formatter, const Parser *parser) {
    for (int i = 0; i < parser->token_count;) {
        Token *first = &parser->tokens[i];
        const char *comment = NULL;
        int count = 0;
        while (i + count < parser->token_count && !ends_line(&first[count])) count++;
        i += count;
        if (i < parser->token_count && parser->tokens[i].kind == TOKEN_COMMENT)
            comment = trim_comment(formatter->arena, &parser->tokens[i++]);
        if (i < parser->token_count) i++; /* the newline, or the end */
        add_line(formatter, first, count, comment);
    }
}

/* ---- writing ---- */
/* Neighbours whose tails are aligned: no blank line, other indentation or comment of its own between them. */
static bool follows(const Line *before, const Line *line) {
    return !line->blank_before && before->indent == line->indent && before->head[0] && line->head[0] &&
           before->tail[0] && line->tail[0] && before->alignment == line->alignment;
}

/* Pads the heads of each run of neighbours to the widest of them. */
static void align_tails(Formatter *formatter) {
    Line *lines = formatter->lines;
    for (int i = 0, end; i < formatter->count; i = end) {
        int widest = 0;
        for (end = i; end < formatter->count && (end == i || follows(&lines[end - 1], &lines[end])); end++) {
            int width = (int)strlen(lines[end].head);
            if (width > widest && width <= WIDEST_ALIGNED) widest = width;
        }
        for (int j = i; j < end; j++) lines[j].head_width = widest;
    }
}

static void write_code(const Line *line, Text *out) {
    text_printf(out, "%*s%s", line->indent, "", line->head);
    if (!line->tail[0]) return;
    int pad = line->head_width - (int)strlen(line->head);
    text_printf(out, "%*s%s", pad > 0 ? pad + 1 : 1, "", line->tail);
}

/* The columns of code of each line, then of each line's comment. */
static int *comment_columns(const Formatter *formatter) {
    int *column = arena_alloc(formatter->arena, sizeof(int) * (size_t)(formatter->count + 1));
    for (int i = 0; i < formatter->count; i++) {
        Text text = {0};
        write_code(&formatter->lines[i], &text);
        column[i] = (int)text.size;
        text_free(&text);
    }
    for (int i = 0, end; i < formatter->count; i = end) {
        int widest = column[i];
        for (end = i + 1; end < formatter->count; end++) {
            const Line *before = &formatter->lines[end - 1], *line = &formatter->lines[end];
            if (!before->comment || !line->comment || !before->head[0] || !line->head[0] || line->blank_before) break;
            if (column[end] > widest) widest = column[end];
        }
        for (int j = i; j < end; j++) column[j] = widest + 2;
    }
    return column;
}

static void write_lines(const Formatter *formatter, Text *out) {
    int *column = comment_columns(formatter);
    for (int i = 0; i < formatter->count; i++) {
        const Line *line = &formatter->lines[i];
        bool inside = i > 0 && !formatter->lines[i - 1].opens && !line->closes;
        if (line->blank_before && inside) text_puts(out, "\n");
        size_t start = out->size;
        write_code(line, out);
        int pad = column[i] - (int)(out->size - start);
        if (line->comment) text_printf(out, "%*s%s", line->head[0] ? pad : 0, "", line->comment);
        text_puts(out, "\n");
    }
}

/* A layer by a synonym is written by its standard word. In a file with imports one that stands alone may be a block of
 * theirs, and stays. */
static void write_standard_words(Parser *parser) {
    Token *token = parser->tokens, *end = token ? token + parser->token_count : NULL; /* NULL: an empty file */
    const Ast *ast = parser->ast;
    parser_resolve_words(parser);
    for (int i = 0; i < ast->other_word_count; i++) {
        const Stmt *stmt = ast->by_other_words[i];
        if (stmt->kind != STMT_LAYER || stmt->word || (ast->imports && !stmt->args && !stmt->attrs)) continue;
        while (token < end && (token->place.line != stmt->place.line || token->place.column != stmt->place.column))
            token++;
        if (token == end) bug("a layer without a token");
        token->text = layer_word(stmt->op);
        token->length = strlen(token->text);
    }
}

bool ast_format(const Source *source, Text *out, Diag *diag) {
    Arena arena = {0};
    Ast ast = {.source = source};
    Parser parser = {.arena = &arena, .diag = diag, .source = source, .ast = &ast, .record = true};
    int before = diag->errors;
    bool ok = parser_run(&parser);
    if (ok) write_standard_words(&parser);
    if (ok && diag->errors == before) {
        Formatter formatter = {.arena = &arena};
        split_lines(&formatter, &parser);
        align_tails(&formatter);
        write_lines(&formatter, out);
        text_write(out, "", 0); /* an empty file is a text too */
    }
    arena_free(&parser.token_arena);
    arena_free(&arena);
    return ok && diag->errors == before;
}

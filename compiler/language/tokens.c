/* The tokens of a source, read whole before they are parsed, their brackets mended.
 *
 *     if (a)                    if (a) {          error: '{' is missing
 *         relu             ->       relu
 *     else { tanh }             } else { tanh }   error: 'else' stands on the line of the '}' before it
 *
 * A brace that is missing, one too many, or on another line would shift all that follows to where it makes no sense.
 * Such faults are found here, by the words that have bodies and by the lines' indentation, and what the parser gets has
 * its braces in pairs, each body behind its word. A token that was supplied or is wrong carries its error, which is
 * reported where the parser reaches it. After an error in a statement the parser goes on at its body or behind it, so
 * that one mistake gives one error (Aho, Sethi and Ullman 1986, section 4.1, "panic mode").
 */
#include "parse.h"
#include "rn.tab.h"
#include "rn.lex.h"

#include <ctype.h>
#include <string.h>

int grammar_lex(GRAMMAR_STYPE *value, GRAMMAR_LTYPE *place, Parser *parser);

typedef struct Statement { /* as far as it has been read */
    int first;             /* its first token's kind; 0: nothing yet */
    int body_word;         /* the last word in it that a body follows (if, else, residual ...); 0 */
    bool has_body;         /* that has come */
    bool supplied;         /* one of its braces was missing, and reported */
    bool told;             /* what is wrong with its next body's place */
    int indent;            /* column of the first token of its first line */
} Statement;

typedef struct Open { /* an open bracket */
    int kind;         /* { ( or [ */
    int token;
    int word;            /* of a body: what it belongs to */
    int indent;          /* of a body: its statement's */
    bool supplied;       /* it was missing: the indentation closes it */
    bool stray;          /* it belongs to nothing, and is left out with its partner */
    Statement statement; /* that goes on behind it */
} Open;

typedef struct Reader {
    Parser *parser;
    Open *open;
    int depth, capacity;
    Statement now, before; /* before: the one that the last separator ended */
    int last;              /* index of the last token that is no separator, -1 */
    int line, indent;      /* of that token's line */
    int joined_until;      /* offset behind a run of newlines that was found to end no statement, and reported */
    int unclosed;          /* a '{' whose '}' seems to be missing, by the indentation; -1 */
    bool closed_one;       /* a declaration ended before */
    bool mended;        /* a brace of this declaration was wrong: those that do not fit in the end may follow from it */
    bool dropping;      /* what stands outside of declarations: nothing until the next one */
    bool dropping_rest; /* of the statement */
    bool may_declare;   /* while dropping: a declaration may begin here */
} Reader;

static bool is_declaration(int kind) {
    return kind == T_NETWORK || kind == T_BLOCK || kind == T_IMPORT || kind == T_TRAIN;
}

static bool has_body(int kind) {
    switch (kind) {
    case T_NETWORK:
    case T_BLOCK:
    case T_TRAIN:
    case T_RESIDUAL:
    case T_CONCAT:
    case T_GATE:
    case T_REPEAT:
    case T_IF:
    case T_ELSE:
        return true;
    default:
        return false;
    }
}

static bool begins_statement(int kind) {
    switch (kind) {
    case T_LAYER:
    case T_PAD:
    case T_IDENTITY:
    case T_ADD:
    case T_STAGE:
    case T_FROM:
    case T_OUTPUT:
        return true;
    default:
        return has_body(kind) && !is_declaration(kind);
    }
}

/* ---- pushing ---- */
static const Open *innermost(const Reader *reader) {
    return reader->depth ? &reader->open[reader->depth - 1] : NULL;
}

static bool in_parens(const Reader *reader) {
    const Open *open = innermost(reader);
    return open && open->kind != '{';
}

static void push(Reader *reader, Token token) {
    Parser *parser = reader->parser;
    const Open *open = innermost(reader);
    token.in_concat = open && open->word == T_CONCAT;
    if (token.kind != T_SEPARATOR) reader->last = parser->token_count;
    ARENA_PUSH(&parser->token_arena, parser->tokens, parser->token_count, parser->token_capacity, token);
}

static Place place_end(const Token *token) {
    Place place = token->place;
    place.column += place.length;
    place.length = 0;
    return place;
}

/* A token that the source does not have, before `at`; `error` may be NULL. */
static void supply(Reader *reader, int kind, const Token *at, const char *error) {
    Token token = {.kind = kind, .place = at->place, .offset = at->offset, .error = error};
    token.place.length = 0;
    if (kind == '{' && reader->last >= 0) { /* behind what it is missing from */
        const Token *last = &reader->parser->tokens[reader->last];
        token.place = place_end(last);
        token.offset = last->offset + last->place.length;
    }
    token.text = reader->parser->source->text + token.offset;
    push(reader, token);
}

/* The separators behind the last token end no statement. */
static void join_lines(Reader *reader) {
    Parser *parser = reader->parser;
    for (int i = parser->token_count - 1; i > reader->last; i--)
        if (parser->tokens[i].kind == T_SEPARATOR) parser->tokens[i].kind = TOKEN_NEWLINE;
    reader->now = reader->before;
}

static const char *token_text(const Reader *reader, const Token *token) {
    return arena_strndup(reader->parser->arena, token->text, token->length < 60 ? token->length : 60);
}

static const char *message(const Reader *reader, const char *format, const Token *token) {
    return arena_printf(reader->parser->arena, format, token_text(reader, token));
}

/* ---- opening and closing ---- */
static void open_bracket(Reader *reader, int kind, bool supplied) {
    Open open = {.kind = kind, .token = reader->parser->token_count, .supplied = supplied};
    open.word = reader->now.body_word;
    open.indent = reader->now.first ? reader->now.indent : reader->indent;
    open.statement = reader->now;
    open.statement.supplied |= supplied;
    open.statement.told = false;
    ARENA_PUSH(&reader->parser->token_arena, reader->open, reader->depth, reader->capacity, open);
    if (kind == '{') reader->now = reader->before = (Statement){0};
}

static void close_body(Reader *reader) {
    const Open *open = innermost(reader);
    reader->now = open->statement;
    reader->now.has_body = true;
    reader->depth--;
    if (reader->depth == 0) reader->closed_one = true;
}

static void close_parens(Reader *reader) {
    while (in_parens(reader)) reader->depth--;
}

/* `{` behind a word whose body has none. */
static void supply_body(Reader *reader, const Token *at) {
    const char *error = reader->now.supplied ? NULL : "'{' is missing here";
    bool train = reader->now.body_word == T_TRAIN;
    int index = reader->parser->token_count;
    supply(reader, '{', at, error);
    open_bracket(reader, '{', true);
    reader->open[reader->depth - 1].token = index;
    if (train) reader->parser->train_nesting = ++reader->parser->nesting;
}

/* `}` for the innermost body; the statement around it goes on. */
static void supply_close(Reader *reader, const Token *at, const char *error) {
    if (!innermost(reader)->stray) supply(reader, '}', at, error);
    close_body(reader);
}

static void supply_separator(Reader *reader, const Token *at) {
    supply(reader, T_SEPARATOR, at, NULL);
    reader->before = reader->now;
    reader->now = (Statement){0};
}

/* All that is open at the end of a declaration, where `}` is missing: one error. */
static void close_all(Reader *reader, const Token *at, const char *error) {
    close_parens(reader);
    int unclosed = -1;
    for (int i = 0; i < reader->depth; i++) {
        const Open *open = &reader->open[i];
        if (open->kind == '{' && !open->supplied && !open->stray) unclosed = open->token;
    }
    if (reader->unclosed >= 0 && unclosed >= 0) unclosed = reader->unclosed;
    if (unclosed < 0 || reader->mended) error = NULL;
    while (reader->depth) {
        bool said = !innermost(reader)->stray;
        if (in_parens(reader)) {
            reader->depth--;
            continue;
        }
        supply_close(reader, at, error);
        if (said && error) {
            Parser *parser = reader->parser;
            Place *noted = arena_alloc(parser->arena, sizeof *noted);
            *noted = parser->tokens[unclosed].place;
            parser->tokens[parser->token_count - 1].unclosed = noted;
            error = NULL;
        }
    }
    reader->unclosed = -1;
    reader->mended = false;
}

/* ---- what begins a statement ---- */
/* The statement before ended without its body, which begins here with `{`, or without it, or nowhere. */
static void begin_missing_body(Reader *reader, Token *token, bool new_line) {
    bool inside = new_line && token->place.column > reader->before.indent;
    join_lines(reader);
    bool branch = reader->now.body_word == T_CONCAT && inside;
    if (token->kind == '{' && !branch) {
        if (!reader->now.supplied && !reader->now.told) token->error = "'{' stands on the line of what it belongs to";
        return;
    }
    supply_body(reader, token);
    if (inside && token->kind != '}' && token->kind != T_END && !is_declaration(token->kind)) return;
    supply_close(reader, token, NULL);
    supply_separator(reader, token);
}

/* `else`, `shortcut`, `fill` and `as` on a line of their own belong to the one before. */
static void begin_with_rest(Reader *reader, Token *token) {
    const Statement *before = &reader->before;
    bool behind_body = reader->last >= 0 && reader->parser->tokens[reader->last].kind == '}';
    bool rest = token->kind == T_ELSE       ? before->first == T_IF && behind_body
                : token->kind == T_SHORTCUT ? before->first == T_RESIDUAL && behind_body
                : token->kind == T_FILL     ? before->first == T_RESIDUAL || before->first == T_ADD
                                            : token->kind == T_AS && before->first;
    const Open *open = innermost(reader);
    bool inside = open && ((token->kind == T_ELSE && (open->word == T_IF || open->word == T_ELSE)) ||
                           (token->kind == T_SHORTCUT && open->word == T_RESIDUAL));
    if (!rest && inside) {
        supply_close(reader, token, message(reader, "'}' is missing before '%s'", token));
        reader->mended = true;
    }
    if (!rest) return;
    join_lines(reader);
    if (reader->now.supplied) return;
    reader->now.told = true;
    token->error = message(reader,
                           token->kind == T_AS     ? "'%s' stands on the line of what it names"
                           : token->kind == T_FILL ? "'%s' stands on the line of its statement"
                                                   : "'%s' stands on the line of the '}' before it",
                           token);
}

/* What is no declaration, outside of them: a misspelt one goes on as what it was meant to be; else all is dropped up to
 * the next. */
static void begin_outside(Reader *reader, Token *token) {
    static const char *const words[] = {"network", "block", "import", "train"};
    static const int kinds[] = {T_NETWORK, T_BLOCK, T_IMPORT, T_TRAIN};
    const char *text = token_text(reader, token);
    bool word = token->kind == T_IDENT;
    char *lower = arena_strdup(reader->parser->arena, text);
    for (char *s = lower; *s; s++) *s = (char)tolower((unsigned char)*s);
    const char *near = word ? diag_suggest(lower, words, 4) : NULL;
    if (near) {
        for (int i = 0; i < 4; i++)
            if (near == words[i]) token->kind = kinds[i];
        token->error = arena_printf(reader->parser->arena, "unknown declaration '%s'; did you mean '%s'?", text, near);
        if (token->kind != T_TRAIN) return; /* its words have been read as others */
    }
    Text other = {0};
    if (word && !near) unknown_word(text, "unknown declaration", NULL, 0, &other);
    bool told = other.size && (strstr(other.s, "`network") || strstr(other.s, "`block") || strstr(other.s, "`import"));
    const char *hint = reader->closed_one ? "; is there one '}' too many before it?" : "";
    if (told)
        token->error = arena_strdup(reader->parser->arena, other.s);
    else if (token->kind == '}')
        token->error = "unexpected '}'; no '{' is open";
    else if (!token->error)
        token->error = arena_printf(reader->parser->arena, "'%s' stands outside of a network or block%s", text, hint);
    text_free(&other);
    if (reader->mended) token->error = NULL;
    token->kind = T_GRAMMAR_error;
    reader->dropping = true;
    reader->may_declare = false;
}

static void begin_statement(Reader *reader, Token *token, bool new_line) {
    const Statement *before = &reader->before;
    bool own = before->first == before->body_word || before->first == T_IF;
    if (before->body_word && !before->has_body && own) begin_missing_body(reader, token, new_line);
    while (new_line && token->kind != '}' && reader->depth && innermost(reader)->supplied &&
           token->place.column <= innermost(reader)->indent) {
        supply_close(reader, token, NULL);
        supply_separator(reader, token);
    }
    const Open *open = innermost(reader);
    if (open && open->word == T_CONCAT && new_line && token->place.column <= open->indent && token->kind != '{' &&
        token->kind != '}' && token->kind != T_END && !is_declaration(token->kind)) {
        supply_close(reader, token, message(reader, "'}' is missing before '%s'", token));
        supply_separator(reader, token);
        reader->mended = true;
    }
    if (is_declaration(token->kind) && reader->depth && new_line && token->place.column > innermost(reader)->indent) {
        reader->now = (Statement){.first = T_GRAMMAR_error, .body_word = token->kind, .indent = reader->indent};
        token->error = message(reader, "'%s' stands outside of networks and blocks", token);
        token->kind = T_GRAMMAR_error;
    }
    if (is_declaration(token->kind) && reader->depth) {
        close_all(reader, token, message(reader, "'}' is missing before '%s'", token));
        supply_separator(reader, token);
    }
    begin_with_rest(reader, token);
    if (!reader->depth && !reader->now.first && !is_declaration(token->kind) && token->kind != T_END)
        begin_outside(reader, token);
}

/* ---- each token ---- */
/* A name may not be a word of the language; the declaration goes on as if it might. */
static void check_name(Reader *reader, Token *token) {
    if (reader->last < 0 || token->kind == T_IDENT || token->error || !isalpha((unsigned char)token->text[0])) return;
    int before = reader->parser->tokens[reader->last].kind, first = reader->now.first;
    bool name = before == T_NETWORK || before == T_BLOCK;
    bool param = (first == T_NETWORK || first == T_BLOCK) && reader->depth == 1 && (before == '(' || before == ',');
    if (!name && !param) return;
    token->kind = T_IDENT;
    token->value.text = token_text(reader, token);
    token->error = message(reader, "'%s' is a word of the language and cannot be a name", token);
}

static void take_open_brace(Reader *reader, Token *token, bool starts) {
    const Open *around = innermost(reader);
    if (starts && reader->depth > 1 && around->statement.first == '{' && around[-1].word == T_CONCAT) {
        supply_close(reader, token, "'}' is missing before '{'"); /* of the branch before */
        reader->mended = true;
        supply_separator(reader, token);
    }
    bool beside = reader->now.first == '{'; /* another branch, on its line */
    bool branch = (starts || beside) && reader->depth && innermost(reader)->word == T_CONCAT;
    const Token *last = reader->last >= 0 ? &reader->parser->tokens[reader->last] : NULL;
    bool unknown =
        reader->now.first == T_IDENT && last && last->kind == T_IDENT && !in_parens(reader) && !token->in_train;
    if (reader->now.body_word)
        for (const char *error = "')' is missing before '{'"; in_parens(reader); error = NULL) {
            supply(reader, innermost(reader)->kind == '(' ? ')' : ']', token, error);
            reader->depth--;
        }
    close_parens(reader);
    bool stray = !branch && !unknown && !reader->now.body_word;
    token->is_body = reader->now.body_word && reader->now.first == reader->now.body_word;
    if (reader->now.first == T_IF) token->is_body = true;
    if (stray) {
        token->kind = T_GRAMMAR_error;
        token->error = reader->mended ? NULL : "unexpected '{'; nothing before it has a body";
        reader->mended = true;
    }
    if (branch) reader->now = (Statement){.first = '{', .indent = reader->indent};
    open_bracket(reader, '{', false);
    reader->open[reader->depth - 1].stray = stray;
    push(reader, *token);
}

static void take_close_brace(Reader *reader, Token *token, bool new_line) {
    close_parens(reader);
    while (reader->depth && new_line && token->place.column < innermost(reader)->indent &&
           (innermost(reader)->supplied || innermost(reader)->stray)) {
        supply_close(reader, token, NULL);
        if (!reader->depth) supply_separator(reader, token);
    }
    if (!reader->depth) {
        begin_outside(reader, token);
        return push(reader, *token);
    }
    const Open *open = innermost(reader);
    bool stray = open->stray;
    if (new_line && token->place.column < open->indent && reader->unclosed < 0) reader->unclosed = open->token;
    close_body(reader);
    reader->dropping_rest = stray;
    if (!stray) push(reader, *token);
}

static bool is_operator(int kind) {
    switch (kind) {
    case T_EQ:
    case T_NE:
    case T_LE:
    case T_GE:
    case T_AND:
    case T_OR:
    case T_X:
        return true;
    default:
        return kind > 0 && kind < 128 && strchr("+-*/%<>?:=", kind);
    }
}

static bool is_newline(const Token *token) {
    return token->kind == TOKEN_NEWLINE || (token->kind == T_SEPARATOR && token->length && token->text[0] == '\n');
}

/* Was the next line meant to go on from here? It closes a bracket that it has not opened, or it stands further right
 * and an operand is missing here. The line should have ended in a comma, then, or not have ended. */
static bool next_line_goes_on(Reader *reader) {
    const Parser *parser = reader->parser;
    const char *at = parser->source->text + parser->offset, *start = at;
    at += strspn(at, " \t\r");
    if (reader->last >= 0 && is_operator(parser->tokens[reader->last].kind))
        return at - start >= reader->now.indent && *at && *at != '\n';
    if (!in_parens(reader)) return false;
    at += strspn(at, " \t\r\n\f");
    const int behind = (int)(at - parser->source->text);
    int depth = 0;
    for (; *at && *at != '\n' && !strchr("#;{}", *at); at++) {
        if (*at == '(' || *at == '[') depth++;
        if ((*at == ')' || *at == ']') && depth-- == 0) {
            reader->joined_until = behind;
            return true;
        }
    }
    return false;
}

/* Does it say no more than the separators before it? To the formatter two newlines are an empty line. */
static bool is_repeated(const Parser *parser, const Token *token) {
    const int count = parser->token_count;
    if (token->kind == T_SEPARATOR && !(parser->record && is_newline(token)))
        return count && parser->tokens[count - 1].kind == T_SEPARATOR;
    return is_newline(token) && count > 1 && is_newline(&parser->tokens[count - 1]) &&
           is_newline(&parser->tokens[count - 2]);
}

static void take_separator(Reader *reader, Token *token) {
    reader->may_declare = true;
    if (reader->dropping || reader->parser->offset <= reader->joined_until) return;
    if (token->text[0] == '\n' && next_line_goes_on(reader)) {
        token->kind = T_GRAMMAR_error;
        token->error = "unexpected end of line; a statement goes on in the next line only behind a ','";
        return push(reader, *token);
    }
    close_parens(reader);
    reader->dropping_rest = false;
    if (!is_repeated(reader->parser, token)) push(reader, *token);
    if (reader->now.first) reader->before = reader->now;
    reader->now = (Statement){0};
}

/* `if (a) relu`, `residual conv 8, 3x3`: a statement where `{` should stand. */
static void take_missing_body(Reader *reader, const Token *token) {
    const Statement *now = &reader->now;
    if (!now->body_word || now->has_body || reader->last < 0) return;
    int last = reader->parser->tokens[reader->last].kind;
    bool condition = now->body_word == T_IF && last == ')' && !in_parens(reader);
    bool word = last == T_RESIDUAL || last == T_GATE || last == T_ELSE;
    bool statement = begins_statement(token->kind) && !(last == T_ELSE && token->kind == T_IF) && token->kind != T_ELSE;
    if (token->kind == T_IDENT) statement = condition || last == T_ELSE;
    if ((condition || word) && statement) supply_body(reader, token);
}

static void take(Reader *reader, Token token) {
    bool new_line = token.place.line != reader->line || reader->last < 0;
    if (reader->dropping) {
        bool declares = is_declaration(token.kind) && reader->may_declare;
        if (token.kind == '}')
            reader->may_declare = true;
        else if (token.kind != T_END && !declares)
            reader->may_declare = false;
        if (token.kind != T_END && !declares) return;
        reader->dropping = false;
        supply_separator(reader, &token);
    }
    if (reader->dropping_rest && token.kind != '{' && token.kind != '}' && token.kind != T_END) return;
    if (new_line) reader->indent = token.place.column;
    reader->line = token.place.line;
    if (is_declaration(token.kind) && !reader->depth) reader->mended = false;
    if (is_declaration(token.kind) && reader->now.first && !reader->depth &&
        reader->parser->tokens[reader->last].kind == '}') {
        supply_separator(reader, &token);
        token.error = message(reader, "'%s' begins a line of its own", &token);
    }
    if (token.kind == T_ELSE && reader->depth && innermost(reader)->supplied && reader->now.first &&
        (innermost(reader)->word == T_IF || innermost(reader)->word == T_ELSE))
        supply_close(reader, &token, NULL);
    if (!reader->now.first && !reader->dropping_rest) begin_statement(reader, &token, new_line);
    if (!reader->dropping) take_missing_body(reader, &token);
    bool starts = !reader->now.first;
    check_name(reader, &token);
    if (token.kind == '{') return take_open_brace(reader, &token, starts);
    if (token.kind == '}') return take_close_brace(reader, &token, new_line);
    if (token.kind == T_END) close_all(reader, &token, "unexpected end of file; '}' is missing");
    if ((token.kind == ')' || token.kind == ']') && in_parens(reader)) reader->depth--;
    if (starts) {
        reader->now.first = token.kind;
        reader->now.indent = reader->indent;
    }
    if (has_body(token.kind)) {
        reader->now.body_word = token.kind;
        reader->now.has_body = false;
    }
    push(reader, token);
    if (token.kind == '(' || token.kind == '[') open_bracket(reader, token.kind, false);
}

void tokens_read(Parser *parser) {
    yyscan_t scanner;
    Reader reader = {.parser = parser, .last = -1, .unclosed = -1};
    parser->line = parser->column = 1;
    parser->at_start = true;
    scan_lex_init_extra(parser, &scanner);
    scan__scan_bytes(parser->source->text, (int)parser->source->size, scanner);
    Token token;
    do {
        GRAMMAR_STYPE value = {0};
        token = (Token){.place = {parser->source, parser->line, parser->column, 0}};
        token.offset = parser->offset;
        token.kind = scan_lex(&value, &token.place, scanner);
        if (token.kind != T_END)
            token.offset = parser->offset - token.place.length;
        else if (reader.last >= 0) {
            const Token *last = &parser->tokens[reader.last];
            token.place = place_end(last);
            token.offset = last->offset + last->place.length;
        }
        const int at = token.kind == T_END ? parser->offset : token.offset;
        token.text = parser->standard ? parser->standard : parser->source->text + at;
        token.length = parser->standard ? strlen(parser->standard) : (size_t)token.place.length;
        token.error = token.kind == T_GRAMMAR_error ? parser->error : NULL;
        memcpy(&token.value, &value, sizeof token.value);
        token.in_train = parser->train_nesting > 0;
        token.is_percent = token.kind == '%' && token.in_train && !parser->parens && !parser->name_braces;
        if (token.kind == T_SEPARATOR) {
            take_separator(&reader, &token);
        } else if (token.kind < 0) {
            if (parser->record && !is_repeated(parser, &token))
                ARENA_PUSH(&parser->token_arena, parser->tokens, parser->token_count, parser->token_capacity, token);
        } else {
            take(&reader, token);
        }
    } while (token.kind != T_END);
    scan_lex_destroy(scanner);
}

/* ---- to the parser ---- */
/* Where the parser may go on after an error: behind the statement, or at its body. */
static bool may_resume(const Parser *parser, int index, int first) {
    const Token *token = &parser->tokens[index];
    return token->kind == T_END || token->kind == '}' || (token->kind == T_SEPARATOR && !token->in_concat) ||
           (token->kind == '{' && token->is_body && parser->current > first);
}

int statement_start(const Parser *parser, int index) {
    int first = index;
    for (int depth = 0; index > 0; index--) {
        int kind = parser->tokens[index - 1].kind;
        if (kind < 0) continue;
        if (kind == '}') depth++;
        if (depth == 0 && (kind == '{' || kind == T_SEPARATOR)) break;
        if (kind == '{') depth--;
        first = index - 1;
    }
    return first;
}

static int resume_index(const Parser *parser) {
    int first = statement_start(parser, parser->current);
    for (int i = parser->current, depth = 0;; i++) {
        const Token *token = &parser->tokens[i];
        if (token->kind == T_END || (depth == 0 && may_resume(parser, i, first))) return i;
        depth += (token->kind == '{') - (token->kind == '}');
    }
}

void parser_recover(Parser *parser) {
    parser->recovering = !may_resume(parser, parser->current, statement_start(parser, parser->current));
}

int grammar_lex(GRAMMAR_STYPE *value, GRAMMAR_LTYPE *place, Parser *parser) {
    if (parser->recovering) parser->position = resume_index(parser);
    parser->recovering = false;
    while (parser->tokens[parser->position].kind < 0) parser->position++;
    const Token *token = &parser->tokens[parser->position];
    parser->current = parser->position;
    *place = token->place;
    if (parser->gave_up) return T_END;
    if (token->error) {
        diag_error(parser->diag, token->place, "%s", token->error);
        if (token->unclosed) diag_note(parser->diag, *token->unclosed, "this '{' is not closed");
    }
    if (token->kind == T_GRAMMAR_error) parser->recovering = true;
    if (token->kind != T_END) parser->position++;
    memcpy(value, &token->value, sizeof token->value);
    return token->kind;
}

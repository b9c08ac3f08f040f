/*
 * One trace as a tree. The walk keeps its own stack, so a chain of any depth is printed; from LEVELS_DRAWN on lines are indented no
 * further and say how deep they are.
 *
 * A line:  offset from the root's start, duration, the tree, what it is, and behind "!" what is wrong with it.
 */
#include "collector/commands/trace_print.h"

#include <stdlib.h>

#include "collector/base/clock.h"
#include "collector/commands/print.h"
#include "collector/wire/encoding.h"

enum { LEVELS_DRAWN = 60, NAME_MAX_SHOWN = 120, BODY_MAX = 300, SERVICES_SHOWN = 30 };
enum { STATUS_OK = 1, STATUS_ERROR = 2, SEVERITY_WARN = 13, SEVERITY_ERROR = 17 };

#define PLAIN "\x1b[0m"
#define BOLD "\x1b[1m"
#define DIM "\x1b[2m"
#define RED "\x1b[31m"
#define YELLOW "\x1b[33m"

struct frame {
    uint32_t node;
    size_t next;          /* entry */
    size_t children_left; /* nodes among the entries to come */
};

struct printer {
    const struct trace_tree *tree;
    struct trace_style style;
    struct buffer *out;
    struct frame *stack; /* owned */
    size_t depth, capacity;
};

static void colour(const struct printer *printer, const char *code)
{
    if (printer->style.colours)
        buffer_append_string(printer->out, code);
}

static void put_id(struct buffer *out, struct slice id)
{
    char hex[2 * TRACE_ID_SIZE];

    if (id.size > TRACE_ID_SIZE)
        return;
    encoding_write_hex(id, hex);
    buffer_append(out, hex, 2 * id.size);
}

static void put_service(const struct printer *printer, const struct trace_service *service)
{
    static const char *const codes[] = { "\x1b[36m", "\x1b[32m", "\x1b[35m", "\x1b[34m", "\x1b[96m", "\x1b[92m", "\x1b[95m", "\x1b[94m" };

    colour(printer, codes[service->number % (sizeof(codes) / sizeof(codes[0]))]);
    if (service->name.size > 0)
        print_text(printer->out, service->name, NAME_MAX_SHOWN);
    else
        buffer_append_string(printer->out, "(no service.name)");
    colour(printer, PLAIN);
}

/* ---- columns ---- */

static void put_right(struct buffer *out, const struct buffer *text, size_t width)
{
    buffer_printf(out, "%*s", text->size < width ? (int)(width - text->size) : 0, "");
    buffer_append_slice(out, buffer_slice(text));
}

/* Offset and duration; `time` 0: neither. */
static void put_times(const struct printer *printer, uint64_t time, const struct trace_span *span)
{
    struct buffer text = { 0 };

    colour(printer, DIM);
    if (time != 0) {
        buffer_append_string(&text, time >= printer->tree->base ? "+" : "");
        print_duration(&text, (int64_t)(time - printer->tree->base));
    }
    put_right(printer->out, &text, 11);
    buffer_clear(&text);
    if (span != NULL && span->view.end_time == 0)
        buffer_append_string(&text, "no end");
    else if (span != NULL)
        print_duration(&text, (int64_t)(span->view.end_time - span->view.start_time));
    put_right(printer->out, &text, 11);
    buffer_append_string(printer->out, "  ");
    colour(printer, PLAIN);
    buffer_fini(&text);
}

/* The lines that come down from above: of each level but the roots', whether more children follow there. */
static void put_branches(const struct printer *printer, size_t levels)
{
    colour(printer, DIM);
    for (size_t i = 1; i < levels && i <= LEVELS_DRAWN; i++)
        buffer_append_string(printer->out, printer->stack[i].children_left > 0 ? "│  " : "   ");
    if (levels > LEVELS_DRAWN)
        buffer_printf(printer->out, "(level %zu) ", levels);
    colour(printer, PLAIN);
}

static void put_branch_of_node(const struct printer *printer)
{
    size_t level = printer->depth - 1; /* of the parent */

    if (level == 0)
        return;
    put_branches(printer, level);
    colour(printer, DIM);
    buffer_append_string(printer->out, printer->stack[level].children_left > 0 ? "├─ " : "└─ ");
    colour(printer, PLAIN);
}

static void put_branch_of_detail(const struct printer *printer)
{
    size_t level = printer->depth - 1;

    put_branches(printer, level);
    colour(printer, DIM);
    if (level > 0)
        buffer_append_string(printer->out, printer->stack[level].children_left > 0 ? "│ " : "  ");
    buffer_append_string(printer->out, "· ");
    colour(printer, PLAIN);
}

/* ---- what is wrong ---- */

static void warn(const struct printer *printer, const char *text)
{
    colour(printer, YELLOW);
    buffer_printf(printer->out, "  ! %s", text);
    colour(printer, PLAIN);
}

static void warn_of_skew(const struct printer *printer, const struct trace_node *node)
{
    struct trace_skew skew = trace_skew_of(printer->tree, node);
    struct buffer text = { 0 };

    if (skew.starts_before == 0 && skew.ends_after == 0)
        return;
    if (skew.clocks)
        buffer_append_string(&text, "clock skew: ");
    if (skew.starts_before > 0) {
        buffer_append_string(&text, "starts ");
        print_duration(&text, (int64_t)skew.starts_before);
        buffer_append_string(&text, " before its parent");
    }
    if (skew.ends_after > 0) {
        buffer_append_string(&text, skew.starts_before > 0 ? ", ends " : "ends ");
        print_duration(&text, (int64_t)skew.ends_after);
        buffer_append_string(&text, skew.starts_before > 0 ? " after it" : " after its parent");
    }
    warn(printer, buffer_string(&text));
    buffer_fini(&text);
}

/* A service that the span says it called, and of which nothing is here. */
static void warn_of_missing_service(const struct printer *printer, const struct trace_span *span)
{
    static const struct slice keys[] = { SLICE_INIT("service.peer.name"), SLICE_INIT("peer.service") };
    struct buffer text = { 0 };

    for (size_t i = 0; i < 2 && text.size == 0; i++) {
        struct otlp_value value;
        const struct trace_service *service;

        if (!otlp_find_attribute(span->view.body, OTLP_ATTRIBUTES_OF_SPAN, keys[i], &value) || value.kind != OTLP_VALUE_STRING ||
            value.bytes.size == 0)
            continue;
        service = trace_find_service(printer->tree->trace, value.bytes);
        if (service != NULL && service->spans > 0)
            break;
        buffer_append_string(&text, "no span of the service \"");
        print_text(&text, value.bytes, NAME_MAX_SHOWN);
        buffer_append_string(&text, "\" is here");
    }
    if (text.size > 0)
        warn(printer, buffer_string(&text));
    buffer_fini(&text);
}

static void put_warnings(const struct printer *printer, const struct trace_node *node)
{
    const struct trace_span *span = node->span;

    if (node->loop)
        warn(printer, "its parents lead back to itself");
    if (span->shares_id)
        warn(printer, "another span has the same id");
    if (span->view.end_time != 0 && span->view.end_time < span->view.start_time)
        warn(printer, "ends before it starts");
    warn_of_skew(printer, node);
    warn_of_missing_service(printer, span);
}

/* ---- lines ---- */

static void put_status(const struct printer *printer, const struct otlp_span *view)
{
    if (view->status_code == STATUS_OK)
        buffer_append_string(printer->out, " ok");
    if (view->status_code != STATUS_ERROR)
        return;
    colour(printer, RED);
    buffer_append_string(printer->out, " ERROR");
    if (view->status_message.size > 0)
        buffer_append_string(printer->out, ": ");
    print_text(printer->out, view->status_message, BODY_MAX);
    colour(printer, PLAIN);
}

static void put_span(const struct printer *printer, const struct trace_node *node)
{
    static const char *const kinds[] = { "", "", " [server]", " [client]", " [producer]", " [consumer]" };
    const struct otlp_span *view = &node->span->view;

    put_times(printer, view->start_time, node->span);
    put_branch_of_node(printer);
    put_service(printer, node->span->resource->service);
    buffer_append_string(printer->out, ": ");
    colour(printer, BOLD);
    print_text(printer->out, view->name, NAME_MAX_SHOWN);
    colour(printer, PLAIN);
    if (view->kind < sizeof(kinds) / sizeof(kinds[0]))
        buffer_append_string(printer->out, kinds[view->kind]);
    put_status(printer, view);
    colour(printer, DIM);
    trace_print_attributes((struct trace_attributes){ view->body, OTLP_ATTRIBUTES_OF_SPAN, printer->style, view->name }, printer->out);
    colour(printer, PLAIN);
    put_warnings(printer, node);
    buffer_append_byte(printer->out, '\n');
}

static void put_missing(const struct printer *printer, const struct trace_node *node)
{
    static const char *const words[] = {
        [TRACE_MISSING] = "is not here",
        [TRACE_MISSING_REMOTE] = "of another service is not here",
        [TRACE_MISSING_LOCAL] = "of the same service is not here",
    };

    put_times(printer, 0, NULL);
    put_branch_of_node(printer);
    colour(printer, YELLOW);
    buffer_append_string(printer->out, "! missing: span ");
    put_id(printer->out, node->id);
    buffer_printf(printer->out, " %s\n", words[node->missing]);
    colour(printer, PLAIN);
}

static void put_log(const struct printer *printer, const struct trace_log *log)
{
    const struct otlp_log *view = &log->view;
    const struct trace_span *span = printer->tree->nodes[printer->stack[printer->depth - 1].node].span;
    char severity[8];

    put_times(printer, log->time, NULL);
    put_branch_of_detail(printer);
    if (view->severity_number >= SEVERITY_WARN)
        colour(printer, view->severity_number >= SEVERITY_ERROR ? RED : YELLOW);
    if (view->severity_text.size > 0)
        print_text(printer->out, view->severity_text, 20);
    else
        buffer_append_string(printer->out, view->severity_number != 0 ? print_severity(view->severity_number, severity) : "log");
    colour(printer, PLAIN);
    buffer_append_byte(printer->out, ' ');
    if (span == NULL || span->resource->service != log->resource->service) {
        put_service(printer, log->resource->service);
        buffer_append_string(printer->out, ": ");
    }
    if (view->value.size == 0 && view->event_name.size > 0)
        print_text(printer->out, view->event_name, NAME_MAX_SHOWN);
    print_value(printer->out, view->value, printer->style.all_attributes ? 0 : BODY_MAX);
    colour(printer, DIM);
    trace_print_attributes((struct trace_attributes){ view->body, OTLP_ATTRIBUTES_OF_LOG, printer->style, { NULL, 0 } }, printer->out);
    colour(printer, PLAIN);
    buffer_append_byte(printer->out, '\n');
}

static void put_event(const struct printer *printer, const struct trace_entry *entry)
{
    struct pb_reader reader = pb_reader_of(entry->body);
    struct pb_field field;
    struct slice name = { NULL, 0 };

    while (pb_next(&reader, &field))
        if (field.number == 2 && field.type == PB_BYTES)
            name = field.bytes;
    put_times(printer, entry->time, NULL);
    put_branch_of_detail(printer);
    buffer_append_string(printer->out, "event ");
    print_text(printer->out, name, NAME_MAX_SHOWN);
    colour(printer, DIM);
    trace_print_attributes(
        (struct trace_attributes){ entry->body, OTLP_ATTRIBUTES_OF_SPAN_EVENT, printer->style, { NULL, 0 } }, printer->out);
    colour(printer, PLAIN);
    buffer_append_byte(printer->out, '\n');
}

static void put_link(const struct printer *printer, const struct trace_entry *entry)
{
    struct pb_reader reader = pb_reader_of(entry->body);
    struct pb_field field;

    put_times(printer, 0, NULL);
    put_branch_of_detail(printer);
    buffer_append_string(printer->out, "link to");
    while (pb_next(&reader, &field)) {
        if (field.type != PB_BYTES || (field.number != 1 && field.number != 2))
            continue;
        buffer_append_string(printer->out, field.number == 1 ? " trace " : " span ");
        put_id(printer->out, field.bytes);
    }
    colour(printer, DIM);
    trace_print_attributes(
        (struct trace_attributes){ entry->body, OTLP_ATTRIBUTES_OF_SPAN_LINK, printer->style, { NULL, 0 } }, printer->out);
    colour(printer, PLAIN);
    buffer_append_byte(printer->out, '\n');
}

/* ---- the walk ---- */

static void push(struct printer *printer, uint32_t node)
{
    if (printer->depth == printer->capacity) {
        printer->capacity = printer->capacity * 2 + 64;
        printer->stack = realloc(printer->stack, printer->capacity * sizeof(*printer->stack));
        if (printer->stack == NULL)
            abort();
    }
    printer->stack[printer->depth++] = (struct frame){ node, printer->tree->nodes[node].first, printer->tree->nodes[node].children };
}

static void put_node(struct printer *printer, uint32_t number)
{
    const struct trace_node *node = &printer->tree->nodes[number];

    printer->stack[printer->depth - 1].children_left--;
    if (node->span != NULL)
        put_span(printer, node);
    else
        put_missing(printer, node);
    push(printer, number);
}

static void put_tree(struct printer *printer)
{
    push(printer, TRACE_ROOTS);
    while (printer->depth > 0 && print_flush_large(printer->out)) {
        struct frame *top = &printer->stack[printer->depth - 1];
        const struct trace_node *node = &printer->tree->nodes[top->node];
        const struct trace_entry *entry;

        if (top->next == node->first + node->count) {
            printer->depth--;
            continue;
        }
        entry = &printer->tree->entries[top->next++];
        if (entry->kind == TRACE_ENTRY_NODE)
            put_node(printer, entry->node);
        else if (entry->kind == TRACE_ENTRY_LOG)
            put_log(printer, entry->log);
        else if (entry->kind == TRACE_ENTRY_EVENT)
            put_event(printer, entry);
        else
            put_link(printer, entry);
    }
}

/* ---- the head ---- */

static void put_services(const struct printer *printer)
{
    const struct trace_tree *tree = printer->tree;
    size_t count = 0;

    buffer_printf(printer->out, "%zu service%s: ", tree->service_count, tree->service_count == 1 ? "" : "s");
    for (const struct trace_service *service = tree->services; service != NULL && count < SERVICES_SHOWN; service = service->below) {
        if (count++ > 0)
            buffer_append_string(printer->out, ", ");
        put_service(printer, service);
    }
    buffer_append_string(printer->out, tree->service_count > SERVICES_SHOWN ? ", ...\n" : "\n");
}

static void put_finding(const struct printer *printer, size_t count, const char *one, const char *many)
{
    if (count == 0)
        return;
    colour(printer, YELLOW);
    buffer_printf(printer->out, "! %zu %s\n", count, count == 1 ? one : many);
    colour(printer, PLAIN);
}

static void put_findings(const struct printer *printer)
{
    const struct trace_tree *tree = printer->tree;
    size_t errors = 0, skewed = 0, roots = 0;

    for (size_t i = 1; i < tree->node_count; i++) {
        const struct trace_node *node = &tree->nodes[i];

        errors += node->span != NULL && node->span->view.status_code == STATUS_ERROR;
        skewed += trace_skew_of(tree, node).clocks;
        roots += node->span != NULL && node->parent == TRACE_ROOTS && !node->loop;
    }
    put_finding(printer, errors, "span has the status error", "spans have the status error");
    put_finding(printer, tree->missing_parents, "span has a parent that is not here", "spans have a parent that is not here");
    put_finding(printer, roots > 1 ? roots : 0, "", "spans have no parent: this trace has several roots");
    put_finding(printer, tree->loops, "circle of parents", "circles of parents");
    put_finding(printer, skewed, "span whose times show clock skew", "spans whose times show clock skew");
    put_finding(
        printer, tree->trace->duplicates, "record was there twice and is shown once", "records were there twice and are shown once");
    put_finding(
        printer, tree->trace->left_out, "record is left out: the trace is too large", "records are left out: the trace is too large");
}

static void put_head(const struct printer *printer)
{
    const struct trace_tree *tree = printer->tree;
    const struct trace *trace = tree->trace;
    char begin[CLOCK_RFC3339_SIZE];

    colour(printer, BOLD);
    buffer_append_string(printer->out, "trace ");
    put_id(printer->out, slice_of(trace->id, TRACE_ID_SIZE));
    colour(printer, PLAIN);
    clock_format_rfc3339(tree->first, begin);
    buffer_printf(printer->out, "\n%s, ", tree->first != 0 ? begin : "no time");
    print_duration(printer->out, (int64_t)(tree->last - tree->first));
    buffer_printf(printer->out, ", %zu span%s, %zu log record%s, ", trace->span_count, trace->span_count == 1 ? "" : "s", trace->log_count,
        trace->log_count == 1 ? "" : "s");
    put_services(printer);
    put_findings(printer);
    buffer_append_byte(printer->out, '\n');
}

void trace_print(const struct trace_tree *tree, struct trace_style style, struct buffer *out)
{
    struct printer printer = { .tree = tree, .style = style, .out = out };

    put_head(&printer);
    put_tree(&printer);
    free(printer.stack);
}

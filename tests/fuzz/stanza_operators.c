/* Operators over lines: the first byte chooses the chain, the rest are lines. What is written has to be OTLP, and every record is sent or dropped. */
#include <assert.h>
#include <stdlib.h>

#include "collector/config/reader.h"
#include "collector/stanza/pipeline.h"
#include "collector/wire/otlp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const chains[] = {
    "[{type: json_parser, parse_to: body}, {type: flatten, field: body.a}, {type: move, from: body.b, to: attributes.c}]",
    "[{type: csv_parser, header: 'a,b,c'}, {type: csv_parser, header: 'a,b', lazy_quotes: true}, {type: csv_parser, header: 'x,y', "
    "ignore_quotes: true}]",
    "[{type: key_value_parser}, {type: key_value_parser, delimiter: '->', pair_delimiter: '; '}]",
    "[{type: uri_parser}, {type: unquote, field: body}, {type: regex_replace, field: body, regex: '(\\w)x*', replace_with: '$1-$$'}]",
    "[{type: syslog_parser, protocol: rfc3164, allow_skip_pri_header: true}, {type: syslog_parser, protocol: rfc5424}]",
    "[{type: syslog_parser, protocol: rfc5424, enable_octet_counting: true}]",
    "[{type: container, add_metadata_from_filepath: false}, {type: json_parser}]",
    "[{type: copy, from: body, to: 'attributes[\"log.file.path\"]'}, {type: container, format: docker}, {type: container}]",
    "[{type: recombine, combine_field: body, is_first_entry: 'body matches \"^[^ ]\"', max_batch_size: 5, max_sources: 2, "
    "source_identifier: attributes.x}]",
    "[{type: time_parser, parse_from: body, layout: '%Y-%m-%dT%H:%M:%S.%L%z'}, {type: time_parser, parse_from: body, layout_type: gotime, "
    "layout: 'Jan _2 3:04:05.000 PM MST 2006'},"
    " {type: time_parser, parse_from: body, layout_type: epoch, layout: s.us}]",
    "[{type: severity_parser, parse_from: body, mapping: {error: 5xx}}, {type: trace_parser, trace_id: {parse_from: body}}, {type: "
    "sanitize_utf8}, {type: scope_name_parser, parse_from: body}]",
    "[{type: regex_parser, regex: '^(?P<a>[^ ]*) (?P<b>\\d+)( (?P<c>.*))?$'}, {type: router, routes: [{expr: 'attributes.b > \"5\"', "
    "output: x}], default: x}, {type: add, id: x, field: attributes.n, value: 'EXPR(len(body))'}]",
    "[{type: json_array_parser, header: 'a,b'}, {type: retain, fields: [body.a]}, {type: filter, expr: 'body.a == nil'}]",
};
enum { CHAINS = sizeof(chains) / sizeof(chains[0]) };

struct chain {
    struct arena arena;
    struct stanza_pipeline *pipeline;
    struct stanza_writer writer;
};

static void write_record(void *context, struct stanza_record *record)
{
    stanza_writer_add(&((struct chain *)context)->writer, record);
}

static struct chain *chain_of(size_t number)
{
    static struct chain made[CHAINS];
    struct chain *chain = &made[number];
    struct config_errors errors = { .arena = &chain->arena };
    struct config_reading reading = { &chain->arena, &errors, CONFIG_NODES_MAX, 1 << 20 };
    struct config_text text = { slice_of_string(chains[number]), "fuzz", NULL, false };
    struct stanza_sink sink = { write_record, NULL, chain };
    struct error err = { "" };

    if (chain->pipeline != NULL)
        return chain;
    chain->pipeline = stanza_pipeline_create(config_read_yaml(&reading, &text), &err);
    assert(chain->pipeline != NULL);
    stanza_pipeline_set_sink(chain->pipeline, &sink);
    return chain;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct stanza_memory memory;
    struct chain *chain;
    struct slice rest;

    if (size == 0)
        return 0;
    chain = chain_of(data[0] % CHAINS);
    rest = slice_of(data + 1, size - 1);
    stanza_writer_clear(&chain->writer);
    while (rest.size > 0) {
        const uint8_t *end = memchr(rest.data, '\n', rest.size);
        size_t line = end != NULL ? (size_t)(end - rest.data) : rest.size;
        struct stanza_record record = {
            .memory = &memory, .body = stanza_string(slice_of(rest.data, line)), .observed_ns = 1795241228000000000
        };
        stanza_memory_reset(&memory);
        stanza_pipeline_process(chain->pipeline, &record);
        rest = slice_of(rest.data + line + (end != NULL), rest.size - line - (end != NULL));
    }
    stanza_pipeline_flush(chain->pipeline, 1, true);
    stanza_writer_end(&chain->writer);
    struct otlp_check check = otlp_check(SIGNAL_LOGS, buffer_slice(&chain->writer.out));
    assert(check.fault == OTLP_OK && check.records == chain->writer.records);
    return 0;
}

/* A span driven by bytes: any order of calls with any text and values leaves OTLP that reads back, with limits kept. */
#include <assert.h>
#include <stdlib.h>

#include "collector/wire/protobuf.h"
#include "sdk/src/record.h"
#include "weir/weir.h"

struct input {
    const uint8_t *at, *end;
};

static uint8_t byte_of(struct input *input)
{
    return input->at < input->end ? *input->at++ : 0;
}

static weir_str text_of(struct input *input)
{
    size_t size = byte_of(input);
    size_t left = (size_t)(input->end - input->at);

    if (size > 250)
        size *= 40;
    if (size > left)
        size = left;
    weir_str text = weir_sn((const char *)input->at, size);
    input->at += size;
    return text;
}

static weir_attr attr_of(struct input *input, int depth)
{
    static _Thread_local weir_attr items[4][3];
    weir_attr attr = weir_kv_str(text_of(input), weir_sn(NULL, 0));

    switch (byte_of(input) % 8) {
    case 0:
        attr.v.str = text_of(input);
        break;
    case 1:
        attr.type = WEIR_BYTES;
        attr.v.str = text_of(input);
        break;
    case 2:
        attr.type = WEIR_INT;
        attr.v.i64 = (int64_t)((uint64_t)byte_of(input) << (byte_of(input) % 64));
        break;
    case 3:
        attr.type = WEIR_DOUBLE;
        attr.v.f64 = byte_of(input);
        break;
    case 4:
        attr.type = byte_of(input); /* any, mostly none that exists */
        attr.type = attr.type > WEIR_MAP ? attr.type : WEIR_NONE;
        break;
    default:
        if (depth < 4) {
            for (int i = 0; i < 3; i++)
                items[depth][i] = attr_of(input, depth + 1);
            attr.type = byte_of(input) % 2 != 0 ? WEIR_MAP : WEIR_LIST;
            attr.n = 3;
            attr.v.items = items[depth];
        }
        break;
    }
    return attr;
}

static void check_message(struct slice bytes, int depth)
{
    struct pb_reader reader = pb_reader_of(bytes);
    struct pb_field field;
    unsigned attributes = 0;

    while (pb_next(&reader, &field))
        attributes += field.number == SPAN_ATTRIBUTES && depth == 3;
    assert(!reader.failed && attributes <= 128);
}

/* request, resource group, scope group, span */
static void check(struct slice bytes, int depth)
{
    static const uint32_t inner[] = { 1, 2, 2 };
    struct pb_reader reader = pb_reader_of(bytes);
    struct pb_field field;

    check_message(bytes, depth);
    while (depth < 3 && pb_next(&reader, &field)) {
        if (field.number == inner[depth])
            check(field.bytes, depth + 1);
    }
}

static int export(weir_signal signal, const void *otlp, size_t size, void *user)
{
    (void)user;
    if (signal == WEIR_SIGNAL_TRACES)
        check(slice_of(otlp, size), 0);
    return 0;
}

static void start(void)
{
    static bool started;
    weir_config config = weir_config_default();

    if (started)
        return;
    started = true;
    config.no_environment = config.no_thread = true;
    config.export_fn = export;
    if (weir_init(&config) != 0)
        abort();
}

static void step(weir_span *span, struct input *input)
{
    weir_attr attr;

    switch (byte_of(input) % 7) {
    case 0:
        weir_span_rename(span, text_of(input));
        break;
    case 1:
        weir_span_status(span, (weir_status)(byte_of(input) % 4), text_of(input));
        break;
    case 2:
        attr = attr_of(input, 0);
        weir_span_event(span, text_of(input), weir_attrs_of(&attr, 1), byte_of(input));
        break;
    case 3:
        attr = attr_of(input, 0);
        weir_span_link(span, &span->ctx, weir_attrs_of(&attr, 1));
        break;
    default:
        attr = attr_of(input, 0);
        weir_span_set(span, attr);
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = { data, data + size };
    weir_span span;

    start();
    weir_span_begin(&span, NULL, text_of(&input), NULL);
    while (input.at < input.end)
        step(&span, &input);
    weir_span_end(&span);
    weir_stats_values stats = { .size = sizeof(stats) };
    weir_flush(1000);
    weir_stats(&stats);
    assert(stats.spans_dropped == 0 && stats.spans_live == 0);
    return 0;
}

/* Graphite's lines and pickles from anybody: what is taken must come out as well-formed OTLP. The first byte says which. */
#include <assert.h>

#include "collector/wire/otlp.h"
#include "receivers/carbon/line.h"
#include "receivers/carbon/pickle.h"
#include "receivers/statsd/line.h"

static struct carbon_rules rules;

static void take(void *context, const struct carbon_point *point)
{
    carbon_write(&rules, point, context);
}

static void ignore(void *context, const char *reason)
{
    (void)context;
    assert(reason != NULL);
}

static void init_rules(void)
{
    static const struct carbon_rule_settings settings[] = { { "^r\\.(?P<key_a>[^.]*)\\.(?P<name_0>.*)$", "p", { NULL, 0 }, 1 } };
    struct error err;

    if (rules.count == 0)
        assert(carbon_rules_init(&rules, &(struct option_list){ settings, 1 }, ".", &err));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice rest = slice_of(data, size), line;
    struct buffer request = { 0 };
    struct metric_writer writer = metric_writer_of(&request);
    struct pickle_visit visit = { &writer, take, ignore };
    struct carbon_point point;
    struct otlp_check check;

    init_rules();
    metric_write_group(&writer);
    metric_write_scope(&writer, SLICE("fuzz"), SLICE(""));
    if (size > 0 && data[0] == 'P')
        pickle_read(slice_of(data + 1, size - 1), 1, &visit);
    else
        while (rest.size > 0 && statsd_next_item(&rest, '\n', &line))
            if (carbon_line(line, 1, &point) == NULL)
                take(&writer, &point);
    metric_write_end_group(&writer);
    check = otlp_check(SIGNAL_METRICS, buffer_slice(&request));
    assert(check.fault == OTLP_OK && check.records == writer.points);
    buffer_fini(&request);
    return 0;
}

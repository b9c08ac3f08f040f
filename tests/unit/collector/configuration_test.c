/* Whole configurations, against a registry of toys: what is connected to what, what is refused and with which words, and the commands. */
#include "collector/commands.h"
#include "collector/configuration.h"
#include "collector/delivery.h"
#include "collector/registry.h"
#include "collector/base/log.h"
#include "tests/unit/config/loaded.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- toys ---- */

struct exporter {
    struct component base;
    const char *endpoint;
    struct delivery_settings delivery;
};

static const struct option exporter_options[] = {
    { "endpoint", OPTION_STRING, offsetof(struct exporter, endpoint), "localhost:1", NULL, "where" },
    { "", OPTION_INCLUDE, offsetof(struct exporter, delivery), NULL, NULL, NULL, delivery_options },
    { 0 },
};

static bool exporter_validate(struct component *component, struct error *err)
{
    struct exporter *self = (struct exporter *)component;

    if (strcmp(self->endpoint, "bad") == 0) {
        snprintf(err->message, sizeof(err->message), "endpoint \"%s\" of %s is bad", self->endpoint, component->id);
        return false;
    }
    return true;
}

static const char *const exporter_aliases[] = { "out", NULL };
static const struct component_type receiver_type = {
    .name = "in", .kind = COMPONENT_RECEIVER, .signals = SIGNALS_ALL, .instance_size = sizeof(struct component)
};
static const struct component_type traces_type = {
    .name = "traces_only", .kind = COMPONENT_RECEIVER, .signals = SIGNALS_TRACES, .instance_size = sizeof(struct component)
};
static const struct component_type processor_type = {
    .name = "pass", .kind = COMPONENT_PROCESSOR, .signals = SIGNALS_TRACES | SIGNALS_LOGS, .instance_size = sizeof(struct component)
};
static const struct component_type forward_type = {
    .name = "forward", .kind = COMPONENT_CONNECTOR, .signals = SIGNALS_ALL, .instance_size = sizeof(struct component)
};
static const struct component_type count_type = { .name = "count",
    .kind = COMPONENT_CONNECTOR,
    .signals = SIGNALS_TRACES,
    .outputs = { [SIGNAL_TRACES] = SIGNALS_METRICS },
    .instance_size = sizeof(struct component) };
static const struct component_type exporter_type = { .name = "out_new",
    .aliases = exporter_aliases,
    .kind = COMPONENT_EXPORTER,
    .signals = SIGNALS_ALL,
    .summary = "Sends.",
    .options = exporter_options,
    .instance_size = sizeof(struct exporter),
    .validate = exporter_validate,
    .delivery_offset = offsetof(struct exporter, delivery) };
static const struct component_type extension_type = {
    .name = "health", .kind = COMPONENT_EXTENSION, .instance_size = sizeof(struct component)
};

const struct component_type *const registry[] = { &receiver_type, &traces_type, &processor_type, &forward_type, &count_type, &exporter_type,
    &extension_type, NULL };

/* ---- loading ---- */

static struct configuration *load(struct loaded *loaded, const char *text)
{
    char *source = malloc(strlen(text) + 6);
    struct configuration *configuration;

    *loaded = (struct loaded){ .tree = NULL };
    loaded->errors.arena = &loaded->arena;
    strcpy(source, "yaml:");
    strcat(source, text);
    configuration = configuration_load(&(struct config_source){ source, false }, 1, &loaded->errors);
    free(source);
    assert_true((configuration == NULL) == (loaded->errors.count > 0));
    return configuration;
}

static const char good[] = "receivers: {in: , in/2: , traces_only: }\nprocessors: {pass: }\nconnectors: {forward: , count: }\n"
                           "exporters: {out_new: , out/2: {endpoint: x}}\nextensions: {health: , health/2: }\n"
                           "service:\n  extensions: [health]\n  pipelines:\n"
                           "    traces: {receivers: [in, traces_only], processors: [pass], exporters: [forward, count, out_new]}\n"
                           "    traces/2: {receivers: [forward], exporters: [out/2]}\n"
                           "    metrics: {receivers: [count], exporters: [out_new]}\n"
                           "  telemetry:\n    logs: {level: DEBUG, encoding: json, sampling: {initial: 3}}\n"
                           "    metrics: {level: detailed, readers: [{pull: {exporter: {prometheus: {port: 9999}}}}]}\n"
                           "    resource: {service.instance.id: , deployment: test}\n";

static void test_good(void **state)
{
    struct loaded loaded;
    struct configuration *configuration = load(&loaded, good);
    const struct configuration_pipeline *pipeline;

    (void)state;
    assert_no_errors(&loaded);
    assert_int_equal(configuration->component_count, 10);
    assert_string_equal(configuration->components[0].path, "receivers.in");
    assert_int_equal(configuration->pipeline_count, 3);
    pipeline = &configuration->pipelines[0];
    assert_int_equal(pipeline->signal, SIGNAL_TRACES);
    assert_int_equal(pipeline->receivers.count, 2);
    assert_ptr_equal(pipeline->exporters.items[0], configuration_find(configuration, COMPONENT_CONNECTOR, "forward"));
    assert_ptr_equal(configuration->pipelines[1].receivers.items[0]->type, &forward_type);
    assert_ptr_equal(configuration->pipelines[1].exporters.items[0]->type, &exporter_type);
    assert_int_equal(configuration->extensions.count, 1);
    assert_false(configuration_find(configuration, COMPONENT_RECEIVER, "in/2")->used);
    assert_null(configuration_find(configuration, COMPONENT_EXPORTER, "in"));
    assert_int_equal(loaded.errors.warnings, 3);
    assert_string_equal(error_text(&loaded, 0), "yaml:1:19: receivers.in/2: is used by no pipeline and is not started");
    assert_string_equal(error_text(&loaded, 1), "yaml:4:24: exporters.out/2: \"out\" is the former name of \"out_new\"");
    assert_string_equal(error_text(&loaded, 2), "yaml:5:24: extensions.health/2: is not listed in service.extensions and is not started");
    configuration_destroy(configuration);
    unload(&loaded);
}

static void test_telemetry(void **state)
{
    struct loaded loaded;
    struct configuration *configuration = load(&loaded, good);
    const struct telemetry_settings *telemetry = &configuration->telemetry;

    (void)state;
    assert_int_equal(telemetry->logs.level, LOG_DEBUG);
    assert_true(telemetry->logs.json && telemetry->logs.sampling);
    assert_int_equal(telemetry->logs.sampling_initial, 3);
    assert_int_equal(telemetry->logs.sampling_thereafter, 100);
    assert_string_equal(telemetry->logs.output_paths.items[0], "stderr");
    assert_int_equal(telemetry->metrics.level, TELEMETRY_METRICS_DETAILED);
    assert_int_equal(telemetry->metrics.reader_count, 1);
    assert_string_equal(telemetry->metrics.readers[0].host, "localhost");
    assert_int_equal(telemetry->metrics.readers[0].port, 9999);
    assert_false(telemetry->metrics.readers[0].without_units);
    assert_int_equal(telemetry->resource.count, 2);
    assert_null(telemetry->resource.items[0].value);
    assert_string_equal(telemetry->resource.items[1].value, "test");
    configuration_destroy(configuration);
    unload(&loaded);
}

#define ONE_PIPELINE "receivers: {in: }\nexporters: {out_new: }\nservice: {pipelines: {traces: {receivers: [in], exporters: [out_new]}}"

static void test_telemetry_defaults(void **state)
{
    static const struct {
        const char *telemetry;
        size_t readers;
    } cases[] = { { "", 1 }, { ", telemetry: {metrics: {level: none}}", 0 }, { ", telemetry: {metrics: {readers: []}}", 0 },
        { ", telemetry: {metrics: {address: 'x:1'}, resource: {attributes: [{name: a, value: 5}], schema_url: u}}", 1 } };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct loaded loaded;
        struct configuration *configuration;
        char text[512];

        snprintf(text, sizeof(text), ONE_PIPELINE "%s}", cases[i].telemetry);
        configuration = load(&loaded, text);
        assert_no_errors(&loaded);
        assert_int_equal(configuration->telemetry.metrics.reader_count, cases[i].readers);
        assert_int_equal(configuration->telemetry.logs.level, LOG_INFO);
        if (i == 0) {
            assert_int_equal(configuration->telemetry.metrics.readers[0].port, 8888);
            assert_true(configuration->telemetry.metrics.readers[0].without_units);
        }
        if (i == 3)
            assert_string_equal(configuration->telemetry.resource.items[0].value, "5");
        configuration_destroy(configuration);
        unload(&loaded);
    }
}

static void assert_refused(const char *text, const char *sentence)
{
    struct loaded loaded;
    const struct config_error *error;

    assert_null(load(&loaded, text));
    for (error = loaded.errors.first; error != NULL; error = error->next)
        if (!error->warning && strstr(error->text, sentence) != NULL)
            break;
    if (error == NULL)
        fail_msg("\"%s\": %s", sentence, error_text(&loaded, 0));
    unload(&loaded);
}

#define SERVICE "\nservice: {pipelines: {traces: {receivers: [in], exporters: [out_new]}}}\n"

static void test_refusals(void **state)
{
    static const struct {
        const char *text, *sentence;
    } cases[] = {
        { "", "the key \"service\" is missing" },
        { "recievers: {}" SERVICE, "yaml:1:1: recievers: unknown key, did you mean \"receivers\"?" },
        { "receivers: [in]" SERVICE, "yaml:1:12: receivers: expected a map of components by id" },
        { "receivers: {kafka: }" SERVICE, "receivers.kafka: unknown receiver type \"kafka\"; weir does not have it yet" },
        { "receivers: {file_log/2: }" SERVICE, "receivers.file_log/2: unknown receiver type \"file_log\"; weir does not have it yet" },
        { "processors: {pas: }" SERVICE, "processors.pas: unknown processor type \"pas\", did you mean \"pass\"?" },
        { "processors: {in: }" SERVICE, "unknown processor type \"in\"; there is a receiver of that name, which stands under receivers" },
        { "exporters: {zzzzzzzzz: }" SERVICE, "unknown exporter type \"zzzzzzzzz\"; `weir components` lists what there is" },
        { "exporters: {logging: }" SERVICE, "exporters.logging: the exporter type \"logging\" was removed: use debug" },
        { "extensions: {memory_ballast: }" SERVICE, "was removed: leave it out" },
        { "processors: {routing: }" SERVICE, "it is a connector now" },
        { "receivers: {in/: }" SERVICE, "receivers.in/: \"in/\" is not a component id" },
        { "receivers: {in: {x: 1}}" SERVICE, "yaml:1:18: receivers.in.x: unknown key" },
        { "receivers: {in: 5}" SERVICE, "yaml:1:17: receivers.in: expected a map, found the number 5" },
        { "exporters: {out_new: {endpoint: bad}}" SERVICE, "yaml:1:13: exporters.out_new: endpoint \"bad\" of out_new is bad" },
        { "exporters: {out_new: {retry_on_failure: {max_elapsed_time: 1s}}}" SERVICE,
            "exporters.out_new: retry_on_failure: max_elapsed_time" },
        { "exporters: {out_new: {sending_queue: {queue_size: x}}}" SERVICE,
            "exporters.out_new.sending_queue.queue_size: expected a whole number" },
        { ONE_PIPELINE ", pipeline: x}", "service.pipeline: unknown key, did you mean \"pipelines\"?" },
        { ONE_PIPELINE ", telemetry: {unknown: key}}", "service.telemetry.unknown: unknown key" },
        { ONE_PIPELINE ", telemetry: {metrics: {readers: [{periodic: {interval: 5}}]}}}", "periodic: weir does not support this key yet" },
        { ONE_PIPELINE ", telemetry: {metrics: {readers: [{pull: }]}}}", "expected {pull: {exporter: {prometheus: {...}}}}" },
        { ONE_PIPELINE ", telemetry: {metrics: {views: [{}]}}}", "views: weir does not support this key yet" },
        { ONE_PIPELINE ", telemetry: {resource: {a: [b]}}}", "\"a\": expected a string" },
        { ONE_PIPELINE ", extensions: [health]}", "service.extensions: there is no extension \"health\" under extensions" },
        { ONE_PIPELINE ", extensions: health}", "service.extensions: expected a list of component ids" },
        { "service: {}", "service.pipelines: there must be at least one pipeline" },
        { "service: {pipelines: {}}", "service.pipelines: there must be at least one pipeline" },
        { "service: 5", "service: expected a map" },
        { "service: {pipelines: {trace: {}}}", "service.pipelines.trace: a pipeline is called traces, metrics, logs or profiles, or one of "
                                               "them with a name: traces/2; did you mean \"traces\"?" },
        { "service: {pipelines: {traces: }}", "service.pipelines.traces.receivers: must name at least one receiver" },
        { "service: {pipelines: {traces: }}", "service.pipelines.traces.exporters: must name at least one exporter" },
        { "service: {pipelines: {traces: {receiver: [in]}}}",
            "service.pipelines.traces.receiver: unknown key, did you mean \"receivers\"?" },
        { "receivers: {in: }\nservice: {pipelines: {traces: {receivers: [im]}}}",
            "yaml:2:44: service.pipelines.traces.receivers: there is no receiver \"im\", did you mean \"in\"?" },
        { "receivers: {in: }\nservice: {pipelines: {traces: {receivers: [in, in]}}}",
            "yaml:2:48: service.pipelines.traces.receivers: \"in\" is listed twice" },
        { "receivers: {traces_only: }\nservice: {pipelines: {logs: {receivers: [traces_only]}}}",
            "the receiver \"traces_only\" does not give logs, only traces" },
        { "processors: {pass: }\nservice: {pipelines: {metrics: {processors: [pass]}}}",
            "the processor \"pass\" does not take metrics, only traces, logs" },
        { "service: {pipelines: {traces: {receivers: [{a: b}]}}}", "expected the id of a receiver" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_refused(cases[i].text, cases[i].sentence);
}

static void test_connectors(void **state)
{
    (void)state;
    assert_refused("receivers: {in: }\nconnectors: {forward: }\nservice: {pipelines: {traces: {receivers: [in], exporters: [forward]}}}",
        "service.pipelines.traces.exporters: the connector \"forward\" ends here, but no pipeline that it can feed has it among its "
        "receivers");
    assert_refused(
        "exporters: {out_new: }\nconnectors: {forward: }\nservice: {pipelines: {traces: {receivers: [forward], exporters: [out_new]}}}",
        "the connector \"forward\" begins here, but no pipeline that it can be fed by has it among its exporters");
    assert_refused("receivers: {in: }\nexporters: {out_new: }\nconnectors: {forward: }\nservice: {pipelines: {traces: {receivers: [in], "
                   "exporters: [forward]}, "
                   "logs: {receivers: [forward], exporters: [out_new]}}}",
        "no pipeline that it can feed");
    assert_refused("receivers: {in: }\nexporters: {out_new: }\nconnectors: {count: }\nservice: {pipelines: {traces: {receivers: [in], "
                   "exporters: [count]}, "
                   "traces/2: {receivers: [count], exporters: [out_new]}}}",
        "the connector \"count\" does not give traces, only metrics");
    assert_refused("connectors: {forward: , forward/b: }\nreceivers: {in: }\nservice: {pipelines: {traces: {receivers: [in, forward/b], "
                   "exporters: [forward]}, "
                   "traces/2: {receivers: [forward], exporters: [forward/b]}}}",
        "closes a circle: traces -> forward -> traces/2 -> forward/b -> traces");
    assert_refused("connectors: {forward: }\nservice: {pipelines: {logs: {receivers: [forward], exporters: [forward]}}}",
        "closes a circle: logs -> forward -> logs");
}

static void test_unlisted_extensions_warn(void **state)
{
    struct loaded loaded;

    (void)state;
    configuration_destroy(
        load(&loaded, "receivers: {in: }\nexporters: {out_new: {sending_queue: {storage: health/x}}}\nextensions: {health/x: }" SERVICE));
    assert_int_equal(loaded.errors.warnings, 2);
    assert_string_equal(error_text(&loaded, 0), "yaml:2:39: exporters.out_new.sending_queue.storage: the extension \"health/x\" is not "
                                                "listed in service.extensions, so this will not start");
    unload(&loaded);
}

static void test_all_errors_at_once(void **state)
{
    struct loaded loaded;

    (void)state;
    assert_null(load(&loaded,
        "receivers: {in: {a: 1}}\nexporters: {out_new: {endpont: x, sending_queue: {sizer: x}}}\nservice: {pipelines: {trace: }, x: }"));
    assert_int_equal(loaded.errors.count, 5);
    unload(&loaded);
}

static void test_instances(void **state)
{
    struct loaded loaded;
    struct configuration *configuration = load(&loaded, good), *other;
    const struct configuration_component *settings = configuration_find(configuration, COMPONENT_EXPORTER, "out/2");
    struct arena arena = { 0 };
    struct error err;
    struct exporter *instance = (struct exporter *)configuration_instance(settings, &arena, &err);
    struct loaded other_loaded;

    (void)state;
    assert_non_null(instance);
    assert_string_equal(instance->endpoint, "x");
    assert_string_equal(instance->base.id, "out/2");
    assert_string_equal(instance->base.path, "exporters.out/2");
    assert_ptr_equal(instance->base.type, &exporter_type);
    assert_int_equal(instance->delivery.queue.queue_size, 1000);
    free(instance);
    arena_fini(&arena);
    other = load(&other_loaded, good);
    assert_true(configuration_component_equal(settings, configuration_find(other, COMPONENT_EXPORTER, "out/2")));
    assert_false(configuration_component_equal(settings, configuration_find(other, COMPONENT_EXPORTER, "out_new")));
    configuration_destroy(configuration);
    configuration_destroy(other);
    unload(&loaded);
    unload(&other_loaded);
}

static void test_registry(void **state)
{
    bool former = false;

    (void)state;
    assert_ptr_equal(registry_find(COMPONENT_EXPORTER, "out", &former), &exporter_type);
    assert_true(former);
    assert_ptr_equal(registry_find(COMPONENT_EXPORTER, "out_new", &former), &exporter_type);
    assert_false(former);
    assert_null(registry_find(COMPONENT_RECEIVER, "out", NULL));
}

/* ---- commands ---- */

/* What the command writes to standard output. */
static char *output_of(int (*command)(int, char **), int expected, char **argv)
{
    char path[] = "/tmp/weir_configuration_test_XXXXXX";
    int saved = dup(STDOUT_FILENO), file = mkstemp(path), argc = 0;
    char *text;
    struct stat status;

    while (argv[argc] != NULL)
        argc++;
    fflush(stdout);
    dup2(file, STDOUT_FILENO);
    assert_int_equal(command(argc, argv), expected);
    fflush(stdout);
    dup2(saved, STDOUT_FILENO);
    close(saved);
    assert_int_equal(fstat(file, &status), 0);
    text = calloc(1, (size_t)status.st_size + 1);
    assert_int_equal(pread(file, text, (size_t)status.st_size, 0), status.st_size);
    close(file);
    unlink(path);
    return text;
}

static void test_commands(void **state)
{
    char source[2048], printed_source[16384], set[] = "--set=exporters.out/2.endpoint=bad";
    char *printed, *again, *text;

    (void)state;
    snprintf(source, sizeof(source), "yaml:%s", good);
    text = output_of(command_validate, 0, (char *[]){ "validate", "--config", source, NULL });
    assert_string_equal(text, "ok\n");
    free(text);
    free(output_of(command_validate, 1, (char *[]){ "validate", "--config", source, set, NULL }));
    free(output_of(command_validate, 2, (char *[]){ "validate", NULL }));
    free(output_of(command_validate, 2, (char *[]){ "validate", "--nonsense", "x", NULL }));
    printed = output_of(command_print_config, 0, (char *[]){ "print-config", source, NULL });
    snprintf(printed_source, sizeof(printed_source), "--config=yaml:%s", printed);
    again = output_of(command_print_config, 0, (char *[]){ "print-config", printed_source, NULL });
    assert_string_equal(printed, again);
    assert_non_null(strstr(printed, "  out/2:\n    endpoint: x\n    sending_queue:\n      enabled: true\n"));
    free(printed);
    free(again);
    text = output_of(command_components, 0, (char *[]){ "components", NULL });
    assert_non_null(strstr(
        text, "exporters:\n  out_new, formerly out (alpha; traces, metrics, logs, profiles): Sends.\n      endpoint: localhost:1\n"));
    free(text);
}

static void assert_is_yaml(char *text)
{
    struct loaded loaded;

    for (char *p = text; *p != '\0'; p++)
        if (*p == '$')
            *p = '_';
    load_text(&loaded, text);
    assert_no_errors(&loaded);
    unload(&loaded);
    free(text);
}

static void test_schema_command(void **state)
{
    (void)state;
    assert_is_yaml(output_of(command_schema, 0, (char *[]){ "schema", NULL }));
}

static char *read_page(const char *folder, const char *name)
{
    char path[256], *text = calloc(1, 20000);
    FILE *file;

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    file = fopen(path, "r");
    assert_non_null(file);
    assert_true(fread(text, 1, 19999, file) > 0);
    fclose(file);
    unlink(path);
    return text;
}

static void test_docs_command(void **state)
{
    static const char *const pages[] = { "receiver-in.md", "receiver-traces_only.md", "processor-pass.md", "connector-forward.md",
        "connector-count.md", "exporter-out_new.md", "extension-health.md" };
    char folder[] = "/tmp/weir_docs_test_XXXXXX", *text;

    (void)state;
    assert_non_null(mkdtemp(folder));
    free(output_of(command_docs, 0, (char *[]){ "docs", folder, NULL }));
    text = read_page(folder, "README.md");
    assert_non_null(strstr(text, "| [out_new](exporter-out_new.md) | traces, metrics, logs, profiles | alpha | 19 | - | - |\n"));
    free(text);
    for (size_t i = 0; i < sizeof(pages) / sizeof(pages[0]); i++) {
        text = read_page(folder, pages[i]);
        if (strcmp(pages[i], "exporter-out_new.md") == 0) {
            assert_non_null(strstr(text, "# out_new exporter\n"));
            assert_non_null(strstr(text, "- Former name: `out` (accepted with a warning)\n"));
            assert_non_null(strstr(text, "| `sending_queue.queue_size` | integer, 1.. | `1000` |"));
        }
        free(text);
    }
    assert_int_equal(rmdir(folder), 0);
    free(output_of(command_docs, 2, (char *[]){ "docs", NULL }));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),
        cmocka_unit_test(test_telemetry),
        cmocka_unit_test(test_telemetry_defaults),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_connectors),
        cmocka_unit_test(test_unlisted_extensions_warn),
        cmocka_unit_test(test_all_errors_at_once),
        cmocka_unit_test(test_instances),
        cmocka_unit_test(test_registry),
        cmocka_unit_test(test_commands),
        cmocka_unit_test(test_schema_command),
        cmocka_unit_test(test_docs_command),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

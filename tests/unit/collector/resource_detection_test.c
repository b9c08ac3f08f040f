/* resource_detection: what the environment and the system say, and who wins. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/utsname.h>

#include "tests/unit/collector/processor_harness.h"

#define RESOURCE(attributes, more)                                                                                                         \
    "{\"resourceLogs\":[{\"resource\":{\"attributes\":[" attributes "]},\"scopeLogs\":[{\"logRecords\":[{\"severityNumber\":9}]}]" more    \
    "}]}"
#define RESOURCE_WITH_SCHEMA(attributes)                                                                                                   \
    "{\"resourceLogs\":[{\"resource\":{\"attributes\":[" attributes                                                                        \
    "]},\"schemaUrl\":\"https://opentelemetry.io/schemas/1.40.0\",\"scopeLogs\":[{"                                                        \
    "\"logRecords\":[{\"severityNumber\":9}]}]}]}"
#define TEXT(key, value) "{\"key\":\"" key "\",\"value\":{\"stringValue\":\"" value "\"}}"

static void check(const char *settings, const char *in, const char *wanted)
{
    char *out = processed("resource_detection", settings, SIGNAL_LOGS, in);

    if (strcmp(out, wanted) != 0)
        fail_msg("%s gave\n%s\nwanted\n%s", settings, out, wanted);
    free(out);
}

static void test_environment(void **state)
{
    (void)state;
    setenv("OTEL_RESOURCE_ATTRIBUTES", "service.name=shop, team = a%2Cb ,empty=", 1);
    check("{}", RESOURCE("", ""), RESOURCE(TEXT("service.name", "shop") "," TEXT("team", "a,b") "," TEXT("empty", ""), ""));
    check("{override: false}", RESOURCE(TEXT("service.name", "other"), ""),
        RESOURCE(TEXT("service.name", "other") "," TEXT("team", "a,b") "," TEXT("empty", ""), ""));
    setenv("OTEL_RESOURCE_ATTRIBUTES", "service.name=shop", 1);
    check("{}", RESOURCE(TEXT("service.name", "other"), ""), RESOURCE(TEXT("service.name", "shop"), ""));
    check("{}", RESOURCE(TEXT("service.name", "shop"), ""), "same");
    unsetenv("OTEL_RESOURCE_ATTRIBUTES");
    check("{}", RESOURCE(TEXT("service.name", "other"), ""), "same");
}

static void test_environment_that_is_wrong(void **state)
{
    static const char *const rows[] = { "a", "=b", "a=b,c", "a=%zz", "a=%4" };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        setenv("OTEL_RESOURCE_ATTRIBUTES", rows[i], 1);
        char *out = processed("resource_detection", "{}", SIGNAL_LOGS, RESOURCE("", ""));
        if (strstr(out, "expected key=value") == NULL)
            fail_msg("%s gave %s", rows[i], out);
        free(out);
    }
    unsetenv("OTEL_RESOURCE_ATTRIBUTES");
}

static void test_system(void **state)
{
    struct utsname kernel;
    char *wanted = NULL, *out;

    (void)state;
    uname(&kernel);
    assert_true(asprintf(&wanted, RESOURCE_WITH_SCHEMA(TEXT("host.name", "%s") "," TEXT("os.type", "linux")), kernel.nodename) > 0);
    check("{detectors: [system], system: {hostname_sources: [os]}}", RESOURCE("", ""), wanted);
    free(wanted);
    check("{detectors: [system], system: {resource_attributes: {host.name: {enabled: false}}}}", RESOURCE("", ",\"schemaUrl\":\"x\""),
        RESOURCE(TEXT("os.type", "linux"), ",\"schemaUrl\":\"x\""));
    out = processed("resource_detection",
        "{detectors: [system], system: {hostname_sources: [os], resource_attributes: {host.arch: {enabled: true}, host.ip: {enabled: "
        "true}, "
        "os.description: {enabled: true}}}}",
        SIGNAL_LOGS, RESOURCE("", ""));
    assert_non_null(strstr(out, "host.arch"));
    assert_non_null(strstr(out, "{\"key\":\"host.ip\",\"value\":{\"arrayValue\":"));
    assert_non_null(strstr(out, kernel.release));
    free(out);
}

/* The first detector that knows a thing wins. */
static void test_order_of_detectors(void **state)
{
    (void)state;
    setenv("OTEL_RESOURCE_ATTRIBUTES", "os.type=other,host.name=h", 1);
    check("{detectors: [env, system]}", RESOURCE("", ",\"schemaUrl\":\"x\""),
        RESOURCE(TEXT("os.type", "other") "," TEXT("host.name", "h"), ",\"schemaUrl\":\"x\""));
    unsetenv("OTEL_RESOURCE_ATTRIBUTES");
}

static void test_other_detectors(void **state)
{
    char *out = processed("resource_detection", "{detectors: [ec2]}", SIGNAL_LOGS, RESOURCE("", ""));

    (void)state;
    assert_non_null(strstr(out, "no detector \"ec2\" yet"));
    free(out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_environment),
        cmocka_unit_test(test_environment_that_is_wrong),
        cmocka_unit_test(test_system),
        cmocka_unit_test(test_order_of_detectors),
        cmocka_unit_test(test_other_detectors),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

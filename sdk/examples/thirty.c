/* The smallest useful program. cc thirty.c $(pkg-config --cflags --libs weir) && OTEL_SERVICE_NAME=thirty ./a.out */
#include <stdio.h>
#include <weir/weir.h>

WEIR_SCOPE(scope, "example.thirty", "1.0.0");
WEIR_INSTRUMENT(rounds, WEIR_COUNTER, scope, "example.rounds", "{round}");

static unsigned long fibonacci(unsigned n)
{
    return n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2);
}

static void round_of(unsigned n)
{
    WEIR_SPAN(span, scope, "round", WEIR_INTERNAL, NULL);
    WEIR_SET(&span, "n", n);
    unsigned long result = fibonacci(n);
    WEIR_SET(&span, "result", result);
    weir_logf(&scope, WEIR_INFO, "fibonacci(%u) is %lu", n, result);
    weir_add_attrs(&rounds, 1, WEIR_NO_ATTRS);
}

int main(void)
{
    if (weir_init(NULL) != 0)
        return 1;
    for (unsigned n = 1; n <= 10; n++)
        round_of(n);
    return weir_shutdown(5000) == 0 ? 0 : 2;
}

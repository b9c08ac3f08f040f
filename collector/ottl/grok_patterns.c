/*
 * The patterns of grok by their usual names; fields in those of web servers and load balancers are named as ECS does.
 * RE2 has no look-around, so numbers and words are bounded by \b at most.
 */
#include "collector/ottl/grok.h"

#define OCTET "(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
#define HEX16 "[0-9A-Fa-f]{1,4}"
#define LABEL "[0-9A-Za-z](?:[0-9A-Za-z_-]{0,61}[0-9A-Za-z])?"
#define PATTERN(name, text)                                                                                                                \
    {                                                                                                                                      \
        { (const uint8_t *)(name), sizeof(name) - 1 },                                                                                     \
        {                                                                                                                                  \
            (const uint8_t *)(text), sizeof(text) - 1                                                                                      \
        }                                                                                                                                  \
    }

const struct grok_pattern grok_patterns[] = {
    /* texts */
    PATTERN("WORD", "\\b\\w+\\b"),
    PATTERN("NOTSPACE", "\\S+"),
    PATTERN("SPACE", "\\s*"),
    PATTERN("DATA", ".*?"),
    PATTERN("GREEDYDATA", ".*"),
    PATTERN("QUOTEDSTRING", "\"(?:[^\"\\\\]|\\\\.)*\"|'(?:[^'\\\\]|\\\\.)*'|`(?:[^`\\\\]|\\\\.)*`"),
    PATTERN("QS", "%{QUOTEDSTRING}"),
    PATTERN("BOOL", "true|false"),
    PATTERN("UUID", "[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}"),
    PATTERN("URN", "urn:[0-9A-Za-z][0-9A-Za-z-]{0,31}:[0-9A-Za-z%()+,.:=@;$_!*'/?#-]+"),

    /* numbers */
    PATTERN("INT", "[+-]?[0-9]+"),
    PATTERN("POSINT", "\\b[1-9][0-9]*\\b"),
    PATTERN("NONNEGINT", "\\b[0-9]+\\b"),
    PATTERN("BASE10NUM", "[+-]?(?:[0-9]+(?:\\.[0-9]*)?|\\.[0-9]+)"),
    PATTERN("NUMBER", "%{BASE10NUM}"),
    PATTERN("BASE16NUM", "[+-]?(?:0x)?[0-9A-Fa-f]+"),
    PATTERN("BASE16FLOAT", "[+-]?(?:0x)?[0-9A-Fa-f]+(?:\\.[0-9A-Fa-f]*)?"),

    /* networks */
    PATTERN("IPV4", OCTET "(?:\\." OCTET "){3}"),
    PATTERN("IPV6", "(?:(?:" HEX16 ":){7}" HEX16 "|(?:" HEX16 ":){6}" OCTET "(?:\\." OCTET "){3}"
                    "|(?:" HEX16 ":){1,6}(?::" HEX16 "){1,6}|(?:" HEX16 ":){1,5}:" OCTET "(?:\\." OCTET "){3}"
                    "|:(?::" HEX16 "){1,7}|::(?:[Ff]{4}:)?" OCTET "(?:\\." OCTET "){3}|(?:" HEX16 ":){1,7}:|::)(?:%[0-9A-Za-z]+)?"),
    PATTERN("IP", "%{IPV6}|%{IPV4}"),
    PATTERN("HOSTNAME", "\\b" LABEL "(?:\\." LABEL ")*\\.?"),
    PATTERN("IPORHOST", "%{IP}|%{HOSTNAME}"),
    PATTERN("HOSTPORT", "%{IPORHOST}:%{POSINT}"),
    PATTERN("USERNAME", "[a-zA-Z0-9._-]+"),
    PATTERN("USER", "%{USERNAME}"),
    PATTERN("EMAILLOCALPART", "[a-zA-Z0-9!#$%&'*+/=?^_`{|}~-]+(?:\\.[a-zA-Z0-9!#$%&'*+/=?^_`{|}~-]+)*"),
    PATTERN("EMAILADDRESS", "%{EMAILLOCALPART}@%{HOSTNAME}"),
    PATTERN("CISCOMAC", "(?:[0-9A-Fa-f]{4}\\.){2}[0-9A-Fa-f]{4}"),
    PATTERN("WINDOWSMAC", "(?:[0-9A-Fa-f]{2}-){5}[0-9A-Fa-f]{2}"),
    PATTERN("COMMONMAC", "(?:[0-9A-Fa-f]{2}:){5}[0-9A-Fa-f]{2}"),
    PATTERN("MAC", "%{CISCOMAC}|%{WINDOWSMAC}|%{COMMONMAC}"),

    /* paths and URIs */
    PATTERN("UNIXPATH", "(?:/[\\w%!$@:.,+~-]*)+"),
    PATTERN("WINPATH", "(?:[A-Za-z]+:|\\\\)(?:\\\\[^\\\\?*]*)+"),
    PATTERN("PATH", "%{UNIXPATH}|%{WINPATH}"),
    PATTERN("TTY", "/dev/(?:pts|tty[pq]?)\\w*/?[0-9]*"),
    PATTERN("URIPROTO", "[A-Za-z][A-Za-z0-9+.-]*"),
    PATTERN("URIHOST", "%{IPORHOST}(?::%{POSINT})?"),
    PATTERN("URIPATH", "(?:/[A-Za-z0-9$.+!*'(){},~:;=@#%&_-]*)+"),
    PATTERN("URIQUERY", "[A-Za-z0-9$.+!*'|(){},~@#%&/=:;_?\\[\\]<>-]*"),
    PATTERN("URIPARAM", "\\?%{URIQUERY}"),
    PATTERN("URIPATHPARAM", "%{URIPATH}(?:\\?%{URIQUERY})?"),
    PATTERN("URI", "%{URIPROTO}://(?:%{USER}(?::[^@]*)?@)?(?:%{URIHOST})?(?:%{URIPATH}(?:\\?%{URIQUERY})?)?"),

    /* dates and times */
    PATTERN("MONTH", "\\b(?:Jan(?:uary)?|Feb(?:ruary)?|Mar(?:ch)?|Apr(?:il)?|May|June?|July?|Aug(?:ust)?|Sept?(?:ember)?|Oct(?:ober)?"
                     "|Nov(?:ember)?|Dec(?:ember)?)\\b"),
    PATTERN("MONTHNUM", "0[1-9]|1[0-2]"),
    PATTERN("MONTHNUM2", "0[1-9]|1[0-2]"),
    PATTERN("MONTHDAY", "0[1-9]|[12][0-9]|3[01]|[1-9]"),
    PATTERN("DAY", "\\b(?:Mon(?:day)?|Tue(?:sday)?|Wed(?:nesday)?|Thu(?:rsday)?|Fri(?:day)?|Sat(?:urday)?|Sun(?:day)?)\\b"),
    PATTERN("YEAR", "[0-9]{2}(?:[0-9]{2})?"),
    PATTERN("HOUR", "2[0-3]|[01]?[0-9]"),
    PATTERN("MINUTE", "[0-5][0-9]"),
    PATTERN("SECOND", "(?:[0-5][0-9]|60)(?:[:.,][0-9]+)?"),
    PATTERN("TIME", "%{HOUR}:%{MINUTE}(?::%{SECOND})?"),
    PATTERN("DATE_US", "%{MONTHNUM}[/-]%{MONTHDAY}[/-]%{YEAR}"),
    PATTERN("DATE_EU", "%{MONTHDAY}[./-]%{MONTHNUM}[./-]%{YEAR}"),
    PATTERN("DATE", "%{DATE_US}|%{DATE_EU}"),
    PATTERN("DATESTAMP", "%{DATE}[- ]%{TIME}"),
    PATTERN("TZ", "[PMACE][SED]T|UTC"),
    PATTERN("ISO8601_TIMEZONE", "Z|[+-]%{HOUR}(?::?%{MINUTE})"),
    PATTERN("ISO8601_SECOND", "%{SECOND}"),
    PATTERN("TIMESTAMP_ISO8601", "%{YEAR}-%{MONTHNUM}-%{MONTHDAY}[T ]%{HOUR}:?%{MINUTE}(?::?%{SECOND})?%{ISO8601_TIMEZONE}?"),
    PATTERN("DATESTAMP_RFC822", "%{DAY} %{MONTH} %{MONTHDAY} %{YEAR} %{TIME} %{TZ}"),
    PATTERN("DATESTAMP_RFC2822", "%{DAY}, %{MONTHDAY} %{MONTH} %{YEAR} %{TIME} %{ISO8601_TIMEZONE}"),
    PATTERN("DATESTAMP_OTHER", "%{DAY} %{MONTH} %{MONTHDAY} %{TIME} %{TZ} %{YEAR}"),
    PATTERN("DATESTAMP_EVENTLOG", "%{YEAR}%{MONTHNUM2}%{MONTHDAY}%{HOUR}%{MINUTE}%{SECOND}"),
    PATTERN("HTTPDATE", "%{MONTHDAY}/%{MONTH}/%{YEAR}:%{TIME} %{INT}"),

    /* syslog */
    PATTERN("SYSLOGTIMESTAMP", "%{MONTH} +%{MONTHDAY} %{TIME}"),
    PATTERN("PROG", "[\\x21-\\x5a\\x5c\\x5e-\\x7e]+"),
    PATTERN("SYSLOGPROG", "%{PROG:process.name}(?:\\[%{POSINT:process.pid:int}\\])?"),
    PATTERN("SYSLOGHOST", "%{IPORHOST}"),
    PATTERN("SYSLOGFACILITY", "<%{NONNEGINT:log.syslog.facility.code:int}\\.%{NONNEGINT:log.syslog.priority:int}>"),
    PATTERN("SYSLOGBASE", "%{SYSLOGTIMESTAMP:timestamp} (?:%{SYSLOGFACILITY} )?%{SYSLOGHOST:host.hostname} %{SYSLOGPROG}:"),
    PATTERN("SYSLOGLINE", "%{SYSLOGBASE} +%{GREEDYDATA:message}"),
    PATTERN("LOGLEVEL", "(?i:alert|trace|debug|notice|info(?:rmation)?|warn(?:ing)?|err(?:or)?|crit(?:ical)?|fatal|severe|emerg(?:ency)?)"),

    /* programs */
    PATTERN("JAVACLASS", "(?:[a-zA-Z$_][a-zA-Z$_0-9]*\\.)*[a-zA-Z$_][a-zA-Z$_0-9]*"),
    PATTERN("JAVAFILE", "[a-zA-Z$_0-9. -]+"),
    PATTERN("JAVAMETHOD", "<(?:cl)?init>|[a-zA-Z$_][a-zA-Z$_0-9]*"),
    PATTERN("JAVASTACKTRACEPART",
        "%{SPACE}at %{JAVACLASS:java.log.origin.class.name}\\.%{JAVAMETHOD:log.origin.function}\\(%{JAVAFILE:log.origin.file.name}"
        "(?::%{INT:log.origin.file.line:int})?\\)"),

    /* web servers, load balancers */
    PATTERN("HTTPDUSER", "%{EMAILADDRESS}|%{USER}"),
    PATTERN("HTTPD_COMMONLOG", "%{IPORHOST:source.address} (?:-|%{HTTPDUSER:apache.access.user.identity}) (?:-|%{HTTPDUSER:user.name}) "
                               "\\[%{HTTPDATE:timestamp}\\] "
                               "\"(?:%{WORD:http.request.method} %{NOTSPACE:url.original}(?: HTTP/%{NUMBER:http.version})?|%{DATA})\" "
                               "(?:-|%{INT:http.response.status_code:int}) (?:-|%{INT:http.response.body.bytes:int})"),
    PATTERN("HTTPD_COMBINEDLOG", "%{HTTPD_COMMONLOG} \"(?:-|%{DATA:http.request.referrer})\" \"(?:-|%{DATA:user_agent.original})\""),
    PATTERN("COMMONAPACHELOG", "%{HTTPD_COMMONLOG}"),
    PATTERN("COMBINEDAPACHELOG", "%{HTTPD_COMBINEDLOG}"),
    PATTERN("ELB_URIHOST", "%{IPORHOST:url.domain}(?::%{POSINT:url.port:int})?"),
    PATTERN("ELB_URIPATHQUERY", "%{URIPATH:url.path}(?:\\?%{URIQUERY:url.query})?"),
    PATTERN("ELB_URIPATHPARAM", "%{ELB_URIPATHQUERY}"),
    PATTERN("ELB_URI", "%{URIPROTO:url.scheme}://(?:%{USER:url.username}(?::[^@]*)?@)?(?:%{ELB_URIHOST})?(?:%{ELB_URIPATHQUERY})?"),
    PATTERN("ELB_REQUEST_LINE", "%{WORD:http.request.method} %{ELB_URI:url.original}(?: HTTP/%{NUMBER:http.version})?"),
    { { NULL, 0 }, { NULL, 0 } },
};

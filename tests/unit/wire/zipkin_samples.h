/* One message of each of Zipkin's formats. */
#ifndef WEIR_TESTS_ZIPKIN_SAMPLES_H
#define WEIR_TESTS_ZIPKIN_SAMPLES_H

static const char zipkin_sample_json[] =
    "[{\"traceId\":\"4d1e00c0db9010db86154a4ba6e91385\",\"parentId\":\"86154a4ba6e91385\",\"id\":\"4d1e00c0db9010db\",\"kind\":\"CLIENT\","
    "\"name\":\"get\",\"timestamp\":1472470996199000,\"duration\":207000,\"localEndpoint\":{\"serviceName\":\"frontend\","
    "\"ipv6\":\"7::0.128.128.127\"},\"remoteEndpoint\":{\"serviceName\":\"backend\",\"ipv4\":\"192.168.99.101\",\"port\":9000},"
    "\"annotations\":[{\"timestamp\":1472470996238000,\"value\":\"foo\"}],\"tags\":{\"http.path\":\"/api\",\"http.status_code\":\"500\","
    "\"error\":\"true\"},\"shared\":true,\"extra\":[{\"deep\":[]}]}]";

static const char zipkin_sample_json_v1[] =
    "[{\"traceId\":\"0ed2e63cbe71f5a8\",\"name\":\"check\",\"id\":\"0ed2e63cbe71f5a8\",\"annotations\":[{\"timestamp\":1544805927448081,"
    "\"value\":\"sr\",\"endpoint\":{\"ipv4\":\"172.31.0.4\",\"port\":0,\"serviceName\":\"service1\"}},{\"timestamp\":1544805927450000,"
    "\"value\":\"custom\"},{\"timestamp\":1544805927460102,\"value\":\"ss\"}],\"binaryAnnotations\":[{\"key\":\"http.url\",\"value\":"
    "\"http://x/\",\"endpoint\":{\"serviceName\":\"other\"}},{\"key\":\"error\",\"value\":\"yes\"},"
    "{\"key\":\"census.status_description\",\"value\":\"went wrong\"}]}]";

/* ListOfSpans: a server's span of "shop" at 10.0.0.1 with a tag and an annotation. */
static const unsigned char zipkin_sample_proto[] = "\x0a\x51"
                                                   "\x0a\x08\x01\x02\x03\x04\x05\x06\x07\x08"
                                                   "\x1a\x08\x11\x12\x13\x14\x15\x16\x17\x18"
                                                   "\x20\x02"
                                                   "\x2a\x03"
                                                   "buy"
                                                   "\x31\xe8\x03\x00\x00\x00\x00\x00\x00"
                                                   "\x38\x05"
                                                   "\x42\x0c\x0a\x04"
                                                   "shop"
                                                   "\x12\x04\x0a\x00\x00\x01"
                                                   "\x52\x0f\x09\xd0\x07\x00\x00\x00\x00\x00\x00\x12\x04"
                                                   "paid"
                                                   "\x5a\x06\x0a\x01"
                                                   "k"
                                                   "\x12\x01"
                                                   "v"
                                                   "\x60\x01\x68\x01";
enum { zipkin_sample_proto_size = sizeof(zipkin_sample_proto) - 1 };

/* A list of one struct, with fields that nobody knows. */
static const unsigned char zipkin_sample_thrift[] =
    "\x0c\x00\x00\x00\x01"
    "\x0a\x00\x01\x00\x00\x00\x00\x00\x00\x00\x02"
    "\x0b\x00\x03\x00\x00\x00\x04"
    "call"
    "\x0a\x00\x04\x00\x00\x00\x00\x00\x00\x00\x03"
    "\x0a\x00\x05\x00\x00\x00\x00\x00\x00\x00\x04"
    "\x0f\x00\x06\x0c\x00\x00\x00\x02"
    "\x0a\x00\x01\x00\x00\x00\x00\x00\x00\x03\xe8\x0b\x00\x02\x00\x00\x00\x02"
    "cs"
    "\x0c\x00\x03\x08\x00\x01\x0a\x01\x02\x03\x06\x00\x02\x00\x50\x0b\x00\x03\x00\x00\x00\x03"
    "svc"
    "\x00\x00"
    "\x0a\x00\x01\x00\x00\x00\x00\x00\x00\x04\xb0\x0b\x00\x02\x00\x00\x00\x04"
    "wait"
    "\x00"
    "\x0f\x00\x08\x0c\x00\x00\x00\x03"
    "\x0b\x00\x01\x00\x00\x00\x01"
    "n"
    "\x0b\x00\x02\x00\x00\x00\x02\x01\x02\x08\x00\x03\x00\x00\x00\x02\x00"
    "\x0b\x00\x01\x00\x00\x00\x02"
    "sa"
    "\x0b\x00\x02\x00\x00\x00\x01\x01\x08\x00\x03\x00\x00\x00\x00\x00"
    "\x0b\x00\x01\x00\x00\x00\x02"
    "lc"
    "\x0b\x00\x02\x00\x00\x00\x03"
    "lib"
    "\x08\x00\x03\x00\x00\x00\x06\x00"
    "\x02\x00\x09\x01"
    "\x0d\x00\x63\x0b\x08\x00\x00\x00\x01\x00\x00\x00\x01"
    "k"
    "\x00\x00\x00\x07"
    "\x0a\x00\x0a\x00\x00\x00\x00\x00\x00\x03\xe8"
    "\x0a\x00\x0b\x00\x00\x00\x00\x00\x00\x01\xf4"
    "\x0a\x00\x0c\x00\x00\x00\x00\x00\x00\x00\x01"
    "\x00";
enum { zipkin_sample_thrift_size = sizeof(zipkin_sample_thrift) - 1 };

#endif

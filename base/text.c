#include "base/text.h"

#include <arpa/inet.h>
#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <locale.h>
#include <math.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static const char *skip_digits(const char *text)
{
    while (is_digit(*text)) {
        text++;
    }
    return text;
}

dcps_status dcps_parse_integer(const char *what, const char *text, int64_t *value)
{
    const char *digits = text[0] == '-' || text[0] == '+' ? text + 1 : text;
    if (!is_digit(*digits) || *skip_digits(digits) != '\0') {
        return dcps_fail(DCPS_INVALID, "%s: expected an integer, got \"%s\"", what, text);
    }
    errno = 0;
    long long parsed = strtoll(text, NULL, 10);
    static_assert(sizeof(parsed) == sizeof(*value), "long long has 64 bits");
    if (errno == ERANGE) {
        return dcps_fail(DCPS_INVALID, "%s: %s does not fit into 64 bits", what, text);
    }
    *value = parsed;
    return DCPS_OK;
}

/* [sign] digits [. digits] [e [sign] digits], with a digit before or after the point: no blanks, hexadecimals, "inf" or "nan". */
static bool looks_real(const char *text)
{
    if (*text == '-' || *text == '+') {
        text++;
    }
    const char *end = skip_digits(text);
    bool has_digits = end != text;
    if (*end == '.') {
        const char *fraction = end + 1;
        end = skip_digits(fraction);
        has_digits = has_digits || end != fraction;
    }
    if (has_digits && (*end == 'e' || *end == 'E')) {
        const char *exponent = end + 1;
        if (*exponent == '-' || *exponent == '+') {
            exponent++;
        }
        end = skip_digits(exponent);
        has_digits = end != exponent;
    }
    return has_digits && *end == '\0';
}

static locale_t c_locale;
static pthread_once_t c_locale_once = PTHREAD_ONCE_INIT;

static void make_c_locale(void)
{
    c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
}

dcps_status dcps_parse_real(const char *what, const char *text, double *value)
{
    if (!looks_real(text)) {
        return dcps_fail(DCPS_INVALID, "%s: expected a decimal number, got \"%s\"", what, text);
    }
    pthread_once(&c_locale_once, make_c_locale);
    if (c_locale == (locale_t)0) {
        return dcps_fail(DCPS_NO_MEMORY, "%s: no memory for the C locale", what);
    }
    errno = 0;
    double parsed = strtod_l(text, NULL, c_locale);
    if (errno == ERANGE || !isfinite(parsed)) {
        return dcps_fail(DCPS_INVALID, "%s: %s is too large or too small for a double", what, text);
    }
    *value = parsed;
    return DCPS_OK;
}

static bool is_host_name(const char *host)
{
    for (const char *c = host; *c != '\0'; c++) {
        if (!isalnum((unsigned char)*c) && *c != '.' && *c != '-' && *c != '_') {
            return false;
        }
    }
    return host[0] != '\0' && host[0] != '-';
}

/* With or without a scope such as %eth0. */
static bool is_ipv6(const char *host)
{
    char address[INET6_ADDRSTRLEN];
    size_t length = strcspn(host, "%");
    if (length >= sizeof(address) || (host[length] == '%' && !is_host_name(host + length + 1))) {
        return false;
    }
    memcpy(address, host, length);
    address[length] = '\0';
    struct in6_addr parsed;
    return inet_pton(AF_INET6, address, &parsed) == 1;
}

static bool parse_port(const char *text, uint16_t *port)
{
    size_t length = strlen(text);
    if (length < 1 || length > 5 || *skip_digits(text) != '\0') {
        return false;
    }
    long number = strtol(text, NULL, 10);
    *port = (uint16_t)number;
    return number <= UINT16_MAX;
}

dcps_status dcps_parse_host_port(const char *what, const char *text, dcps_host_port *value)
{
    dcps_host_port parsed = {.port = 0};
    bool bracketed = text[0] == '[';
    const char *host = bracketed ? text + 1 : text;
    const char *host_end = bracketed ? strchr(host, ']') : strrchr(host, ':');
    const char *colon = bracketed && host_end != NULL ? host_end + 1 : host_end;
    if (colon == NULL || *colon != ':') {
        return dcps_fail(DCPS_INVALID, "%s: expected HOST:PORT or [IPV6]:PORT, got \"%s\"", what, text);
    }
    size_t length = (size_t)(host_end - host);
    if (length >= sizeof(parsed.host)) {
        return dcps_fail(DCPS_INVALID, "%s: a host name has at most %zu bytes, got %zu", what, sizeof(parsed.host) - 1,
                         length);
    }
    memcpy(parsed.host, host, length);
    if (!bracketed && strchr(parsed.host, ':') != NULL) {
        return dcps_fail(DCPS_INVALID, "%s: an IPv6 address needs brackets, [ADDRESS]:PORT, got \"%s\"", what, text);
    }
    if (bracketed ? !is_ipv6(parsed.host) : !is_host_name(parsed.host)) {
        return dcps_fail(DCPS_INVALID, "%s: \"%s\" is neither a host name nor an address (in \"%s\")", what,
                         parsed.host, text);
    }
    if (!parse_port(colon + 1, &parsed.port)) {
        return dcps_fail(DCPS_INVALID, "%s: expected a port from 0 to 65535, got \"%s\" (in \"%s\")", what, colon + 1,
                         text);
    }
    *value = parsed;
    return DCPS_OK;
}

dcps_status dcps_parse_host_ports(const char *what, const char *text, dcps_host_port *values, size_t capacity,
                                  size_t *count)
{
    char entry[DCPS_MAX_HOST_BYTES + sizeof("[]:65535")];
    size_t found = 0;
    for (const char *start = text;; start++) {
        size_t length = strcspn(start, ",");
        if (length >= sizeof(entry)) {
            return dcps_fail(DCPS_INVALID, "%s: entry %zu is longer than any address", what, found + 1);
        }
        if (found == capacity) {
            return dcps_fail(DCPS_LIMIT, "%s: more than %zu addresses", what, capacity);
        }
        memcpy(entry, start, length);
        entry[length] = '\0';
        dcps_status status = dcps_parse_host_port(what, entry, &values[found]);
        if (status != DCPS_OK) {
            return status;
        }
        found++;
        start += length;
        if (*start == '\0') {
            break;
        }
    }
    *count = found;
    return DCPS_OK;
}

const char *dcps_host_bracketed(const char *host, char out[DCPS_MAX_BRACKETED_BYTES])
{
    bool v6 = strchr(host, ':') != NULL;
    (void)snprintf(out, DCPS_MAX_BRACKETED_BYTES, v6 ? "[%s]" : "%s", host);
    return out;
}

bool dcps_host_is_loopback(const char *host)
{
    struct in_addr ipv4;
    struct in6_addr ipv6;
    if (inet_pton(AF_INET, host, &ipv4) == 1) {
        return (ntohl(ipv4.s_addr) >> 24) == 127;
    }
    if (inet_pton(AF_INET6, host, &ipv6) == 1) {
        return IN6_IS_ADDR_LOOPBACK(&ipv6);
    }
    return strcasecmp(host, "localhost") == 0;
}

size_t dcps_utf8_length(const char *text)
{
    const unsigned char *bytes = (const unsigned char *)text;
    if (bytes[0] < 0x80) {
        return 1;
    }
    size_t length = bytes[0] >= 0xf0 ? 4 : bytes[0] >= 0xe0 ? 3 : 2;
    if (bytes[0] < 0xc2 || bytes[0] > 0xf4) {
        return 0;
    }
    for (size_t i = 1; i < length; i++) {
        if ((bytes[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    if ((bytes[0] == 0xe0 && bytes[1] < 0xa0) || (bytes[0] == 0xed && bytes[1] >= 0xa0) ||
        (bytes[0] == 0xf0 && bytes[1] < 0x90) || (bytes[0] == 0xf4 && bytes[1] >= 0x90)) {
        return 0;
    }
    return length;
}

bool dcps_text_is_utf8(const char *text)
{
    size_t length = 1;
    for (; *text != '\0' && length > 0; text += length) {
        length = dcps_utf8_length(text);
    }
    return length > 0;
}

size_t dcps_printable_length(const char *text)
{
    const unsigned char *bytes = (const unsigned char *)text;
    bool control = bytes[0] < 0x20 || bytes[0] == 0x7f || (bytes[0] == 0xc2 && bytes[1] < 0xa0);
    return control ? 0 : dcps_utf8_length(text);
}

void dcps_text_fit(char *out, size_t capacity, const char *text)
{
    size_t used = 0;
    while (*text != '\0') {
        size_t length = dcps_printable_length(text);
        size_t taken = length > 0 ? length : 1;
        if (used + taken >= capacity) {
            break;
        }
        memcpy(out + used, length > 0 ? text : "?", taken);
        used += taken;
        text += taken;
    }
    out[used] = '\0';
}

dcps_status dcps_format(char *out, size_t capacity, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(out, capacity, format, arguments);
    va_end(arguments);
    if (length >= 0 && (size_t)length < capacity) {
        return DCPS_OK;
    }
    if (capacity > 0) {
        out[0] = '\0';
    }
    return dcps_fail(DCPS_LIMIT, "a text of %d bytes does not fit into %zu", length, capacity);
}

#define WIDTH_COLUMNS 100u

void dcps_print_wrapped(FILE *out, unsigned indent_columns, const char *head, const char *text)
{
    size_t column = strlen(head) > indent_columns ? strlen(head) : indent_columns;
    const char *gap = "";
    (void)fprintf(out, "%-*s", (int)indent_columns, head);
    while (*text != '\0') {
        const size_t length = strcspn(text, " ");
        if (*gap != '\0' && column + 1 + length > WIDTH_COLUMNS) {
            (void)fprintf(out, "\n%*s", (int)indent_columns, "");
            column = indent_columns;
            gap = "";
        }
        (void)fprintf(out, "%s%.*s", gap, (int)length, text);
        column += strlen(gap) + length;
        gap = " ";
        text += length;
        text += strspn(text, " ");
    }
    (void)fputc('\n', out);
}

#include "proto/endpoint.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <string.h>
#include <sys/socket.h>

#include "base/text.h"

static bool has_scheme(const char *text, const char *scheme, const char **rest)
{
    size_t length = strlen(scheme);
    *rest = text + length;
    return strncmp(text, scheme, length) == 0 && **rest != '\0';
}

/* Writes the first address of that family as text. */
static bool resolve(const char *host, int family, char address[INET6_ADDRSTRLEN])
{
    struct addrinfo wanted = {.ai_family = family, .ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    if (getaddrinfo(host, NULL, &wanted, &found) != 0) {
        return false;
    }
    int error = getnameinfo(found->ai_addr, found->ai_addrlen, address, INET6_ADDRSTRLEN, NULL, 0, NI_NUMERICHOST);
    freeaddrinfo(found);
    return error == 0;
}

static dcps_status write_tcp(const char *host, uint16_t port, bool ipv6, dcps_endpoint *endpoint)
{
    char bracketed[DCPS_MAX_BRACKETED_BYTES];
    endpoint->ipv6 = ipv6;
    endpoint->port = port;
    return dcps_format(endpoint->text, sizeof(endpoint->text), "tcp://%s:%u", dcps_host_bracketed(host, bracketed),
                       (unsigned)port);
}

/* IPv4 first, here and for connecting: a server at "localhost" and a worker that asks for "localhost" must mean the same address. */
static dcps_status bind_tcp(const char *text, const char *rest, dcps_endpoint *endpoint)
{
    dcps_host_port place;
    char all[sizeof("0.0.0.0:65535")];
    char address[INET6_ADDRSTRLEN];
    if (strncmp(rest, "*:", 2) == 0 && dcps_format(all, sizeof(all), "0.0.0.0:%s", rest + 2) == DCPS_OK) {
        rest = all;
    }
    dcps_status status = dcps_parse_host_port("endpoint", rest, &place);
    if (status != DCPS_OK) {
        return status;
    }
    bool ipv4 = strchr(place.host, ':') == NULL && resolve(place.host, AF_INET, address);
    if (!ipv4 && !resolve(place.host, AF_INET6, address)) {
        return dcps_fail(DCPS_NOT_FOUND, "endpoint %s: the host %s has no address; give one of this machine's", text,
                         place.host);
    }
    return write_tcp(address, place.port, !ipv4, endpoint);
}

/* A name that has no address yet may get one: nothing is remembered of it. */
static bool needs_ipv6(const char *host, dcps_host_families *families)
{
    char address[INET6_ADDRSTRLEN];
    bool ipv6 = strchr(host, ':') != NULL;
    if (ipv6 || dcps_host_families_find(families, host, &ipv6)) {
        return ipv6;
    }
    bool ipv4 = resolve(host, AF_INET, address);
    ipv6 = !ipv4 && resolve(host, AF_INET6, address);
    if (ipv4 || ipv6) {
        dcps_host_families_note(families, host, ipv6);
    }
    return ipv6;
}

static dcps_status connect_tcp(const char *text, const char *rest, dcps_host_families *families,
                               dcps_endpoint *endpoint)
{
    dcps_host_port place;
    dcps_status status = dcps_parse_host_port("endpoint", rest, &place);
    if (status != DCPS_OK) {
        return status;
    }
    if (place.port == 0) {
        return dcps_fail(DCPS_INVALID, "endpoint %s: connecting needs a port from 1 to 65535", text);
    }
    return write_tcp(place.host, place.port, needs_ipv6(place.host, families), endpoint);
}

/* `families` NULL: to bind. */
static dcps_status parse(const char *text, dcps_host_families *families, dcps_endpoint *endpoint)
{
    const char *rest = NULL;
    dcps_endpoint parsed = {.ipv6 = false};
    dcps_status status = DCPS_OK;
    if (strnlen(text, DCPS_MAX_ENDPOINT_BYTES) == DCPS_MAX_ENDPOINT_BYTES) {
        return dcps_fail(DCPS_INVALID, "endpoint: longer than %u bytes", DCPS_MAX_ENDPOINT_BYTES - 1);
    }
    if (has_scheme(text, "tcp://", &rest)) {
        status = families == NULL ? bind_tcp(text, rest, &parsed) : connect_tcp(text, rest, families, &parsed);
    } else if (has_scheme(text, "ipc://", &rest) || has_scheme(text, "inproc://", &rest)) {
        status = dcps_format(parsed.text, sizeof(parsed.text), "%s", text);
    } else {
        status = dcps_fail(DCPS_INVALID, "endpoint: expected tcp://HOST:PORT or ipc://PATH, got \"%s\"", text);
    }
    if (status == DCPS_OK) {
        *endpoint = parsed;
    }
    return status;
}

dcps_status dcps_endpoint_to_bind(const char *text, dcps_endpoint *endpoint)
{
    return parse(text, NULL, endpoint);
}

dcps_status dcps_endpoint_to_connect(const char *text, dcps_host_families *families, dcps_endpoint *endpoint)
{
    return parse(text, families, endpoint);
}

#include "cli/common/screen.h"

#include <stdarg.h>
#include <sys/ioctl.h>

#include "base/clock.h"

#define DCPS_SCREEN_PLAIN_INTERVAL_NS (5 * DCPS_NS_PER_S)
#define DCPS_SCREEN_DEFAULT_COLUMNS 80

void dcps_screen_init(dcps_screen *screen, FILE *out, bool terminal)
{
    *screen = (dcps_screen){.out = out, .terminal = terminal, .plain_interval_ns = DCPS_SCREEN_PLAIN_INTERVAL_NS};
}

static int terminal_columns(const dcps_screen *screen)
{
    struct winsize size = {0};
    if (ioctl(fileno(screen->out), TIOCGWINSZ, &size) == 0 && size.ws_col > 0) {
        return size.ws_col;
    }
    return DCPS_SCREEN_DEFAULT_COLUMNS;
}

static void wipe(dcps_screen *screen)
{
    if (screen->drawn) {
        (void)fputs("\r\033[K", screen->out);
        screen->drawn = false;
    }
}

static void draw(dcps_screen *screen)
{
    /* One column is left free: writing into the last one would wrap on some terminals. */
    (void)fprintf(screen->out, "\r\033[K%.*s", terminal_columns(screen) - 1, screen->live);
    screen->drawn = true;
}

void dcps_screen_live(dcps_screen *screen, const char *text, uint64_t now_ns)
{
    (void)snprintf(screen->live, sizeof(screen->live), "%s", text);
    if (screen->terminal) {
        draw(screen);
    } else if (screen->plain_last_ns == 0 || now_ns - screen->plain_last_ns >= screen->plain_interval_ns) {
        screen->plain_last_ns = now_ns;
        (void)fprintf(screen->out, "%s\n", screen->live);
    }
    (void)fflush(screen->out);
}

void dcps_screen_print(dcps_screen *screen, const char *format, ...)
{
    bool redraw = screen->drawn;
    wipe(screen);
    va_list list;
    va_start(list, format);
    (void)vfprintf(screen->out, format, list);
    va_end(list);
    (void)fputc('\n', screen->out);
    if (redraw) {
        draw(screen);
    }
    (void)fflush(screen->out);
}

void dcps_screen_clear(dcps_screen *screen)
{
    wipe(screen);
    screen->live[0] = '\0';
    screen->plain_last_ns = 0;
    (void)fflush(screen->out);
}

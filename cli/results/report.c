#include "cli/results/report.h"

#include <string.h>

#include "base/new_file.h"
#include "cli/results/report/embedded.h"

#define DCPS_REPORT_DUMP_FLAGS (JSON_COMPACT | JSON_REAL_PRECISION(12))

/* Receives the text of the document piece by piece. */
static int put_piece(const char *text, size_t length, void *context)
{
    FILE *out = context;
    for (size_t i = 0; i < length; i++) {
        /* Outside strings JSON has no '<': inside them this escape means the same, and neither "</script" nor "<!--" can end the element. */
        if (text[i] == '<') {
            (void)fputs("\\u003c", out);
        } else {
            (void)fputc(text[i], out);
        }
    }
    return ferror(out) ? -1 : 0;
}

void dcps_report_put_json(const char *json, FILE *out)
{
    (void)put_piece(json, strlen(json), out);
}

static bool put_bytes(const unsigned char *bytes, size_t length, FILE *out)
{
    return fwrite(bytes, 1, length, out) == length;
}

/* What stands in the place of a mark. */
static bool put_part(size_t mark, json_t *data, FILE *out)
{
    switch (mark) {
    case 0:
        return put_bytes(dcps_report_css, dcps_report_css_bytes, out);
    case 1:
        return json_dump_callback(data, put_piece, out, DCPS_REPORT_DUMP_FLAGS) == 0;
    case 2:
        return put_bytes(dcps_report_js, dcps_report_js_bytes, out);
    default:
        return put_bytes(dcps_report_details, dcps_report_details_bytes, out);
    }
}

/* Copies the page, with the marked places filled. */
static bool put_page(json_t *data, FILE *out)
{
    static const char *const marks[] = {"<!-- style -->", "<!-- data -->", "<!-- script -->", "<!-- details -->"};
    const char *rest = (const char *)dcps_report_html;
    bool good = true;
    for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++) {
        const char *mark = strstr(rest, marks[i]);
        if (mark == NULL) {
            return false;
        }
        good = fwrite(rest, 1, (size_t)(mark - rest), out) == (size_t)(mark - rest) && good;
        good = put_part(i, data, out) && good;
        rest = mark + strlen(marks[i]);
    }
    return fputs(rest, out) != EOF && good;
}

dcps_status dcps_report_write(json_t *results, const dcps_report_page *page, const char *path)
{
    dcps_new_file made;
    json_t *data = json_pack("{s:O, s:s, s:s, s:O}", "results", results, "command", page->command, "created",
                             page->created, "settings", page->settings);
    if (data == NULL) {
        return dcps_fail(DCPS_NO_MEMORY, "no memory for %s", path);
    }
    dcps_status status = dcps_new_file_open(&made, path);
    if (status == DCPS_OK) {
        bool good = put_page(data, made.file);
        status = dcps_new_file_close(&made, good);
    }
    json_decref(data);
    return status;
}

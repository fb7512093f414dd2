/* The files of this folder, as bytes inside the program. */
#ifndef DCPS_CLI_REPORT_EMBEDDED_H
#define DCPS_CLI_REPORT_EMBEDDED_H

#include <stddef.h>

/* Each is followed by a zero byte that does not count. */
extern const unsigned char dcps_report_html[];
extern const size_t dcps_report_html_bytes;
extern const unsigned char dcps_report_css[];
extern const size_t dcps_report_css_bytes;
extern const unsigned char dcps_report_js[];
extern const size_t dcps_report_js_bytes;
extern const unsigned char dcps_report_details[];
extern const size_t dcps_report_details_bytes;

#endif

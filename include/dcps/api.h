/* Symbol visibility of the public interface. */
#ifndef DCPS_API_H
#define DCPS_API_H

#define DCPS_API __attribute__((visibility("default")))

#endif

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>

#include "cuda/libraries.cuh"

dcps_libraries dcps_library;

namespace
{
struct symbol {
    const char *name;
    void **place;
};

#define TEXT(name) #name
#define SYMBOL(name) {TEXT(name), reinterpret_cast<void **>(&dcps_library.name)},
const symbol cublas_symbols[] = {DCPS_CUBLAS_MAP(SYMBOL)};
const symbol cudnn_symbols[] = {DCPS_CUDNN_MAP(SYMBOL)};
#undef SYMBOL

/* The library as the system finds it, or where it was when this was built. NULL, with the failure recorded: nowhere. */
void *open_library(const char *who, const char *name, int major, const char *folder)
{
    char file[64], path[512];
    snprintf(file, sizeof(file), "lib%s.so.%d", name, major);
    snprintf(path, sizeof(path), "%s/%s", folder, file);
    void *library = dlopen(file, RTLD_NOW | RTLD_LOCAL);
    if (library == NULL) {
        library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    }
    if (library == NULL) {
        (void)dcps_fail(DCPS_NOT_FOUND,
                        "%s: cannot load %s, nor %s: %s: install it, or name its folder in LD_LIBRARY_PATH", who, file,
                        path, dlerror());
    }
    return library;
}

dcps_status load(const char *who, const char *name, int major, const char *folder, const symbol *symbols, size_t count)
{
    void *library = open_library(who, name, major, folder);
    if (library == NULL) {
        return DCPS_NOT_FOUND;
    }
    for (size_t i = 0; i < count; i++) {
        *symbols[i].place = dlsym(library, symbols[i].name);
        if (*symbols[i].place == NULL) {
            return dcps_fail(DCPS_NOT_FOUND, "%s: lib%s.so.%d lacks %s: expected the version that dcps was built with",
                             who, name, major, symbols[i].name);
        }
    }
    return DCPS_OK; /* and it stays open */
}
} // namespace

dcps_status dcps_cuda_load(const char *who)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* of dcps_library; no other is taken while it is held */
    static bool loaded;
    pthread_mutex_lock(&lock);
    dcps_status status = DCPS_OK;
    if (!loaded) {
        status = load(who, "cublas", CUBLAS_VER_MAJOR, DCPS_CUBLAS_FOLDER, cublas_symbols,
                      sizeof(cublas_symbols) / sizeof(cublas_symbols[0]));
    }
    if (!loaded && status == DCPS_OK) {
        status = load(who, "cudnn", CUDNN_MAJOR, DCPS_CUDNN_FOLDER, cudnn_symbols,
                      sizeof(cudnn_symbols) / sizeof(cudnn_symbols[0]));
    }
    loaded = loaded || status == DCPS_OK;
    pthread_mutex_unlock(&lock);
    return status;
}

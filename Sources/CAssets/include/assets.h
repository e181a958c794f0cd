// Files that are compiled into the binary (scripts/assets).
#include <stddef.h>

struct gatehouse_asset {
    // Its path, as "app.css".
    const char *name;
    // Of its content, or of all scripts together: part of its address.
    const char *hash;
    const unsigned char *bytes;
    size_t length;
    // How long it is when it is not gzipped.
    size_t plain_length;
    int is_gzipped;
};

extern const struct gatehouse_asset gatehouse_assets[];
extern const size_t gatehouse_assets_count;

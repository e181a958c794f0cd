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

// How many there are.
size_t gatehouse_assets_size(void);
// The one at a place below their number.
struct gatehouse_asset gatehouse_asset_at(size_t place);
